"""An authority of a test's own and certificates for 127.0.0.1, made by openssl in a folder."""

import subprocess

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
CA = """[ca]
default_ca = here
[here]
database = index.txt
serial = serial.txt
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def openssl(folder, *words):
    subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)


def make_authority(folder):
    """ca.pem and ca.key."""
    openssl(folder, "req", "-x509", *CURVE, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=an authority", "-days", "2")


def ask(folder, name):
    openssl(folder, "req", *CURVE, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")


def sign(folder, name, alternative="IP:127.0.0.1"):
    """NAME.pem and NAME.key, signed by the authority, for this alternative name."""
    ask(folder, name)
    (folder / f"{name}.san").write_text(f"subjectAltName={alternative}")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", f"{name}.san", "-out", f"{name}.pem")


def sign_expired(folder, name):
    """The same, but it was valid for a day in 2020."""
    ask(folder, name)
    (folder / "ca.cnf").write_text(CA)
    (folder / "index.txt").touch()
    (folder / "serial.txt").write_text("01")
    (folder / f"{name}.san").write_text("subjectAltName=IP:127.0.0.1")
    openssl(folder, "ca", "-batch", "-config", "ca.cnf", "-in", f"{name}.csr", "-out", f"{name}.pem", "-notext",
            "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-extfile", f"{name}.san")


def sign_itself(folder, name):
    """The same, signed by nobody else."""
    openssl(folder, "req", "-x509", *CURVE, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}",
            "-days", "2", "-addext", "subjectAltName=IP:127.0.0.1")
