"""Tasks as delivery targets with the real binary: chains, retries, the history of runs, status (integrations.md, rows T)."""

import calendar
import http.server
import json
import re
import threading
import time
import unittest
import urllib.parse

from harness import CAPTURES, ROOT, SECRET, World, call, send_capture, until

CAPTURE = CAPTURES / "ObjectCreatedEvent.standard.http"
TOKEN = "S3CR3T-tracker-token"
ADAPTER = """name: tracker
kind: http
base_url: "{{config.url}}"
config: [{ name: url, type: string, required: true }]
auth: { bearer: "{{credentials.token}}" }
credentials: [{ name: token, type: password, required: true }]
test: { request: { path: /me }, message: "Connected as {{response.body.name}}" }
tasks:
  create:
    params:
      - { name: title, type: string, required: true, max: 200 }
      - { name: pin, type: password }
    request: { method: POST, path: /issues, json: { title: "{{params.title}}" } }
    message: "Issue {{response.body.id}}"
    data: { id: "{{response.body.id}}" }
  close:
    params: [{ name: id, type: integer, required: true }]
    request: { method: PUT, path: "/issues/{{params.id}}/closed" }
    timeout: 20s
    message: Closed
  ping:
    params: [{ name: kind, type: string, required: true, enum: [a, b] }]
    repeatable: true
    request: { method: POST, path: "/ping/{{params.kind}}" }
    message: Pong
  ping_again:
    repeatable: true
    timeout: 2s
    request: { method: POST, path: /ping/again }
  ping_once:
    timeout: 2s
    request: { method: POST, path: /ping/once }
"""
CONFIG = """listen: 127.0.0.1:0
public_url: http://127.0.0.1:1
store: {{path: {folder}/orbridge.db{store}}}
mappings: [{root}/mappings/openregister.yaml, {root}/mappings/http.yaml]
adapters: {{folders: [{folder}/mine, {root}/adapters]}}
sources:
  openregister: {{type: openregister, register: off, secret: {secret}}}
{sources}
targets:
{targets}
routes:
{routes}
"""
TRACKER = """  tracker:
    adapter: tracker
    config: {{url: "{url}"}}
    credentials: {{token: %s}}
    retry: {{schedule: [10ms, 10ms], floor: 0s}}
    breaker: off
""" % TOKEN
FLOW = TRACKER + """  flow:
    adapter: chain
    retry: {{schedule: [10ms, 10ms], floor: 0s}}
    steps:
      - {{name: ticket, target: tracker, task: create, params: {{title: "{{{{event.eventName}}}}", pin: S3CR3T-pin}}}}
      - {{name: close, target: tracker, task: close, params: {{id: "{{{{steps.ticket.data.id}}}}"}}}}
      - {{name: ping, target: tracker, task: ping, params: {{kind: a}}}}
"""
TO_FLOW = "  - {channel: Object, event_name: 'created:.*', to: flow}"


class Fake(http.server.ThreadingHTTPServer):
    """Answers as it is told to by path, and keeps what it was asked, with the time."""

    daemon_threads = True

    def __init__(self):
        self.seen = []
        self.answers = {}  # path → list of (status, headers, body), the last one for ever; "hang": no answer
        self.go_on = threading.Event()  # what hangs ends with it
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def of(self, prefix):
        return [each for each in list(self.seen) if each[1].startswith(prefix)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, body, time.time()))
        told = self.server.answers.get(self.path, [(200, {}, '{"id": 42, "name": "orbridge"}')])
        now = told.pop(0) if len(told) > 1 else told[0]
        if now == "hang":
            self.server.go_on.wait(120)
            self.close_connection = True
            return
        status, headers, text = now
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *arguments):
        pass


