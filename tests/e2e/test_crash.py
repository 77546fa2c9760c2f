"""kill -9 at random moments under load: every accepted event has exactly one job in the end."""

import hashlib
import hmac
import http.client
import json
import os
import random
import threading
import unittest
import uuid

from harness import CAPTURES, SECRET, World, config, parse_capture, until

KILLS = int(os.environ.get("ORBRIDGE_TEST_KILLS", "50"))
SENDERS = 4


class Sender(threading.Thread):
    """Creates objects with numbered uuids; remembers those whose acceptance was answered."""

    def __init__(self, bridge, number, stop):
        super().__init__(daemon=True)
        self.bridge, self.number, self.stop = bridge, number, stop
        self.body = parse_capture(CAPTURES / "ObjectCreatedEvent-pub2.standard.http")[3]
        uuid_at = json.loads(self.body)["data"]["objectUuid"]
        self.parts = self.body.split(uuid_at.encode())
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
        name = str(uuid.UUID(int=(self.number << 64) + self.count, version=4))
        body = name.encode().join(self.parts)
        self.tried.append(name)
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        connection.request("POST", "/ingest/openregister", body,
                           {"Content-Type": "application/json", "X-Webhook-Signature": signature})
        answer = connection.getresponse()
        answer.read()
        if answer.status in (200, 202):
            self.accepted.append(name)


class Crash(unittest.TestCase):
    def test_every_accepted_event_has_exactly_one_job(self):
        seed = int(os.environ.get("ORBRIDGE_TEST_SEED", random.randrange(1 << 32)))
        moments = random.Random(seed)
        with World() as world:
            windmill = world.windmill()
            bridge = world.bridge(config(world, windmill, target_extra="    retry: {schedule: [50ms, 100ms, 200ms, 400ms, 800ms, 1s, 1s, 1s, 1s, 1s], floor: 50ms}\n")).start()
            stop = threading.Event()
            senders = [Sender(bridge, number, stop) for number in range(SENDERS)]
            for sender in senders:
                sender.start()
            for kill in range(KILLS):
                accepted = sum(len(s.accepted) for s in senders)
                until("load", lambda: sum(len(s.accepted) for s in senders) > accepted + 5)
                stop.wait(moments.random() * 0.15)
                bridge.kill()
                bridge.start()
            stop.set()
            for sender in senders:
                sender.join()
            bridge.settled()
            until("jobs done", lambda: all(j["success"] is not None for j in windmill.jobs()))
            accepted = [name for s in senders for name in s.accepted]
            tried = {name for s in senders for name in s.tried}
            jobs = [j["result"]["uuid"] for j in windmill.jobs()]
            counts = windmill.get("/_standin/counts")
            print(f"seed {seed}: {KILLS} kills, {len(accepted)} accepted, {len(jobs)} jobs, refused duplicates {counts['duplicates']}")
            self.assertEqual(set(accepted) - set(jobs), set(), f"missing, seed {seed}")
            self.assertEqual(len(jobs), len(set(jobs)), f"doubled, seed {seed}")
            self.assertEqual(set(jobs) - tried, set(), f"unexpected, seed {seed}")
            self.assertEqual(bridge.stop(), 0)


if __name__ == "__main__":
    unittest.main()
