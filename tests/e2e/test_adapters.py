"""Rows I5 and I8 to I13 of integrations.md: the adapters that come along, through the real binary and real sockets.

What each task sends is kept byte for byte in tests/data/adapters, one request a file; `--make` writes them anew, to be
read and committed. `{host}`, `{agent}` and what a signature's time decides stand for what differs between runs."""

import hashlib
import hmac
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import time
import unittest
import urllib.parse

import jsonschema
import yaml

from certificates import make_authority, sign
from harness import DATA, ROOT, SECRET, World, binary, send_capture, until, CAPTURES
from test_hostile_sinks import Closed, Sink, answer, for_ever, no_tls, read_request, says, wait_for_the_end

EXPECTED = DATA / "adapters"
SANITIZED = bool(os.environ.get("ORBRIDGE_SANITIZED"))
AWS = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
CONFIG = """listen: 127.0.0.1:0
public_url: http://127.0.0.1:1
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/openregister.yaml]
adapters: {{folders: [{root}/adapters{more}], allow: {allow}}}
credentials: {{key_file: master.key}}
sources:
  openregister: {{type: openregister, register: off, secret: {secret}}}
targets: {targets}
routes: {routes}
"""
# Where the fake stands, each adapter's targets are these.
TARGETS = {
    "slack-hook": {"adapter": "slack", "credentials": {"webhook_url": "{fake}/services/T0/B0/S3CR3T"}},
    "slack-bot": {"adapter": "slack", "base_url": "{fake}/api", "credentials": {"bot_token": "S3CR3T-bot"}},
    "github": {"adapter": "github", "base_url": "{fake}", "credentials": {"token": "S3CR3T-github"}},
    "jira": {"adapter": "jira", "config": {"url": "{fake}"}, "credentials": {"email": "a@b.example", "api_token": "S3CR3T-jira"}},
    "teams": {"adapter": "teams", "credentials": {"webhook_url": "{fake}/workflows/1/invoke?sig=S3CR3T"}},
    "sendgrid": {"adapter": "sendgrid", "base_url": "{fake}/v3", "credentials": {"api_key": "S3CR3T-sendgrid"}},
    "s3": {"adapter": "s3", "config": {"endpoint": "{fake}", "bucket": "zaken", "region": "eu-west-1"}, "credentials": AWS},
    "http": {"adapter": "http", "config": {"url": "{fake}/in?a=b"}, "credentials": {"token": "S3CR3T-http"}},
    "openregister": {"adapter": "openregister", "config": {"url": "{fake}"}, "credentials": {"user": "bot", "password": "S3CR3T-or"}},
    "windmill": {"adapter": "windmill", "config": {"url": "{fake}", "workspace": "main"}, "credentials": {"token": "S3CR3T-wm"}},
}
JOB = "0190d3e2-6f4b-7a00-8000-000000000001"
OBJECT = {"register": "zaken", "schema": "aanvraag"}


def said(body, status="200 OK", *headers):
    text = body if isinstance(body, str) else json.dumps(body)
    return answer(status, text.encode(), *headers)


def passed(message, data=None):
    return {"success": True, "message": message} | ({} if data is None else {"data": data})


