"""deploy/Dockerfile without a container engine: its own steps in a folder, and the result as a container would run it:
PID 1, nobody's user, a root that cannot be written.

Needs root, debootstrap, dpkg-dev, Debian's archive and the Python package cyclonedx-python-lib: `./dev image` brings them.
ORBRIDGE_ROOTFS keeps the folder, ORBRIDGE_DEB names a package that takes the first stage's place."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from harness import until  # noqa: E402

DEB = os.environ.get("ORBRIDGE_DEB")
CONFIG = """listen: unix:/var/lib/orbridge/orbridge.sock
sources: {own: {type: record, token_file: secrets/own}}
"""


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(place.cleanup)
        folder = pathlib.Path(os.environ.get("ORBRIDGE_ROOTFS", place.name))
        flags = ["--deb", DEB] if DEB else []
        done = subprocess.run([sys.executable, ROOT / "deploy/rootfs.py", folder, *flags], check=True,
                              stdout=subprocess.PIPE, text=True)
        cls.image = json.loads(done.stdout)
        cls.root = pathlib.Path(cls.image["Root"])
        print(f"image: {cls.image['Size']} bytes in its files; seconds for each stage: {cls.image['Seconds']}", flush=True)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.etc, self.state = pathlib.Path(folder.name) / "etc", pathlib.Path(folder.name) / "state"
        (self.etc / "secrets").mkdir(parents=True)
        self.state.mkdir(mode=0o700)
        user = int(self.image["User"].partition(":")[0])
        self.assertNotEqual(user, 0)
        os.chown(self.state, user, user)
        os.chmod(folder.name, 0o755)
        (self.etc / "orbridge.yaml").write_text(CONFIG)
        (self.etc / "secrets/own").write_text("0123456789abcdef\n")

    def inside(self, *command, **options):
        """As the image's user, in a namespace of its own where it is PID 1, with /etc/orbridge and the volume mounted."""
        script = """set -e
mount --make-rprivate / ; mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; mount -t proc proc "$0/proc"
mount --bind "$1" "$0/etc/orbridge"; mount --bind "$2" "$0$3"; user=$4; shift 4
exec chroot --userspec="$user" "$ROOT" /usr/bin/env -C "$PLACE" "$@"
"""
        arguments = ["unshare", "-m", "-p", "--fork", "--kill-child", "sh", "-c", script, str(self.root), str(self.etc),
                     str(self.state), self.image["Volume"], self.image["User"], *command]
        env = {"PATH": os.environ["PATH"], "ROOT": str(self.root), "PLACE": self.image["WorkDir"]}
        return subprocess.Popen(arguments, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)

    def health(self):
        command = json.loads(self.image["Healthcheck"].partition("CMD ")[2])
        process = self.inside(*command)
        said, _ = process.communicate(timeout=300)
        return process.returncode, said

    def test_nothing_in_it_runs_as_another_user_and_it_is_small(self):
        found = subprocess.run(["find", self.root, "-xdev", "-perm", "/6000", "-type", "f"], capture_output=True, text=True)
        self.assertEqual(found.stdout, "")
        stated = float(re.search(r"The image is ([\d.]+) MB", (ROOT / "README.md").read_text())[1]) * 1e6
        self.assertLess(abs(self.image["Size"] - stated), stated * 0.15)  # a package of the dev build is larger
        for name in ("g++", "cmake", "python3"):  # of the first stage only
            self.assertFalse((self.root / "usr/bin" / name).exists(), name)

    def test_its_labels_say_what_it_is(self):
        version = re.search(r"^project\(orbridge VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.M)[1]
        labels = {name.removeprefix("org.opencontainers.image."): text for name, text in self.image["Labels"].items()}
        self.assertLessEqual({"title", "description", "licenses", "vendor"}, set(labels))
        self.assertEqual((labels["version"], labels["base.name"]), (version, "debian:12-slim"))

    def test_what_the_program_brings_is_in_it(self):
        for folder in ("mappings", "adapters"):
            brought = {file.name for file in (ROOT / folder).rglob("*.yaml")}
            there = {file.name for file in (self.root / "usr/share/orbridge" / folder).rglob("*.yaml")}
            self.assertEqual(there, brought, folder)
        for name in ("orbridge.schema.json", "exapp.yaml", "sbom.cdx.json"):
            self.assertTrue((self.root / "usr/share/orbridge" / name).exists(), name)

    def test_all_of_it_is_listed(self):
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
        text = (self.root / "usr/share/orbridge/sbom.cdx.json").read_text()
        self.assertIsNone(JsonStrictValidator(SchemaVersion.V1_5).validate_str(text))
        listed = json.loads(text)
        names = {part["name"] for part in listed["components"]}
        installed = subprocess.run(["dpkg-query", "--admindir", self.root / "var/lib/dpkg", "-W", "-f", "${Package}\n"],
                                   capture_output=True, text=True, check=True).stdout.split()
        self.assertEqual(names, set(installed))
        text = (ROOT / ".ci/packages.txt").read_text()
        self.assertLessEqual({"orbridge", *re.search(r"^\[runtime\]\n((?:[a-z0-9].*\n)+)", text, re.M)[1].split()}, names)
        for part in listed["components"]:
            self.assertRegex(part["purl"], r"^pkg:deb/debian/[a-z0-9+.%B-]+@[^+ ]+\?arch=(amd64|arm64|all)$")

    def test_as_pid_1_it_serves_is_healthy_leaves_no_zombie_and_stops(self):
        self.assertNotEqual(self.health()[0], 0)  # nobody is there yet
        bridge = self.inside(*self.image["Entrypoint"], *self.image["Cmd"])
        self.addCleanup(bridge.stdout.close)
        self.addCleanup(bridge.wait)
        self.addCleanup(lambda: bridge.poll() is None and bridge.kill())
        until("healthy", lambda: self.health()[0] == 0)
        [pid] = children(bridge.pid)
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        self.assertRegex(status, r"NSpid:\s+\d+\s+1\n")
        self.assertRegex(status, r"Uid:\s+10001\s+10001")
        orphan = ["nsenter", "-t", str(pid), "-p", "-m", "sh", "-c", "sleep 0.05 & exit 0"]
        subprocess.run(orphan, check=True)
        until("the orphan is gone", lambda: not children(pid))
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(bridge.wait(60), 0, bridge.stdout.read())
        self.assertEqual(sorted(file.name for file in self.state.iterdir() if file.suffix != ".sock"),
                         ["admin.token", "orbridge.db", "orbridge.db.lock"])

    def test_a_wrong_configuration_ends_it_with_2_and_says_why(self):
        (self.etc / "orbridge.yaml").write_text(CONFIG + "ulr: x\n")
        bridge = self.inside(*self.image["Entrypoint"], *self.image["Cmd"])
        said, _ = bridge.communicate(timeout=300)
        self.assertEqual(bridge.returncode, 2)
        self.assertIn("/etc/orbridge/orbridge.yaml:3:1: ulr: unknown key", said)


def children(pid):
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(file.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(file.parent.name))
    return found


if __name__ == "__main__":
    unittest.main()
