"""kill -9 at random moments under load: every accepted event has exactly one job in the end, in the order of its subject.
A receiver that cannot tell a repetition sees one only of what was under way at a kill.

ORBRIDGE_TEST_KILLS says how many kills (200), ORBRIDGE_TEST_SEED repeats their moments."""

import collections
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import random
import shutil
import sqlite3
import tempfile
import threading
import unittest
import uuid

from harness import CAPTURES, ROOT, SECRET, STANDINS, World, config, free_port, parse_capture, until

KILLS = int(os.environ.get("ORBRIDGE_TEST_KILLS", "200"))
SENDERS = 4
SUBJECTS_EACH = 3


def route(targets):
    """Everything, however often an object changes: the loop guard would take this load for an echo."""
    return f"  - {{channel: Object, to: {targets}, loop: {{limit: 0}}}}\n"

RETRY = "    retry: {schedule: [50ms, 100ms, 200ms, 400ms, 800ms, 1s, 1s, 1s, 1s, 1s], floor: 50ms}\n"
DOWN = "    retry: {schedule: [100ms, 200ms, 1s, 1h], floor: 50ms}\n"


PLAIN = """  plain:
    adapter: http
    config: {{url: 'http://127.0.0.1:{port}/'}}
    task: put
    params: {{body: {{id: "{{{{delivery.id}}}}", uuid: "{{{{event.payload.object.uuid}}}}",
      title: "{{{{event.payload.object.data.titel}}}}"}}}}
"""


