"""An OpenRegister change becomes a job of the documented Windmill script, whatever goes wrong in between."""

import json
import unittest

from harness import CAPTURES, STANDINS, World, config, send_capture, until

FAST = "    retry: {schedule: [20ms, 40ms, 80ms, 160ms, 320ms], floor: 20ms}\n"
PATIENT = "    retry: {schedule: [50ms, 200ms, 500ms, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s], floor: 20ms}\n"


class MainJob(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)

    def start(self, *flags, target_extra="", retry=FAST, **options):
        self.windmill = self.world.windmill(*flags, script=options.pop("script", "on_object.py"))
        self.bridge = self.world.bridge(config(self.world, self.windmill, target_extra=retry + target_extra, **options))
        return self.bridge.start()

    def send(self, name="ObjectCreatedEvent.standard.http"):
        status, text = send_capture(self.bridge.port, CAPTURES / name, "/ingest/openregister")
        self.assertIn(status, (200, 202), text)
        return json.loads(text)["id"]

    def deliveries(self, event):
        return self.bridge.api(f"/api/v1/deliveries?event={event}")[1]["deliveries"]

    def delivered(self, event):
        return until("delivered", lambda: [d for d in self.deliveries(event) if d["state"] == "delivered"])

    def test_the_documented_script_gets_what_it_reads(self):
        self.start(target_extra="    follow: true\n")
        event = self.send()
        [delivery] = self.delivered(event)
        [job] = until("the job", lambda: [j for j in self.windmill.jobs() if j["state"] not in ("queued", "running")])
        self.assertEqual(job["id"], delivery["id"])
        self.assertTrue(job["success"], job)
        self.assertEqual(job["result"]["action"], "created")
        self.assertEqual(job["result"]["uuid"], "9b2d3c1a-6f64-4a7e-8a39-2d9d1f0e0101")
        until("the result", lambda: self.bridge.api("/api/v1/deliveries/" + delivery["id"])[1].get("job", {}).get("state") == "succeeded")

    def test_a_soft_delete_goes_out_as_a_deletion(self):
        self.start()
        event = self.send("ObjectUpdatedEvent-softdelete.cloudevents.http")
        self.assertTrue(self.bridge.api("/api/v1/events/" + event)[1]["event_name"].startswith("deleted:"))
        self.delivered(event)
        [job] = until("the job", lambda: [j for j in self.windmill.jobs() if j["success"] is not None])
        self.assertEqual(job["result"]["action"], "deleted")

    def test_trouble_at_windmill_is_retried_with_the_same_job_id(self):
        self.start()
        self.windmill.post("/_standin/faults", [
            {"match": "run", "status": 400, "body": "SqlErr: error returned from database: pool timed out", "times": 1},
            {"match": "run", "status": 502, "body": "<html>Bad Gateway</html>", "content_type": "text/html", "times": 1},
            {"match": "run", "close": "after-accept", "times": 1}])
        event = self.send()
        [delivery] = self.delivered(event)
        self.assertEqual([j["id"] for j in self.windmill.jobs()], [delivery["id"]])
        attempts = self.bridge.api("/api/v1/deliveries/" + delivery["id"])[1]["attempts_made"]
        self.assertEqual([a["outcome"] for a in attempts][:2], ["retry", "retry"])
        self.assertEqual(attempts[-1]["outcome"], "duplicate")

    def test_a_dead_letter_is_kept_and_can_be_replayed(self):
        self.start()
        self.windmill.post("/_standin/faults", [{"match": "run", "status": 503, "body": "down", "times": 6}])
        event = self.send()
        [dead] = until("dead", lambda: [d for d in self.deliveries(event) if d["state"] == "dead"])
        self.assertEqual(dead["attempts"], 6)
        code, out, err = self.bridge.cli("replay", "--state", "dead")
        self.assertEqual(code, 0, out + err)
        [fresh] = self.delivered(event)
        self.assertNotEqual(fresh["id"], dead["id"])
        self.assertEqual([j["id"] for j in self.windmill.jobs()], [fresh["id"]])

    def test_what_waits_is_delivered_after_a_restart(self):
        self.start(retry=PATIENT)
        self.windmill.process.end()
        events = [self.send(name) for name in ("ObjectCreatedEvent.standard.http", "ObjectCreatedEvent-zaak.standard.http")]
        self.assertEqual(self.bridge.stop(), 0)
        port = self.windmill.port
        process, again = self.world.standin("windmill", "--script", f"f/nextcloud/on_object={STANDINS}/scripts/on_object.py")
        self.bridge.config.write_text(self.bridge.config.read_text().replace(f":{port}/", f":{again}/"))
        self.bridge.start()
        for event in events:
            self.delivered(event)

    def test_user_text_cannot_read_windmill_variables(self):
        self.start("--variable", "u/admin/secret=TOP-SECRET")
        import hashlib, hmac
        from harness import SECRET, call, parse_capture
        _, _, _, body = parse_capture(CAPTURES / "ObjectCreatedEvent.standard.http")
        body = body.replace(b'"categorie":"Woo-verzoeken en -besluiten"', b'"categorie":"$var:u\\/admin\\/secret"')
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        status, _, text = call("POST", self.bridge.url + "/ingest/openregister", body,
                               {"Content-Type": "application/json", "X-Webhook-Signature": signature})
        self.assertEqual(status, 202, text)
        self.delivered(json.loads(text)["id"])
        [job] = until("the job", lambda: [j for j in self.windmill.jobs() if j["success"] is not None])
        self.assertTrue(job["success"], job)
        self.assertNotIn("TOP-SECRET", json.dumps(job))

    def test_order_per_subject_holds_over_a_retry(self):
        self.start()
        self.windmill.post("/_standin/faults", [{"match": "run", "status": 503, "body": "down", "times": 2}])
        names = ("ObjectCreatedEvent.standard.http", "ObjectUpdatedEvent-pub.standard.http",
                 "ObjectUpdatedEvent-softdelete.cloudevents.http")
        events = [self.send(name) for name in names]
        sent = [self.delivered(event)[0]["id"] for event in events]
        self.assertEqual([j["id"] for j in self.windmill.jobs()], sent)


if __name__ == "__main__":
    unittest.main()