def seconds(text):
    """A time as the API writes it, in seconds since 1970."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (rest or "0"))


class Base(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.fake = Fake()
        self.addCleanup(self.fake.server_close)
        self.addCleanup(self.fake.shutdown)
        self.addCleanup(self.fake.go_on.set)
        (self.world.folder / "mine").mkdir()
        (self.world.folder / "mine/tracker.yaml").write_text(ADAPTER)

    def start(self, targets, routes, store="", sources=""):
        text = CONFIG.format(folder=self.world.folder, root=ROOT, secret=SECRET, store=store, sources=sources,
                             targets=targets.format(url=self.fake.url), routes=routes)
        self.bridge = self.world.bridge(text).start()

    def send(self):
        status, text = send_capture(self.bridge.port, CAPTURE, "/ingest/openregister")
        self.assertEqual(status, 202, text)
        return json.loads(text)["id"]

    def delivery(self, target):
        rows = self.bridge.api(f"/api/v1/deliveries?target={target}")[1]["deliveries"]
        return self.bridge.api("/api/v1/deliveries/" + rows[0]["id"])[1]

    def ended(self, target):
        return until("the delivery ended",
                     lambda: (found := self.delivery(target))["delivery"]["state"] != "pending" and found)

    def metric(self, name, labels):
        text = call("GET", self.bridge.url + "/metrics")[2]
        found = re.search(r"^%s\{%s\} (\S+)$" % (name, re.escape(labels)), text, re.M)
        return float(found[1]) if found else None


class Chains(Base):
    def test_T3_a_chain_stops_at_the_first_failure_and_tells_of_each_step(self):
        self.fake.answers["/issues/42/closed"] = [(400, {}, "it is frozen")]
        self.start(FLOW, TO_FLOW)
        event = self.send()
        story = self.ended("flow")
        self.assertEqual(story["delivery"]["state"], "dead")
        self.assertEqual([each[1] for each in self.fake.seen], ["/issues", "/issues/42/closed"])
        first, second = story["attempts_made"]
        self.assertEqual((first["step"], first["task"], first["outcome"], first["message"], first["status"]),
                         ("ticket", "create", "advanced", "Issue 42", 200))
        self.assertEqual((second["step"], second["task"], second["outcome"]), ("close", "close", "rejected"))
        self.assertIn("it is frozen", second["reason"])
        self.assertTrue(all("duration_ms" in each for each in (first, second)))
        code, out, err = self.bridge.cli("why", event)
        self.assertEqual(code, 0, err)
        self.assertRegex(out, r"attempt 1 .*: step ticket, create advanced, HTTP 200, \d+ ms: Issue 42")
        self.assertRegex(out, r"attempt 2 .*: step close, close rejected, HTTP 400, \d+ ms: step close: .*it is frozen")
        runs = self.bridge.api("/api/v1/runs?target=flow")[1]["runs"]
        self.assertEqual([(run["step"], run["success"]) for run in runs], [("close", False), ("ticket", True)])
        self.assertEqual({run["delivery"] for run in runs}, {story["delivery"]["id"]})

    def test_T3_a_retry_goes_on_at_the_failed_step(self):
        self.fake.answers["/issues/42/closed"] = [(503, {}, ""), (503, {}, ""), (200, {}, "{}")]
        self.fake.answers["/ping/a"] = [(500, {}, ""), (200, {}, "{}")]
        self.start(FLOW, TO_FLOW)
        self.send()
        self.assertEqual(self.ended("flow")["delivery"]["state"], "delivered")
        self.assertEqual([each[1] for each in self.fake.seen],
                         ["/issues"] + 3 * ["/issues/42/closed"] + 2 * ["/ping/a"])

    def test_T3_I13_a_kill_between_steps_repeats_none_that_is_done(self):
        self.fake.answers["/issues/42/closed"] = ["hang", (200, {}, "{}")]
        self.start(FLOW, TO_FLOW)
        self.send()
        until("the second step is under way", lambda: self.fake.of("/issues/42"))
        self.bridge.kill()
        self.fake.go_on.set()
        self.bridge.start()
        story = self.ended("flow")
        self.assertEqual(story["delivery"]["state"], "delivered")
        # What was under way may have been seen or not: it is sent again. What was done is not.
        self.assertEqual([each[1] for each in self.fake.seen],
                         ["/issues", "/issues/42/closed", "/issues/42/closed", "/ping/a"])
        self.assertEqual([each["step"] for each in story["attempts_made"]], ["ticket", "close", "ping"])

    def test_T3_a_windmill_job_is_one_job_over_retries_and_what_was_before_is_not_done_again(self):
        windmill = self.world.windmill("--token", "wm-token")
        script = "f/nextcloud/on_object"
        self.start(TRACKER + f"""  wm:
    adapter: windmill
    config: {{{{url: "{windmill.url}", workspace: main}}}}
    credentials: {{{{token: wm-token}}}}
  flow:
    adapter: chain
    retry: {{{{schedule: [10ms, 10ms, 10ms], floor: 0s}}}}
    steps:
      - {{{{name: ticket, target: tracker, task: create, params: {{{{title: T}}}}}}}}
      - name: job
        target: wm
        task: run_script
        params: {{{{path: {script}, args: {{{{body: {{{{event: ticket, ticket: "{{{{{{{{steps.ticket.data.id}}}}}}}}"}}}}}}}}}}}}
      - {{{{name: close, target: tracker, task: close, params: {{{{id: "{{{{{{{{steps.ticket.data.id}}}}}}}}"}}}}}}}}
