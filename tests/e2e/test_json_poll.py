"""Sources of type http: any JSON over HTTP, polled (integrations.md rows S1 to S7, S10, D1)."""
import contextlib
import http.server
import json
import threading
import time
import unittest
import urllib.parse

from harness import ROOT, World, call, free_port, until

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


class Desk:
    """A service with a list, in whatever way of paging is asked for. `answer` may replace what it says."""

    def __init__(self, case):
        self.items, self.asked, self.answer, self.lock = [], [], None, threading.Lock()
        self.answer_to_posts = lambda body: (200, {}, {})
        self.watch = lambda path, headers, begins: None
        self.pause = lambda: None  # before an answer, while others are answered
        desk = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.reply(lambda: (desk.answer or desk.list)(self.path, self.headers))

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.reply(lambda: desk.answer_to_posts(body))

            def reply(self, make):
                with desk.lock:
                    desk.asked.append((self.path, dict(self.headers)))
                    desk.watch(self.path, self.headers, True)
                    status, headers, body = make()
                desk.pause()
                body = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
                with desk.lock:
                    desk.watch(self.path, self.headers, False)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # who asked may have gone
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/tickets?state=open"
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)

    def list(self, path, _):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
        start = int(query.get("offset", 0)) or (int(query.get("page", 1)) - 1) * 2 or int(query.get("cursor", 0))
        paged = any(key in query for key in ("page", "offset", "cursor", "size"))
        rows = self.items[start:start + 2] if paged else self.items
        more = paged and start + 2 < len(self.items)
        meta = {"next": str(start + 2) if more else None}
        headers = {"Link": f'</api/tickets?size=2&page={start // 2 + 2}>; rel="next"'} if more else {}
        return 200, headers, {"data": rows, "meta": meta}

    def set(self, items):
        with self.lock:
            self.items = items

    def say(self, answer):
        with self.lock:
            self.answer = answer

    def say_to_posts(self, answer):
        with self.lock:
            self.answer_to_posts = answer

    def count(self):
        with self.lock:
            return len(self.asked)


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


MANY = """listen: 127.0.0.1:{port}
adapters: {{folders: [{root}/adapters]}}
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/http.yaml]
sources:
{sources}targets:
  told: {target}
routes:
  - {{channel: Thing, to: told}}
"""
NOWHERE = "{adapter: windmill, url: 'http://127.0.0.1:9/api/w/main/jobs/run/p/f/x/y', token: wm}"


