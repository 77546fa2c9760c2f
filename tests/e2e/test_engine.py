"""The delivery engine from outside: breaker, rate, pause, superseded events, loops, replay."""

import collections
import json
import os
import pathlib
import time
import unittest
import uuid

from harness import CAPTURES, World, binary, call, config, parse_capture, send_signed, until

RETRY = "    retry: {schedule: [" + ", ".join(["50ms"] * 90) + "], floor: 20ms, jitter: 0}\n"
SECOND = """  second:
    adapter: windmill
    url: {url}/api/w/main/jobs/run/p/f/nextcloud/on_object
    token: wm-token
"""


class Sending(unittest.TestCase):
    """A world, and events like a captured one."""

    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.body = parse_capture(CAPTURES / "ObjectCreatedEvent-pub2.standard.http")[3].decode()
        self.uuid = json.loads(self.body)["data"]["objectUuid"]
        self.count = 0

    def send(self, subject=None, note=None):
        """One event; about something new, or again about the same subject."""
        self.count += 1
        body = self.body.replace(self.uuid, subject or str(uuid.UUID(int=self.count, version=4)))
        document = json.loads(body)
        document["timestamp"] = f"2026-03-02T10:00:{self.count % 60:02d}+00:00"
        document["data"]["object"]["note"] = note or f"change {self.count}"
        status, text = send_signed(self.bridge.url, document)
        self.assertEqual(status, 202, text)
        return json.loads(text)["id"]


class Watched(Sending):
    """With a bridge whose targets and deliveries are looked at."""

    def start(self, target_extra="", route_extra="", second=False, extra="", to=(), env=None):
        self.windmill = self.world.windmill()
        to = f"[{', '.join(['on-object', *['second'] * second, *to])}]"
        routes = f"  - {{channel: Object, to: {to}{route_extra}}}\n"
        if second:
            target_extra += SECOND.format(url=self.world.windmill().url)
        self.bridge = self.world.bridge(config(self.world, self.windmill, routes=routes, target_extra=RETRY + target_extra,
                                               extra=extra))
        self.bridge.env = dict(os.environ, **env) if env else None
        return self.bridge.start()

    def fail(self, times, status=503):
        self.windmill.post("/_standin/faults", [{"match": "run", "path": "on_object", "status": status, "body": "down", "times": times}])

    def target(self, name="on-object"):
        targets = {t["name"]: t for t in self.bridge.api("/api/v1/targets")[1]["targets"]}
        return targets[name]

    def deliveries(self, **query):
        text = "&".join(f"{key}={value}" for key, value in query.items())
        return self.bridge.api(f"/api/v1/deliveries?limit=1000&{text}")[1]["deliveries"]

    def explanation(self, event, target="on-object"):
        [story] = self.bridge.api(f"/api/v1/explain/{event}?target={target}")[1]["deliveries"]
        return story["explanation"]