""", TO_FLOW)
        # The job is taken and the answer lost; then it is down; then it says that the job is there already.
        windmill.post("/_standin/faults", [{"match": "run", "close": "after-accept"}, {"match": "run", "status": 503}])
        self.send()
        story = self.ended("flow")
        self.assertEqual(story["delivery"]["state"], "delivered")
        self.assertEqual([(each["step"], each["outcome"]) for each in story["attempts_made"]],
                         [("ticket", "advanced"), ("job", "retry"), ("job", "retry"), ("job", "advanced"), ("close", "delivered")])
        self.assertEqual([each[1] for each in self.fake.seen], ["/issues", "/issues/42/closed"])
        job, = windmill.jobs()
        self.assertEqual((job["attempts"], job["path"], job["args"]), (3, script, {"body": {"event": "ticket", "ticket": 42}}))
        self.assertNotEqual(job["id"], story["delivery"]["id"])  # the step's own

    def test_I3_every_target_is_tested_the_chain_too(self):
        self.start(FLOW, TO_FLOW)
        for target in ("tracker", "flow"):
            code, out, err = self.bridge.cli("test", target)
            self.assertEqual(code, 0, out + err)
            self.assertIn("Connected as orbridge", out)
            steps = self.bridge.api(f"/api/v1/targets/{target}/test", "POST", "{}")[1]["steps"]
            self.assertEqual([step["verdict"] for step in steps], ["ok"])
        self.assertEqual({each[:2] for each in self.fake.seen}, {("GET", "/me")})
        self.fake.answers["/me"] = [(401, {}, "no")]
        self.assertEqual(self.bridge.cli("test", "flow")[0], 1)

    def test_I3_an_adapter_without_test_is_refused_at_load(self):
        (self.world.folder / "mine/bare.yaml").write_text(
            "name: bare\nbase_url: http://127.0.0.1:1\ntasks: {t: {request: {path: /}}}\n")
        self.start(TRACKER, "  []")
        listed = self.bridge.api("/api/v1/adapters")[1]
        self.assertNotIn("bare", [each["name"] for each in listed["adapters"]])
        self.assertRegex("\n".join(listed["left_out"]), r"bare\.yaml:\d+:\d+: test: missing")


class ByHand(Base):
    def test_T2_a_task_is_run_by_hand_and_answers_in_one_shape(self):
        self.start(TRACKER, "  []")
        status, answer = self.bridge.api("/api/v1/targets/tracker/tasks/create", "POST", '{"title": "T"}')
        self.assertEqual((status, answer), (200, {"success": True, "message": "Issue 42", "data": {"id": 42}}))
        self.fake.answers["/issues"] = [(500, {}, "broken")]
        status, answer = self.bridge.api("/api/v1/targets/tracker/tasks/create", "POST", '{"title": "T"}')
        self.assertEqual((status, answer), (200, {"success": False, "message": "HTTP 500: broken"}))
        code, out, _ = self.bridge.cli("task", "run", "tracker", "create", "--params", '{"title": "T"}')
        self.assertEqual((code, out), (1, "FAILED: HTTP 500: broken\n"))
        self.assertEqual(len(self.fake.seen), 3)

    def test_I4_only_declared_tasks_run(self):
        self.start(TRACKER, "  []")
        for task in ("__class__", "test", "../x", "creat", "create/x", " "):
            path = "/api/v1/targets/tracker/tasks/" + urllib.parse.quote(task, safe="")
            status, answer = self.bridge.api(path, "POST", '{"title": "T"}')
            self.assertEqual((status, answer["success"]), (200, False), task)
            self.assertIn("has no task of this name", answer["message"])
        self.assertEqual(self.fake.seen, [])
        self.assertEqual(self.bridge.api("/api/v1/runs")[1]["runs"], [])


class Retries(Base):
    """What the fake is asked, and what becomes of the delivery (T4)."""

    def check(self, state, times, task, params, answers, path="/ping/a"):
        self.fake.answers[path] = answers
        self.start(TRACKER + f"    task: {task}\n" + (f"    params: {params}\n" if params else ""),
                   "  - {channel: Object, to: tracker}")
        self.send()
        story = self.ended("tracker")
        until("the fake has read what was sent", lambda: len(self.fake.seen) >= times)
        self.assertEqual((story["delivery"]["state"], len(self.fake.seen)), (state, times))
        return story

    def test_T4_4xx_is_asked_once(self):
        self.check("dead", 1, "ping", "{{kind: a}}", [(404, {}, "")])

    def test_T4_5xx_is_asked_as_often_as_the_schedule_says(self):
        self.check("dead", 3, "ping", "{{kind: a}}", [(503, {}, "")])

    def test_T4_5xx_that_passes_is_delivered(self):
        self.check("delivered", 2, "ping", "{{kind: a}}", [(500, {}, ""), (200, {}, "{}")])

    def test_T4_429_waits_as_long_as_it_says(self):
        story = self.check("delivered", 2, "ping", "{{kind: a}}", [(429, {"Retry-After": "1"}, ""), (200, {}, "{}")])
        first, second = (seconds(each["started_at"]) for each in story["attempts_made"])
        self.assertGreaterEqual(second - first, 0.998)

    def test_T4_a_timeout_is_repeated_if_the_task_may_be(self):
        self.check("dead", 3, "ping_again", "", ["hang"], "/ping/again")

    def test_T4_a_timeout_of_what_may_not_be_repeated_is_asked_once(self):
        story = self.check("dead", 1, "ping_once", "", ["hang"], "/ping/once")
        self.assertIn("not repeatable", story["delivery"]["reason"])

    def test_T4_what_does_not_fit_the_declaration_is_not_asked(self):
        story = self.check("dead", 0, "ping", '{{kind: "{{{{event.channel}}}}"}}', [(200, {}, "{}")])
        self.assertIn("kind", story["delivery"]["reason"])
        self.assertEqual(len(story["attempts_made"]), 1)


class History(Base):
    def test_T5_runs_are_kept_masked_and_listed(self):
        self.start(FLOW, TO_FLOW)
        self.send()
        self.ended("flow")
        self.bridge.api("/api/v1/targets/tracker/tasks/create", "POST", '{"title": "by hand", "pin": "S3CR3T-pin"}')
        self.bridge.api("/api/v1/targets/tracker/tasks/create", "POST", '{"title": 5}')
        runs = self.bridge.api("/api/v1/runs")[1]["runs"]
        self.assertEqual([(run["target"], run["task"], run["who"], run["success"]) for run in runs],
                         [("tracker", "create", "admin", False), ("tracker", "create", "admin", True),
                          ("flow", "ping", "delivery", True), ("flow", "close", "delivery", True),
                          ("flow", "create", "delivery", True)])
        self.assertEqual(runs[1]["params"], {"title": "by hand", "pin": "***"})
        self.assertEqual(runs[4]["params"]["pin"], "***")
        self.assertTrue(runs[4]["params"]["title"].startswith("created:"))
        self.assertEqual(runs[3]["params"], {"id": 42})
        page = self.bridge.api("/api/v1/runs?limit=2&success=true")[1]
        self.assertEqual([run["task"] for run in page["runs"]], ["create", "ping"])
        rest = self.bridge.api(f"/api/v1/runs?success=true&before={page['next_before']}")[1]["runs"]
        self.assertEqual([run["task"] for run in rest], ["close", "create"])
        code, out, err = self.bridge.cli("runs", "--target", "tracker")
        self.assertEqual(code, 0, err)
        self.assertEqual(len(out.splitlines()), 3)
        self.assertIn("FAILED", out)
        self.assertEqual(self.bridge.api("/api/v1/runs?success=perhaps")[0], 400)
        self.bridge.stop()
        for file in self.world.folder.glob("orbridge.*"):
            if file.name != "orbridge.yaml":
                self.assertNotIn(b"S3CR3T", file.read_bytes(), file)

    def test_T5_the_oldest_runs_go_when_they_are_too_many(self):
        self.start(TRACKER, "  []", ", runs: {bytes_max: 4KiB, params_bytes_max: 64B}")
        for number in range(60):
            self.bridge.api("/api/v1/targets/tracker/tasks/create", "POST", json.dumps({"title": f"{number} " + 150 * "x"}))
        runs = self.bridge.api("/api/v1/runs?limit=1000")[1]["runs"]
        self.assertLess(len(runs), 25)
        self.assertGreater(len(runs), 5)
        self.assertIn('"title":"59 x', runs[0]["params"])  # a text, as it was cut
        self.assertLess(len(runs[0]["params"]), 100)


class Status(Base):
    def test_T6_the_status_of_a_target_is_what_the_fake_saw(self):
        self.fake.answers["/ping/a"] = [(500, {}, "out of order"), (500, {}, ""), (500, {}, "still out of order"), (200, {}, "{}")]
        self.start(TRACKER.replace("[10ms, 10ms]", "[10ms, 10ms, 1h]") + "    task: ping\n    params: {{kind: a}}\n",
                   "  - {channel: Object, to: tracker, order: none}")
        status = self.bridge.api("/api/v1/status")[1]["targets"]["tracker"]
        self.assertEqual(status["consecutive_failures"], 0)
        self.assertFalse({"last_success", "last_error", "next_run"} & set(status))
        event = self.send()
        status = until("three failures", lambda: (now := self.bridge.api("/api/v1/status")[1]["targets"]["tracker"])[
            "consecutive_failures"] == 3 and now)
        asked = self.fake.of("/ping/a")
        self.assertEqual(len(asked), 3)
        self.assertNotIn("last_success", status)
        self.assertIn("still out of order", status["last_error"]["message"])
        self.assertGreaterEqual(seconds(status["last_error"]["at"]) + 0.002, asked[2][3])
        wait = seconds(status["next_run"]) - asked[2][3]
        self.assertTrue(2800 < wait < 4400, wait)  # an hour, give or take the jitter
        label = 'target="tracker"'
        self.assertEqual(self.metric("orbridge_target_failures_in_a_row", label), 3)
        self.assertIsNone(self.metric("orbridge_target_last_success_timestamp_seconds", label))
        self.assertAlmostEqual(self.metric("orbridge_target_last_error_timestamp_seconds", label),
                               seconds(status["last_error"]["at"]), places=2)
        self.assertAlmostEqual(self.metric("orbridge_target_next_attempt_timestamp_seconds", label),
                               seconds(status["next_run"]), places=2)
        listed, = self.bridge.api("/api/v1/targets")[1]["targets"]
        self.assertEqual(listed["consecutive_failures"], 3)
        self.assertEqual(listed["next_run"], status["next_run"])

        self.bridge.stop()  # and all of it is known again
        self.bridge.start()
        status = self.bridge.api("/api/v1/status")[1]["targets"]["tracker"]
        self.assertEqual((status["consecutive_failures"], len(self.fake.of("/ping/a"))), (3, 3))
        self.assertEqual(status["last_error"]["message"], "HTTP 500")  # what the other side wrote is not kept
        code, _, err = self.bridge.cli("replay", "--event", event)
        self.assertEqual(code, 0, err)
        status = until("a success", lambda: "last_success" in (
            now := self.bridge.api("/api/v1/status")[1]["targets"]["tracker"]) and now)
        self.assertEqual(status["consecutive_failures"], 0)
        self.assertEqual(status["last_error"]["message"], "HTTP 500")
        self.assertGreaterEqual(seconds(status["last_success"]) + 0.002, self.fake.of("/ping/a")[3][3])
        self.assertEqual(self.metric("orbridge_target_failures_in_a_row", label), 0)
        self.assertAlmostEqual(self.metric("orbridge_target_last_success_timestamp_seconds", label),
                               seconds(status["last_success"]), places=2)
        out = self.bridge.cli("status")[1]
        self.assertRegex(out, r"tracker: last success .*, last error .*: HTTP 500")

    def test_T6_the_status_of_a_source_is_what_it_was_answered(self):
        self.start(TRACKER, "  []")
        for _ in range(2):
            status, _ = send_capture(self.bridge.port, CAPTURE, "/ingest/openregister",
                                     replace={"X-Webhook-Signature": "0" * 64})
            self.assertEqual(status, 401)
        source = self.bridge.api("/api/v1/status")[1]["sources"]["openregister"]
        self.assertEqual(source["consecutive_failures"], 2)
        self.assertIn("HTTP 401", source["last_error"]["message"])
        self.assertNotIn("last_success", source)
        label = 'source="openregister"'
        self.assertEqual(self.metric("orbridge_source_failures_in_a_row", label), 2)
        self.send()
        source = self.bridge.api("/api/v1/status")[1]["sources"]["openregister"]
        self.assertEqual(source["consecutive_failures"], 0)
        self.assertEqual(source["last_success"], source["heard"]["webhooks"]["last_at"])
        self.assertEqual(self.metric("orbridge_source_failures_in_a_row", label), 0)
        self.assertAlmostEqual(self.metric("orbridge_source_last_success_timestamp_seconds", label),
                               seconds(source["last_success"]), places=2)

    def test_T6_the_status_of_a_polled_source_is_what_the_fake_answered(self):
        self.fake.answers["/list"] = [(500, {}, "closed"), (500, {}, "closed"), "hang", (200, {}, "[]")]
        self.start(TRACKER, "  []", sources=f"  desk: {{type: http, url: '{self.fake.url}/list', timeout: 100s, "
                                            "poll: {interval: 150ms, backoff_max: 150ms, id: /id}}")

        def desk():
            return self.bridge.api("/api/v1/status")[1]["sources"]["desk"]

        label = 'source="desk"'
        until("the third poll is under way", lambda: len(self.fake.of("/list")) == 3)
        source = desk()
        self.assertEqual(source["consecutive_failures"], 2)
        self.assertIn("500", source["last_error"]["message"])
        self.assertGreaterEqual(seconds(source["last_error"]["at"]) + 0.002, self.fake.of("/list")[1][3])
        self.assertNotIn("last_success", source)
        self.assertEqual(source["next_run"], source["poll"]["next_poll"])
        self.assertEqual(self.metric("orbridge_source_failures_in_a_row", label), 2)
        self.assertAlmostEqual(self.metric("orbridge_source_next_poll_timestamp_seconds", label),
                               seconds(source["next_run"]), places=2)
        self.fake.go_on.set()
        source = until("a poll went well", lambda: "last_success" in (now := desk()) and now)
        self.assertEqual(source["consecutive_failures"], 0)
        self.assertGreaterEqual(seconds(source["last_success"]) + 0.002, self.fake.of("/list")[3][3])
        self.assertIn("last_error", source)


if __name__ == "__main__":
    unittest.main()
