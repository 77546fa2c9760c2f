"""`orbridge backfill`: what was there before anything was told of it becomes events, marked, once each."""

import collections
import contextlib
import hashlib
import hmac
import json
import sqlite3
import unittest

from harness import ROOT, SECRET, World, call, free_port, until

CONFIG = """listen: 127.0.0.1:{port}
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/openregister.yaml]
replay: {{per_second_start: {pace}, per_second_max: {pace}}}
sources:
  cloud:
    type: openregister
    url: {nextcloud}
    user: admin
    password: apppass
    secret: {secret}
    register: 'off'
    poll: {{interval: 150ms, page_objects: 25, compare_every: {compare}, log: audit{poll}}}
  unpolled: {{type: openregister, secret: {secret}, register: 'off'}}
targets:
  wants:
    adapter: windmill
    url: {windmill}/api/w/main/jobs/run/p/f/nextcloud/on_object
    token: wm-token
  declines:
    adapter: windmill
    url: {windmill}/api/w/main/jobs/run/p/f/nextcloud/on_object
    token: wm-token
routes:
  - {{channel: Object, to: wants}}
  - {{channel: Object, to: declines, backfilled: false}}
"""


class Backfill(unittest.TestCase):
    def start(self, objects=40, pace=2000, poll="", nextcloud=None, compare="0s"):
        world = World()
        self.addCleanup(world.close)
        self.windmill = world.windmill("--workers", "0")
        self.nextcloud = nextcloud or world.nextcloud()
        if not nextcloud:
            self.nextcloud.post("/_standin/fill", {"objects": objects})
        self.bridge = world.bridge(CONFIG.format(
            port=free_port(), folder=world.folder, root=ROOT, nextcloud=self.nextcloud.url, secret=SECRET, pace=pace,
            windmill=self.windmill.url, poll=poll, compare=compare))
        self.bridge.start()
        self.caught_up()

    def poll(self):
        return self.bridge.api("/api/v1/status")[1]["sources"]["cloud"]["poll"]

    def caught_up(self):
        for _ in range(2):
            after = self.bridge.api("/api/v1/status")[1]["now"]
            until("polled to the end", lambda: self.poll().get("fetched_at", "") > after
                  and self.poll().get("next_poll", "") > self.poll()["fetched_at"])

    def events(self):
        """Oldest first."""
        with contextlib.closing(sqlite3.connect(f"file:{self.bridge.world.folder}/orbridge.db?mode=ro", uri=True)) as db:
            return db.execute("SELECT class, channel, event_name, subject, payload, backfilled FROM events "
                              "ORDER BY seq").fetchall()

    def by_subject(self):
        told = collections.defaultdict(list)
        for _, _, name, subject, payload, backfilled in self.events():
            told[subject].append((name.split(":")[0], bool(backfilled), json.loads(payload)["object"]["updated"]))
        return told

    def ended(self, job):
        def look():
            found = self.bridge.api(f"/api/v1/backfills/{job}")[1]
            return found["state"] != "running" and found
        return until("the backfill has ended", look)

    def begin(self):
        return self.bridge.cli_json("backfill", "--source", "cloud", "--no-wait")["id"]

    def test_what_exists_is_counted_then_told_once_and_marked(self):
        self.start()
        self.assertEqual(self.events(), [])
        code, out, _ = self.bridge.cli("backfill", "--source", "cloud", "--dry-run")
        self.assertEqual((code, out), (0, "40 matched, none backfilled (dry run)\n"))
        self.assertEqual(self.events(), [])
        code, out, err = self.bridge.cli("backfill", "--source", "cloud")
        self.assertEqual((code, out), (0, "40 matched, 40 backfilled\n"), err)
        self.bridge.settled()
        self.assertEqual({tuple(told) for told in self.by_subject().values()},
                         {(("created", True, told[0][2]),) for told in self.by_subject().values()})
        jobs = self.windmill.jobs()
        self.assertEqual(len(jobs), 40)  # `declines` got none
        self.assertTrue(all(job["args"]["body"]["backfilled"] is True for job in jobs))
        code, out, _ = self.bridge.cli("backfill", "--source", "cloud")
        self.assertEqual((code, out), (0, "0 matched, 0 backfilled\n"))
        metrics = call("GET", self.bridge.url + "/metrics")[2]
        self.assertIn('orbridge_events_backfilled_total{source="cloud"} 40', metrics)
        self.assertEqual(self.bridge.cli("events", "--limit", "100")[1].count("poll (backfilled)"), 40)
        event = self.bridge.api("/api/v1/events?limit=1")[1]["events"][0]
        self.assertIs(event["backfilled"], True)
        self.assertIn("takes none of those", self.bridge.cli("why", event["id"], "declines")[1])
        self.assertEqual(self.bridge.api("/api/v1/replays")[1]["replays"], [])
        self.assertEqual([job["order"] for job in self.bridge.api("/api/v1/backfills")[1]["backfills"]],
                         [{"source": "cloud"}] * 2)
        self.assertIn("done  40 of 40", self.bridge.cli("backfills")[1])
        # What changes from then on is an event like any other.
        self.nextcloud.post("/_standin/work", {"seed": 3, "changes": 5, "kinds": ["update"]})
        self.caught_up()
        self.bridge.settled()
        fresh = self.windmill.jobs()[40:]
        self.assertTrue(fresh)
        self.assertFalse(any("backfilled" in job["args"]["body"] for job in fresh))

    def test_what_is_told_at_first_is_marked_so_that_routes_can_decline_it(self):
        self.start(poll=", existing: tell")
        self.assertEqual(len(self.events()), 40)
        self.assertTrue(all(event[5] for event in self.events()))
        self.bridge.settled()
        jobs = self.windmill.jobs()
        self.assertEqual(len(jobs), 40)  # `declines` got none
        self.assertTrue(all(job["args"]["body"]["backfilled"] is True for job in jobs))
        self.nextcloud.post("/_standin/work", {"seed": 3, "changes": 5, "kinds": ["create"]})
        self.caught_up()
        self.assertEqual([event[5] for event in self.events()[40:]], [0] * 5)
        code, out, _ = self.bridge.cli("backfill", "--source", "cloud")
        self.assertEqual((code, out), (0, "0 matched, 0 backfilled\n"))

    def test_what_was_told_as_an_update_before_it_was_polled_is_not_told_as_new(self):
        self.start(objects=10, poll=", fallback_interval: 150ms")
        before = self.bridge.config.read_text()
        objects = self.nextcloud.get("/_standin/state")["objects"]
        self.bridge.stop()
        (self.bridge.world.folder / "orbridge.db").unlink()
        # Pushed only at first, and no snapshots kept.
        pushed_only = "\n".join("    snapshots: false" if line.startswith("    poll:") else line
                                for line in before.split("\n"))
        self.bridge.config.write_text(pushed_only)
        self.bridge.start()
        for thing in objects[:3]:
            body = json.dumps({"event": "OCA\\OpenRegister\\Event\\ObjectUpdatedEvent", "data": {
                "objectType": "object", "action": "update", "object": thing, "objectUuid": thing["id"],
                "register": thing["@self"]["register"], "schema": thing["@self"]["schema"],
                "timestamp": thing["@self"]["updated"]}, "timestamp": thing["@self"]["updated"]})
            signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
            status, _, text = call("POST", self.bridge.url + "/ingest/cloud", body,
                                   {"X-Webhook-Signature": signature, "Content-Type": "application/json"})
            self.assertEqual(status, 202, text)
        self.assertEqual([event[2].split(":")[0] for event in self.events()], ["updated"] * 3)
        self.bridge.stop()
        self.bridge.config.write_text(before)
        self.bridge.start()
        self.caught_up()
        code, out, err = self.bridge.cli("backfill", "--source", "cloud")
        self.assertEqual((code, out), (0, "7 matched, 7 backfilled\n"), err)
        told = self.by_subject()
        self.assertEqual(len(told), 10)
        for subject, each in told.items():
            pushed = subject.rpartition("/")[2] in {thing["id"] for thing in objects[:3]}
            self.assertEqual([verb for verb, *_ in each], ["updated" if pushed else "created"])

    def test_S11_a_backfilled_event_is_the_one_that_polling_would_have_told(self):
        self.start(poll=", existing: tell")
        told = sorted(self.events())
        self.assertEqual(len(told), 40)
        self.start(nextcloud=self.nextcloud)
        self.bridge.cli("backfill", "--source", "cloud")
        self.assertEqual(sorted(self.events()), told)

    def test_B4_what_changes_meanwhile_is_told_as_it_is_and_never_overwritten(self):
        self.start(objects=60, pace=20)
        self.nextcloud.post("/_standin/work", {"seed": 1, "changes": 10, "kinds": ["update"]})
        self.caught_up()
        before = {subject for subject, told in self.by_subject().items() if told}
        self.assertTrue(before)
        job = self.begin()
        self.nextcloud.post("/_standin/work", {"seed": 2, "changes": 60, "kinds": ["update", "soft-delete"], "pause_s": 0.02})
        self.ended(job)
        self.caught_up()
        self.bridge.settled()
        told = self.by_subject()
        for subject in before:
            self.assertFalse(any(marked for _, marked, _ in told[subject]), subject)
        objects = {thing["id"]: thing for thing in self.nextcloud.get("/_standin/state")["objects"]}
        self.assertEqual({subject.rpartition("/")[2] for subject in told}, set(objects))  # none is missing
        for subject, changes in told.items():
            marks = [marked for _, marked, _ in changes]
            self.assertNotIn(True, marks[1:], f"{subject}: {changes}")  # at most one, before all others
            thing = objects[subject.rpartition("/")[2]]
            if not thing["@self"]["deleted"]:
                self.assertEqual(changes[-1][2], thing["@self"]["updated"], f"{subject}: {changes}")

    def test_killed_it_goes_on_and_tells_nothing_twice(self):
        self.start(objects=120, pace=40)
        job = self.begin()
        for wanted in (10, 60):
            until("a part was told", lambda: len(self.events()) >= wanted)
            self.bridge.kill()
            self.bridge.start()
        found = self.ended(job)
        self.assertEqual((found["state"], found["matched"]), ("done", found["total"]))
        self.assertEqual(sorted(len(told) for told in self.by_subject().values()), [1] * 120)
        self.bridge.settled()
        bodies = [job["args"]["body"]["id"] for job in self.windmill.jobs()]
        self.assertEqual(len(set(bodies)), 120)

    def test_a_cancelled_one_makes_nothing_more(self):
        self.start(objects=120, pace=5)
        job = self.begin()
        until("something was told", self.events)
        code, out, _ = self.bridge.cli("cancel", "--backfill", job)
        self.assertEqual((code, "(cancelled)" in out), (0, True))
        made = len(self.events())
        self.assertLess(made, 120)
        self.caught_up()
        self.assertEqual(len(self.events()), made)
        self.assertEqual(self.bridge.api(f"/api/v1/replays/{job}", "DELETE")[0], 404)
        self.assertEqual(self.bridge.cli_json("audit")["audit"][0]["what"], "backfill.cancel")

    def test_at_first_start_if_the_source_says_so_and_once(self):
        self.start(poll=", existing: backfill")
        until("all told", lambda: len(self.events()) == 40)
        self.assertTrue(all(event[5] for event in self.events()))
        self.bridge.stop()
        self.bridge.start()
        self.caught_up()
        self.assertEqual(len(self.bridge.api("/api/v1/backfills")[1]["backfills"]), 1)
        self.assertEqual(len(self.events()), 40)

    def test_times_choose(self):
        self.start()
        thing = sorted(each["@self"]["updated"] for each in self.nextcloud.get("/_standin/state")["objects"])[30]
        wanted = [each for each in self.nextcloud.get("/_standin/state")["objects"] if each["@self"]["updated"] >= thing]
        done = self.bridge.cli_json("backfill", "--source", "cloud", "--since", thing)
        self.assertEqual(done["backfilled"], len(wanted))
        self.assertEqual(self.bridge.cli_json("backfill", "--source", "cloud")["backfilled"], 40 - len(wanted))

    def test_what_cannot_be_is_refused(self):
        self.start(objects=1)
        for source, told in (("unpolled", "only what is polled"), ("nobody", "there is no source `nobody`")):
            code, _, err = self.bridge.cli("backfill", "--source", source)
            self.assertEqual((code, told in err), (1, True), err)
        for body, field in (({}, "source"), ({"source": "cloud", "since": "yesterday"}, "since")):
            status, answer = self.bridge.api("/api/v1/backfills", "POST", body)
            self.assertEqual((status, answer["error"]["field"]), (400, field))
        self.assertEqual(self.bridge.api("/api/v1/backfills/nothing")[0], 404)


if __name__ == "__main__":
    unittest.main()