class PlainReceiver(http.server.ThreadingHTTPServer):
    """Takes whatever comes, as often as it comes: (delivery, object, number)."""

    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self):
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.arrived.append((said["id"], said["uuid"], said["title"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    def __init__(self):
        self.arrived = []
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # the bridge was killed


def waiting_for(target, store):
    """The deliveries that a killed bridge has not recorded as ended. Read from a copy: the next start finds all as it was left."""
    with tempfile.TemporaryDirectory() as folder:
        for file in store.parent.glob(store.name + "*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, folder)
        database = sqlite3.connect(pathlib.Path(folder) / store.name)
        rows = database.execute("SELECT id FROM deliveries WHERE target = ? AND state <= 1", (target,)).fetchall()
        database.close()
    return [str(uuid.UUID(bytes=bytes(row[0]))) for row in rows]


class Sender(threading.Thread):
    """Changes a few objects over and over, each change numbered; remembers those whose acceptance was answered."""

    timeout_s = 5

    def __init__(self, bridge, number, stop):
        super().__init__(daemon=True)
        self.bridge, self.stop = bridge, stop
        self.subjects = [str(uuid.UUID(int=(number << 64) + n, version=4)) for n in range(SUBJECTS_EACH)]
        self.body = parse_capture(CAPTURES / "ObjectCreatedEvent-pub2.standard.http")[3].decode()
        said = json.loads(self.body)["data"]
        self.uuid, self.title = said["objectUuid"], said["object"]["titel"]
        self.accepted, self.tried, self.count = [], [], 0

    def run(self):
        connection = None
        while not self.stop.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.bridge.port, timeout=self.timeout_s)
                self.send(connection)
            except (OSError, http.client.HTTPException):
                if connection is not None:
                    connection.close()
                connection = None
                self.stop.wait(0.002)

    def send(self, connection):
        self.count += 1
        change = (self.subjects[self.count % SUBJECTS_EACH], str(self.count))
        body = self.body.replace(self.uuid, change[0]).replace(self.title, change[1]).encode()
        self.tried.append(change)
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        connection.request("POST", "/ingest/openregister", body,
                           {"Content-Type": "application/json", "X-Webhook-Signature": signature})
        answer = connection.getresponse()
        answer.read()
        if answer.status in (200, 202):
            self.accepted.append(change)


def out_of_order(changes):
    """How many changes of a subject came after a later one of the same."""
    last, wrong = {}, 0
    for subject, number in changes:
        wrong += int(number) <= last.get(subject, 0)
        last[subject] = max(int(number), last.get(subject, 0))
    return wrong


class Crash(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get("ORBRIDGE_TEST_SEED", random.randrange(1 << 32)))
        self.world = World()
        self.addCleanup(self.world.close)
        self.windmill = self.world.windmill("--script", f"f/nextcloud/second={STANDINS}/scripts/on_object.py")

    def run_and_kill(self, bridge, kills, after_kill=lambda: None):
        moments = random.Random(self.seed)
        stop = threading.Event()
        senders = [Sender(bridge, number, stop) for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(kills):
            accepted = sum(len(s.accepted) for s in senders)
            until("load", lambda: sum(len(s.accepted) for s in senders) > accepted + 5)
            stop.wait(moments.random() * 0.15)
            bridge.kill()
            after_kill()
            bridge.start()
        stop.set()
        for sender in senders:
            sender.join()
        return [c for s in senders for c in s.accepted], {c for s in senders for c in s.tried}

    def check(self, kills, accepted, tried, path):
        jobs = [j for j in until("jobs done", lambda: (lambda all_: all_ if all(j["success"] is not None for j in all_) else None)(
            self.windmill.jobs())) if j["path"] == path]
        ran = [(j["result"]["uuid"], j["result"]["title"]) for j in jobs]
        times = collections.Counter(ran)
        report = {"missing": len(set(accepted) - set(ran)), "duplicated": sum(n - 1 for n in times.values()),
                  "unexpected": len(set(ran) - tried), "out_of_order": out_of_order(ran)}
        print(f"seed {self.seed}, {path}: {kills} kills, {len(accepted)} accepted, {len(ran)} jobs, " +
              ", ".join(f"{name} {count}" for name, count in report.items()) +
              f"; repeated requests refused by Windmill {self.windmill.get('/_standin/counts')['duplicates']}")
        self.assertEqual(report, dict.fromkeys(report, 0), f"seed {self.seed}")

    def check_plain(self, kills, accepted, tried, arrived, under_way):
        """`under_way`: at how many kills each delivery had not ended."""
        times = collections.Counter(delivery for delivery, _, _ in arrived)
        first = {}
        for delivery, subject, number in arrived:
            first.setdefault(delivery, (subject, number))
        came = list(first.values())
        report = {"missing": len(set(accepted) - set(came)), "unexpected": len(set(came) - tried),
                  "out_of_order": out_of_order(came),
                  "duplicated_without_need": sum(count > 1 + under_way[delivery] for delivery, count in times.items())}
        print(f"seed {self.seed}, plain receiver: {kills} kills, {len(arrived)} requests for {len(times)} deliveries, " +
              ", ".join(f"{name} {count}" for name, count in report.items()))
        self.assertEqual(report, dict.fromkeys(report, 0), f"seed {self.seed}")

    def test_every_accepted_event_has_exactly_one_job_in_order(self):
        plain, under_way = PlainReceiver(), collections.Counter()
        self.addCleanup(plain.server_close)
        self.addCleanup(plain.shutdown)
        bridge = self.world.bridge(config(self.world, self.windmill, routes=route("[on-object, plain]"),
                                          target_extra=RETRY + PLAIN.format(port=plain.server_port) + RETRY,
                                          extra=f"adapters: {{folders: [{ROOT}/adapters]}}\n")).start()
        store = self.world.folder / "orbridge.db"
        accepted, tried = self.run_and_kill(bridge, KILLS, lambda: under_way.update(waiting_for("plain", store)))
        bridge.settled()
        self.check(KILLS, accepted, tried, "f/nextcloud/on_object")
        self.check_plain(KILLS, accepted, tried, list(plain.arrived), under_way)
        self.assertEqual(bridge.stop(), 0)

    def test_three_targets_of_which_one_is_down(self):
        kills = max(1, KILLS // 5)
        more = "".join(f"  {name}:\n    adapter: windmill\n    url: {url}/api/w/main/jobs/run/p/f/nextcloud/second\n"
                       f"    token: wm-token\n{retry}"
                       for name, url, retry in (("second", self.windmill.url, RETRY), ("down", f"http://127.0.0.1:{free_port()}", DOWN)))
        routes = route("[on-object, second, down]")
        bridge = self.world.bridge(config(self.world, self.windmill, target_extra=RETRY + more, routes=routes)).start()
        accepted, tried = self.run_and_kill(bridge, kills)
        counts = lambda: bridge.api("/api/v1/status")[1]["store"]  # noqa: E731
        until("both are done", lambda: sum(counts()["targets"][name]["pending"] for name in ("on-object", "second")) == 0)
        for path in ("f/nextcloud/on_object", "f/nextcloud/second"):
            self.check(kills, accepted, tried, path)
        store = counts()
        self.assertEqual(store["targets"]["down"]["pending"], store["events"], "what waits for the one that is down")
        self.assertGreaterEqual(store["events"], len(accepted))
        self.assertEqual(bridge.stop(), 0)


if __name__ == "__main__":
    unittest.main()
