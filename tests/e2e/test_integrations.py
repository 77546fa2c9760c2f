"""Declared adapters with the real binary: one capture to several services at once, and the walk of docs/integrations.md."""

import base64
import http.server
import json
import os
import re
import signal
import subprocess
import threading
import unittest

from harness import CAPTURES, ROOT, SECRET, World, binary, send_capture, until

CAPTURE = CAPTURES / "ObjectCreatedEvent.standard.http"
SECRETS = {"slack": "S3CR3T-slack-hook", "github": "S3CR3T-github-token", "jira": "S3CR3T-jira-token", "telegram": "S3CR3T:telegram"}
CONFIG = """listen: 127.0.0.1:0
public_url: http://127.0.0.1:1
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/openregister.yaml]
adapters: {{folders: [{root}/adapters{more}]}}
sources:
  openregister: {{type: openregister, register: off, secret: {secret}}}
targets:
{targets}
routes:
{routes}
"""
FAN_OUT = """
  chat:
    adapter: slack
    task: send_message
    params: {{text: "{{{{event.channel}}}} {{{{event.eventName}}}}"}}
    credentials: {{webhook_url: "{fake}/services/{slack}"}}
  issues:
    adapter: github
    base_url: {fake}/github
    task: create_issue
    params: {{repo: acme/zaken, title: "{{{{event.eventName}}}}", body: "{{{{event.subject}}}}"}}
    credentials: {{token: {github}}}
  tickets:
    adapter: jira
    config: {{url: "{fake}/jira"}}
    task: create_issue
    params: {{project: ZAK, summary: "{{{{event.channel}}}}", description: "{{{{event.eventName}}}}"}}
    credentials: {{email: bot@acme.example, api_token: {jira}}}
    retry: {{schedule: []}}
"""