# target, task (None: the target's test), params, what the fake answers, what it comes to
CASES = {
    "slack.test.webhook": ("slack-hook", None, {}, said("no_text", "400 Bad Request"), "The address is live"),
    "slack.test.bot": ("slack-bot", None, {}, said({"ok": True, "user": "orbridge", "team": "Acme"}), "Connected as orbridge in Acme"),
    "slack.send_message.webhook": ("slack-hook", "send_message", {"text": "A \"quote\" & é"}, said("ok"), passed("Sent")),
    "slack.send_message.bot": ("slack-bot", "send_message", {"text": "Hi", "channel": "C1"}, said({"ok": True, "channel": "C1", "ts": "1.2"}),
                               passed("Sent to C1", {"channel": "C1", "ts": "1.2"})),
    "slack.send_notification.webhook": ("slack-hook", "send_notification", {"title": "T", "message": "M", "color": "danger"}, said("ok"), passed("Sent")),
    "slack.send_notification.bot": ("slack-bot", "send_notification", {"title": "T", "message": "M", "channel": "C1"},
                                    said({"ok": True, "channel": "C1", "ts": "1.2"}), passed("Sent to C1", {"channel": "C1", "ts": "1.2"})),
    "github.test": ("github", None, {}, said({"login": "octocat"}), "Connected as octocat"),
    "github.create_issue": ("github", "create_issue", {"repo": "acme/zaken", "title": "T", "body": "B\nC", "labels": ["a", "b"]},
                            said({"number": 7, "html_url": "https://x/7"}, "201 Created"), passed("Issue #7 created", {"number": 7, "url": "https://x/7"})),
    "github.close_issue": ("github", "close_issue", {"repo": "acme/zaken", "issue_number": 7}, said({"number": 7, "html_url": "https://x/7"}),
                           passed("Issue #7 closed", {"number": 7, "url": "https://x/7"})),
    "github.create_repo": ("github", "create_repo", {"repo_name": "zaken", "private": False}, said({"full_name": "acme/zaken", "html_url": "https://x"}, "201 Created"),
                           passed("Repository acme/zaken created", {"name": "acme/zaken", "url": "https://x"})),
    "github.create_pull_request": ("github", "create_pull_request", {"repo": "acme/zaken", "title": "T", "head": "fix"},
                                   said({"number": 8, "html_url": "https://x/8"}, "201 Created"),
                                   passed("Pull request #8 created", {"number": 8, "url": "https://x/8"})),
    "jira.test": ("jira", None, {}, said({"displayName": "Ada"}), "Connected as Ada"),
    "jira.create_issue": ("jira", "create_issue", {"project": "zak", "summary": "S", "description": "one\n\ntwo"},
                          said({"key": "ZAK-1", "id": "100"}, "201 Created"), passed("Issue ZAK-1 created", {"key": "ZAK-1", "id": "100"})),
    "jira.add_comment": ("jira", "add_comment", {"issue": "ZAK-1", "text": "Hi"}, said({"id": "5"}, "201 Created"), passed("Comment added", {"id": "5"})),
    "teams.test": ("teams", None, {}, said("", "400 Bad Request"), "The address is live"),
    "teams.send_simple_message": ("teams", "send_simple_message", {"text": "Hi"}, said("", "202 Accepted"), passed("Sent")),
    "teams.send_card_message": ("teams", "send_card_message", {"title": "T", "text": "B", "color": "good", "facts": [{"title": "a", "value": "b"}]},
                                said("", "202 Accepted"), passed("Sent")),
    "sendgrid.test": ("sendgrid", None, {}, said({"scopes": []}), "Connected"),
    "sendgrid.send_email": ("sendgrid", "send_email", {"to": "a@b.example", "from": "c@d.example", "subject": "S", "body": "B"},
                            said("", "202 Accepted", "X-Message-Id: m1"), passed("Accepted", {"id": "m1"})),
    "s3.test": ("s3", None, {}, answer("200 OK"), "The bucket is there"),
    "s3.upload_file": ("s3", "upload_file", {"key": "2026/a b$.json", "content": "{\"é\":1}", "content_type": "application/json"},
                       said("", "200 OK", 'ETag: "e1"'), passed("Stored", {"etag": '"e1"'})),
    "s3.get_file": ("s3", "get_file", {"key": "2026/a b$.json"}, said("hello", "200 OK", 'ETag: "e1"'), passed("Read", {"content": "hello", "etag": '"e1"'})),
    "s3.delete_file": ("s3", "delete_file", {"key": "x"}, b"HTTP/1.1 204 No Content\r\n\r\n", passed("Removed")),
    "http.test": ("http", None, {}, said("not you", "405 Method Not Allowed"), "Answers with HTTP 405"),
    "http.post": ("http", "post", {"body": {"n": 1.50, "t": "é"}, "idempotency_key": "k-1"}, said({"id": 3}), passed("HTTP 200", {"id": 3})),
    "http.put": ("http", "put", {"body": {"n": 1}}, said({"id": 3}), passed("HTTP 200", {"id": 3})),
    "openregister.test": ("openregister", None, {}, said({"results": []}), "Connected"),
    "openregister.get_object": ("openregister", "get_object", OBJECT | {"id": "7f"}, said({"name": "A", "@self": {"id": "7f"}}),
                                passed("Read", {"name": "A", "@self": {"id": "7f"}})),
    "openregister.list_objects": ("openregister", "list_objects", OBJECT | {"search": "a b&c", "page": 2, "limit": 5},
                                  said({"results": [{"id": 1}], "total": 6, "page": 2, "pages": 2, "limit": 5}),
                                  passed("6 objects", {"results": [{"id": 1}], "total": 6, "pages": 2})),
    "openregister.create_object": ("openregister", "create_object", OBJECT | {"object": {"name": "A"}}, said({"@self": {"id": "7f"}}, "201 Created"),
                                   passed("Object 7f created", {"id": "7f"})),
    "openregister.update_object": ("openregister", "update_object", OBJECT | {"id": "7f", "object": {"name": "B"}}, said({"@self": {"id": "7f"}}),
                                   passed("Replaced", {"id": "7f"})),
    "openregister.patch_object": ("openregister", "patch_object", OBJECT | {"id": "a/b", "object": {"done": True}}, said({"@self": {"id": "7f"}}),
                                  passed("Changed", {"id": "7f"})),
    "windmill.test": ("windmill", None, {}, said({"username": "bridge"}), "Connected as bridge"),
    "windmill.run_script": ("windmill", "run_script", {"path": "f/nextcloud/on_object", "args": {"body": {"n": 1}}},
                            said(JOB, "201 Created"), passed("Job " + JOB, {"job": JOB})),
    "windmill.run_flow": ("windmill", "run_flow", {"path": "f/nextcloud/flow", "args": {"x": 1}, "tag": "slow"},
                          said(JOB, "201 Created"), passed("Job " + JOB, {"job": JOB})),
}


class Recorder(Sink):
    """Keeps the bytes of every request, and answers what it is told to."""

    def __init__(self, act=None):
        self.seen, self.acts = [], []
        self.usual = act or says(answer("200 OK"))
        super().__init__(self.record)

    def record(self, connection):
        act = self.acts.pop(0) if self.acts else self.usual
        request = read_request(connection)
        if request:
            self.seen.append(request)
        act(Read(connection, request))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"