class Shared(unittest.TestCase):
    def start(self, answer, sources, push="", target=NOWHERE):
        """`answer(name, token)`: the items that a source of this token is shown; `sources`: name → further settings."""
        self.desk = Desk(self)
        self.arrived, self.busy, self.most = [], {}, {}

        def say(path, headers):
            return 200, {}, answer(path, headers["Authorization"].rpartition(" ")[2])
        self.desk.say(say)
        self.desk.watch = self.watch
        world = World()
        self.addCleanup(world.close)
        base = self.desk.url.partition("/api/")[0]
        text = "".join(f"  {name}: {{type: http, url: '{base}/{path}', {more}}}\n" for name, (path, more) in sources.items())
        self.bridge = world.bridge(MANY.format(port=free_port(), folder=world.folder, root=ROOT, sources=text + push,
                                               target=target.replace("BASE", base))).start()

    def watch(self, path, headers, begins):
        """Called by the desk, under its lock, when a request came and when it is about to be answered."""
        self.busy[path] = self.busy.get(path, 0) + (1 if begins else -1)
        self.most[path] = max(self.most.get(path, 0), self.busy[path])
        if begins:
            self.arrived.append((time.monotonic(), path, headers["Authorization"]))

    def all_arrived(self):
        with self.desk.lock:
            return list(self.arrived)

    def test_S2_S5_twenty_sources_share_one_rate_and_none_is_starved(self):
        poll = "token: same, poll: {interval: 100ms, backoff_max: 100ms, id: /n}"
        began = time.monotonic()
        self.start(lambda path, token: [{"n": path}],
                   {f"s{n}": (f"list/{n}", poll + (", rate: 20/1s" if n == 7 else "")) for n in range(20)})
        until("a hundred requests", lambda: len(self.all_arrived()) >= 100)
        arrived = self.all_arrived()
        for count, (at, *_) in enumerate(arrived):  # a request may arrive late, never early
            self.assertGreaterEqual(at - began, count // 20 - 0.01, "more than 20 within a second")
        self.assertEqual(len({path for _, path, _ in arrived[:100]}), 20)
        self.assertEqual(set(self.most.values()), {1})  # S2: one at a time of each source
        self.assertEqual(self.bridge.stop(), 0)  # though all of them wait for their turn

    def test_S2_one_poll_at_a_time_though_an_answer_takes_three_intervals(self):
        self.start(lambda path, token: [{"n": path}],
                   {"slow": ("list/1", "token: same, poll: {interval: 100ms, backoff_max: 100ms, id: /n}")})
        self.desk.pause = lambda: time.sleep(0.3)  # what the fake is like; nothing waits for it
        until("six polls", lambda: len(self.all_arrived()) >= 6)
        self.assertEqual(self.most["/list/1"], 1)

    def test_S2_the_first_poll_is_at_once_and_twenty_sources_do_not_go_in_step(self):
        self.start(lambda path, token: [{"n": path}],
                   {f"s{n}": (f"list/{n}", "token: same, poll: {interval: 1h, id: /n}") for n in range(20)})
        polls = until("all were polled once", lambda: (lambda all_: all_ if all(
            poll.get("next_poll") for poll in all_) else None)(
                [each["poll"] for each in self.bridge.api("/api/v1/status")[1]["sources"].values()]))
        self.assertEqual(len({path for _, path, _ in self.all_arrived()}), 20)  # at once, not in an hour
        self.assertGreaterEqual(len({poll["next_poll"] for poll in polls}), 15)  # by milliseconds, within 12 minutes

    def test_S5_targets_keep_to_the_rate_of_sources_with_the_same_credentials(self):
        self.start(lambda path, token: [{"n": path}],
                   {f"s{n}": (f"list/{n}", "token: same, poll: {interval: 100ms, backoff_max: 100ms, id: /n}"
                              + (", rate: 5/1s" if n == 7 else "")) for n in range(20)},
                   push="  told: {type: push, verify: bearer, secret: push-token, mapping: record}\n",
                   target="{adapter: http, config: {url: 'BASE/take'}, credentials: {token: same}, task: post, "
                          "params: {body: {name: '{{event.eventName}}'}}, in_flight_max: 3}")
        for n in range(6):
            status, _, text = call("POST", f"{self.bridge.url}/ingest/told",
                                   {"channel": "Thing", "eventName": f"created:{n}", "timestamp": 1790000000000,
                                    "payload": {"n": n}}, {"Authorization": "Bearer push-token"})
            self.assertEqual(status // 100, 2, text)
        until("all were polled twice, and the events were delivered", lambda: all(
            sum(path == f"/list/{n}" for _, path, _ in self.all_arrived()) >= 2 for n in range(20)) and
            sum(path == "/take" for _, path, _ in self.all_arrived()) == 6)
        arrived = self.all_arrived()
        self.assertEqual({token for *_, token in arrived}, {"Bearer same"})
        for (first, *_), (last, *_) in zip(arrived, arrived[5:]):
            self.assertGreaterEqual(last - first, 0.99, "more than 5 within a second")
        self.bridge.settled()
        attempts = [each["attempts"] for each in self.bridge.api("/api/v1/deliveries")[1]["deliveries"]]
        self.assertEqual(attempts, [1] * 6)  # waiting for its turn is no attempt
        self.assertEqual(self.bridge.stop(), 0)

    def test_S14_equal_requests_of_one_owner_are_one_and_none_crosses_to_another(self):
        poll = "poll: {interval: 300ms, backoff_max: 300ms, id: /n, existing: tell}"
        self.start(lambda path, token: [{"n": 1, "of": token}],
                   {"a": ("list", "token: one, " + poll), "b": ("list", "token: one, " + poll),
                    "c": ("list", "token: two, " + poll)})
        until("each owner asked", lambda: all(
            sum(token.endswith(owner) for *_, token in self.all_arrived()) >= 8 for owner in ("one", "two")))
        for owner in ("one", "two"):
            times = [when for when, _, token in self.all_arrived() if token.endswith(owner)]
            for first, last in zip(times, times[1:]):
                self.assertGreaterEqual(last - first, 0.26, f"asked twice in an interval for {owner}")
        told = {}
        for event in self.bridge.api("/api/v1/events")[1]["events"]:
            told[event["source"]] = self.bridge.api("/api/v1/events/" + event["id"])[1]["payload"]["item"]["of"]
        self.assertEqual(told, {"a": "one", "b": "one", "c": "two"})


if __name__ == "__main__":
    unittest.main()
