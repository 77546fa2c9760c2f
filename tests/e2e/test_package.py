"""The .deb: what it holds, where, for whom, and that what it ships works."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from harness import ROOT, binary

BUILD = pathlib.Path(binary()).resolve().parent
EXPECTED = """./etc/orbridge/orbridge.yaml ./etc/orbridge/secrets/ ./lib/systemd/system/orbridge.service
./lib/systemd/system/orbridge.socket ./usr/bin/orbridge ./usr/lib/sysusers.d/orbridge.conf
./usr/share/bash-completion/completions/orbridge ./usr/share/doc/orbridge/changelog.gz ./usr/share/doc/orbridge/copyright
./usr/share/doc/orbridge/examples/minimal.yaml ./usr/share/man/man1/orbridge.1.gz
./usr/share/orbridge/exapp.yaml ./usr/share/orbridge/mappings/openregister.yaml
./usr/share/orbridge/orbridge.schema.json""".split()


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


@unittest.skipIf(os.environ.get("ORBRIDGE_SANITIZED"), "packs what is shipped, not what is instrumented")
class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = pathlib.Path(cls.folder.name) / "root"
        done = run("cpack", "-G", "DEB", "-B", cls.folder.name, cwd=BUILD)
        assert done.returncode == 0, done.stdout + done.stderr
        [cls.deb] = pathlib.Path(cls.folder.name).glob("orbridge_*.deb")
        run("dpkg-deb", "-R", str(cls.deb), str(cls.root), check=True)

    def test_everything_is_in_its_place_and_readable_by_those_who_may(self):
        rows = {line.split()[5]: line.split()[:2] for line in run("dpkg-deb", "-c", str(self.deb)).stdout.splitlines()}
        for name in EXPECTED:
            self.assertIn(name, rows)
            self.assertEqual(rows[name][1], "root/root", name)
        self.assertEqual(rows["./etc/orbridge/secrets/"][0], "drwxr-x---")
        self.assertEqual(rows["./usr/bin/orbridge"][0], "-rwxr-xr-x")
        self.assertEqual((self.root / "DEBIAN/conffiles").read_text(), "/etc/orbridge/orbridge.yaml\n")
        for script in ("postinst", "prerm", "postrm"):
            self.assertEqual(run("sh", "-n", str(self.root / "DEBIAN" / script)).returncode, 0)

    def test_nothing_that_the_tree_has_of_its_kinds_is_left_out(self):
        share, docs = self.root / "usr/share/orbridge", self.root / "usr/share/doc/orbridge"
        for where, kinds in ((share / "mappings", ["mappings/*.yaml"]), (share / "adapters", ["adapters/**/*.yaml"]),
                             (docs / "docs", ["docs/*.md", "docs/*.yaml"]), (docs / "examples", ["config/*.yaml"]),
                             (share, ["config/*.schema.json", "deploy/exapp/*.yaml"])):
            there = {file.name for file in where.glob("*") if file.is_file()}
            self.assertEqual(there, {file.name for kind in kinds for file in ROOT.glob(kind)}, where)

    def test_its_dependencies_are_the_runtime_packages_that_are_written_down(self):
        control = (self.root / "DEBIAN/control").read_text()
        depends = {part.split()[0] for part in re.search(r"^Depends: (.*)$", control, re.M)[1].split(", ")}
        text = (ROOT / ".ci/packages.txt").read_text()
        written = set(re.search(r"^\[runtime\]\n((?:[a-z0-9].*\n)+)", text, re.M)[1].split())
        self.assertEqual(depends - {"libc6", "libgcc-s1", "libstdc++6"}, written)

    def test_the_configuration_it_ships_passes_once_its_secrets_are_there(self):
        etc = self.root / "etc/orbridge"
        text = (etc / "orbridge.yaml").read_text()
        named = set(re.findall(r"_file: secrets/(\w+)", text))
        self.assertTrue(named)
        (etc / "test.yaml").write_text(text.replace("/usr/share/orbridge", str(self.root / "usr/share/orbridge")))
        check = (str(self.root / "usr/bin/orbridge"), "check", "--config", str(etc / "test.yaml"))
        done = run(*check)
        self.assertEqual(done.returncode, 2)
        for name in named:
            self.assertIn(f"file `secrets/{name}`: there is no such file", done.stdout)
        for name in named:
            (etc / "secrets" / name).write_text("x\n")
        self.assertEqual(run(*check).returncode, 0)

    def test_man_page_and_completion_know_every_command(self):
        usage = run(str(self.root / "usr/bin/orbridge"), "--help").stdout
        names = re.findall(r"^  (\S+) ", usage, re.M)
        self.assertGreater(len(names), 15)
        page = run("zcat", str(self.root / "usr/share/man/man1/orbridge.1.gz")).stdout.replace("\\-", "-")
        completion = self.root / "usr/share/bash-completion/completions/orbridge"
        script = f"source {completion}; COMP_WORDS=(orbridge ''); COMP_CWORD=1; _orbridge; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        offered = run("bash", "-c", script).stdout.split()
        for name in names:
            self.assertIn(f".SS orbridge {name}", page)
            self.assertIn(name, offered)
        script = (f"source {completion}; COMP_WORDS=(orbridge replay --dr); COMP_CWORD=2; _orbridge; "
                  "printf '%s\\n' \"${COMPREPLY[@]}\"")
        self.assertEqual(run("bash", "-c", script).stdout.split(), ["--dry-run"])


if __name__ == "__main__":
    unittest.main()
