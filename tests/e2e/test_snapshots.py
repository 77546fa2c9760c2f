"""Snapshots as readers see them, what updates carry because of them, and forgetting a subject (integrations.md rows
P10 and D1 to D10), through the real binary."""
import concurrent.futures
import hashlib
import hmac
import json
import pathlib
import re
import resource
import select
import socket
import time
import unittest
import urllib.parse

from harness import CAPTURES, DEADLINE_S, ROOT, SECRET, World, call, config, parse_capture, until
from json_desk import Desk

MAPPING = """mapping: things
sources: [things]
class: kind
fields: {id: thing.id}
rules:
  - {name: gone, class: gone, channel: Thing, event_name: 'deleted:{id}', subject: 'thing:a/{id}', state: thing,
     ends: true, payload: {thing: thing}}
  - {name: thing, class: thing, channel: Thing, event_name: 'updated:{id}', subject: 'thing:a/{id}', state: thing,
     payload: {thing: thing}}
"""
CONFIG = """listen: 127.0.0.1:0
http: {{{http}wait_max: 10m}}
store: sqlite:{folder}/orbridge.db
mappings: [{folder}/things.yaml]
sources:
  things: {{type: push, verify: bearer, secret: push-token, mapping: things, snapshots: true}}
  others: {{type: push, verify: bearer, secret: push-token, mapping: things, snapshots: true}}
  plain: {{type: push, verify: bearer, secret: push-token, mapping: things}}
targets:
  on-object:
    adapter: windmill
    url: {windmill}/api/w/main/jobs/run/p/f/nextcloud/on_object
    token: wm-token
routes:
  - {{channel: Thing, to: on-object}}
"""
POLLED = """listen: 127.0.0.1:0
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/http.yaml]
sources:
  tickets:
    type: http
    url: {url}
    token: t0p-s3cret
    poll: {{interval: {interval}, stale_after: {stale}, refresh_min: 1h, channel: Ticket, items: /data, id: /number}}
targets:
  nowhere: {{adapter: windmill, url: 'http://127.0.0.1:9/api/w/main/jobs/run/p/f/x/y', token: wm}}
routes:
  - {{channel: Nothing, to: nowhere}}
"""
PERSON = "Vera Verboven, Kerkstraat 7"


