"""Every captured request, byte for byte, through the real binary."""

import json
import unittest

from harness import CAPTURES, World, call, config, parse_capture, send_capture, until

OPEN_SOURCE = """  open:
    type: openregister
    register: off
    verify: none
"""
NEXTCLOUD_SOURCE = """  cloud:
    type: nextcloud
    register: off
    secret: EXAMPLE-NOT-REAL
"""


class Captures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        windmill = cls.world.windmill()
        cls.bridge = cls.world.bridge(config(cls.world, windmill, source_extra=OPEN_SOURCE + NEXTCLOUD_SOURCE)).start()
        cls.windmill = windmill

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def events(self):
        return self.bridge.api("/api/v1/status")[1]["store"]["events"]

    def test_every_post_is_accepted_and_mapped(self):
        for capture in sorted(CAPTURES.glob("*.http")):
            method, _, headers, _ = parse_capture(capture)
            if method == "GET":
                continue
            signed = any(name.lower() == "x-webhook-signature" for name, _ in headers)
            with self.subTest(capture.name):
                status, text = send_capture(self.bridge.port, capture, "/ingest/" + ("openregister" if signed else "open"))
                self.assertIn(status, (200, 202), text)
                event = self.bridge.api("/api/v1/events/" + json.loads(text)["id"])[1]
                self.assertEqual(event["state"], "mapped")
                self.assertTrue(event["channel"] and event["event_name"])
                self.assertNotIn("REDACTED-EXAMPLE", json.dumps(event))

    def test_a_get_is_told_to_be_a_post(self):
        for capture in CAPTURES.glob("*standard-get.http"):
            status, text = send_capture(self.bridge.port, capture, "/ingest/openregister")
            self.assertEqual(status, 405, text)
            self.assertIn("POST", json.loads(text)["error"]["message"])

    def test_every_hook_is_approved_once_stored(self):
        for capture in sorted((CAPTURES / "hooks").glob("*.http")):
            with self.subTest(capture.name):
                _, path, _, _ = parse_capture(capture)
                before = self.bridge.api("/api/v1/events?limit=1")[1]["events"][:1]
                status, text = send_capture(self.bridge.port, capture, path.replace("/windmill/", "/engine/"))
                self.assertEqual((status, json.loads(text)), (200, {"status": "approved"}), before)

    def test_one_changed_byte_is_refused_and_leaves_nothing(self):
        for capture in sorted(CAPTURES.glob("*.http")):
            method, _, headers, body = parse_capture(capture)
            signature = {name: value for name, value in headers if name.lower() == "x-webhook-signature"}
            if method == "GET" or not signature:
                continue
            before = self.events()
            with self.subTest(capture.name):
                changed = body[:-2] + bytes([body[-2] ^ 1]) + body[-1:]
                self.assertEqual(send_capture(self.bridge.port, capture, "/ingest/openregister", body=changed)[0], 401)
                [(name, value)] = signature.items()
                wrong = value[:-1] + ("0" if value[-1] != "0" else "1")
                self.assertEqual(send_capture(self.bridge.port, capture, "/ingest/openregister", replace={name: wrong})[0], 401)
                self.assertEqual(self.events(), before)

    def test_a_nextcloud_listener_delivery_is_accepted(self):
        body = r'{"event":{"node":{"id":437,"path":"\/alice\/files\/a.txt"},"class":"OCP\\Files\\Events\\Node\\NodeCreatedEvent"},"user":null,"time":1767225600,"authentication":{"owner":{"token":"EXAMPLE-OWNER-TOKEN"}}}'
        for secret, expected in (("EXAMPLE-NOT-REAL", 202), ("EXAMPLE-NOT-REAL", 202), ("wrong", 401)):
            status, _, text = call("POST", self.bridge.url + "/ingest/cloud", body, {"X-Orbridge-Secret": secret, "Content-Type": ""})
            self.assertEqual(status, expected, text)
        event = json.loads(call("POST", self.bridge.url + "/ingest/cloud", body, {"X-Orbridge-Secret": "EXAMPLE-NOT-REAL"})[2])
        stored = self.bridge.api("/api/v1/events/" + event["id"])[1]
        self.assertEqual(stored["state"], "mapped")
        self.assertNotIn("EXAMPLE-OWNER-TOKEN", json.dumps(stored))

    def test_the_same_change_in_both_formats_is_one_event(self):
        answers = [send_capture(self.bridge.port, CAPTURES / f"ObjectDeletedEvent-zaak.{form}.http", "/ingest/openregister")
                   for form in ("standard", "cloudevents", "standard")]
        ids = {json.loads(text)["id"] for _, text in answers}
        self.assertEqual(len(ids), 1, answers)
        self.assertEqual(answers[1][0], 200)

    def test_what_no_mapping_knows_is_kept_and_can_be_replayed(self):
        body = r'{"event":"OCA\\Other\\Event\\SomethingHappened","data":{"x":1}}'
        status, _, text = call("POST", self.bridge.url + "/ingest/open", body, {"Content-Type": "application/json"})
        self.assertEqual(status, 202, text)
        event = json.loads(text)["id"]
        self.assertEqual(self.bridge.api("/api/v1/events/" + event)[1]["state"], "unmapped")
        code, out, _ = self.bridge.cli("why", event)
        self.assertEqual(code, 0)
        self.assertIn("unmapped", out)

    def test_secrets_are_in_no_file_and_no_log(self):
        self.bridge.settled()
        for file in self.world.folder.iterdir():
            if file.name.startswith(("orbridge.db", "orbridge.log")):
                content = file.read_bytes()
                for secret in (b"REDACTED-EXAMPLE", b"EXAMPLE-OWNER-TOKEN", b"vis-7Qm2", b"wm-token"):
                    self.assertNotIn(secret, content, file)


if __name__ == "__main__":
    unittest.main()