class Fake(http.server.ThreadingHTTPServer):
    """Slack, GitHub, Jira and Telegram on one port; keeps what each was sent."""

    daemon_threads = True

    def __init__(self):
        self.seen = []
        self.broken = set()  # beginnings of paths whose connection is cut once the request was read
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def of(self, prefix, method="POST"):
        return [each for each in list(self.seen) if each[0] == method and each[1].startswith(prefix)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        if any(self.path.startswith(prefix) for prefix in self.server.broken):
            self.close_connection = True
            return
        status, text = self.text_for()
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def text_for(self):
        if self.path.startswith("/services/"):
            return 200, "ok"
        if self.path == "/github/user":
            return 200, json.dumps({"login": "orbridge"})
        if self.path.startswith("/github/"):
            return 201, json.dumps({"number": 7, "html_url": "https://github.example/7"})
        if self.path.startswith("/jira/"):
            return 400, json.dumps({"errorMessages": [f"who is {self.headers['Authorization']} with {SECRETS['jira']}?"]})
        if self.path.endswith("/getMe"):
            return 200, json.dumps({"ok": True, "result": {"username": "orbridge_bot"}})
        if self.path.endswith("/sendMessage"):
            return 200, json.dumps({"ok": True, "result": {"message_id": 99}})
        return 404, "no"

    do_GET = do_POST = do_PUT = do_PATCH = answer

    def log_message(self, *arguments):
        pass


class Base(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.fake = Fake()
        self.addCleanup(self.fake.server_close)
        self.addCleanup(self.fake.shutdown)

    def start(self, targets, routes, more=""):
        text = CONFIG.format(folder=self.world.folder, root=ROOT, secret=SECRET, targets=targets, routes=routes, more=more)
        self.bridge = self.world.bridge(text).start()

    def send(self):
        status, text = send_capture(self.bridge.port, CAPTURE, "/ingest/openregister")
        self.assertEqual(status, 202, text)


class Integrations(Base):
    def fan_out(self):
        self.start(FAN_OUT.format(fake=self.fake.url, **SECRETS),
                   "  - {channel: Object, event_name: 'created:.*', to: [chat, issues, tickets]}")

    def test_T1_one_capture_fans_out_to_all_services_at_once(self):
        self.fan_out()
        self.send()
        self.bridge.settled()
        (_, path, _, body), = self.fake.of("/services/")
        self.assertEqual(path, "/services/" + SECRETS["slack"])
        name = json.loads(body)["text"].split(" ", 1)
        self.assertEqual(name[0], "Object")
        self.assertTrue(name[1].startswith("created:"))
        (_, path, headers, body), = self.fake.of("/github/")
        self.assertEqual(path, "/github/repos/acme/zaken/issues")
        self.assertEqual(headers["Authorization"], "Bearer " + SECRETS["github"])
        self.assertTrue(headers["User-Agent"].startswith("orbridge/"))
        self.assertEqual(json.loads(body)["title"], name[1])
        (_, path, headers, body), = self.fake.of("/jira/")
        self.assertEqual(path, "/jira/rest/api/3/issue")
        self.assertEqual(json.loads(body)["fields"]["description"]["content"][0]["content"][0]["text"], name[1])

    def test_K9_no_secret_is_in_anything_that_is_written_or_answered(self):
        self.fan_out()
        self.send()
        self.bridge.settled()
        answers = [self.bridge.api(path)[1] for path in ("/api/v1/status", "/api/v1/deliveries", "/api/v1/targets",
                                                         "/api/v1/adapters", "/api/v1/audit")]
        for row in self.bridge.api("/api/v1/deliveries")[1]["deliveries"]:
            answers.append(self.bridge.api("/api/v1/deliveries/" + row["id"])[1])
        answers.append(self.bridge.api("/api/v1/targets/tickets/tasks/create_issue", "POST", '{"project":"ZAK","summary":"x"}')[1])
        self.assertIn("***", json.dumps(answers))
        self.bridge.stop()
        written = json.dumps(answers).encode() + self.bridge.log.read_bytes()
        for file in self.world.folder.glob("orbridge.db*"):
            written += file.read_bytes()
        for secret in SECRETS.values():
            for form in (secret, base64.b64encode(secret.encode()).decode(), base64.b64encode(f"bot@acme.example:{secret}".encode()).decode()):
                self.assertFalse(form.encode() in written, form)

    def test_I13_a_request_that_may_have_arrived_is_not_repeated(self):
        self.fake.broken.add("/github/repos")
        self.start(FAN_OUT.format(fake=self.fake.url, **SECRETS).replace("    credentials: {token:", "    retry: {schedule: [1ms, 1ms]}\n    credentials: {token:"),
                   "  - {channel: Object, to: issues}")
        self.send()
        until("the delivery ended", lambda: self.bridge.api("/api/v1/deliveries")[1]["deliveries"][0]["state"] == "dead")
        self.assertEqual(len(self.fake.of("/github/")), 1)

    def test_I3_T2_a_target_is_tested_and_a_task_run_by_hand(self):
        self.fan_out()
        code, out, err = self.bridge.cli("test", "issues")
        self.assertEqual((code, "Connected as orbridge" in out), (0, True), out + err)
        self.assertEqual(self.fake.of("/github/"), [])
        code, out, err = self.bridge.cli("task", "run", "issues", "create_issue", "--params", '{"repo":"a/b","title":"T"}')
        self.assertEqual((code, out), (0, 'Issue #7 created\n{"number":7,"url":"https://github.example/7"}\n'), err)
        status, answer = self.bridge.api("/api/v1/targets/issues/tasks/__class__", "POST", "{}")
        self.assertEqual((status, answer["success"]), (200, False))
        self.assertEqual(len(self.fake.of("/github/")), 1)
        runs = self.bridge.api("/api/v1/audit?what=task.run")[1]
        self.assertIn("Issue #7 created", json.dumps(runs))

    def test_I2_a_faulty_file_is_left_out_and_said(self):
        folder = self.world.folder / "mine"
        folder.mkdir()
        (folder / "bad.yaml").write_text("name: bad\nkind: http\nbase_url: https://x\ntasks: {}\n")
        self.start(FAN_OUT.format(fake=self.fake.url, **SECRETS), "  - {channel: Object, to: [chat, issues, tickets]}", f", {folder}")
        listed = self.bridge.api("/api/v1/adapters")[1]
        self.assertIn("slack", [each["name"] for each in listed["adapters"]])
        self.assertRegex(listed["left_out"][0], r"bad\.yaml:\d+:\d+: test: missing")


class TheWalk(Base):
    """docs/integrations.md, as a new user would follow it."""

    def test_I1_adding_telegram_as_the_document_says(self):
        text = (ROOT / "docs/integrations.md").read_text()
        adapter = re.search(r"```yaml\n# adapters/telegram\.yaml\n(.*?)```", text, re.S)[1]
        extra = re.search(r"```yaml\n# orbridge\.yaml\n(.*?)```", text, re.S)[1]
        commands = re.findall(r"^(?:cd adapters && )?orbridge (.*)$", text.split("## Adding")[1].split("## What")[0], re.M)
        self.assertEqual([each.split()[0] for each in commands], ["adapters", "adapters", "test", "task"])

        self.start("  other: {adapter: http, config: {url: 'http://127.0.0.1:1'}}", "  []")
        folder = self.world.folder / "adapters"
        folder.mkdir()

        def run(*words):
            done = subprocess.run([binary(), *words], cwd=folder, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            return done.stdout

        run(*commands[0].split())
        self.assertIn("ok (adapter telegram", run(*commands[1].split()))  # what it starts from is right
        (folder / "telegram.yaml").write_text(adapter.replace("https://api.telegram.org", self.fake.url))
        self.assertIn("ok (adapter telegram, 1 tasks)", run(*commands[1].split()))

        (self.world.folder / "telegram_token").write_text(SECRETS["telegram"] + "\n")
        before = self.bridge.config.read_text().split("adapters: {folders")[0]
        sources = re.search(r"^sources:.*?(?=^targets:)", self.bridge.config.read_text(), re.S | re.M)[0]
        shipped = extra.replace("folders: [adapters]", f"folders: [{ROOT}/adapters, adapters]")
        self.bridge.config.write_text(before + sources + shipped)
        os.kill(self.bridge.process.pid, signal.SIGHUP)
        until("telegram is there", lambda: "telegram" in [
            each["name"] for each in self.bridge.api("/api/v1/adapters")[1]["adapters"]])

        code, out, err = self.bridge.cli("test", "news")
        self.assertEqual((code, "Connected as orbridge_bot" in out), (0, True), out + err)
        self.assertEqual(self.fake.of("/bot"), [])
        code, out, err = self.bridge.cli("task", "run", "news", "send_message", "--params", '{"chat_id": 4711, "text": "Hello"}')
        self.assertEqual((code, out), (0, 'Sent\n{"id":99}\n'), err)
        self.send()
        sent = until("the event arrived", lambda: self.fake.of("/bot")[1:])
        body = json.loads(sent[0][3])
        self.assertEqual(body["chat_id"], 4711)
        self.assertTrue(body["text"].startswith("created:"))
        self.assertNotIn(SECRETS["telegram"], self.bridge.log.read_text())


if __name__ == "__main__":
    unittest.main()