class Snapshots(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)

    def start(self, http="waiters_max: 2, ", **options):
        self.windmill = self.world.windmill()
        (self.world.folder / "things.yaml").write_text(MAPPING)
        self.bridge = self.world.bridge(CONFIG.format(folder=self.world.folder, windmill=self.windmill.url, http=http,
                                                      **options))
        return self.bridge.start()

    def push(self, thing, kind="thing", source="things"):
        status, _, text = call("POST", f"{self.bridge.url}/ingest/{source}", {"kind": kind, "thing": thing},
                               {"Authorization": "Bearer push-token"})
        self.assertEqual(status // 100, 2, text)
        return json.loads(text)

    def read(self, subject="thing:a/1", query="", source="things", token=None, headers=None):
        token = token or (self.world.folder / "admin.token").read_text().strip()
        path = f"/api/v1/snapshots/{source}/{urllib.parse.quote(subject, safe='')}{query}"
        status, found, text = call("GET", self.bridge.url + path, None,
                                   {"Authorization": f"Bearer {token}", **(headers or {})}, timeout=DEADLINE_S)
        return status, {name.lower(): value for name, value in found.items()}, json.loads(text) if text else None

    def read_patiently(self, query):
        """Comes again while too many others wait."""
        return until("there is room", lambda: (lambda answer: answer if answer[0] != 503 else None)(self.read(query=query)))

    def test_P10_D1_D3_a_push_updates_the_snapshot_and_its_version_at_once(self):
        self.start()
        self.push({"id": "1", "a": 1, "list": [1, 2]})
        status, _, first = self.read()
        self.assertEqual((status, first["version"], first["live"], first["status"], first["stale"]),
                         (200, 1, True, "ok", False))
        self.assertEqual(first["data"], {"id": "1", "a": 1, "list": [1, 2]})
        self.assertEqual(first["fetched_at"], first["checked_at"])
        self.push({"list": [1, 2], "a": 1, "id": "1"})
        self.assertEqual(self.read()[2]["version"], 1)
        for a in (2, 3, 4):
            self.push({"id": "1", "a": a, "list": [1, 2]})
        self.assertEqual(self.read()[2]["version"], 4)
        self.push({"id": "1", "a": 4, "list": [2, 1]})
        self.assertEqual(self.read()[2]["version"], 5)
        self.bridge.kill()
        self.bridge.start()
        self.push({"id": "1", "a": 4}, "gone")
        gone = self.read()[2]
        self.assertEqual((gone["version"], gone["live"]), (6, False))
        self.push({"id": "1", "a": 4})
        self.assertEqual(self.read()[2]["version"], 7)  # D4
        plain = self.bridge.api("/api/v1/snapshots/things/thing:a/1")  # the slash as it is
        self.assertEqual((plain[0], plain[1]["version"]), (200, 7))

    def test_D2_304_only_for_the_very_version(self):
        self.start()
        for a in (1, 2, 3):
            self.push({"id": "1", "a": a})
        for version, wanted in (("3", 304), ("003", 304), ("0", 200), ("2", 200), ("4", 200), (str(10**30), 200),
                                ("-3", 200), ("abc", 400), ("1.5", 400), ("", 400), ("3x", 400)):
            status, _, body = self.read(query=f"?version={version}")
            self.assertEqual(status, wanted, version)
            if status == 304:
                self.assertIsNone(body)
            if status == 400:
                self.assertEqual(body["error"]["field"], "version")
        self.assertEqual(self.read(query="?version=3&wait=x")[2]["error"]["field"], "wait")

    def test_D4_versions_go_on_after_the_source_was_taken_out_and_put_back(self):
        self.start()
        for a in (1, 2, 3):
            self.push({"id": "1", "a": a})
        etag = self.read()[1]["etag"]
        whole = self.bridge.config.read_text()
        self.bridge.stop()
        lines = [line for line in whole.splitlines(keepends=True) if not line.startswith("  things: ")]
        self.bridge.config.write_text("".join(lines))
        self.bridge.start()
        self.assertEqual(self.read()[0], 404)
        self.bridge.stop()
        self.bridge.config.write_text(whole)
        self.bridge.start()
        self.assertEqual(self.read()[2]["version"], 3)
        self.push({"id": "1", "a": 3}, "gone")
        self.push({"id": "1", "a": 1})  # created again, with the content of its first version
        self.assertEqual(self.read()[2]["version"], 5)
        self.assertEqual(self.bridge.cli("erase", "thing:a/1", "--yes")[0], 0)
        self.push({"id": "1", "a": 7})
        self.assertGreater(self.read()[2]["version"], 5)
        self.assertEqual(self.read(headers={"If-None-Match": etag})[0], 200)

    def test_D3_two_changes_within_a_second_are_two_versions(self):
        self.start()
        for a in range(1, 21):  # far more than seconds pass
            self.push({"id": "1", "a": a})
        self.assertEqual(self.read()[2]["version"], 20)

    def test_an_event_that_is_mapped_later_updates_the_snapshot_and_wakes_who_waits(self):
        self.start()
        mapping = self.world.folder / "things.yaml"
        mapping.write_text(MAPPING.replace("class: thing, channel", "class: other, channel"))
        self.bridge.stop()
        self.bridge.start()
        first = self.push({"id": "1", "a": 1})["id"]
        second = self.push({"id": "1", "a": 2})["id"]
        self.assertEqual(self.read()[2]["status"], "pending")
        mapping.write_text(MAPPING)
        self.bridge.stop()
        self.bridge.start()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(self.read, query="?version=0&wait=600")
            self.assertEqual(self.bridge.cli("replay", "--unmapped")[0], 0)
            self.assertEqual(waiting.result(DEADLINE_S)[0], 200)
        until("both are mapped", lambda: not self.bridge.api("/api/v1/events?state=unmapped")[1]["events"])
        body = self.read()[2]
        self.assertEqual((body["version"], body["data"]["a"]), (2, 2))
        self.assertEqual(self.bridge.api(f"/api/v1/events/{second}")[1]["changed"], ["a"])
        self.assertNotIn("changed", self.bridge.api(f"/api/v1/events/{first}")[1])

    def test_D5_the_etag_works_like_the_version(self):
        self.start()
        self.push({"id": "1", "a": 1})
        etag = self.read()[1]["etag"]
        for condition, wanted in ((etag, 304), (f'"other", W/{etag}', 304), ("*", 304), ('"other-1"', 200)):
            self.assertEqual(self.read(headers={"If-None-Match": condition})[0], wanted, condition)
        self.push({"id": "1", "a": 2})
        status, headers, _ = self.read(headers={"If-None-Match": etag})
        self.assertEqual(status, 200)
        self.assertNotEqual(headers["etag"], etag)
        self.bridge.stop()
        self.bridge.start()
        self.assertEqual(self.read()[1]["etag"], headers["etag"])

    def test_D6_pending_is_no_error_and_unknown_is_one(self):
        self.start()
        status, _, body = self.read()
        self.assertEqual((status, body["data"], body["version"], body["status"]), (200, None, 0, "pending"))
        self.assertEqual(self.read(query="?version=0")[0], 304)
        self.push({"id": "1", "a": 1})
        self.assertEqual(self.read("thing:a/2")[0], 404)
        self.assertEqual(self.read(source="nobody")[0], 404)
        status, _, body = self.read(source="plain")
        self.assertEqual((status, body["error"]["code"]), (404, "no_snapshots"))

    def test_D9_a_long_poll_answers_on_a_change_or_at_its_end(self):
        self.start()
        self.push({"id": "1", "a": 1})
        self.push({"id": "2", "a": 1})
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            waiting = [pool.submit(self.read_patiently, "?version=1&wait=600") for _ in range(2)]
            status = until("both wait", lambda: (lambda s: s if s == 503 else None)(
                self.read(query="?version=1&wait=1")[0]))  # and one more is told to come again
            self.assertEqual(status, 503)
            self.push({"id": "2", "a": 2})  # somebody else
            self.assertFalse(any(each.done() for each in waiting))
            self.push({"id": "1", "a": 2})
            for each in waiting:
                status, _, body = each.result(DEADLINE_S)
                self.assertEqual((status, body["version"]), (200, 2))
        self.assertEqual(self.read(query="?version=2&wait=1")[0], 304)
        self.assertEqual(self.read(query="?version=1&wait=600")[0], 200)  # there is something already

    def test_D9_the_answer_comes_with_the_change_and_not_before(self):
        self.start()
        self.push({"id": "1", "a": 1})
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answered = []

            def wait():
                result = self.read(query="?version=1&wait=600")
                answered.append(time.monotonic())
                return result
            waiting = pool.submit(wait)
            time.sleep(2)  # the check of row D9 says so; nothing depends on it
            self.assertFalse(waiting.done())
            changed = time.monotonic()
            self.push({"id": "1", "a": 2})
            self.assertEqual((waiting.result(DEADLINE_S)[0], waiting.result()[2]["version"]), (200, 2))
            self.assertGreaterEqual(answered[0], changed)

    def threads(self):
        status = (pathlib.Path("/proc") / str(self.bridge.process.pid) / "status").read_text()
        return int(re.search(r"^Threads:\s+(\d+)", status, re.MULTILINE)[1])

    def test_D9_a_thousand_readers_wait_on_no_thread(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        readers = min(1000, hard // 4)
        self.start(http=f"threads_max: 4, queued_max: 2000, waiters_max: {readers}, ")
        self.push({"id": "1", "a": 1})
        before = self.threads()
        token = (self.world.folder / "admin.token").read_text().strip()
        request = (f"GET /api/v1/snapshots/things/thing%3Aa%2F1?version=1&wait=600 HTTP/1.1\r\nHost: x\r\n"
                   f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n").encode()
        def wait_there():
            reader = socket.create_connection(("127.0.0.1", self.bridge.port), DEADLINE_S)
            self.addCleanup(reader.close)
            reader.sendall(request)
            return reader

        def all_wait():
            if self.read(query="?version=1&wait=1")[0] == 503:
                return True
            for at, reader in enumerate(sockets):  # that question may itself have taken the last one's place
                answered = select.poll()
                answered.register(reader, select.POLLIN)
                if answered.poll(0):
                    self.assertTrue(reader.recv(65536).startswith(b"HTTP/1.1 503 "))
                    sockets[at] = wait_there()
            return False
        sockets = [wait_there() for _ in range(readers)]
        until("all wait", all_wait)
        self.assertLessEqual(self.threads(), before + 16)  # `threads_max`, and those that take in events
        # Meanwhile everybody else is served, and only who waits for the changed subject is told.
        self.push({"id": "2", "a": 1})
        self.assertEqual(self.read("thing:a/2")[2]["version"], 1)
        self.assertEqual(self.read(query="?version=1&wait=1")[0], 503)
        self.push({"id": "1", "a": 2})
        for reader in sockets:
            answer = b""
            while piece := reader.recv(65536):
                answer += piece
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer[:200])
            self.assertEqual(json.loads(answer.partition(b"\r\n\r\n")[2])["version"], 2)
        self.assertEqual(self.read(query="?version=2&wait=1")[0], 304)  # there is room again

    def test_D9_those_who_wait_do_not_hold_up_the_end(self):
        self.start()
        self.push({"id": "1", "a": 1})
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            waiting = [pool.submit(self.read_patiently, "?version=1&wait=600") for _ in range(2)]
            until("both wait", lambda: self.read(query="?version=1&wait=1")[0] == 503)
            self.bridge.stop()
            for each in waiting:
                self.assertEqual(each.result(DEADLINE_S)[0], 304)

    def test_D10_a_token_reads_its_sources_and_nothing_else(self):
        self.start()
        self.push({"id": "1", "a": 1})
        self.push({"id": "1", "a": 1}, source="others")
        code, out, _ = self.bridge.cli("token", "create", "reader", "--read", "things")
        self.assertEqual(code, 0)
        token = out.strip()
        self.assertEqual(self.read(token=token)[0], 200)
        self.assertEqual(self.read(token=token, source="others")[0], 403)
        self.assertEqual(self.read(token="wrong")[0], 401)
        bearer = {"Authorization": f"Bearer {token}"}
        self.assertEqual(call("GET", self.bridge.url + "/api/v1/snapshots/things", headers=bearer)[0], 200)
        sources = json.loads(call("GET", self.bridge.url + "/api/v1/snapshots", headers=bearer)[2])["sources"]
        self.assertEqual([each["source"] for each in sources], ["things"])
        for path in ("/api/v1/status", "/api/v1/events", "/api/v1/tokens", "/api/v1/snapshots/others"):
            self.assertIn(call("GET", self.bridge.url + path, headers=bearer)[0], (401, 403), path)
        status, answer = self.bridge.api("/api/v1/tokens", "POST", {"name": "bad", "reads": []})
        self.assertEqual((status, answer["error"]["field"]), (400, "reads"))
        self.assertEqual(self.bridge.cli("token", "remove", "reader")[0], 0)
        self.assertEqual(self.read(token=token)[0], 401)

    def test_D1_the_command_lists_and_shows(self):
        self.start()
        for each in ("1", "2", "3"):
            self.push({"id": each, "a": 1})
        self.assertIn("things", self.bridge.cli("snapshots")[1])
        listed = self.bridge.cli_json("snapshots", "things", "--limit", "2")
        self.assertEqual([each["subject"] for each in listed["snapshots"]], ["thing:a/1", "thing:a/2"])
        rest = self.bridge.cli_json("snapshots", "things", "--after", listed["next_after"])
        self.assertEqual([each["subject"] for each in rest["snapshots"]], ["thing:a/3"])
        self.assertEqual(json.loads(self.bridge.cli("snapshots", "things", "thing:a/3")[1])["data"], {"id": "3", "a": 1})
        code, _, err = self.bridge.cli("snapshots", "things", "thing:a/1", "--refresh")
        self.assertEqual(code, 1)
        self.assertIn("not polled", err)

    def polled(self, **options):
        self.desk = Desk(self)
        self.desk.set([{"number": 1, "title": "a"}])
        self.bridge = self.world.bridge(POLLED.format(folder=self.world.folder, root=ROOT, url=self.desk.url, **options))
        self.bridge.start()
        until("polled", lambda: self.bridge.api("/api/v1/snapshots/tickets")[1]["snapshots"])

    def test_D7_stale_data_is_answered_at_once_and_fetched_once(self):
        self.polled(interval="24h", stale="1ms")
        until("stale", lambda: self.bridge.api("/api/v1/snapshots")[1]["sources"][0]["stale"])
        self.assertEqual(self.desk.count(), 1)
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: self.read("item:1", source="tickets")[0], range(100)))
        self.assertEqual(set(answers), {200})
        until("fetched", lambda: self.desk.count() == 2)
        self.read("item:1", source="tickets")
        self.assertEqual(self.desk.count(), 2)

    def test_D8_a_refresh_really_fetches_within_its_limit(self):
        self.polled(interval="24h", stale="24h")
        self.desk.set([{"number": 1, "title": "b"}])
        status, answer = self.bridge.api("/api/v1/snapshots/tickets/item%3A1/refresh", "POST")
        self.assertEqual(status, 202)
        self.assertTrue(answer["id"])
        until("fetched", lambda: self.read("item:1", source="tickets")[2]["version"] == 2)
        self.assertEqual(self.desk.count(), 2)
        status, answer = self.bridge.api("/api/v1/snapshots/tickets/item%3A1/refresh", "POST")
        self.assertEqual((status, answer["error"]["code"]), (429, "too_soon"))
        self.assertEqual(self.desk.count(), 2)
        self.assertEqual(self.bridge.api("/api/v1/snapshots/nobody/x/refresh", "POST")[0], 404)

    def test_D7_trouble_leaves_the_data_and_shows(self):
        self.polled(interval="100ms", stale="24h")
        self.desk.say(lambda *_: (500, {}, {"error": "down"}))
        def trouble():
            body = self.read("item:1", source="tickets")[2]
            return body if body["status"] == "error" and body["checked_at"] > body["fetched_at"] else None

        body = until("the trouble shows, and that it was asked since", trouble)
        self.assertEqual((body["version"], body["data"]["item"]["title"], body["stale"]), (1, "a", True))
        self.assertTrue(body["error"])

    def test_updates_tell_the_script_what_was_and_what_changed(self):
        self.start()
        self.push({"id": "1", "status": "new", "n": 1})
        self.push({"id": "1", "status": "open", "n": 1})
        self.bridge.settled()
        data = [job["args"]["body"]["data"] for job in self.windmill.jobs()]
        data.sort(key=lambda each: len(each))
        self.assertEqual(data[0], {"thing": {"id": "1", "status": "new", "n": 1}})
        self.assertEqual(data[1], {"thing": {"id": "1", "status": "open", "n": 1}, "changed": ["status"],
                                   "oldObject": {"id": "1", "status": "new", "n": 1}})
        event = self.bridge.api("/api/v1/events")[1]["events"][0]["id"]
        self.assertEqual(self.bridge.api(f"/api/v1/events/{event}")[1]["changed"], ["status"])
        self.assertEqual(self.bridge.cli("replay", "--event", event)[0], 0)
        self.bridge.settled()
        replayed = [job["args"]["body"]["data"] for job in self.windmill.jobs()][-1]
        self.assertEqual(replayed["oldObject"]["status"], "new")

    def test_openregister_updates_have_the_old_object_without_polling(self):
        windmill = self.world.windmill()
        self.bridge = self.world.bridge(config(self.world, windmill)).start()
        event = json.loads(parse_capture(CAPTURES / "ObjectUpdatedEvent.standard.http")[3])
        self.assertNotIn("oldObject", event["data"])
        for leges, updated in ((10, "2026-05-01T10:00:00+00:00"), (20, "2026-05-01T10:00:05+00:00")):
            event["data"]["object"]["leges"] = leges
            event["data"]["object"]["@self"]["updated"] = updated
            body = json.dumps(event)
            signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
            status, _, text = call("POST", self.bridge.url + "/ingest/openregister", body,
                                   {"X-Webhook-Signature": signature, "Content-Type": "application/json"})
            self.assertEqual(status, 202, text)
        self.bridge.settled()
        data = {job["args"]["body"]["data"]["object"]["data"]["leges"]: job["args"]["body"]["data"]
                for job in windmill.jobs()}
        self.assertNotIn("changed", data[10])
        self.assertEqual(data[20]["changed"], ["leges"])
        self.assertEqual(data[20]["oldObject"], data[10]["object"])

    def erased_bytes(self, text):
        files = [self.world.folder / ("orbridge.db" + end) for end in ("", "-wal")]
        return [file.name for file in files if file.exists() and text.encode() in file.read_bytes()]

    def test_a_subject_is_erased_everywhere_and_its_bytes_are_gone(self):
        self.start()
        self.bridge.cli("pause", "on-object")
        for n in range(3):
            self.push({"id": "1", "name": PERSON, "n": n})
            self.push({"id": "2", "name": "somebody else", "n": n})
        self.assertTrue(self.erased_bytes(PERSON))
        code, _, err = self.bridge.cli("erase", "thing:a/1")
        self.assertEqual(code, 1)
        self.assertIn("--yes", err)
        counted = self.bridge.cli_json("erase", "thing:a/1", "--dry-run")
        self.assertEqual((counted["events"], counted["deliveries_cancelled"], counted["snapshots"]), (3, 3, 1))
        self.assertEqual(self.bridge.pending(), 6)
        told = self.bridge.cli_json("erase", "thing:a/1", "--yes")
        self.assertEqual((told["events"], told["deliveries_cancelled"], told["overwritten"]), (3, 3, True))
        self.assertEqual(self.erased_bytes(PERSON), [])
        self.assertEqual(self.read("thing:a/1")[0], 404)
        self.assertEqual(self.read("thing:a/2")[0], 200)
        self.assertEqual(self.bridge.pending(), 3)
        self.assertEqual(self.bridge.api("/api/v1/events?subject=thing:a/1")[1]["events"], [])
        left = self.bridge.api("/api/v1/events?state=erased")[1]["events"]
        self.assertEqual({each["subject"] for each in left}, {told["name"]})
        self.assertEqual(len(left), 3)
        audit = [row for row in self.bridge.cli_json("audit")["audit"] if row["what"] == "subject.erase"]
        self.assertEqual([row["subject"] for row in audit], [told["name"]])
        self.assertNotIn(PERSON, self.bridge.log.read_text())
        self.assertNotIn("thing:a/1", self.bridge.log.read_text())
        self.bridge.cli("resume", "on-object")
        self.bridge.settled()
        self.assertEqual(len(self.windmill.jobs()), 3)
        self.push({"id": "1", "name": "back", "n": 0})
        self.assertGreater(self.read("thing:a/1")[2]["version"], 3)

    def test_what_names_the_subject_is_erased_wherever_it_is(self):
        self.windmill = self.world.windmill()
        (self.world.folder / "things.yaml").write_text(MAPPING)
        desk = Desk(self)  # refuses, and repeats what it was sent
        desk.say_to_posts(lambda body: (400, {}, {"refused": body.decode()}))
        text = CONFIG.format(folder=self.world.folder, windmill=self.windmill.url, http="")
        target = text[text.index("    adapter: windmill"):text.index("routes:")]
        text = text.replace(target, f"""    adapter: http
    config: {{url: '{desk.url.partition('?')[0]}'}}
    task: post
    params: {{body: {{whole: "{{{{event.payload}}}}"}}}}
""")
        text = text.replace("sources:\n", f"adapters: {{folders: [{ROOT}/adapters]}}\nsources:\n", 1)
        self.bridge = self.world.bridge(text).start()
        identity = "7f2c0a11-ee02"
        subject = f"thing:a/{identity}"
        for n in range(2):
            self.push({"id": identity, "name": PERSON, "n": n})
        unmapped = self.push({"id": identity, "name": PERSON}, "unheard of")["id"]
        other = self.push({"id": "somebody-else", "name": "X"}, "unheard of")["id"]
        until("dead", lambda: len(self.bridge.api("/api/v1/deliveries?state=dead")[1]["deliveries"]) == 2)
        dead = self.bridge.api("/api/v1/deliveries?state=dead")[1]["deliveries"][0]["id"]
        self.assertIn(PERSON, json.dumps(self.bridge.api(f"/api/v1/deliveries/{dead}")[1], ensure_ascii=False))
        self.assertEqual(self.bridge.cli("replay", "--subject", subject)[0], 0)
        self.assertIn(subject, json.dumps(self.bridge.api("/api/v1/replays")[1]))
        until("dead again", lambda: self.bridge.pending() == 0)
        self.assertTrue(self.erased_bytes(PERSON) and self.erased_bytes(identity))
        counted = self.bridge.cli_json("erase", subject, "--dry-run")
        self.assertEqual((counted["events"], counted["without_subject"], counted["searched"], counted["replays"]),
                         (3, 1, True, 1))
        told = self.bridge.cli_json("erase", subject, "--yes")
        self.assertEqual((told["events"], told["without_subject"], told["replays"], told["overwritten"]), (3, 1, 1, True))
        self.assertEqual(self.erased_bytes(PERSON), [])
        self.assertEqual(self.erased_bytes(identity), [])
        self.assertEqual(self.bridge.api(f"/api/v1/events/{unmapped}")[1]["state"], "erased")
        self.assertEqual(self.bridge.api(f"/api/v1/events/{other}")[1]["state"], "unmapped")
        self.assertNotIn(identity, json.dumps(self.bridge.api("/api/v1/replays")[1]))
        self.assertNotIn(identity, json.dumps(self.bridge.cli_json("audit")))
        self.bridge.stop()  # nothing comes back with a restart
        self.assertEqual(self.erased_bytes(identity), [])
        self.bridge.start()
        self.assertEqual(self.bridge.api("/api/v1/status")[1]["store"]["unmapped"], 1)
        self.assertIn("too short", self.bridge.cli("erase", "thing:a/1", "--dry-run")[1])

    def test_an_order_to_erase_says_what_is_wrong_with_it(self):
        self.start()
        for body, field in (({}, "subject"), ({"subject": ""}, "subject"), ({"subject": 1}, "subject"),
                            ({"subject": "x", "dryrun": True}, "dryrun"), ({"subject": "x", "dry_run": 1}, "dry_run"),
                            ({"subject": "x", "source": ""}, "source"), ({"subject": "x", "text": "ab"}, "text")):
            status, answer = self.bridge.api("/api/v1/erase", "POST", body)
            self.assertEqual((status, answer["error"]["field"]), (400, field))
        self.assertEqual(call("POST", self.bridge.url + "/api/v1/erase", {"subject": "x"})[0], 401)


if __name__ == "__main__":
    unittest.main()
