"""What a service manager sees: an inherited socket that outlives restarts, readiness, a watchdog, units that load."""

import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from harness import CAPTURES, ROOT, SECRET, Process, World, binary, call, config, parse_capture, until

UNITS = ROOT / "deploy/systemd"


class Supervised:
    """Starts the bridge as systemd does: a listening socket as descriptor 3, a datagram socket to be told things."""

    def __init__(self, world, text, sockets=1, watchdog_ms=None):
        self.world = world
        self.config = world.folder / "orbridge.yaml"
        self.config.write_text(text)
        self.listeners = [socket.create_server(("127.0.0.1", 0), backlog=1024) for _ in range(sockets)]
        self.port = self.listeners[0].getsockname()[1] if sockets else None
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind(str(world.folder / "notify"))
        self.told.settimeout(30)
        self.watchdog_ms = watchdog_ms
        for one in [*self.listeners, self.told]:
            world.callback(one.close)

    def start(self):
        numbers = [one.fileno() for one in self.listeners]
        moves = " ".join(f"{3 + place}<&{number}" for place, number in enumerate(numbers))
        closes = " ".join(f"{number}<&-" for number in numbers if number >= 3 + len(numbers))
        script = f'export LISTEN_PID=$$ LISTEN_FDS={len(numbers)}; exec "$0" serve --config "$1" {moves} {closes}'
        env = dict(os.environ, NOTIFY_SOCKET=str(self.world.folder / "notify"))
        if self.watchdog_ms:
            env["WATCHDOG_USEC"] = str(self.watchdog_ms * 1000)
        # Descriptors of this process that happen to be 3, 4 … would be overwritten in the wrong order: move them up.
        self.process = Process.__new__(Process)
        self.process.log = open(self.world.folder / "orbridge.log", "ab")
        self.process.must_end_well = True
        self.process.process = subprocess.Popen(["bash", "-c", script, binary(), str(self.config)], env=env,
                                                stdout=self.process.log, stderr=self.process.log, pass_fds=numbers)
        self.world.processes.append(self.process)
        return self

    def hear(self, wanted):
        while True:
            lines = self.told.recv(4096).decode().split("\n")
            if wanted in lines:
                return


def high_sockets(count):
    """Keeps low descriptor numbers taken while the sockets under test are made."""
    return [os.open("/dev/null", os.O_RDONLY) for _ in range(count)]


class Service(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        for number in high_sockets(8):
            self.world.callback(os.close, number)
        self.windmill = self.world.windmill()

    def supervised(self, **options):
        return Supervised(self.world, config(self.world, self.windmill), **options)

    def test_no_request_is_refused_while_the_service_restarts_under_load(self):
        bridge = self.supervised().start()
        bridge.hear("READY=1")
        _, _, _, template = parse_capture(CAPTURES / "ObjectCreatedEvent.standard.http")
        lock, answers, faults, ended = threading.Lock(), {}, [], threading.Event()

        def send(worker):  # a new connection for each request, as PHP does
            count = 0
            while not ended.is_set():
                count += 1
                name = f"{worker:04x}{count:08x}"
                body = template.replace(b"2d9d1f0e0101", name.encode())
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=60)
                    connection.request("POST", "/ingest/openregister", body, signed(body))
                    status = connection.getresponse().status
                    connection.close()
                except OSError as fault:
                    with lock:
                        faults.append(f"{name}: {fault!r}")
                    continue
                with lock:
                    answers[status] = answers.get(status, 0) + 1

        workers = [threading.Thread(target=send, args=(number,)) for number in range(8)]
        for worker in workers:
            worker.start()
        for _ in range(4):
            before = sum(answers.values())
            until("requests go on", lambda: sum(answers.values()) > before + 50)
            self.assertEqual(bridge.process.end(), 0)
            bridge.start().hear("READY=1")
        before = sum(answers.values())
        until("requests go on", lambda: sum(answers.values()) > before + 50)
        ended.set()
        for worker in workers:
            worker.join()
        self.assertEqual(faults, [])
        self.assertEqual(set(answers), {202}, answers)
        token = (self.world.folder / "admin.token").read_text().strip()
        status = call("GET", f"http://127.0.0.1:{bridge.port}/api/v1/status", headers={"Authorization": f"Bearer {token}"})
        self.assertIn(f'"events":{answers[202]}', status[2].replace(" ", ""))

    def test_readiness_reload_watchdog_and_stop_are_told(self):
        bridge = self.supervised(watchdog_ms=400).start()
        for what in ("READY=1", "WATCHDOG=1", "WATCHDOG=1"):
            bridge.hear(what)
        os.kill(bridge.process.pid, signal.SIGHUP)
        bridge.hear("RELOADING=1")
        bridge.hear("READY=1")
        os.kill(bridge.process.pid, signal.SIGTERM)
        bridge.hear("STOPPING=1")
        self.assertEqual(bridge.process.end(), 0)

    def test_a_second_socket_is_refused_with_a_sentence(self):
        bridge = self.supervised(sockets=2).start()
        bridge.process.must_end_well = False
        self.assertEqual(bridge.process.process.wait(30), 1)
        self.assertIn("one ListenStream=", (self.world.folder / "orbridge.log").read_text())

    def test_a_unix_socket_is_served_and_one_left_behind_is_replaced(self):
        place = self.world.folder / "bridge.sock"
        text = config(self.world, self.windmill).replace("127.0.0.1:0", f"unix:{place}")
        bridge = self.world.bridge(text)
        for _ in range(2):
            bridge.start(wait=False)
            until("ready", lambda: bridge.cli("status", "--ready", url=False)[0] == 0)
            bridge.kill()
            self.assertTrue(place.exists())

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze here")
    def test_systemd_takes_the_units(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("orbridge.service", "orbridge.socket"):
                text = (UNITS / name).read_text().replace("/usr/bin/orbridge", os.path.abspath(binary()))
                (pathlib.Path(folder) / name).write_text(text)
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                                   f"{folder}/orbridge.service", f"{folder}/orbridge.socket"],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
            marks = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=25",
                                    f"{folder}/orbridge.service"], capture_output=True, text=True, timeout=60)
            self.assertEqual(marks.returncode, 0, marks.stdout + marks.stderr)


def signed(body):
    import hashlib
    import hmac
    return {"Content-Type": "application/json", "Connection": "close",
            "X-Webhook-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}


if __name__ == "__main__":
    unittest.main()
