"""A day's work in OpenRegister, polled: whatever the installation could tell arrives exactly once, in order per subject.

For each of the three logs, with pushes on, off and lost at random, and with kill -9 between reading and storing.
ORBRIDGE_TEST_CHANGES says how many changes a day has."""

import collections
import concurrent.futures
import contextlib
import json
import os
import random
import sqlite3
import unittest

from harness import ROOT, SECRET, World, call, free_port, until

CHANGES = int(os.environ.get("ORBRIDGE_TEST_CHANGES", "300"))
KILLED_CHANGES = int(os.environ.get("ORBRIDGE_TEST_CHANGES", "30" if os.environ.get("ORBRIDGE_SANITIZED") else "150"))
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
    register: {register}
    poll: {{interval: {interval}, fallback_interval: 150ms, page_rows: 40, tail_rows: 20, page_objects: 25{poll}}}
targets:
  on-object:
    adapter: windmill
    url: {windmill}/api/w/main/jobs/run/p/f/nextcloud/on_object
    token: wm-token
routes:
  - {{channel: Object, event_name: '(created|updated|deleted):.*', to: on-object, loop: {{limit: 0}}}}
"""
POLL = 3  # as the store writes it
VERBS = {"create": "created", "bulk-create": "created", "restore": "created", "update": "updated",
         "bulk-update": "updated", "delete": "deleted", "cascade": "deleted", "purge": "deleted"}


def own(thing):
    """Its own properties, comparable. A property that is null counts as one that is not there."""
    return json.dumps({key: value for key, value in thing.items() if key not in ("@self", "id") and value is not None},
                      sort_keys=True)


class Told:
    """One event as the script got it."""

    def __init__(self, job, intakes):
        body = job["args"]["body"]
        self.pushed = intakes[body["id"].replace("-", "")] != POLL
        thing = body["data"]["object"]
        self.verb, self.uuid = body["eventName"].split(":")[0], thing["uuid"]
        self.state = (own(thing["data"]), (thing.get("@self") or {}).get("updated"))

    def tells(self, change, exact, sure):
        verb = VERBS[change["kind"]]
        # Killed before it answered, it may have taken a push that its sender thinks lost.
        if self.pushed and not change["pushed"] and sure:
            return False
        if "deleted" in (self.verb, verb):
            return self.verb == verb
        if exact and verb != self.verb:
            return False
        return self.state == (own(change["object"]), change["object"]["@self"]["updated"])

    def __repr__(self):
        return f"{self.verb} {self.uuid[:4]} {json.loads(self.state[0]).get('titel')} {self.state[1]}"


class Day:
    """A world with work in it."""

    def __init__(self, test, log, *flags, register="'off'", wired="all", push="on", poll="", quirks=None,
                 interval="150ms"):
        self.test = test
        self.killed = 0
        self.log_only = "compare_every: 0s" in poll
        self.world = World()
        test.addCleanup(self.world.close)
        self.windmill = self.world.windmill("--workers", "0")
        self.nextcloud = self.world.nextcloud("--wired", wired, *flags)
        self.quirks(**{"push": push, "late_every": 7, "late_by": 3, **(quirks or {})})
        self.bridge = self.world.bridge(CONFIG.format(
            port=free_port(), folder=self.world.folder, root=ROOT, nextcloud=self.nextcloud.url, secret=SECRET,
            register=register, interval=interval, windmill=self.windmill.url, poll=poll + (f", log: {log}" if log else "")))
        self.bridge.start()
        if interval == "150ms":
            self.caught_up()
        else:
            until("polled once", lambda: self.poll().get("next_poll", "") > self.poll().get("fetched_at", "~"))
        if register != "'off'":
            until("registered", lambda: self.nextcloud.get("/_standin/state")["webhooks"])

    def quirks(self, **values):
        self.nextcloud.post("/_standin/quirks", values)

    def poll(self):
        return self.bridge.api("/api/v1/status")[1]["sources"]["cloud"]["poll"]

    def caught_up(self, wanted=3):
        """So many rounds that began after now ended with nothing more to read; a comparison is part of its round."""
        after = self.bridge.api("/api/v1/status")[1]["now"]
        rounds = []

        def look():
            poll = self.poll()
            ended = poll.get("fetched_at", "") > after and poll.get("next_poll", "") > poll["fetched_at"]
            if ended and poll["fetched_at"] not in rounds:
                rounds.append(poll["fetched_at"])
            return len(rounds) >= wanted and poll
        return until("polled to the end", look)

    def work(self, seed=1, changes=CHANGES, **more):
        return self.nextcloud.post("/_standin/work", {"seed": seed, "changes": changes, **more}, timeout=600)

    def work_with_kills(self, seed=5):
        """While people work the bridge is killed, again and again."""
        random_ = random.Random(seed)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            worker = pool.submit(self.work, pause_s=0.01, changes=KILLED_CHANGES)
            while not worker.done():
                concurrent.futures.wait([worker], random_.uniform(0.05, 0.5))
                self.bridge.kill()
                self.bridge.start()
                self.killed += 1
            worker.result()

    def rows(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.world.folder}/orbridge.db?mode=ro", uri=True)) as db:
            return db.execute("SELECT intake, class, channel, event_name, subject, payload FROM events").fetchall()

    def finish(self):
        """Everything there is to read has been read, and delivered."""
        self.nextcloud.post("/_standin/commit", {})
        self.caught_up(3 if self.log_only else 8)
        self.bridge.settled()
        with contextlib.closing(sqlite3.connect(f"file:{self.world.folder}/orbridge.db?mode=ro", uri=True)) as db:
            intakes = dict(db.execute("SELECT lower(hex(id)), intake FROM events"))
        self.told = [Told(job, intakes) for job in self.windmill.jobs()]
        self.changes = self.nextcloud.get("/_standin/changes")
        self.test.assertEqual(self.nextcloud.get("/_standin/reads")["single_reads"], 0)
        self.tells_gaps()
        return self.poll()

    def tells_gaps(self):
        """The report of gaps, as people and as Prometheus read it."""
        said = self.bridge.cli("status")[1]
        self.test.assertIn("polled: ok, reads ", said)
        self.test.assertIn(" that no push had brought, ", said)
        for sentence in self.poll()["cannot_tell"]:
            self.test.assertIn(f"cannot tell: {sentence}", said)
        metrics = call("GET", self.bridge.url + "/metrics")[2]
        self.test.assertIn('orbridge_poll_failures_in_a_row{source="cloud"} 0', metrics)
        self.test.assertRegex(metrics, r'orbridge_poll_found{source="cloud",what="recovered"} \d')

    def by_subject(self):
        told = collections.defaultdict(list)
        for each in self.told:
            told[each.uuid].append(each)
        return told

    def numbers(self, told, changes, exact=True):
        """Which of a subject's changes each event tells; fails if it tells none, or one twice. Where only last states
        are seen, the first one seen of a subject is called its creation."""
        used, found = set(), []
        for each in told:
            fits = [change["n"] for change in changes
                    if change["n"] not in used and each.tells(change, exact, not self.killed)]
            made = [(change["n"], change["kind"]) for change in changes]
            self.test.assertTrue(fits, f"{each} of {told} tells nothing that happened, or again: {made}")
            later = [n for n in fits if n > max(found, default=0)]  # the same may have happened before, untold
            found.append((later or fits)[0])
            used.add(found[-1])
        return found


class Days(unittest.TestCase):
    def check(self, day, logged, exact):
        """`logged(change)`: something told it. Exact: nothing but ends that were no news, and what is counted, is missing."""
        poll = day.finish()
        subjects = collections.defaultdict(list)
        for change in day.changes:
            subjects[change["uuid"]].append(change)
        told = day.by_subject()
        self.assertLessEqual(set(told), set(subjects))
        missing = 0
        for uuid, changes in subjects.items():
            numbers = day.numbers(told[uuid], changes, exact)
            pushed = {change["n"] for change in changes if change["pushed"]}
            if day.killed:
                pushed = {n for n, each in zip(numbers, told[uuid]) if each.pushed}
            for way in (pushed, {change["n"] for change in changes} - pushed):
                order = [n for n in numbers if n in way]
                self.assertEqual(order, sorted(order), f"{uuid}: out of order")
            if not exact:
                continue
            known = [change for change in changes if logged(change) or change["pushed"]]
            if known and VERBS[known[-1]["kind"]] != "deleted":
                self.assertGreaterEqual(max(numbers, default=0), known[-1]["n"], f"{uuid}: its last change was not told")
            if known and VERBS[known[-1]["kind"]] == "deleted":
                self.assertIn("deleted", [each.verb for each in told[uuid]], uuid)
            missing += sum(change["n"] not in numbers and VERBS[change["kind"]] != "deleted" for change in known)
        if exact:
            self.assertLessEqual(missing, poll["untold"])
        if not exact:
            self.ends_as_it_is(day)
        print(f"{self.id().rpartition('.')[2]}: {len(day.changes)} changes, {len(day.told)} told, "
              f"{sum(each.pushed for each in day.told)} of them pushed, {missing} missing of what was logged, "
              f"{poll['untold']} counted as untold, {day.killed} kills", flush=True)
        return poll, missing

    def audit(self, killed=False, **more):
        day = Day(self, "audit", poll=", compare_every: 0s", **more)
        day.work_with_kills() if killed else day.work()
        return self.check(day, lambda change: change["audit"], True)

    def realtime(self, killed=False, **more):
        day = Day(self, "", "--realtime", poll=", compare_every: 500ms", **more)
        day.work_with_kills() if killed else day.work()
        return self.check(day, lambda change: change["realtime"], False)

    def lists(self, killed=False, **more):
        day = Day(self, "", poll=", compare_every: 300ms", quirks={"audit_served": False}, **more)
        day.work_with_kills() if killed else day.work()
        return self.check(day, lambda change: change["pushed"], False)[0]

    def ends_as_it_is(self, day):
        """The last thing told of each subject is what it is now."""
        objects = {thing["id"]: thing for thing in day.nextcloud.get("/_standin/state")["objects"]}
        told_of = day.by_subject()
        self.assertLessEqual({uuid for uuid, thing in objects.items() if not thing["@self"]["deleted"]}, set(told_of))
        for uuid, told in told_of.items():
            thing = objects.get(uuid)
            gone = thing is None or bool(thing["@self"]["deleted"])
            late = {each.state for each in told}
            if gone:
                self.assertIn("deleted", [each.verb for each in told])
            else:
                self.assertIn((own(thing), thing["@self"]["updated"]), late)


class Completeness(Days):
    def test_S8_audit_trail_without_pushes(self):
        poll, _ = self.audit(push="off")
        self.assertEqual(poll["reads"], "audit")
        self.assertTrue(any("Bulk saves" in sentence for sentence in poll["cannot_tell"]))

    def test_S8_B3_audit_trail_with_pushes(self):
        poll, missing = self.audit(register="[webhooks]")
        self.assertGreater(poll["duplicates"], 0)

    def test_S8_audit_trail_with_pushes_lost(self):
        self.audit(register="[webhooks]", push="0.4")

    def test_S8_audit_trail_of_a_release_that_wires_only_created(self):
        self.audit(register="[webhooks]", wired="released")

    def test_S8_realtime_without_pushes(self):
        poll, _ = self.realtime(push="off")
        self.assertEqual(poll["reads"], "realtime")

    def test_S8_realtime_with_pushes(self):
        self.realtime(register="[webhooks]")

    def test_S8_realtime_with_pushes_lost(self):
        self.realtime(register="[webhooks]", push="0.4")

    def test_S9_lists_without_pushes(self):
        self.assertEqual(self.lists(push="off")["reads"], "lists")

    def test_S9_lists_with_pushes(self):
        self.lists(register="[webhooks]")

    def test_S9_lists_with_pushes_lost(self):
        self.lists(register="[webhooks]", push="0.4")

    def test_silent_changes_are_found_by_comparing_beside_the_log(self):
        day = Day(self, "audit", poll=", compare_every: 300ms", push="off")
        day.work(changes=100)
        day.finish()
        self.ends_as_it_is(day)

    def test_S8_killed_between_reading_and_storing(self):
        day = Day(self, "audit", poll=", compare_every: 0s", push="off", quirks={"late_every": 0})
        day.work(changes=20, kinds=["create"])
        day.caught_up()
        before = len(day.windmill.jobs())
        lock = sqlite3.connect(day.world.folder / "orbridge.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")  # whatever is read now cannot be stored
        day.work(seed=2, changes=15, kinds=["create"])
        asked = len(day.nextcloud.get("/_standin/requests"))
        until("the rows were read", lambda: len(day.nextcloud.get("/_standin/requests")) > asked)
        day.bridge.kill()
        lock.execute("ROLLBACK")
        lock.close()
        self.assertEqual(len(day.windmill.jobs()), before)
        day.bridge.start()
        poll, missing = self.check(day, lambda change: change["audit"], True)
        self.assertEqual((missing, len(day.told)), (0, 35))
        self.assertEqual(poll["caught_up"], 15)  # B5

    def test_S9_what_happened_while_down_is_one_event_each(self):
        day = Day(self, "", poll=", compare_every: 300ms", quirks={"audit_served": False}, push="off")
        day.work(changes=4, kinds=["create"])
        day.caught_up(6)
        day.bridge.stop()
        before = len(day.nextcloud.get("/_standin/changes"))
        # The second of the deleted ones is purged: one soft-deleted, one gone, one changed, and nobody was told.
        for seed, kind in ((1, "soft-delete"), (2, "soft-delete"), (3, "purge"), (4, "update")):
            day.work(seed=seed, changes=1, kinds=[kind])
        day.bridge.start()
        day.finish()
        happened = collections.defaultdict(list)
        for change in day.nextcloud.get("/_standin/changes")[before:]:
            happened[change["uuid"]].append(VERBS[change["kind"]])
        told = day.by_subject()
        self.assertEqual({uuid: [each.verb for each in told[uuid]][1:] for uuid in happened},
                         {uuid: verbs[-1:] for uuid, verbs in happened.items()})
        self.assertEqual(sum(len(each) for each in told.values()), 4 + len(happened))

    def test_S8_rows_that_expired_while_down_are_made_up_for_by_comparing(self):
        day = Day(self, "audit", poll=", compare_every: 0s", push="off")
        day.work(changes=30, kinds=["create"])
        day.caught_up()
        day.bridge.stop()
        day.work(seed=3, changes=60)
        day.nextcloud.post("/_standin/commit", {})
        day.nextcloud.post("/_standin/expire", {})
        day.bridge.start()
        day.finish()
        self.ends_as_it_is(day)

    def test_S10_lists_made_without_our_filters_are_an_error_and_tell_nothing(self):
        day = Day(self, "", poll=", compare_every: 300ms, backoff_max: 300ms", quirks={"audit_served": False}, push="off")
        day.work(changes=5, kinds=["create"])
        day.caught_up(6)
        told = len(day.rows())
        day.quirks(ignored_filters=["_register"])
        day.work(changes=5, kinds=["create", "update", "soft-delete"])
        error = until("the error shows", lambda: day.poll().get("error"))
        self.assertIn("without the filters _register", error)
        until("it is given up on, and named", lambda: any("could not be compared" in sentence
                                                          for sentence in day.poll()["cannot_tell"]))
        self.assertEqual(len(day.rows()), told)
        day.quirks(ignored_filters=[])
        day.finish()
        self.ends_as_it_is(day)

    def peers(self, log, *flags, **more):
        """The same changes of the same objects at the same seconds, in one world pushed and in another polled."""
        made = {}
        for way, register, push, interval in (("push", "[webhooks]", "on", "24h"), ("poll", "'off'", "off", "150ms")):
            day = Day(self, log, *flags, register=register, push=push, interval=interval, **more)
            for n, kind in enumerate(("create", "create", "update", "update", "create", "update")):
                day.work(seed=n + 1, changes=1, kinds=[kind], clock=1_790_000_000 + 60 * n)
                day.nextcloud.post("/_standin/commit", {})
                if way == "poll":
                    until("found", lambda: len(day.rows()) == n + 1)
            made[way] = sorted(row[1:] for row in day.rows())
            self.assertEqual({row[0] for row in day.rows()}, {POLL if way == "poll" else 1})
        self.assertEqual(len(made["push"]), 6)
        for pushed, polled in zip(made["push"], made["poll"]):
            self.assertEqual(pushed, polled)

    def test_S11_audit_trail_tells_byte_for_byte_what_a_push_tells(self):
        self.peers("audit", poll=", compare_every: 0s")

    def test_S11_realtime_tells_byte_for_byte_what_a_push_tells(self):
        self.peers("", "--realtime", poll=", compare_every: 0s")

    def test_S11_lists_tell_byte_for_byte_what_a_push_tells(self):
        self.peers("", poll=", compare_every: 300ms", quirks={"audit_served": False})

    def test_S11_push_and_poll_of_the_same_object_are_equal_byte_for_byte(self):
        made = {}
        for way, register, push in (("push", "[webhooks]", "on"), ("poll", "'off'", "off")):
            day = Day(self, "audit", poll=", compare_every: 0s", register=register, push=push)
            for capture in ("ObjectCreatedEvent.standard.http", "ObjectCreatedEvent-zaak.standard.http",
                            "ObjectUpdatedEvent.standard.http", "ObjectCreatedEvent-emoji.standard.http"):
                day.nextcloud.post("/_standin/replay", {"capture": capture, "set": {"object.extra": "<b>&\u00e9</b>"},
                                                        "silent": push == "off", "logged": True})
            day.finish()
            with contextlib.closing(sqlite3.connect(f"file:{day.world.folder}/orbridge.db?mode=ro", uri=True)) as db:
                made[way] = sorted(db.execute("SELECT class, channel, event_name, subject, payload FROM events"))
            intakes = set(day.bridge.api("/api/v1/status")[1]["sources"]["cloud"]["heard"])
            self.assertIn({"push": "webhooks", "poll": "poll"}[way], intakes)
        self.assertEqual(len(made["push"]), 4)
        self.assertEqual(made["push"], made["poll"])


if __name__ == "__main__":
    unittest.main()
