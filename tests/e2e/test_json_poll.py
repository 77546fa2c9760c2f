"""Sources of type http: any JSON over HTTP, polled (integrations.md rows S1 to S7, S10, D1)."""
import json
import threading
import time
import unittest

from harness import ROOT, World, call, free_port, until
from json_desk import Desk

CONFIG = """listen: 127.0.0.1:{port}
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/http.yaml]
sources:
  tickets:
    type: http
    url: {url}
    token: t0p-s3cret
    timeout: 5s
    poll: {{interval: 150ms, backoff_max: 150ms, channel: Ticket{poll}}}
targets:
  nowhere: {{adapter: windmill, url: 'http://127.0.0.1:9/api/w/main/jobs/run/p/f/x/y', token: wm}}
routes:
  - {{channel: Nothing, to: nowhere}}
"""


class JsonPoll(unittest.TestCase):
    def start(self, poll=", items: /data, id: /number"):
        self.desk = Desk(self)
        self.world = World()
        self.addCleanup(self.world.close)
        self.port = free_port()
        self.config = CONFIG.format(port=self.port, folder=self.world.folder, root=ROOT, url=self.desk.url, poll=poll)

    def run_bridge(self):
        self.bridge = self.world.bridge(self.config).start()

    def poll(self):
        return self.bridge.api("/api/v1/status")[1]["sources"]["tickets"]["poll"]

    def rounds(self, wanted=2):
        before = self.desk.count()
        until("polled again", lambda: self.desk.count() >= before + wanted)

    def good(self):
        """What is there now has been read, and told: a poll that began after now has ended well."""
        for _ in range(2):
            after = until("a poll ended", lambda: self.poll().get("checked_at"))
            until("a good poll", lambda: self.poll().get("fetched_at", "") > after)

    def names(self):
        events = self.bridge.api("/api/v1/events?limit=200")[1]["events"]
        return [f"{each['channel']} {each['event_name']} {each['subject']}" for each in reversed(events)]

    def changes(self, first, rounds=(), poll=", items: /data, id: /number"):
        self.start(poll)
        self.desk.set(first)
        self.run_bridge()
        self.good()
        for items in rounds:
            self.desk.set(items)
            self.good()

    def test_S1_a_list_that_changes_is_told_and_one_that_does_not_is_not(self):
        self.changes([{"number": 1, "t": "a"}, {"number": 2, "t": "b"}],
                     [[{"t": "a", "number": 1}, {"number": 2, "t": "c"}, {"number": 3, "t": "d"}],
                      [{"number": 2, "t": "c"}, {"number": 3, "t": "d"}],
                      [{"number": 2, "t": "b"}, {"number": 3, "t": "d"}, {"number": 1, "t": "a"}]])
        self.assertEqual(self.names(), ["Ticket updated:2 item:2", "Ticket created:3 item:3", "Ticket deleted:1 item:1",
                                        "Ticket created:1 item:1", "Ticket updated:2 item:2"])
        events = self.bridge.api("/api/v1/events?limit=200")[1]["events"]
        gone = self.bridge.api("/api/v1/events/" + events[2]["id"])[1]
        self.assertEqual(gone["payload"], {"id": "1", "item": {"number": 1, "t": "a"}})
        self.assertEqual(gone["intake"], "poll")
        self.assertEqual(self.desk.asked[0][1]["Authorization"], "Bearer t0p-s3cret")

    def test_S1_what_is_there_at_first_is_told_if_wanted_and_once_over_a_restart(self):
        self.changes([{"number": 1}, {"number": 2}], poll=", items: /data, id: /number, existing: tell")
        self.assertEqual(self.names(), ["Ticket created:1 item:1", "Ticket created:2 item:2"])
        self.bridge.kill()
        self.desk.set([{"number": 1}, {"number": 3}, {"number": 4}])  # B5: while it is down
        self.run_bridge()
        self.good()
        self.assertEqual(sorted(self.names()[2:]),
                         ["Ticket created:3 item:3", "Ticket created:4 item:4", "Ticket deleted:2 item:2"])
        self.assertEqual(self.poll()["caught_up"], 3)

    def test_D1_without_id_the_whole_is_one_document(self):
        self.changes([1], [[2]], poll="")
        self.assertEqual(self.names(), ["Ticket updated:document document"])
        self.assertEqual(self.poll()["reads"], "document")

    def test_S3_S4_S10_trouble_leaves_what_is_known_as_it_is(self):
        self.changes([{"number": 1}, {"number": 2}])
        good = self.poll()["fetched_at"]
        cut = lambda *_: (200, {}, b'{"data": [{"number": 1}')
        for answer in (lambda *_: (500, {}, {}), cut, lambda *_: (200, {}, {"data": {}}),
                       lambda *_: (200, {}, {"data": [{"number": None}]}), lambda *_: (302, {"Location": "/"}, {}),
                       lambda *_: (200, {}, {"data": [], "@self": {"ignoredFilters": ["state"]}})):  # S10
            self.desk.say(answer)
            until("an error", lambda: self.poll()["state"] == "error")
            self.rounds()
            poll = self.poll()
            self.assertGreater(poll["checked_at"], poll["fetched_at"])
            self.assertGreaterEqual(poll["fetched_at"], good)
            self.assertNotIn("state=open", poll["error"])
            self.desk.say(None)
            self.good()
            self.assertEqual(self.names(), [])
            good = self.poll()["fetched_at"]
        self.desk.set([{"number": 1, "new": True}])
        self.good()
        self.assertEqual(self.names(), ["Ticket updated:1 item:1", "Ticket deleted:2 item:2"])

    def document(self):
        return self.bridge.api("/api/v1/snapshots/tickets/document")[1]

    def test_S3_stale_while_error_step_by_step(self):
        self.start(poll="")
        self.config = self.config.replace("timeout: 5s", "timeout: 2s")  # two polls wait for it
        hung = threading.Event()
        self.addCleanup(hung.set)
        self.desk.say(lambda *_: (200, {}, {"n": 1}))
        self.run_bridge()
        self.good()
        good = self.document()
        self.assertEqual((good["data"]["item"], good["version"], good["status"]), ({"n": 1}, 1, "ok"))

        steps = (("500", lambda *_: (500, {}, {"error": "down"}), lambda: None),
                 ("timeout", lambda *_: (200, {}, {"n": 9}), hung.wait),
                 ("bad JSON", lambda *_: (200, {}, b'{"n": 9'), lambda: None))
        for name, answer, pause in steps:
            self.good()
            before = self.document()
            self.desk.pause = pause
            self.desk.say(answer)
            body = until(name, lambda: (lambda b: b if b["status"] == "error" else None)(self.document()))
            self.assertEqual((body["data"]["item"], body["version"], body["stale"]), ({"n": 1}, 1, True), name)
            self.assertTrue(body["error"])
            self.assertNotIn("t0p-s3cret", json.dumps(body))
            self.assertNotIn("state=open", json.dumps(body))
            later = until("checked again", lambda: (lambda b: b if b["checked_at"] > body["checked_at"] else None)(
                self.document()))
            self.assertEqual(later["fetched_at"], body["fetched_at"])
            self.assertGreaterEqual(body["fetched_at"], before["fetched_at"])
            self.assertGreater(later["checked_at"], later["fetched_at"])
            self.assertEqual(later["version"], 1)
            self.desk.pause = lambda: None
            self.desk.say(lambda *_: (200, {}, {"n": 1}))
        hung.set()
        self.desk.say(lambda *_: (200, {}, {"n": 2}))
        body = until("the new data", lambda: (lambda b: b if b["version"] == 2 else None)(self.document()))
        self.assertEqual((body["data"]["item"], body["status"], body["stale"]), ({"n": 2}, "ok", False))
        self.assertGreater(body["fetched_at"], good["fetched_at"])
        self.assertEqual(self.names(), ["Ticket updated:document document"])

    def asked_from(self, first, clock=time.monotonic):
        """When the fake was asked, from the moment on at which it answers `first`, once."""
        times, answers = [], [first]
        with self.desk.lock:
            self.desk.watch = lambda path, headers, begins: begins and times.append(clock())
            self.desk.answer = lambda *asked: answers.pop()() if answers else self.desk.list(*asked)
        until("asked again and again", lambda: len(times) >= 5)
        return times

    def test_S4_a_429_with_retry_after_3_is_left_alone_for_3_seconds(self):
        self.changes([{"number": 1}])
        times = self.asked_from(lambda: (429, {"Retry-After": "3"}, {}))
        self.assertGreaterEqual(times[1] - times[0], 3.0)
        self.assertEqual(self.poll()["state"], "ok")

    def test_S4_a_limit_that_is_used_up_is_left_alone_until_it_is_reset(self):
        self.changes([{"number": 1}])
        reset = []

        def used_up():
            reset.append(int(time.time()) + 3)
            return 429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset[0])}, {}
        asked = self.asked_from(used_up, time.time)
        self.assertGreaterEqual(asked[1], reset[0])

    def test_S4_backs_off_up_to_the_limit_and_a_success_ends_that(self):
        self.start(", items: /data, id: /number")
        self.config = self.config.replace("interval: 150ms, backoff_max: 150ms", "interval: 100ms, backoff_max: 1s")
        self.desk.say(lambda *_: (500, {}, {}))
        times = []
        self.desk.watch = lambda path, headers, begins: begins and times.append(time.monotonic())
        self.run_bridge()
        until("six tries", lambda: len(times) >= 6)
        # 100 ms doubled each time, but never above 1 s; less 10 %.
        for (earlier, later), least in zip(zip(times, times[1:]), (0.18, 0.36, 0.72, 0.9, 0.9)):
            self.assertGreaterEqual(later - earlier, least)
        self.assertGreaterEqual(self.poll()["failures"], 5)
        self.desk.say(None)
        until("a good poll", lambda: self.poll()["state"] == "ok")
        self.assertNotIn("failures", self.poll())

    def test_S4_retry_after_is_a_lower_bound(self):
        self.changes([{"number": 1}])
        self.desk.say(lambda *_: (429, {"Retry-After": "3600"}, {}))
        until("an error", lambda: self.poll()["state"] == "error")
        poll = self.poll()
        hour = lambda text: text[11:13]
        self.assertNotEqual(hour(poll["next_poll"]), hour(poll["checked_at"]))

    def test_S4_refused_credentials_stop_it(self):
        self.start()
        self.desk.say(lambda *_: (401, {}, {}))
        self.run_bridge()
        until("an error", lambda: self.poll()["state"] == "error")
        self.assertNotIn("next_poll", self.poll())
        self.assertEqual(self.desk.count(), 1)

    def test_S6_conditional_requests_move_the_time_and_nothing_else(self):
        self.start()

        def conditional(path, headers):
            if headers.get("If-None-Match") == '"v1"':
                return 304, {}, b""
            return 200, {"ETag": '"v1"'}, {"data": [{"number": 1}]}
        self.desk.say(conditional)
        self.run_bridge()
        self.good()
        self.assertNotIn("If-None-Match", self.desk.asked[0][1])
        self.assertEqual(self.desk.asked[-1][1]["If-None-Match"], '"v1"')
        self.assertEqual(self.names(), [])
        before = self.bridge.api("/api/v1/snapshots/tickets/item%3A1")[1]
        later = until("checked again", lambda: (lambda b: b if b["checked_at"] > before["checked_at"] else None)(
            self.bridge.api("/api/v1/snapshots/tickets/item%3A1")[1]))
        self.assertEqual((later["version"], later["status"], later["stale"]), (before["version"], "ok", False))
        self.bridge.kill()  # the mark is kept
        with self.desk.lock:
            count = len(self.desk.asked)
        self.run_bridge()
        self.good()
        self.assertEqual({each[1].get("If-None-Match") for each in self.desk.asked[count:]}, {'"v1"'})

    def test_S6_by_the_time_of_the_last_change_too(self):
        self.start()
        stamp = "Wed, 25 Nov 2026 10:00:00 GMT"

        def conditional(path, headers):
            if headers.get("If-Modified-Since") == stamp:
                return 304, {}, b""
            return 200, {"Last-Modified": stamp}, {"data": [{"number": 1}]}
        self.desk.say(conditional)
        self.run_bridge()
        self.good()
        self.assertNotIn("If-Modified-Since", self.desk.asked[0][1])
        self.assertEqual(self.desk.asked[-1][1]["If-Modified-Since"], stamp)
        self.assertEqual(self.bridge.api("/api/v1/snapshots/tickets/item%3A1")[1]["version"], 1)
        self.desk.say(lambda *_: (200, {}, {"data": [{"number": 1, "new": True}]}))
        self.good()
        self.assertEqual(self.bridge.api("/api/v1/snapshots/tickets/item%3A1")[1]["version"], 2)

    def paged(self, poll):
        rows = [{"number": n} for n in range(1, 6)]
        poll = f", items: /data, id: /number, page_size: 2, {poll}"
        self.changes(rows, [rows[:3] + rows[4:] + [{"number": 6}]], poll=poll)
        self.assertEqual(sorted(self.names()), ["Ticket created:6 item:6", "Ticket deleted:4 item:4"])

    def test_S7_by_page(self):
        self.paged("paging: page")

    def test_S7_by_offset(self):
        self.paged("paging: offset")

    def test_S7_by_cursor(self):
        self.paged("paging: cursor, next: /meta/next, size_param: size")

    def test_S7_by_link(self):
        self.paged("paging: link, size_param: size")

    def test_S7_an_endless_cursor_stops_at_the_limit(self):
        self.start(", items: /data, id: /number, paging: cursor, next: /next, pages_max: 4")
        self.desk.say(lambda *_: (200, {}, {"data": [{"number": 1}], "next": "more"}))
        self.run_bridge()
        until("an error", lambda: "pages_max" in self.poll().get("error", ""))
        self.assertEqual(self.names(), [])

    def test_S9_a_list_that_fails_half_way_tells_nothing(self):
        rows = [{"number": n} for n in range(1, 6)]
        self.changes(rows, poll=", items: /data, id: /number, page_size: 2, paging: page")
        self.desk.set(rows[1:])
        self.desk.say(lambda path, headers: (500, {}, {}) if "page=2" in path else self.desk.list(path, headers))
        until("an error", lambda: self.poll()["state"] == "error")
        self.rounds(4)
        self.assertEqual(self.names(), [])
        self.desk.say(None)
        self.good()
        self.assertEqual(self.names(), ["Ticket deleted:1 item:1"])

    def test_P11_nothing_can_be_pushed_to_it(self):
        self.changes([])
        status, _, text = call("POST", self.bridge.url + "/ingest/tickets", {})
        self.assertEqual((status, "not_pushed" in text), (400, True))


if __name__ == "__main__":
    unittest.main()
