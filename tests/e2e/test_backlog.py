"""The limit of what may wait: said early, refused honestly, and left by itself."""

import hashlib
import hmac
import json
import re
import unittest
import uuid

from harness import CAPTURES, SECRET, World, call, config, parse_capture, until


class Backlog(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        body = parse_capture(CAPTURES / "ObjectCreatedEvent-pub2.standard.http")[3]
        self.parts = body.split(json.loads(body)["data"]["objectUuid"].encode())

    def send(self, number):
        body = str(uuid.UUID(int=number, version=4)).encode().join(self.parts)
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return call("POST", self.bridge.url + "/ingest/openregister", body,
                    {"Content-Type": "application/json", "X-Webhook-Signature": signature})

    def ready(self):
        status, _, text = call("GET", self.bridge.url + "/readyz")
        return status, json.loads(text)["checks"]["backlog"]

    def ratio(self):
        text = call("GET", self.bridge.url + "/metrics")[2]
        return float(re.search(r'orbridge_backlog_ratio{limit="deliveries"} (\S+)', text)[1])

    def count(self, message):
        return sum(line["message"] == message for line in self.bridge.log_lines())

    def test_it_warns_refuses_and_resumes(self):
        windmill = self.world.windmill()
        windmill.post("/_standin/faults", [{"status": 503, "times": 1000000}])
        fast = "    retry: {schedule: [50ms, 100ms, 200ms, 200ms, 200ms, 200ms, 1s, 1s, 1s, 1s, 1s, 1s], floor: 10ms}\n"
        self.bridge = self.world.bridge(config(self.world, windmill, target_extra=fast,
                                               extra="backlog: {deliveries_max: 10, free_disk_min: 1MiB}"))
        self.bridge.start()
        for number in range(7):
            self.assertEqual(self.send(number)[0], 202)
        self.assertEqual((self.ready(), self.count("backlog.high")), ((200, {"ok": True}), 0))
        for number in range(7, 10):
            self.assertEqual(self.send(number)[0], 202)
        status, headers, text = self.send(10)
        self.assertEqual((status, headers["Retry-After"], json.loads(text)["error"]["code"]), (503, "30", "backlog_full"))
        self.assertEqual(self.send(3)[0], 200, "a duplicate is known, full or not")
        self.assertEqual(self.send(10)[0], 503)
        self.assertEqual(self.ready(), (503, {"ok": False, "detail": "100 % of backlog.deliveries_max: nothing new is accepted"}))
        self.assertEqual(self.ratio(), 1)
        self.assertEqual((self.count("backlog.high"), self.count("backlog.full")), (1, 1))
        call("DELETE", windmill.url + "/_standin/faults")
        until("it accepts again", lambda: self.send(10)[0] == 202)
        self.bridge.settled()
        self.assertEqual((self.ready(), self.ratio()), ((200, {"ok": True}), 0))
        self.assertGreaterEqual(self.count("backlog.resumed"), 1)
        self.assertEqual(len(windmill.jobs()), 11)

    def test_a_nearly_full_disk_counts(self):
        windmill = self.world.windmill()
        self.bridge = self.world.bridge(config(self.world, windmill, extra="backlog: {free_disk_min: 16383GiB}"))
        self.bridge.start()
        self.assertEqual(self.send(1)[0], 503)
        self.assertIn("backlog.free_disk_min", self.ready()[1]["detail"])


if __name__ == "__main__":
    unittest.main()