class Engine(Watched):
    def test_ten_failures_open_the_breaker_and_a_healthy_target_notices_nothing(self):
        self.start(second=True, target_extra="    breaker: {open_least: 2s}\n")
        self.fail(1000)
        events = [self.send() for _ in range(20)]
        until("open", lambda: self.target()["state"] == "open")
        until("all at the other", lambda: len(self.deliveries(target="second", state="delivered")) == 20)
        self.assertEqual(sum(d["attempts"] for d in self.deliveries(target="on-object")), 10)
        self.assertIn("deferred by the breaker until", self.explanation(events[-1]))
        code, out, _ = self.bridge.cli("why", events[-1], "on-object")
        self.assertEqual(code, 0)
        self.assertIn("deferred by the breaker until", out)
        code, out, _ = self.bridge.cli("status")
        self.assertIn("open", out)
        metrics = call("GET", self.bridge.url + "/metrics")[2]
        self.assertIn('orbridge_target_breaker_state{target="on-object"} 2', metrics)
        self.assertIn('orbridge_target_breaker_state{target="second"} 0', metrics)
        [line] = [l for l in self.bridge.log_lines() if l["message"] == "target.breaker"]
        self.assertIn("503", line["reason"])

    def test_a_breaker_stays_open_over_a_restart_and_closes_when_the_target_heals(self):
        self.start(target_extra="    breaker: {open_least: 2s, failures: 3}\n")
        self.fail(3)
        for _ in range(10):
            self.send()
        until("open", lambda: self.target()["state"] == "open")
        opened_until = self.target()["open_until"]
        self.assertEqual(self.bridge.stop(), 0)
        self.bridge.start()
        until("known", lambda: self.bridge.api("/api/v1/targets")[1]["targets"])
        self.assertEqual(self.target().get("open_until", opened_until), opened_until)
        self.bridge.settled()
        self.assertEqual(self.target()["state"], "closed")
        self.assertEqual(len(self.deliveries(state="delivered")), 10)

    def test_why_tells_of_a_target_without_room_and_of_one_that_is_gone(self):
        self.start(second=True, target_extra="    in_flight_max: 1\n    breaker: off\n")
        self.bridge.cli("pause", "second")
        until("paused", lambda: self.target("second")["state"] == "paused")
        self.windmill.post("/_standin/faults", [{"match": "run", "path": "on_object", "hang_s": 3, "times": 1}])
        self.send()
        until("under way", lambda: self.target()["in_flight"] == 1)
        event = self.send()
        self.assertIn("deferred by what is under way: 1 of at most 1 at a time", self.explanation(event))
        until("it had its turn", lambda: "delivered" in self.explanation(event))
        self.assertEqual(self.bridge.stop(), 0)
        text = self.bridge.config.read_text()
        self.bridge.config.write_text(text.replace(SECOND.format(url=text.split("  second:")[1].split("url: ")[1].split("/api")[0]), "")
                                      .replace("[on-object, second]", "on-object"))
        self.bridge.start()
        code, out, _ = self.bridge.cli("why", event, "second")
        self.assertEqual(code, 0)
        self.assertIn("deferred by the target, which is not in the configuration", out)

    def test_a_rate_limit_is_honoured_over_kills(self):
        self.start(target_extra="    rate: 4/2s\n")
        start = time.monotonic()
        for _ in range(12):
            self.send()
        for _ in range(3):
            until("some", lambda: len(self.windmill.jobs()) >= 1)
            self.bridge.kill()
            self.bridge.start()
        self.bridge.settled()
        jobs = self.windmill.jobs()
        self.assertEqual(len(jobs), 12)
        # Four at once and two a second: the twelfth cannot have been there before.
        self.assertGreaterEqual(time.monotonic() - start, (12 - 4) / 2 - 0.2)

    def test_a_paused_target_waits_and_a_resumed_one_goes_on(self):
        self.start()
        self.assertEqual(self.bridge.cli("pause", "on-object")[0], 0)
        until("paused", lambda: self.target()["state"] == "paused")
        event = self.send()
        self.assertIn("paused", self.explanation(event))
        self.assertEqual(self.bridge.stop(), 0)
        self.bridge.start()
        until("paused", lambda: self.target()["state"] == "paused")
        self.assertIn("orbridge resume on-object", self.bridge.cli("status")[1])
        self.assertEqual(self.windmill.jobs(), [])
        self.assertEqual(self.bridge.cli("resume", "on-object")[0], 0)
        self.bridge.settled()
        self.assertEqual(len(self.windmill.jobs()), 1)
        self.assertEqual(self.bridge.api("/api/v1/targets/nothing/pause", "POST", {})[0], 404)

    def test_a_retry_after_holds_for_the_whole_target(self):
        self.start()
        self.windmill.post("/_standin/faults", [{"match": "run", "status": 429, "body": "slowly", "headers": {"Retry-After": "3600"}, "times": 1}])
        self.send()
        until("asked to wait", lambda: self.target().get("deferred", {}).get("by") == "retry_after")
        event = self.send()
        self.assertIn("Retry-After", self.explanation(event))
        self.assertEqual(self.windmill.jobs(), [])

    def test_a_target_that_wants_only_the_latest_gets_it(self):
        self.start(route_extra=", coalesce: latest")
        self.bridge.cli("pause", "on-object")
        until("paused", lambda: self.target()["state"] == "paused")
        subject = str(uuid.UUID(int=77, version=4))
        events = [self.send(subject) for _ in range(5)]
        other = self.send()
        self.bridge.cli("resume", "on-object")
        self.bridge.settled()
        self.assertEqual({d["event"] for d in self.deliveries(state="delivered")}, {events[-1], other})
        [cancelled] = self.deliveries(event=events[0])
        self.assertEqual(cancelled["reason"], "superseded by " + events[1])
        self.assertEqual(len(self.windmill.jobs()), 2)

    def test_what_failed_is_not_tried_again_once_a_newer_state_waits(self):
        self.start(route_extra=", coalesce: latest")
        self.windmill.post("/_standin/faults", [{"match": "run", "path": "on_object", "status": 503, "body": "down",
                                                 "headers": {"Retry-After": "1"}, "times": 1}])
        subject = str(uuid.UUID(int=80, version=4))
        old = self.send(subject)
        until("it was tried", lambda: self.deliveries(event=old)[0]["attempts"] == 1)
        new = self.send(subject)
        self.bridge.settled()
        [ended] = self.deliveries(event=old)
        self.assertEqual((ended["state"], ended["reason"]), ("cancelled", "superseded by " + new))
        # An old state is no news, however it comes, while a newer one is under way.
        self.bridge.cli("pause", "on-object")
        until("paused", lambda: self.target()["state"] == "paused")
        newest = self.send(subject)
        self.assertEqual(self.bridge.cli_json("replay", "--event", old)["replayed"], 1)
        self.assertEqual(sorted(d["reason"] for d in self.deliveries(event=old)), sorted(
            ["superseded by " + new, "superseded by " + newest]))
        self.bridge.cli("resume", "on-object")
        self.bridge.settled()
        self.assertEqual([job["args"]["body"]["id"] for job in self.windmill.jobs()], [new, newest])

    def test_a_loop_is_cut_loudly_and_nothing_is_missing_silently(self):
        self.start(route_extra=", loop: {limit: 3}")
        subject = str(uuid.UUID(int=78, version=4))
        events = [self.send(subject) for _ in range(5)]
        other = self.send()
        self.bridge.settled()
        self.assertEqual({d["event"] for d in self.deliveries(state="delivered")}, {*events[:3], other})
        self.assertIn("more than 3 deliveries", self.explanation(events[4]))
        self.assertEqual(len([l for l in self.bridge.log_lines() if l["message"] == "delivery.loop_cut"]), 2)
        self.assertIn('orbridge_deliveries_loop_cut_total{target="on-object"} 2', call("GET", self.bridge.url + "/metrics")[2])

    def test_a_script_is_told_of_what_it_seems_to_have_caused_itself(self):
        self.start(route_extra=", loop: {policy: mark, marker: payload.object.data.note}")
        subject = str(uuid.UUID(int=77, version=4))
        first = self.send(subject)
        self.bridge.settled()
        echo = self.send(subject, note=first)
        self.bridge.kill()  # what is to be told lies in the store
        self.bridge.start()
        self.bridge.settled()
        told = {job["args"]["body"]["id"]: job["args"]["body"].get("loop") for job in self.windmill.jobs()}
        self.assertEqual(told, {first: None, echo: f"loop: caused by what was done about {first}"})
        self.assertEqual(len([l for l in self.bridge.log_lines() if l["message"] == "delivery.loop_marked"]), 1)

    def test_names_that_are_looked_up_for_ever_delay_no_other_target_and_no_stop(self):
        names = [f"h{n}" for n in range(200)]
        hanging = "".join(f"  {name}: {{adapter: windmill, token: t, timeout: 5m, connect_timeout: 5m, in_flight_max: 1,"
                          f" url: 'http://{name}.hang.test/api/w/main/jobs/run/p/f/x/y'}}\n" for name in names)
        shim = pathlib.Path(binary()).parent / "tests/libhanging_resolver.so"
        self.start(target_extra=hanging, to=names,
                   env={"LD_PRELOAD": str(shim), "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"})
        for _ in range(20):
            self.send()
        until("the healthy target has all", lambda: len(self.windmill.jobs()) == 20)
        targets = {t["name"]: t for t in self.bridge.api("/api/v1/targets")[1]["targets"]}
        self.assertEqual([targets[name]["in_flight"] for name in names], [1] * len(names))
        self.assertEqual({d["attempts"] for d in self.deliveries(target="h0")}, {0})
        began = time.monotonic()
        self.assertEqual(self.bridge.stop(), 0)
        self.assertLess(time.monotonic() - began, 25)  # the stop timeout is 10 s; a lookup would take for ever

    def test_a_replay_is_chosen_by_subject_and_counted_first(self):
        self.start()
        subject = str(uuid.UUID(int=79, version=4))
        event = self.send(subject)
        self.send()
        self.bridge.settled()
        about = self.bridge.api("/api/v1/events/" + event)[1]["subject"]
        self.assertEqual(self.bridge.cli_json("replay", "--subject", about, "--dry-run")["matched"], 1)
        self.assertEqual(len(self.windmill.jobs()), 2)
        self.assertEqual(self.bridge.cli_json("replay", "--subject", about)["replayed"], 1)
        self.bridge.settled()
        self.assertEqual(len(self.windmill.jobs()), 3)
        self.assertEqual(self.bridge.cli_json("replay", "--channel", "File", "--dry-run")["matched"], 0)

    def replay(self, name):
        return self.bridge.api("/api/v1/replays/" + name)[1]

    def test_a_replay_tells_how_far_it_is_and_goes_on_after_a_kill_making_nothing_twice(self):
        self.start(extra="replay: {per_second_start: 10, per_second_max: 10}\n")
        events = {self.send() for _ in range(100)}
        self.bridge.settled()
        started = self.bridge.cli_json("replay", "--state", "delivered", "--no-wait")
        self.assertEqual((started["state"], started["total"]), ("running", 100))
        until("under way", lambda: self.replay(started["id"])["replayed"] >= 25)
        self.assertLess(self.replay(started["id"])["replayed"], 100)
        self.bridge.kill()
        self.bridge.start()
        until("it has ended", lambda: self.replay(started["id"])["state"] == "done")
        self.assertEqual(self.replay(started["id"])["replayed"], 100)
        self.bridge.settled()
        made = collections.Counter(d["event"] for d in self.deliveries(state="delivered"))
        self.assertEqual(made, dict.fromkeys(events, 2))
        self.assertEqual(len(self.windmill.jobs()), 200)
        code, out, _ = self.bridge.cli("replays")
        self.assertEqual(code, 0)
        self.assertIn(f"{started['id']}  ", out)
        self.assertIn("done  100 of 100", out)

    def test_a_replay_can_be_cancelled(self):
        self.start(extra="replay: {per_second_start: 5, per_second_max: 5}\n")
        for _ in range(60):
            self.send()
        self.bridge.settled()
        started = self.bridge.cli_json("replay", "--state", "delivered", "--no-wait")
        self.assertEqual(self.bridge.cli_json("cancel", "--replay", started["id"])["state"], "cancelled")
        self.bridge.settled()
        made = len(self.windmill.jobs()) - 60
        self.assertLess(made, 60)
        self.assertEqual(self.replay(started["id"])["replayed"], made)
        status, answer = self.bridge.api("/api/v1/replays/" + started["id"], "DELETE")
        self.assertEqual(status, 409, answer)
        self.assertEqual(self.bridge.api("/api/v1/replays/nothing")[0], 404)
        rows = self.bridge.api("/api/v1/audit")[1]["audit"]
        self.assertEqual([r["what"] for r in rows][:2], ["replay.cancel", "replay"])


if __name__ == "__main__":
    unittest.main()
