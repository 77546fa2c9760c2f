"""A real PostgreSQL of Debian's, in a folder of its own, for one test. Never as root: it refuses that, so who is root
becomes nobody for it."""

import glob
import grp
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile


def program(name):
    """Debian keeps the server's programs out of the way; some systems link them."""
    there = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    found = shutil.which(name) or (there[-1] if there else None)
    if not found:
        raise FileNotFoundError(f"{name}: Debian's package postgresql is needed")
    return found


class Postgres:
    """Listens on 127.0.0.1 with TLS and passwords, and on a Unix socket in its folder, where everybody is whom they say."""

    def __init__(self, port, password, certificate, key):
        self.port = port
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="orbridge-pg-"))
        self.process = None
        self.log = open(self.folder / "log", "ab")
        self.user = self.unprivileged()
        for source, name in ((certificate, "server.pem"), (key, "server.key"), (None, "password")):
            file = self.folder / name
            file.write_bytes(pathlib.Path(source).read_bytes() if source else password.encode())
            file.chmod(0o600)
        self.own(self.folder, *self.folder.iterdir())
        self.run(program("initdb"), "-D", "data", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync",
                 "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={self.folder}/password")
        with open(self.folder / "data/pg_hba.conf", "w", encoding="ascii") as rules:
            rules.write("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")

    @staticmethod
    def unprivileged():
        if os.geteuid() != 0:
            return {}
        return {"user": pwd.getpwnam("nobody").pw_uid, "group": grp.getgrnam("nogroup").gr_gid, "extra_groups": []}

    def own(self, *files):
        for file in files if self.user else ():
            os.chown(file, self.user["user"], self.user["group"])

    def run(self, *command):
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False,
                              env=dict(os.environ, LC_ALL="C", HOME=str(self.folder)), **self.user)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")

    def start(self):
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder, "fsync": "off",
                    "ssl": "on", "ssl_cert_file": self.folder / "server.pem", "ssl_key_file": self.folder / "server.key"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process = subprocess.Popen([program("postgres"), "-D", "data", *options], cwd=self.folder, stdout=self.log,
                                        stderr=self.log, env=dict(os.environ, LC_ALL="C", HOME=str(self.folder)), **self.user)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("postgres ended: " + (self.folder / "log").read_text()[-3000:])
        return subprocess.run(self.psql("SELECT 1"), capture_output=True, timeout=60, check=False).returncode == 0

    def psql(self, sql):
        return [program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-p", str(self.port),
                "-U", "postgres", "-c", sql]

    def sql(self, sql):
        """Lines of values with `|` between them."""
        done = subprocess.run(self.psql(sql), capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.splitlines()

    def stop(self):
        """At once: connections are ended."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(2)  # SIGINT: fast shutdown
            self.process.wait(60)

    def close(self):
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
