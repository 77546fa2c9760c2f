"""The compose files: docker compose reads them, nothing that they name is missing, and the demo's services do their work.

Needs docker compose and root (a network of its own, so that the services have the names and ports of the file):
`./dev compose` brings it. DOCKER_COMPOSE names the program."""

import ctypes
import fcntl
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from harness import Process, binary, call, until  # noqa: E402

DEPLOY = ROOT / "deploy"
COMPOSE = shlex.split(os.environ.get("DOCKER_COMPOSE", "docker compose"))
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def read(name, *flags):
    """What docker compose makes of a file, and what it says about it."""
    done = subprocess.run([*COMPOSE, "-f", str(DEPLOY / name), "config", "--format", "json", *flags], capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, f"{name}: {done.stderr}"
    return json.loads(done.stdout), done.stderr


class Files(unittest.TestCase):
    names = ("compose.yaml", "compose.demo.yaml")

    def services(self):
        for name in self.names:
            model, _ = read(name)
            for service, what in model["services"].items():
                yield model, f"{name}: {service}", what

    def test_docker_compose_reads_both_and_complains_of_nothing(self):
        for name in self.names:
            model, said = read(name)
            self.assertEqual(said, "", name)
            self.assertIn("orbridge", model["services"])

    def test_every_file_that_is_mounted_and_every_build_is_there(self):
        for model, where, service in self.services():
            for volume in service.get("volumes", []):
                if volume["type"] == "bind":
                    self.assertTrue(os.path.exists(volume["source"]), f"{where}: {volume['source']}")
            if "build" in service:
                self.assertTrue((pathlib.Path(service["build"]["context"]) / service["build"]["dockerfile"]).exists(), where)
        self.assertTrue(os.access(DEPLOY / "compose/nextcloud-setup.sh", os.X_OK))  # else the image passes over it

    def test_every_secret_that_is_read_is_given_and_each_that_is_given_is_made_by_the_first_lines(self):
        recipe = (DEPLOY / "compose.yaml").read_text().split("name:")[0]
        for model, where, service in self.services():
            given = {one["source"] for one in service.get("secrets", [])}
            texts = [json.dumps({key: value for key, value in service.items() if key != "secrets"})]
            texts += [pathlib.Path(one["source"]).read_text() for one in service.get("volumes", [])
                      if one["type"] == "bind" and os.path.isfile(one["source"])]
            self.assertEqual({name for text in texts for name in re.findall(r"/run/secrets/(\w+)", text)}, given, where)
            for name in given:
                self.assertIn(name, model["secrets"], where)
                self.assertIn(name, recipe, where)

    def test_they_start_in_the_order_of_health(self):
        for model, where, service in self.services():
            for name, how in service.get("depends_on", {}).items():
                self.assertEqual(how["condition"], "service_healthy", where)
                self.assertIn("healthcheck", model["services"][name], f"{where} waits for {name}")

    def test_orbridge_is_as_shut_in_as_its_image_allows(self):
        for _, where, service in self.services():
            if where.endswith(": orbridge"):
                self.assertTrue(service["read_only"], where)
                self.assertEqual(service["cap_drop"], ["ALL"], where)

    def test_the_configurations_pass_the_check_once_the_secrets_are_there(self):
        for name in ("orbridge.yaml", "demo.yaml"):
            with tempfile.TemporaryDirectory() as folder:
                text = (DEPLOY / "compose" / name).read_text().replace("/run/secrets", folder)
                for secret in re.findall(rf"{folder}/(\w+)", text):
                    (pathlib.Path(folder) / secret).write_text("0123456789abcdef0123456789abcdef\n")
                config = pathlib.Path(folder) / name
                config.write_text(text)
                shutil.copytree(ROOT / "mappings", pathlib.Path(folder) / "mappings")
                done = subprocess.run([binary(), "check", "--config", config], capture_output=True, text=True, timeout=300)
                self.assertEqual(done.returncode, 0, name + done.stdout + done.stderr)


def network_of_its_own(hosts, folder):
    """This process and those it starts have a loopback of their own, where every name in `hosts` is 127.0.0.1."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(control, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))
    names = folder / "hosts"
    names.write_text(f"127.0.0.1 localhost {' '.join(hosts)}\n")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", str(names), "/etc/hosts"], check=True)


class Demo(unittest.TestCase):
    """Each service of the demo as a process: its own command, its own files, the names and ports of the file."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="orbridge-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.model, _ = read("compose.demo.yaml")
        network_of_its_own(self.model["services"], self.folder)

    def here(self, service, text):
        """A path in the container as the path of what is mounted there."""
        for volume in service.get("volumes", []):
            source = volume["source"] if volume["type"] == "bind" else str(self.folder)
            text = re.sub(rf"(?<![\w/]){re.escape(volume['target'])}(?=/|$)", source, text)
        return text

    def start(self, name):
        service = self.model["services"][name]
        if "build" in service:
            mounted = next(one["source"] for one in service["volumes"] if one["target"] == "/etc/orbridge/orbridge.yaml")
            config = self.folder / "orbridge.yaml"
            config.write_text(self.here(service, pathlib.Path(mounted).read_text()))
            shutil.copytree(ROOT / "mappings", self.folder / "mappings")
            command = [binary(), "serve", "--config", str(config)]
        else:
            command = [self.here(service, word) for word in service["command"]]
            command[0] = sys.executable if command[0] == "python3" else command[0]
        process = Process(command, self.folder / f"{name}.log")
        self.addCleanup(process.end)
        health = service.get("healthcheck", {}).get("test", ["CMD", binary(), "status", "--ready", "--config",
                                                             str(self.folder / "orbridge.yaml")])
        until(f"{name} is healthy", lambda: subprocess.run(health[1:], capture_output=True).returncode == 0)

    def test_a_day_of_events_arrives(self):
        order = []
        while len(order) < len(self.model["services"]):
            ready = [name for name, service in self.model["services"].items()
                     if name not in order and set(service.get("depends_on", {})) <= set(order)]
            self.assertTrue(ready, "services wait for each other")
            order.append(ready[0])
            self.start(ready[0])
        lines = (DEPLOY / "compose.demo.yaml").read_text().split("name:")[0]
        until("the webhook is registered", lambda: json.loads(
            call("GET", "http://nextcloud:8081/_standin/state")[2])["webhooks"])
        address = re.search(r"(http://\S+/_standin/scenario)", lines)[1]
        self.assertEqual(call("POST", address, {"name": "day"})[0], 200)
        until("jobs are done", lambda: any(job["success"] for job in json.loads(
            call("GET", re.search(r"(http://\S+/_standin/jobs)", lines)[1])[2])))


if __name__ == "__main__":
    unittest.main()