class Read:
    """A connection whose request was read already: what the actors of test_hostile_sinks read is that."""

    def __init__(self, connection, request):
        self.connection, self.request = connection, request

    def recv(self, count):
        given, self.request = self.request, b""
        return given or self.connection.recv(count)

    def __getattr__(self, name):
        return getattr(self.connection, name)


def signature_of(method, path, query, headers, keys, region):
    """AWS Signature Version 4 of S3, after its documentation; the bridge's own is not asked."""
    def mac(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()
    canonical = "\n".join([method, path, query, *(f"{name}:{headers[name]}" for name in sorted(headers)), "", ";".join(sorted(headers)),
                           headers["x-amz-content-sha256"]])
    date = headers["x-amz-date"]
    scope = f"{date[:8]}/{region}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + keys["secret_access_key"]).encode()
    for part in (date[:8], region, "s3", "aws4_request"):
        key = mac(key, part)
    return mac(key, to_sign).hex()


def comparable(request, port):
    """Without what differs between runs."""
    text = request.decode()
    text = text.replace(f"127.0.0.1:{port}", "{host}")
    text = re.sub(r"(?m)^(User-Agent: )orbridge/\d+\.\d+\.\d+\S*\r$", r"\1{agent}\r", text)
    text = re.sub(r"(?m)^(x-amz-date: )\d{8}T\d{6}Z\r$", r"\1{date}\r", text)
    return re.sub(r"(Credential=[^/]+/)\d{8}(/.*Signature=)[0-9a-f]{64}", r"\1{day}\2{signature}", text)


class Base(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.fake = self.recorder()

    def recorder(self, act=None):
        made = Recorder(act)
        self.addCleanup(made.close)
        return made

    def start(self, targets, routes=(), more="", allow=None):
        """`targets` and `routes` as they would be in JSON, which is YAML too; `{fake}` in them is the fake."""
        key = self.world.folder / "master.key"
        subprocess.run([binary(), "keygen", "--out", str(key)], check=True, capture_output=True)
        text = json.dumps(targets).replace("{fake}", self.fake.url)
        self.bridge = self.world.bridge(CONFIG.format(folder=self.world.folder, root=ROOT, secret=SECRET, targets=text,
                                                      routes=json.dumps(list(routes)), more=more,
                                                      allow=json.dumps([allow] if allow else []))).start()

    def own_adapter(self, text):
        folder = self.world.folder / "adapters"
        folder.mkdir(exist_ok=True)
        name = re.search(r"^name: (\S+)$", text, re.M)[1]
        (folder / f"{name}.yaml").write_text(text)
        return f", {folder}"

    def run_task(self, target, task, params):
        status, result = self.bridge.api(f"/api/v1/targets/{target}/tasks/{task}", "POST", params)
        self.assertEqual(status, 200)
        self.assertLessEqual({"success", "message"}, set(result))
        self.assertTrue(result["message"])
        return result

    def send_event(self):
        status, text = send_capture(self.bridge.port, CAPTURES / "ObjectCreatedEvent.standard.http", "/ingest/openregister")
        self.assertEqual(status, 202, text)

    def try_target(self, target):
        step, = self.bridge.api(f"/api/v1/targets/{target}/test", "POST", {})[1]["steps"]
        return step

    def store(self, adapter, name, values):
        return self.bridge.api("/api/v1/credentials", "PUT", {"adapter": adapter, "name": name, "values": values})


class Requests(Base):
    def test_I9_every_shipped_task_sends_what_is_expected_byte_for_byte(self):
        self.start(TARGETS)
        declared = {f"{each['name']}.{task['name']}" for each in self.bridge.api("/api/v1/adapters")[1]["adapters"] if each["kind"] == "http"
                    for task in each["tasks"] + [{"name": "test"}]}
        self.assertEqual(declared, {".".join(name.split(".")[:2]) for name in CASES}, "a task without an expectation, or the reverse")
        for name, (target, task, params, reply, expected) in CASES.items():
            with self.subTest(name):
                before = len(self.fake.seen)
                self.fake.acts.append(says(reply))
                if task is None:
                    step = self.try_target(target)
                    self.assertEqual((step["verdict"], step["detail"]), ("ok", expected))
                else:
                    self.assertEqual(self.run_task(target, task, params), expected)
                request, = self.fake.seen[before:]
                self.check_agent(request)
                if target == "s3":
                    self.check_signature(request)
                file = EXPECTED / f"{name}.http"
                if "--make" in sys.argv:
                    file.write_bytes(comparable(request, self.fake.port).encode())
                self.assertEqual(comparable(request, self.fake.port), file.read_bytes().decode())

    def check_agent(self, request):
        self.assertRegex(request, rb"\r\nUser-Agent: orbridge/\d+\.\d+\.\d+")

    def check_signature(self, request):
        head, _, body = request.decode().partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        shown = dict(re.findall(r"(\w+)=([^,\s]+)", headers["authorization"]))
        signed = {name: headers[name] for name in shown["SignedHeaders"].split(";")}
        self.assertLessEqual({"host", "x-amz-content-sha256", "x-amz-date"}, set(signed))
        self.assertEqual(signed["x-amz-content-sha256"], hashlib.sha256(body.encode()).hexdigest())
        path, _, query = target.partition("?")
        self.assertEqual(shown["Signature"], signature_of(method, path, query, signed, AWS, "eu-west-1"))
        self.assertTrue(shown["Credential"].endswith("/eu-west-1/s3/aws4_request"))

    def test_I9_the_signature_that_requests_are_checked_with_is_that_of_the_published_vectors(self):
        empty = hashlib.sha256(b"").hexdigest()
        common = {"host": "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z"}
        self.assertEqual(signature_of("GET", "/test.txt", "", common | {"range": "bytes=0-9", "x-amz-content-sha256": empty}, AWS, "us-east-1"),
                         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        put = common | {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY",
                        "x-amz-content-sha256": hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()}
        self.assertEqual(signature_of("PUT", "/test%24file.text", "", put, AWS, "us-east-1"),
                         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")

    def test_I9_github_says_when_it_wants_to_be_asked_again(self):
        target = TARGETS["github"] | {"task": "create_issue", "params": {"repo": "a/b", "title": "T"}, "retry": {"schedule": ["1ms"] * 3, "floor": "1ms", "jitter": 0}}
        reset = int(time.time()) + 7200
        self.fake.usual = says(said({"message": "API rate limit exceeded"}, "403 Forbidden", "X-RateLimit-Remaining: 0", f"X-RateLimit-Reset: {reset}"))
        self.start({"github": target}, [{"channel": "Object", "to": "github"}])
        self.send_event()
        delivery = until("an attempt", lambda: [each for each in self.bridge.api("/api/v1/deliveries")[1]["deliveries"] if each["attempts"] == 1 and "due_at" in each])[0]
        due = time.mktime(time.strptime(delivery["due_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
        self.assertGreaterEqual(due, reset - 1)
        self.assertLess(due, reset + 60)

    def test_I9_windmill_takes_a_job_that_is_there_already_for_delivered(self):
        self.start({"windmill": TARGETS["windmill"]})
        run = {"path": "f/a/b"}
        for reply, success, message in ((said(f"Bad request: Job with id {JOB} already exists", "400 Bad Request"), True, "The job is there already"),
                                        (said("<!DOCTYPE html>"), False, "HTTP 200"),
                                        (said("Not found: script not found at name f/a/b", "404 Not Found"), False, "script not found"),
                                        (said("SqlErr: pool timed out", "400 Bad Request"), False, "pool timed out")):
            self.fake.acts.append(says(reply))
            result = self.run_task("windmill", "run_script", run)
            self.assertEqual((result["success"], message in result["message"]), (success, True), result)
        self.fake.acts.append(says(said("Permission denied: Required scope: users:read", "403 Forbidden")))
        self.assertEqual(self.try_target("windmill")["verdict"], "ok", "it may run, and not look itself up")
        self.fake.acts.append(says(said("Not authorized: Unauthorized", "401 Unauthorized")))
        self.assertEqual(self.try_target("windmill")["verdict"], "failed")


class Failures(Base):
    def github(self, port, scheme="http", timeout="1s"):
        return TARGETS["github"] | {"base_url": f"{scheme}://127.0.0.1:{port}", "timeout": timeout, "connect_timeout": timeout}

    def sink(self, act):
        made = Sink(act)
        self.addCleanup(made.close)
        return made

    def tls(self):
        make_authority(self.world.folder)
        sign(self.world.folder, "sink")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.world.folder / "sink.pem", self.world.folder / "sink.key")
        def act(connection):
            wait_for_the_end(context.wrap_socket(connection, server_side=True))
        return self.sink(act)

    def test_I8_every_failure_is_a_result_with_a_message(self):
        closed = Closed()
        self.addCleanup(closed.close)
        slow, five, bad, wrong = self.sink(wait_for_the_end), self.recorder(says(said("it broke", "500 Oops"))), self.recorder(says(said('{"number":', "201 Created"))), self.sink(no_tls)
        ends = {"timeout": (self.github(slow.port), "timed out|timeout"), "refused": (self.github(closed.port, timeout="30s"), "refused|connect"),
                "500": (self.github(five.port, timeout="30s"), "HTTP 500: it broke"), "bad-json": (self.github(bad.port, timeout="30s"), "HTTP 201: .*\(no JSON\)"),
                "unknown-authority": (self.github(self.tls().port, "https", "30s"), "certificate"), "no-tls": (self.github(wrong.port, "https", "30s"), "SSL|TLS")}
        self.start({name: target for name, (target, _) in ends.items()})
        for name, (_, message) in ends.items():
            with self.subTest(name):
                result = self.run_task(name, "create_issue", {"repo": "a/b", "title": "T"})
                self.assertFalse(result["success"])
                self.assertRegex(result["message"], f"(?i){message}")
                self.assertNotIn("data", result)
                self.assertNotIn("S3CR3T", json.dumps(result))

    def test_I10_slack_fails_in_the_body_of_a_200(self):
        self.start({name: TARGETS[name] for name in ("slack-hook", "slack-bot")})
        for target, body, code in (("slack-hook", "invalid_payload", "invalid_payload"), ("slack-hook", "", "200"),
                                   ("slack-bot", {"ok": False, "error": "not_authed"}, "not_authed"),
                                   ("slack-bot", {"ok": False, "error": "channel_not_found"}, "channel_not_found")):
            self.fake.acts.append(says(said(body)))
            result = self.run_task(target, "send_message", {"text": "Hi", "channel": "C"})
            self.assertFalse(result["success"])
            self.assertIn(code, result["message"])

    def test_I11_a_fake_that_sends_a_byte_a_second_fails_at_the_limit(self):
        adapter = self.own_adapter("name: slow\nbase_url: '{{config.url}}'\nconfig: [{ name: url, type: string, required: true }]\n"
                                   "test: { timeout: 1s, request: { path: / } }\ntasks: { go: { timeout: 1s, request: { path: / } } }\n")
        drip = self.sink(for_ever(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x", 1))
        config = {"url": f"http://127.0.0.1:{drip.port}"}
        self.start({"own": {"adapter": "slow", "config": config}, "target": {"adapter": "slow", "config": config, "timeout": "2s"},
                    "default": TARGETS["http"] | {"config": config}}, more=adapter)
        for name, limit, run in (("own", 1, lambda: self.run_task("own", "go", {})), ("target", 2, lambda: self.run_task("target", "go", {})),
                                 ("default", 10, lambda: self.run_task("default", "put", {}))):
            began = time.monotonic()
            result = run()
            took = time.monotonic() - began
            self.assertFalse(result["success"])
            self.assertRegex(result["message"], "(?i)timed out|timeout")
            self.assertGreaterEqual(took, limit - 0.1, name)
            self.assertLess(took, limit + 30, name)
        self.assertEqual(self.try_target("own")["verdict"], "failed")

    def test_I11_an_answer_of_10_mib_is_a_failure_and_costs_no_memory(self):
        body = b" " * (10 << 20)
        large = self.recorder(says(answer("201 Created", body)))
        self.start({"github": self.github(large.port, timeout="60s")})
        def rss():
            return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.bridge.process.pid}/status").read_text())[1]) << 10
        ask = lambda: self.run_task("github", "create_issue", {"repo": "a/b", "title": "T"})
        result = ask()
        self.assertFalse(result["success"])
        self.assertIn("answer_bytes_max", result["message"])
        before = rss()
        for _ in range(20):
            self.assertFalse(ask()["success"])
        if not SANITIZED:  # which keep what was freed
            self.assertLess(rss() - before, 20 << 20)

    def test_I13_a_request_that_may_have_arrived_is_sent_once(self):
        self.fake.usual = says()  # reads, and leaves
        self.start({"github": TARGETS["github"]})
        result = self.run_task("github", "create_issue", {"repo": "a/b", "title": "T"})
        self.assertFalse(result["success"])
        self.assertEqual(len(self.fake.seen), 1)

    def test_I13_with_an_idempotency_key_it_is_sent_again_with_the_same(self):
        retry = {"retry": {"schedule": ["1ms"] * 5, "floor": "1ms", "jitter": 0}}
        post = TARGETS["http"] | {"task": "post"} | retry
        with_key = post | {"params": {"idempotency_key": "{{delivery.id}}"}}
        self.fake.acts = [says(), says()]
        self.start({"keyed": with_key}, [{"channel": "Object", "to": "keyed"}])
        self.send_event()
        self.bridge.settled()
        row, = self.bridge.api("/api/v1/deliveries")[1]["deliveries"]
        self.assertEqual(row["state"], "delivered")
        keys = [re.search(rb"(?i)\r\nIdempotency-Key: (\S+)", request)[1].decode() for request in self.fake.seen]
        self.assertEqual(keys, [row["id"]] * 3)


class Policy(Base):
    def test_I12_an_address_that_others_chose_is_refused_and_the_fake_is_not_contacted(self):
        self.start({"chat": {"adapter": "slack", "credentials": "team"}})
        for url in (self.fake.url, f"http://localhost:{self.fake.port}", f"http://[::1]:{self.fake.port}", "http://169.254.169.254/latest/meta-data",
                    f"http://[::ffff:127.0.0.1]:{self.fake.port}", f"http://0.0.0.0:{self.fake.port}", "http://[fe80::1]/", "http://10.0.0.1/"):
            with self.subTest(url):
                self.assertEqual(self.store("slack", "team", {"webhook_url": url})[0], 200)
                result = self.run_task("chat", "send_message", {"text": "Hi"})
                self.assertFalse(result["success"])
                self.assertIn("that the allow list does not have", result["message"])
                tried = self.bridge.api("/api/v1/adapters/slack/test", "POST", {"credentials": {"webhook_url": url}})[1]
                self.assertIn("that the allow list does not have", tried["message"])
                config = self.bridge.api("/api/v1/adapters/http/test", "POST", {"config": {"url": url}, "credentials": {}})[1]
                self.assertIn("that the allow list does not have", config["message"])
        self.assertEqual(self.fake.hits, 0)

    def test_I12_no_scheme_no_spelling_and_no_parameter_leads_to_where_nobody_may_go(self):
        adapter = self.own_adapter("name: anywhere\nbase_url: '{{credentials.url}}'\ncredentials: [{ name: url, type: password, required: true }]\n"
                                   "test: { request: { path: / } }\ntasks:\n  go: { request: { path: / } }\n"
                                   "  there: { params: [{ name: url, type: string }], request: { url: '{{params.url}}' } }\n"
                                   "  host: { params: [{ name: host, type: string }], request: { url: 'http://{{params.host}}/x' } }\n")
        self.start({"any": {"adapter": "anywhere", "credentials": "main"}}, more=adapter)
        port = self.fake.port
        for url in (f"file:///proc/self/environ", f"gopher://127.0.0.1:{port}/", f"ftp://127.0.0.1:{port}/", f"dict://127.0.0.1:{port}/", f"http://2130706433:{port}/",
                    f"http://0x7f.0.0.1:{port}/", f"http://0177.0.0.1:{port}/", f"http://127.1:{port}/", f"http://u:p@127.0.0.1:{port}/",
                    f"http://127.0.0.1:{port}#@example.org/", f"http://example.org@127.0.0.1:{port}/", f"http:\\\\127.0.0.1:{port}/", f"http://[::ffff:7f00:1]:{port}/",
                    f"http://localhost.:{port}/", f"HTTP://LOCALHOST:{port}/", f"127.0.0.1:{port}", f"//127.0.0.1:{port}/", ""):
            with self.subTest(url):
                self.assertIn(self.store("anywhere", "main", {"url": url})[0], (200, 422))
                for task, params in (("go", {}), ("there", {"url": url}), ("host", {"host": url.split("//")[-1].rstrip("/")})):
                    result = self.run_task("any", task, params)
                    self.assertFalse(result["success"], (task, result))
        self.assertEqual(self.fake.hits, 0)

    def test_I12_a_redirect_is_not_followed(self):
        elsewhere = self.recorder()
        self.start({"http": TARGETS["http"]})
        for place in (elsewhere.url, "http://169.254.169.254/latest/meta-data", "//127.0.0.1/"):
            for status in ("301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"):
                self.fake.acts.append(says(answer(status, b"", f"Location: {place}")))
                result = self.run_task("http", "post", {"body": {}})
                self.assertFalse(result["success"])
                self.assertIn(status[:3], result["message"])
        self.assertEqual((len(self.fake.seen), elsewhere.hits), (15, 0))


TYPES = """name: types
base_url: "{{config.url}}"
config: [{ name: url, type: string, required: true }]
test: { request: { path: / } }
tasks:
  go:
    params:
      - { name: id, type: integer, required: true }
      - { name: s, type: string, min: 2, max: 4, pattern: "[a-z]+" }
      - { name: n, type: number, min: 0.5, max: 2 }
      - { name: i, type: integer, min: 1, max: 9 }
      - { name: b, type: boolean }
      - { name: p, type: password, min: 3 }
      - { name: o, type: object, max: 1 }
      - { name: a, type: array, min: 1, max: 2 }
      - { name: e, type: string, enum: [one, two] }
      - { name: d, type: integer, default: 7 }
    request:
      method: POST
      path: /
      json: { s: "{{params.s}}", n: "{{params.n}}", i: "{{params.i}}", b: "{{params.b}}", p: "{{params.p}}", o: "{{params.o}}", a: "{{params.a}}", e: "{{params.e}}", d: "{{params.d}}" }
"""
RIGHT = {"s": ["ab", "abcd"], "n": [0.5, 1, 2.0], "i": [1, 9, 2.0], "b": [True, False], "p": ["abc"], "o": [{}, {"x": None}], "a": [[1], ["x", {}]],
         "e": ["one"], "d": [8]}
WRONG = {"s": [5, True, None, [], "a", "abcde", "AB", "ab1"], "n": ["1", True, None, 0.4, 2.1], "i": ["1", 1.5, 0, 10, None], "b": ["true", 1, 0, None],
         "p": [1, "ab"], "o": [[], "x", {"x": 1, "y": 2}], "a": [{}, "x", [], [1, 2, 3]], "e": ["three", 1, ""], "d": ["7"]}


class Parameters(Base):
    def test_I5_the_schema_of_every_task_and_the_bridge_have_the_same_verdict(self):
        self.start(TARGETS)
        schemas = {(each["name"], task["name"]): task["params"] for each in self.bridge.api("/api/v1/adapters")[1]["adapters"] for task in each["tasks"]}
        checked = {True: 0, False: 0}
        for target, task, good in ((case[0], case[1], case[2]) for case in CASES.values() if case[1]):
            schema = schemas[(TARGETS[target]["adapter"], task)]
            jsonschema.Draft202012Validator.check_schema(schema)
            validator = jsonschema.Draft202012Validator(schema)
            self.assertTrue(validator.is_valid(good), (task, good))
            tries = [{}, good | {"nope": 1}]
            for name in schema["properties"]:
                tries.append({key: value for key, value in good.items() if key != name})
                tries += [good | {name: value} for value in (5, 0, -1, 1.5, True, None, [], ["a"], {}, {"a": 1}, "", "x", "a/b", "x" * 300)]
            for params in tries:
                result = self.run_task(target, task, params)
                accepted = not result["message"].startswith("params: ")
                self.assertEqual(accepted, validator.is_valid(params), (target, task, params, result))
                checked[accepted] += 1
        self.assertGreater(min(checked.values()), 200, checked)

    def test_I5_each_type_right_and_wrong(self):
        more = self.own_adapter(TYPES)
        self.start({"types": {"adapter": "types", "config": {"url": "{fake}"}}}, more=more)
        for name, values in RIGHT.items():
            for value in values:
                with self.subTest(f"{name}={value!r}"):
                    self.assertTrue(self.run_task("types", "go", {"id": 1, name: value})["success"])
                    sent = json.loads(self.fake.seen[-1].partition(b"\r\n\r\n")[2])
                    self.assertEqual(sent, {"d": 7} | {name: value})
        before = len(self.fake.seen)
        for name, values in WRONG.items():
            for value in values:
                with self.subTest(f"{name}={value!r}"):
                    result = self.run_task("types", "go", {"id": 1, name: value})
                    self.assertFalse(result["success"])
                    self.assertTrue(result["message"].startswith(f"params: {name}: "), result)
        for params, message in (({}, "id: missing"), ({"id": 1, "nope": 1}, "nope: unknown field")):
            result = self.run_task("types", "go", params)
            self.assertEqual((result["success"], result["message"]), (False, "params: " + message))
        self.assertEqual(len(self.fake.seen), before, "something was sent")


class Start(Base):
    def test_I2_what_check_refuses_the_bridge_refuses_to_start_with_in_the_same_words(self):
        for target, routes, words in (({"adapter": "nope"}, [], "unknown adapter nope"),
                                      (TARGETS["github"] | {"task": "creat_issue"}, [], "has no task `creat_issue`"),
                                      (TARGETS["github"] | {"tsak": "x"}, [], "unknown key"),
                                      (TARGETS["github"] | {"credentials": {}}, [], "token: missing"),
                                      (TARGETS["jira"] | {"config": {}}, [], "url: missing"),
                                      (TARGETS["github"], [{"channel": "Object", "to": "there"}], "names none")):
            with self.subTest(words):
                with World() as self.world:
                    with self.assertRaises(AssertionError):
                        self.start({"there": target}, routes)
                    bridge, = self.world.processes
                    bridge.must_end_well = False
                    self.assertEqual(bridge.process.returncode, 2)
                    told = (self.world.folder / "orbridge.log").read_text()
                    self.assertIn(words, told)
                    checked = subprocess.run([binary(), "check", "--config", str(self.world.folder / "orbridge.yaml")], capture_output=True, text=True, timeout=120)
                    self.assertEqual((checked.returncode, checked.stdout), (2, told))


PLACES = """name: places
base_url: "{{config.url}}"
config: [{ name: url, type: string, required: true }]
test: { request: { path: / } }
tasks:
  go:
    params:
      - { name: v, type: string }
      - { name: n, type: number }
      - { name: o, type: object }
    request:
      method: POST
      path: "/begin/{{params.v}}/end"
      query: { q: "{{params.v}}", m: "<{{params.v}}>" }
      headers: { X-Value: "{{params.v}}", X-Mixed: "<{{params.v}}>" }
      json: { v: "{{params.v}}", "mixed {{x}}": "<{{params.v}}>", n: "{{params.n}}", o: "{{params.o}}", t: "n={{params.n}}" }
  form:
    params: [{ name: v, type: string }]
    request: { method: POST, path: /form, form: { a: "{{params.v}}", b: "x" } }
"""


class Templates(Base):
    def test_I6_I7_a_value_stays_one_value_wherever_it_stands_and_keeps_its_type(self):
        self.start({"places": {"adapter": "places", "config": {"url": "{fake}"}}}, more=self.own_adapter(PLACES))
        for value in ('a/b?c=d&é"\r\nX: y', "../../admin", "%2e%2e%2f", "{{config.url}}", "'; DROP TABLE x; --", "a b+c#d;e", "x\u2028\x00\x1fy"):
            with self.subTest(value):
                self.assertTrue(self.run_task("places", "go", {"v": value, "n": 5, "o": {"k": [1.50, None]}})["success"])
                head, _, body = self.fake.seen[-1].decode().partition("\r\n\r\n")
                first, *lines = head.split("\r\n")
                path, _, query = first.split(" ")[1].partition("?")
                self.assertEqual([urllib.parse.unquote(part) for part in path.split("/")], ["", "begin", value, "end"])
                self.assertEqual(urllib.parse.parse_qsl(query, keep_blank_values=True), [("q", value), ("m", f"<{value}>")])
                headers = [line.split(": ", 1) for line in lines]
                self.assertEqual(sorted(name for name, _ in headers), ["Accept", "Content-Length", "Content-Type", "Host", "User-Agent", "X-Mixed", "X-Value"])
                self.assertEqual(json.loads(body), {"v": value, "mixed {{x}}": f"<{value}>", "n": 5, "o": {"k": [1.5, None]}, "t": "n=5"})
                self.assertTrue(self.run_task("places", "form", {"v": value})["success"])
                self.assertEqual(urllib.parse.parse_qsl(self.fake.seen[-1].decode().partition("\r\n\r\n")[2]), [("a", value), ("b", "x")])
        before = len(self.fake.seen)
        for value in ("", ".", ".."):
            self.assertFalse(self.run_task("places", "go", {"v": value})["success"], value)
        self.assertEqual(len(self.fake.seen), before)


class InUse(Base):
    def test_K4_a_401_in_use_makes_stored_credentials_invalid_and_a_success_valid_again(self):
        target = TARGETS["github"] | {"credentials": "main", "task": "create_issue", "params": {"repo": "a/b", "title": "T"}, "retry": {"schedule": ["1ms"], "floor": "1ms", "jitter": 0}}
        self.fake.usual = says(said({"message": "Bad credentials"}, "401 Unauthorized"))
        self.start({"github": target}, [{"channel": "Object", "to": "github"}])
        self.assertEqual(self.store("github", "main", {"token": "S3CR3T-github"})[0], 200)
        row = lambda: self.bridge.api("/api/v1/credentials")[1]["credentials"][0]
        self.assertIsNone(row()["is_valid"])
        self.send_event()
        until("refused", lambda: row()["is_valid"] is False)
        self.assertIn("Bad credentials", row()["message"])
        self.fake.usual = says(said({"number": 1, "html_url": "x"}, "201 Created"))
        self.assertTrue(self.run_task("github", "create_issue", {"repo": "a/b", "title": "T"})["success"])
        self.assertTrue(row()["is_valid"])

    def test_K4_K5_a_test_stores_its_verdict_only_for_what_is_stored_and_posts_nothing(self):
        self.fake.usual = says(said({"ok": False, "error": "invalid_auth"}))
        self.start({"chat": TARGETS["slack-bot"] | {"credentials": "main"}})
        self.assertEqual(self.store("slack", "main", {"bot_token": "S3CR3T-bot"})[0], 200)
        row, = self.bridge.api("/api/v1/credentials")[1]["credentials"]
        tested = self.bridge.api(f"/api/v1/credentials/{row['id']}/test", "POST", {})[1]
        self.assertEqual((tested["success"], "invalid_auth" in tested["message"]), (False, True))
        row, = self.bridge.api("/api/v1/credentials")[1]["credentials"]
        self.assertEqual((row["is_valid"], "validated_at" in row), (False, True))
        self.fake.usual = says(said({"ok": True, "user": "u", "team": "t"}))
        self.assertTrue(self.bridge.api(f"/api/v1/credentials/{row['id']}/test", "POST", {})[1]["success"])
        self.assertTrue(self.bridge.api("/api/v1/credentials")[1]["credentials"][0]["is_valid"])
        self.assertEqual({request.split(b" ")[1] for request in self.fake.seen}, {b"/api/auth.test"})


class Schema(unittest.TestCase):
    """config/adapter.schema.json, for editors."""

    @classmethod
    def setUpClass(cls):
        schema = json.loads((ROOT / "config/adapter.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        cls.validator = jsonschema.Draft202012Validator(schema)

    def bridge_says(self, text):
        with World() as world:
            file = world.folder / "x.yaml"
            file.write_text(text)
            return subprocess.run([binary(), "adapters", "check", str(file)], capture_output=True, timeout=120).returncode == 0

    def test_I2_every_shipped_adapter_fits_the_schema(self):
        files = sorted((ROOT / "adapters").glob("*.yaml"))
        self.assertGreaterEqual(len(files), 9)
        walk = (ROOT / "docs/integrations.md").read_text()
        texts = [file.read_text() for file in files] + [re.search(r"```yaml\n# adapters/telegram\.yaml\n(.*?)```", walk, re.S)[1]]
        for text in texts:
            with self.subTest(text.splitlines()[0]):
                self.assertEqual([error.message for error in self.validator.iter_errors(yaml.safe_load(text))], [])
                self.assertTrue(self.bridge_says(text))

    def test_I2_what_the_bridge_refuses_by_its_form_the_schema_refuses_too(self):
        good = (ROOT / "adapters/jira.yaml").read_text()
        self.assertTrue(self.bridge_says(good))
        for old, new in (("name: jira", "name: Jira"), ("name: jira\n", ""), ("kind: http", "kind: ftp"), ("test:", "tst:"), ("tasks:", "tsks:"),
                         ("type: password, required: true", "type: colour, required: true"), ("required: true }", "required: 5 }"), ("method: GET", "method: FETCH"),
                         ("method: GET, ", "method: GET, bdy: x, "), ("status: [200]", "status: [42]"), ("status: [200]", "status: [abc]"),
                         ("basic: {", "digest: {"), ("path: /rest/api/3/myself", "path: rest"), ("request: { method: GET, path: /rest/api/3/myself }", "request: { method: GET }"),
                         ("path: /rest/api/3/issue\n", "path: /rest/api/3/issue\n      form: { a: b }\n"), ("  create_issue:", "  Create Issue:"), ("  create_issue:", "  test:"),
                         ("title: Create an issue", "title: Create an issue\n    timeout: soon"), ("title: Create an issue", "title: Create an issue\n    retries: 3")):
            with self.subTest(f"{old!r} → {new!r}"):
                self.assertIn(old, good)
                text = good.replace(old, new, 1)
                self.assertFalse(self.bridge_says(text))
                self.assertFalse(self.validator.is_valid(yaml.safe_load(text)))


if __name__ == "__main__":
    unittest.main(argv=[each for each in sys.argv if each != "--make"])
