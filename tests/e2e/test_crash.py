"""kill -9 at random moments under load: every accepted event has exactly one job in the end, in the order of its subject.

ORBRIDGE_TEST_KILLS says how many kills (50; the full run is 200), ORBRIDGE_TEST_SEED repeats their moments."""

import collections
import hashlib
import hmac
import http.client
import json
import os
import random
import threading
import unittest
import uuid

from harness import CAPTURES, SECRET, STANDINS, World, config, free_port, parse_capture, until

KILLS = int(os.environ.get("ORBRIDGE_TEST_KILLS", "50"))
SENDERS = 4
SUBJECTS_EACH = 3


def route(targets):
    """Everything, however often an object changes: the loop guard would take this load for an echo."""
    return f"  - {{channel: Object, to: {targets}, loop: {{limit: 0}}}}\n"

RETRY = "    retry: {schedule: [50ms, 100ms, 200ms, 400ms, 800ms, 1s, 1s, 1s, 1s, 1s], floor: 50ms}\n"
DOWN = "    retry: {schedule: [100ms, 200ms, 1s, 1h], floor: 50ms}\n"


class Sender(threading.Thread):
    """Changes a few objects over and over, each change numbered; remembers those whose acceptance was answered."""

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
                    connection = http.client.HTTPConnection("127.0.0.1", self.bridge.port, timeout=5)
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

    def run_and_kill(self, bridge, kills):
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

    def test_every_accepted_event_has_exactly_one_job_in_order(self):
        bridge = self.world.bridge(config(self.world, self.windmill, target_extra=RETRY, routes=route("on-object"))).start()
        accepted, tried = self.run_and_kill(bridge, KILLS)
        bridge.settled()
        self.check(KILLS, accepted, tried, "f/nextcloud/on_object")
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
