"""Running it: health, metrics, reload, the command line, bad configuration, full disk, memory and CPU at rest."""

import json
import os
import pathlib
import resource
import signal
import subprocess
import time
import unittest

from harness import CAPTURES, ROOT, World, binary, call, config, send_capture, until


class Operate(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)

    def start(self, **options):
        self.windmill = self.world.windmill()
        self.bridge = self.world.bridge(config(self.world, self.windmill, **options))
        return self.bridge.start()

    def send(self, name="ObjectCreatedEvent.standard.http"):
        return send_capture(self.bridge.port, CAPTURES / name, "/ingest/openregister")

    def test_health_readiness_and_metrics(self):
        self.start()
        self.assertEqual(call("GET", self.bridge.url + "/healthz")[0], 200)
        status, _, text = call("GET", self.bridge.url + "/readyz")
        self.assertEqual((status, json.loads(text)["ready"]), (200, True))
        self.send()
        self.send()
        self.bridge.settled()
        metrics = until("the attempt is counted", lambda: (lambda t: t if "orbridge_delivery_attempts_total" in t else "")(
            call("GET", self.bridge.url + "/metrics")[2]))
        for line in ('orbridge_events_received_total{intake="webhooks",result="accepted",source="openregister"} 1',
                     'orbridge_events_received_total{intake="webhooks",result="duplicate",source="openregister"} 1',
                     'orbridge_delivery_attempts_total{outcome="delivered",target="on-object"} 1'):
            self.assertIn(line, metrics)
        self.assertEqual(self.bridge.cli("status", "--ready")[0], 0)

    def test_the_admin_api_wants_its_token(self):
        self.start()
        for path in ("/api/v1/status", "/api/v1/events", "/api/v1/deliveries"):
            self.assertEqual(call("GET", self.bridge.url + path)[0], 401)
            self.assertEqual(call("GET", self.bridge.url + path, headers={"Authorization": "Bearer wrong"})[0], 401)
        mode = (self.world.folder / "admin.token").stat().st_mode & 0o777
        self.assertEqual(mode, 0o600)

    def test_errors_name_the_field(self):
        self.start()
        status, answer = self.bridge.api("/api/v1/events?limit=x")
        self.assertEqual((status, answer["error"]["field"]), (400, "limit"))
        status, answer = self.bridge.api("/api/v1/replays", "POST", {"state": "gone"})
        self.assertEqual((status, answer["error"]["field"]), (400, "state"))
        self.assertEqual(self.bridge.api("/api/v1/nothing")[0], 404)

    def test_the_api_document_is_served(self):
        self.start()
        status, _, text = call("GET", self.bridge.url + "/openapi.yaml")
        self.assertEqual((status, text), (200, (ROOT / "docs/api.yaml").read_text()))

    def test_a_reload_takes_effect_and_a_faulty_one_changes_nothing(self):
        self.start(routes="  - {channel: File, to: on-object}\n")
        self.send()
        self.assertEqual(self.bridge.api("/api/v1/deliveries")[1]["deliveries"], [])
        good = self.bridge.config.read_text()
        self.bridge.config.write_text(good.replace("channel: File", "chanel: Object"))
        os.kill(self.bridge.process.pid, signal.SIGHUP)
        refused = until("refusal in the log", lambda: [l for l in self.bridge.log_lines() if l["message"] == "reload.refused"])
        self.assertIn("chanel", refused[0]["complaint"])
        self.bridge.config.write_text(good.replace("channel: File", "channel: Object"))
        os.kill(self.bridge.process.pid, signal.SIGHUP)
        until("reload in the log", lambda: [l for l in self.bridge.log_lines() if l["message"] == "reload.done"])
        self.send("ObjectCreatedEvent-zaak.standard.http")
        self.bridge.settled()
        self.assertEqual(len(self.windmill.jobs()), 1)

    def test_check_prints_every_mistake_at_once(self):
        self.start()
        broken = self.world.folder / "broken.yaml"
        broken.write_text(self.bridge.config.read_text().replace("adapter: windmill", "adapter: windmil")
                          .replace("listen:", "lisen:").replace("channel: Object", "event_nam: x"))
        done = subprocess.run([binary(), "check", "--config", str(broken)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        lines = (done.stdout + done.stderr).splitlines()
        self.assertEqual(sum(str(broken) + ":" in line for line in lines), len([l for l in lines if l]), lines)
        for mistake in ("lisen", "windmil", "event_nam"):
            self.assertTrue(any(mistake in line for line in lines), lines)
        self.assertEqual(self.bridge.cli("check")[0], 0)

    def test_map_and_send_and_why(self):
        self.start()
        code, out, err = self.bridge.cli("map", str(CAPTURES / "ObjectUpdatedEvent-softdelete.cloudevents.http"), "--source", "openregister")
        self.assertEqual(code, 0, err)
        self.assertIn("deleted:", out)
        self.assertIn("on-object", out)
        code, out, err = self.bridge.cli("send", str(CAPTURES / "ObjectCreatedEvent-zaak.standard-unsigned.http"), "--source", "openregister")
        self.assertEqual(code, 0, out + err)
        self.bridge.settled()
        [event] = self.bridge.cli_json("events")["events"]
        code, out, _ = self.bridge.cli("why", event["id"])
        self.assertIn("delivered after 1 attempt", out)

    def test_test_says_what_is_wrong_with_a_target(self):
        self.start()
        code, out, err = self.bridge.cli("test", "on-object")
        self.assertEqual(code, 0, out + err)
        self.bridge.config.write_text(self.bridge.config.read_text().replace("wm-token", "not-the-token"))
        code, out, err = self.bridge.cli("test", "on-object")
        self.assertEqual(code, 1, out + err)
        self.assertEqual(self.windmill.jobs(), [])

    def test_a_second_bridge_on_the_same_store_is_refused(self):
        self.start()
        done = subprocess.run([binary(), "serve", "--config", str(self.bridge.config)], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("orbridge.db", done.stderr)

    def test_a_full_disk_is_an_honest_503_and_heals(self):
        self.windmill = self.world.windmill()
        self.bridge = self.world.bridge(config(self.world, self.windmill))
        self.bridge.start()
        self.assertEqual(self.send()[0], 202)
        resource.prlimit(self.bridge.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        names = ["ObjectCreatedEvent-zaak.standard.http", "ObjectCreatedEvent-pub2.standard.http", "ObjectCreatedEvent-emoji.standard.http",
                 "ObjectCreatedEvent-numbers.standard.http"]
        statuses = [self.send(name)[0] for name in names]
        self.assertIn(503, statuses)
        self.assertTrue(self.bridge.process.alive())
        self.assertEqual(call("GET", self.bridge.url + "/readyz")[0], 503)
        resource.prlimit(self.bridge.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for name in names:
            self.assertIn(self.send(name)[0], (200, 202))
        until("ready again", lambda: call("GET", self.bridge.url + "/readyz")[0] == 200)
        self.bridge.settled()
        self.assertEqual(len(self.windmill.jobs()), 5)

    def test_at_rest_it_needs_little_memory_and_no_cpu(self):
        if os.environ.get("ORBRIDGE_SANITIZED"):
            return  # a sanitizer's shadow memory is not the daemon's
        self.start()
        self.send()
        self.bridge.settled()
        pid = self.bridge.process.pid
        rss = int(next(l for l in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if l.startswith("VmRSS")).split()[1])
        print(f"RSS at rest: {rss / 1024:.1f} MiB")
        self.assertLess(rss, 32 * 1024)

        def switches():
            total = 0
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                total += sum(int(l.split()[1]) for l in (task / "status").read_text().splitlines() if l.startswith("voluntary_ctxt"))
            return total
        def in_two_seconds():
            before = switches()
            time.sleep(2)  # the span that is looked at, not a wait for something
            return switches() - before
        # Idle connections and threads end within some seconds, once each; then nothing may wake up again.
        until("no thread wakes up while nothing is to be done", lambda: 0 <= in_two_seconds() <= 2)


if __name__ == "__main__":
    unittest.main()
