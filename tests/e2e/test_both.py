"""Pushed and polled at once: what polling does while pushes come, fall silent or are lost (integrations.md rows B1 to B5),
as the fake sees it."""
import datetime
import json
import re
import time
import unittest

from harness import ROOT, SECRET, World, call, free_port, until

CONFIG = """listen: 127.0.0.1:{port}
public_url: http://127.0.0.1:{port}
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/openregister.yaml]
sources:
  cloud:
    type: openregister
    url: {nextcloud}
    user: admin
    password: apppass
    secret: {secret}
    register: [webhooks]
    poll: {{interval: 100ms, {poll}}}
targets:
  nowhere: {{adapter: windmill, url: 'http://127.0.0.1:9/api/w/main/jobs/run/p/f/x/y', token: wm}}
routes:
  - {{channel: Nothing, to: nowhere}}
"""
LOG = "/api/realtime/events?"  # what one poll asks for, once, if there is nothing new
LISTS = "/api/objects/"


class Both(unittest.TestCase):
    def start(self, poll, *flags, first=None):
        world = World()
        self.addCleanup(world.close)
        self.nextcloud = world.nextcloud("--wired", "all", *flags)
        if first:
            first()
        self.bridge = world.bridge(CONFIG.format(port=free_port(), folder=world.folder, root=ROOT, secret=SECRET,
                                                 nextcloud=self.nextcloud.url, poll=poll))
        self.bridge.start()
        if first:
            return
        self.caught_up()
        until("registered", lambda: self.nextcloud.get("/_standin/state")["webhooks"])

    def status(self):
        return self.bridge.api("/api/v1/status")[1]

    def poll(self):
        return self.status()["sources"]["cloud"]["poll"]

    def caught_up(self):
        for _ in range(3):
            after = self.status()["now"]
            until("polled to the end", lambda: self.poll().get("fetched_at", "") > after
                  and self.poll().get("next_poll", "") > self.poll()["fetched_at"])

    def asked(self, part=LOG, after=0.0, before=float("inf")):
        """When requests for this arrived at the fake."""
        return [each["at"] for each in self.nextcloud.get("/_standin/requests")
                if part in each["target"] and after < each["at"] < before]

    def work(self, kind, changes=1, push="on", seed=1):
        self.nextcloud.post("/_standin/quirks", {"push": push})
        self.nextcloud.post("/_standin/work", {"seed": seed, "changes": changes, "kinds": [kind]})
        return self.nextcloud.get("/_standin/changes")[-changes:]

    def hold(self, part, stale=False):
        """From here on a poll that asks for this hangs; returns when one does."""
        self.nextcloud.post("/_standin/hold", {"part": part, "stale": stale})
        until("a poll hangs", lambda: self.nextcloud.get("/_standin/held")["waiting"] == 1)

    def release(self):
        self.nextcloud.post("/_standin/hold", {"part": None})

    def events(self):
        """(intake, verb, uuid), oldest first."""
        events = self.bridge.api("/api/v1/events?limit=200")[1]["events"]
        return [(each["intake"], each["event_name"].split(":")[0], each["subject"].rpartition("/")[2])
                for each in reversed(events)]

    def snapshot(self, change):
        thing = change["object"]["@self"]
        subject = f"object:{thing['register']}/{thing['schema']}/{change['uuid']}"
        return self.bridge.api(f"/api/v1/snapshots/cloud/{subject.replace('/', '%2F')}")

    def test_B1_pull_gives_the_first_data_push_updates_at_once_and_pull_goes_on_slowly(self):
        self.start("fallback_interval: 1500ms, push_timeout: 1h, compare_every: 0s", "--realtime")
        first = self.work("create", push="off")[0]
        self.assertEqual(until("polled", self.events), [("poll", "created", first["uuid"])])
        self.assertEqual(self.poll()["pushes"], "none")
        since = time.time()
        until("polls at the normal pace", lambda: len(self.asked(after=since)) >= 5)
        self.hold(LOG)  # nothing can be told by polling now
        changed = self.work("update", push="on")[0]
        self.assertEqual(self.events()[1:], [("webhooks", "updated", first["uuid"])])
        self.assertEqual(self.snapshot(changed)[1]["data"]["data"]["titel"], changed["object"]["titel"])
        self.release()
        until("slower", lambda: self.poll()["pushes"] == "arriving" and self.poll()["next_poll"])
        since = time.time()
        times = until("polls go on", lambda: (lambda t: t if len(t) >= 4 else None)(self.asked(after=since)))
        for earlier, later in zip(times, times[1:]):
            self.assertGreaterEqual(later - earlier, 1.35)  # 1500 ms less 10 %
        self.assertEqual(len(self.events()), 2)

    def test_B2_without_a_push_for_so_long_polls_are_frequent_again_until_the_next(self):
        self.start("fallback_interval: 1h, push_timeout: 3s, stale_after: 1h, compare_every: 0s", "--realtime")
        for seed in (1, 2):
            before = time.time()
            change = self.work("create", seed=seed)[0]
            after = time.time()
            until("a poll after the silence", lambda: self.asked(after=before + 3))
            # One may have been due already; the next not before the pushes count as silent.
            self.assertLessEqual(len(self.asked(after=after, before=before + 3)), 1)
            until("polls at the normal pace", lambda: len(self.asked(after=before + 3)) >= 5)
            until("silent", lambda: self.poll()["pushes"] == "push_silent")
            self.assertEqual(self.snapshot(change)[1]["status"], "push_silent")
            self.assertIn("pushes: push_silent", self.bridge.cli("status")[1])

    def made_while_the_first_list_is_read(self, *flags):
        def old_and_held():
            self.work("create", changes=2, push="off")  # before anybody polled
            self.nextcloud.post("/_standin/hold", {"part": LISTS})
        self.start("fallback_interval: 100ms, compare_every: 0s", *flags, first=old_and_held)
        until("the first list is asked for", lambda: self.nextcloud.get("/_standin/held")["waiting"] == 1)
        made = self.work("create", push="off", seed=7)[0]  # it will be in that list, and in the log
        self.release()
        until("told", self.events)
        self.caught_up()
        self.assertEqual([(intake, uuid) for intake, _, uuid in self.events()], [("poll", made["uuid"])])
        self.assertIn("2 matched", self.bridge.cli("backfill", "--source", "cloud", "--dry-run")[1])

    def test_S8_what_is_made_while_the_first_list_is_read_is_told_by_the_audit_trail(self):
        self.made_while_the_first_list_is_read()

    def test_S8_what_is_made_while_the_first_list_is_read_is_told_by_the_realtime_log(self):
        self.made_while_the_first_list_is_read("--realtime")

    def test_B3_push_then_pull_is_one_event_and_a_lost_push_is_made_up_for(self):
        self.start("fallback_interval: 100ms, compare_every: 0s", "--realtime")
        self.hold(LOG)
        pushed = self.work("create")[0]
        self.assertEqual(self.events(), [("webhooks", "created", pushed["uuid"])])
        self.release()
        until("found again", lambda: self.poll()["duplicates"] == 1)
        self.caught_up()
        self.assertEqual(len(self.events()), 1)
        self.assertEqual(self.poll()["recovered"], 0)
        lost = self.work("create", push="off", seed=2)[0]
        until("told", lambda: len(self.events()) == 2)
        self.assertEqual(self.events()[1], ("poll", "created", lost["uuid"]))
        self.assertEqual(self.poll()["recovered"], 1)

    def test_B4_a_slow_pull_that_a_push_overtakes_leaves_the_pushs_state(self):
        self.start("fallback_interval: 100ms, compare_every: 100ms, log: lists")
        created = self.work("create")[0]
        self.caught_up()
        self.hold(LISTS, stale=True)
        changed = self.work("update")[0]
        self.assertEqual(changed["uuid"], created["uuid"])
        pushed = self.snapshot(changed)[1]
        self.assertEqual((pushed["version"], pushed["data"]["data"]["titel"]), (2, changed["object"]["titel"]))
        self.release()
        self.caught_up()
        left = self.snapshot(changed)[1]
        self.assertEqual((left["version"], left["data"]), (2, pushed["data"]))
        self.assertEqual([verb for _, verb, _ in self.events()], ["created", "updated"])

    def test_B5_after_a_stop_one_catch_up_comes_first_and_is_counted(self):
        self.start("fallback_interval: 100ms, compare_every: 0s", "--realtime")
        self.bridge.stop()
        changes = self.work("create", changes=3)
        self.bridge.start()
        until("caught up", lambda: self.poll()["caught_up"] == 3)
        self.caught_up()
        self.assertEqual(sorted(self.events()), sorted(("poll", "created", each["uuid"]) for each in changes))
        self.assertEqual((self.poll()["caught_up"], self.poll()["recovered"]), (3, 3))
        told = [line for line in self.bridge.log_lines() if line.get("event", line.get("message")) == "poll.caught_up"]
        self.assertEqual(told[-1]["events"], 3, json.dumps(told))
        self.assertIn("3 that no push had brought", self.bridge.cli("status")[1])

    def metric(self, name, **labels):
        text = call("GET", self.bridge.url + "/metrics")[2]
        inner = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        return [float(value) for value in re.findall(rf"^{name}{{{re.escape(inner)}}} (\S+)$", text, re.MULTILINE)]

    def test_the_gap_report_says_the_same_in_status_on_the_command_line_and_in_metrics(self):
        self.start("fallback_interval: 100ms, compare_every: 0s", "--realtime")
        self.hold(LOG)
        self.work("create")
        self.release()
        until("found again", lambda: self.poll()["duplicates"] == 1)
        self.work("create", push="off", seed=2)
        until("made up for", lambda: self.poll()["recovered"] == 1)
        self.caught_up()
        source = self.status()["sources"]["cloud"]
        said = self.bridge.cli("status")[1]
        self.assertEqual(set(source["heard"]), {"webhooks", "poll"})
        for intake, count in (("webhooks", 1), ("poll", 2)):  # last heard and lag, of each intake
            heard = source["heard"][intake]
            self.assertEqual(heard["count"], count)
            self.assertRegex(said, rf"heard: {intake}, {count} times, last {re.escape(heard['last_at'])}, \S+ after it happened")
            at = datetime.datetime.fromisoformat(heard["last_at"].replace("Z", "+00:00")).timestamp()
            told = self.metric("orbridge_intake_last_heard_timestamp_seconds", source="cloud", intake=intake)
            self.assertAlmostEqual(told[0], at, delta=1)
            lag = self.metric("orbridge_intake_lag_seconds", source="cloud", intake=intake)
            self.assertAlmostEqual(lag[0], heard["lag_ms"] / 1000, delta=0.01)
        self.assertIn("found: 1 that no push had brought, 1 known already, 0 whose content was gone; pushes: arriving", said)
        for what, count in (("recovered", 1), ("duplicate", 1), ("untold", 0)):
            self.assertEqual(self.metric("orbridge_poll_found", source="cloud", what=what), [count])
        self.assertTrue(any("Bulk saves" in sentence for sentence in source["poll"]["cannot_tell"]))
        for sentence in source["poll"]["cannot_tell"]:
            self.assertIn(f"cannot tell: {sentence}", said)
        self.assertEqual(self.metric("orbridge_poll_gaps", source="cloud"), [len(source["poll"]["cannot_tell"])])


if __name__ == "__main__":
    unittest.main()
