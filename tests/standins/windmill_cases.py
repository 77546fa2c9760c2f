"""Windmill, as far as a client can see it."""

import http.client
import json
import os
import socket
import tempfile
import time
import unittest

from processes import HERE, StandIn

ON_OBJECT = "f/nextcloud/on_object"
ECHO = "def main(body=None, n=3, **rest):\n    return {'body': body, 'n': n, 'rest': rest}\n\n" \
       "def other(body):\n    return 'other'\n"
SLOW = "import time\n\n\ndef main():\n    time.sleep(0.4)\n"
STRICT = "def main(body: dict, note):\n    return [body['event'], note]\n"
PRE = "def preprocessor(event):\n    return {'body': event['body'], 'kind': event['kind']}\n\n" \
      "def main(body, kind):\n    return [kind, body]\n"


def bearer(token="wm-token"):
    return {"Authorization": f"Bearer {token}"}


class WindmillTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scripts = tempfile.TemporaryDirectory()
        flags = ["--script", f"{ON_OBJECT}={HERE}/scripts/on_object.py", "--script",
                 f"f/nextcloud/flaky={HERE}/scripts/flaky.py",
                 "--flow", f"f/nextcloud/flow={HERE}/scripts/on_object.py"]
        for name, text in (("echo", ECHO), ("strict", STRICT), ("pre", PRE), ("slow", SLOW)):
            file = os.path.join(cls.scripts.name, name + ".py")
            with open(file, "w", encoding="utf-8") as out:
                out.write(text)
            flags += ["--script", f"f/t/{name}={file}"]
        cls.journal = os.path.join(cls.scripts.name, "jobs.jsonl")
        cls.wm = StandIn("windmill.py", *flags, "--jobs-file", cls.journal, "--variable", "u/admin/secret=s3",
                         "--scoped-token", "hook=jobs:run:scripts:f/t/*")

    @classmethod
    def tearDownClass(cls):
        assert cls.wm.end() == 0
        cls.scripts.cleanup()

    def tearDown(self):
        self.wm.ask("DELETE", "/_standin/faults")

    def run_script(self, path="f/t/echo", body=b"{}", query="", headers=None, kind="p"):
        headers = {**bearer(), **(headers or {})}
        target = f"/api/w/main/jobs/run/{kind}/{path}" + (f"?{query}" if query else "")
        status, _, text = self.wm.ask("POST", target, body, headers)
        return status, text

    def job(self, job_id, token="wm-token"):
        return self.wm.ask("GET", f"/api/w/main/jobs_u/get/{job_id}?no_logs=true&no_code=true", None, bearer(token))

    def done(self, job_id):
        for _ in range(250):
            status, _, text = self.job(job_id)
            self.assertEqual(200, status, text)
            if json.loads(text)["type"] == "CompletedJob":
                return json.loads(text)
            time.sleep(0.01)
        self.fail("the job does not end")

    def result(self, *args, **more):
        status, text = self.run_script(*args, **more)
        self.assertEqual(201, status, text)
        return self.done(text)

    def faults(self, *faults):
        self.wm.control("POST", "faults", list(faults))

    def test_job_id_is_an_idempotency_key_in_every_spelling(self):
        sent = "0190D3E26F4B7A008000000000000001"
        plain = "0190d3e2-6f4b-7a00-8000-000000000001"
        self.assertEqual((201, plain), self.run_script(query=f"job_id={sent}"))
        for again in (plain, "{%s}" % plain, "urn:uuid:" + plain):
            status, text = self.run_script(query=f"job_id={again}")
            self.assertEqual((400, f"Bad request: Job with id {plain} already exists"), (status, text))
        status, text = self.run_script("f/t/strict", query=f"job_id={plain}", headers=bearer("hook"))
        self.assertEqual(400, status)
        self.assertIn("duplicate key value violates unique constraint", text)
        self.assertEqual(5, self.wm.control("GET", "jobs?id=" + plain)[0]["attempts"])

    def test_a_bad_job_id_is_told_before_all_else(self):
        for wrong in ("1", "0190d3e2-6f4b7a00-8000-000000000001", "{0190d3e26f4b7a008000000000000001}"):
            status, text = self.run_script("f/no/such", query=f"job_id={wrong}")
            self.assertEqual(400, status)
            self.assertTrue(text.startswith("Failed to deserialize query string:"), text)

    def test_checks_come_in_the_order_of_the_server(self):
        self.assertEqual((400, True), self.begins("f/no/such", b"[1,", "Bad request: invalid json"))
        self.assertEqual((404, True), self.begins("f/no/such", b"{}", "Not found: script not found at name f/no/such"))
        self.assertEqual((404, True), self.begins("f/no/such", b"{}", "Not found", bearer("hook")))
        self.assertEqual((403, True), self.begins(ON_OBJECT, b"{}", "Permission denied: Required scope: jobs:run:"
                                                  "scripts:" + ON_OBJECT, bearer("hook")))

    def begins(self, path, body, text, headers=None):
        status, answer = self.run_script(path, body, headers=headers)
        return status, answer.startswith(text)

    def test_tokens(self):
        path = "/api/w/main/jobs/run/p/f/t/echo"
        self.assertEqual((401, "Unauthorized"), self.wm.ask("POST", path, b"{}")[::2])
        self.assertEqual((401, "Not authorized: Unauthorized"), self.wm.ask("POST", path, b"{}", bearer("x"))[::2])
        wrong = self.wm.ask("POST", path + "?token=wm-token", b"{}", bearer("x"))
        self.assertEqual(401, wrong[0])
        self.assertEqual(201, self.wm.ask("POST", path + "?token=wm-token", b"{}", {"Authorization": "Basic eDp5"})[0])
        self.assertEqual(201, self.wm.ask("POST", path, b"{}", {"Cookie": "token=wm-token"})[0])
        self.assertEqual(401, self.wm.ask("POST", path.replace("main", "other"), b"{}", bearer())[0])

    def test_probes(self):
        self.assertTrue(self.wm.ask("GET", "/api/version")[2].startswith("CE v"))
        self.assertEqual("healthy", json.loads(self.wm.ask("GET", "/api/health/status")[2])["status"])
        whoami = "/api/w/main/users/whoami"
        self.assertEqual("admin", json.loads(self.wm.ask("GET", whoami, None, bearer())[2])["username"])
        self.assertEqual(403, self.wm.ask("GET", whoami, None, bearer("hook"))[0])
        self.assertEqual(200, self.wm.ask("HEAD", "/api/w/main/jobs/run/p/u/x/x", None, bearer("hook"))[0])
        self.assertEqual(403, self.wm.ask("HEAD", "/api/w/main/jobs/run/f/u/x/x", None, bearer("hook"))[0])
        exists = "/api/w/main/scripts/exists/p/"
        self.assertEqual("true", self.wm.ask("GET", exists + ON_OBJECT, None, bearer())[2])
        self.assertEqual("false", self.wm.ask("GET", exists + "f/no/such", None, bearer())[2])
        script = json.loads(self.wm.ask("GET", "/api/w/main/scripts/get/p/" + ON_OBJECT, None, bearer())[2])
        self.assertEqual({"body": {"type": "object"}}, script["schema"]["properties"])
        self.assertEqual("true", self.wm.ask("GET", "/api/w/main/flows/exists/f/nextcloud/flow", None, bearer())[2])

    def test_a_wrong_base_url_is_answered_with_the_user_interface(self):
        status, headers, text = self.wm.ask("POST", "/w/main/jobs/run/p/f/t/echo", b"{}", bearer())
        self.assertEqual((200, "text/html"), (status, headers["Content-Type"]))
        self.assertIn("<html>", text)
        self.assertEqual((404, ""), self.wm.ask("POST", "/api/nothing", b"{}", bearer())[::2])
        self.assertEqual(405, self.wm.ask("GET", "/api/w/main/jobs/run/p/f/t/echo", None, bearer())[0])

    def test_bodies_become_arguments(self):
        for content_type, body, query, wanted in (
                ("application/json", b'{"body":{"a":1}}', "", {"body": {"a": 1}}),
                ("application/json", b'{"a":1}', "", {"a": 1}),
                ("application/json", b'{"a":1}', "wrap_body=true", {"body": {"a": 1}}),
                ("application/json", b'[1]', "wrap_body=true", {"body": [1]}),
                ("application/json", b' {"a":1}', "", {"body": {"a": 1}}),
                ("application/json", b'{"a":1E+2,"b":-0,"a":7}', "", {"a": 7, "b": 0}),
                ("application/json", b'{"raw_string":1}', "raw=true&include_query=q&q=z",
                 {"raw_string": 1, "q": "z"}),
                ("application/cloudevents+json", b'{"id":"1","data":{"a":1}}', "",
                 {"a": 1, "WEBHOOK__METADATA__": {"id": "1"}}),
                ("application/x-www-form-urlencoded", b"a=1&b=", "", {"a": "1", "b": ""}),
                ("text/plain", b'{"a":1}', "", {"raw_string": '{"a":1}'}),
                ("Application/JSON", b'{"a":1}', "", {"raw_string": '{"a":1}'})):
            with self.subTest(content_type=content_type, body=body, query=query):
                status, text = self.run_script(body=body, query=query, headers={"Content-Type": content_type})
                self.assertEqual(201, status, text)
                args = self.wm.control("GET", "jobs?id=" + text)[0]["args"]
                if "raw=true" in query:
                    wanted = {**wanted, "raw_string": body.decode()}
                self.assertEqual(wanted, args)

    def test_headers_may_become_arguments(self):
        done = self.result(body=b"{}", query="include_header=X-A,ce-id", headers={"X-A": "1", "ce-id": "7"})
        self.assertEqual({"x_a": "1", "ce_id": "7"}, done["args"])

    def test_bad_bodies_and_loose_booleans(self):
        self.assertEqual((400, True), self.begins("f/t/echo", b"", "Bad request: invalid json: EOF"))
        self.assertEqual((400, True), self.begins("f/t/echo", b'{"a":"\xff"}', "Bad request: invalid utf8"))
        refused = "SqlErr: error returned from database"
        for text in ('{"a":"\\u0000"}', '{"a":"\\ud800"}'):
            self.assertEqual((400, True), self.begins("f/t/echo", text.encode(), refused))
        self.assertEqual((201, True), self.begins("f/t/echo", b'{"a":"\\\\u0000 \\ud83d\\ude00"}', ""))
        self.assertEqual((500, "Internal Server Error"), self.run_script(query="wrap_body=1"))
        self.assertEqual(400, self.run_script(query="skip_preprocessor=1")[0])

    def test_binding_drops_what_is_not_declared_and_never_fails_the_request(self):
        self.assertEqual(["e", None], self.result("f/t/strict", b'{"body":{"event":"e"},"more":1}')["result"])
        failed = self.result("f/t/strict", b'{"event":"e"}')
        self.assertFalse(failed["success"])
        self.assertEqual("TypeError", failed["result"]["error"]["name"])
        self.assertEqual({"body": None, "n": 3, "rest": {"x": 1}}, self.result(body=b'{"x":1}')["result"])

    def test_references_are_replaced_or_fail_the_job(self):
        body = b'{"body":{"a":["$var:u/admin/secret"],"b":"x $var:u/admin/secret","c":"$WM_WORKSPACE"}}'
        seen = self.result(body=body)["result"]["body"]
        self.assertEqual({"a": ["s3"], "b": "x $var:u/admin/secret", "c": "main"}, seen)
        self.assertFalse(self.result(body=b'{"body":{"a":"$var:u/x/none"}}')["success"])
        self.assertEqual("$WM_WORKSPACE", self.result(body=b'{"body":"$WM_WORKSPACE"}')["result"]["body"])
        self.assertEqual("other", self.result(body=b'{"_ENTRYPOINT_OVERRIDE":"other"}')["result"])

    def test_a_preprocessor_takes_over(self):
        self.assertEqual(["webhook", {"a": 1}], self.result("f/t/pre", b'{"a":1}')["result"])

    def test_jobs_are_seen_only_with_a_token(self):
        _, job_id = self.run_script()
        status, _, text = self.job(job_id, "wrong")
        self.assertEqual(400, status)
        self.assertIn("As a non logged in user", text)
        missing = "0190d3e2-6f4b-7a00-8000-00000000dead"
        status, _, text = self.job(missing)
        self.assertEqual(404, status)
        self.assertTrue(text.startswith(f"Not found: Job not found at name {missing}"))
        maybe = self.wm.ask("GET", f"/api/w/main/jobs_u/completed/get_result_maybe/{missing}", None, bearer())
        self.assertEqual({"started": None, "success": None, "completed": False, "result": None}, json.loads(maybe[2]))

    def test_a_job_put_off_can_be_cancelled(self):
        _, job_id = self.run_script(query="scheduled_in_secs=86400")
        self.assertEqual("QueuedJob", json.loads(self.job(job_id)[2])["type"])
        path = f"/api/w/main/jobs_u/queue/cancel/{job_id}"
        self.assertEqual(400, self.wm.ask("POST", path, {"reason": "r"}, bearer("hook"))[0])
        self.assertEqual((200, job_id), self.wm.ask("POST", path, {"reason": "r"}, bearer())[::2])
        self.assertEqual("Canceled", self.done(job_id)["result"]["error"]["name"])
        self.assertIn("already completed", self.wm.ask("POST", path, {"reason": "r"}, bearer())[2])

    def test_waiting_for_a_result(self):
        path = "/api/w/main/jobs/run_wait_result/p/f/t/"
        self.assertEqual((200, {"body": 1, "n": 3, "rest": {}}), self.waited(path + "echo", b'{"body":1}'))
        self.assertEqual(422, self.waited(path + "strict", b"{}")[0])

    def test_a_waiting_client_that_leaves_takes_its_job_along(self):
        with self.assertRaises(TimeoutError):
            self.wm.ask("POST", "/api/w/main/jobs/run_wait_result/p/f/t/slow", b"{}", bearer(), timeout=0.1)
        job = [one for one in self.wm.control("GET", "jobs") if one["path"] == "f/t/slow"][-1]
        self.assertIn("http connection broke", self.done(job["id"])["result"]["error"]["message"])

    def waited(self, path, body):
        status, _, text = self.wm.ask("POST", path, body, bearer())
        return status, json.loads(text)

    def test_faults_are_used_up_in_order(self):
        pool = "SqlErr: error returned from database: pool timed out while waiting for an open connection @jobs.rs:6218"
        self.faults({"status": 503, "times": 2}, {"status": 400, "body": pool},
                    {"status": 200, "body": "<html>", "content_type": "text/html"})
        got = [self.run_script() for _ in range(5)]
        self.assertEqual([503, 503, 400, 200, 201], [status for status, _ in got])
        self.assertEqual(pool, got[2][1])

    def test_an_accepted_job_whose_answer_was_lost_is_found_by_its_id(self):
        job_id = "0190d3e2-6f4b-7a00-8000-00000000aaaa"
        self.faults({"close": "after-accept"})
        with self.assertRaises(http.client.RemoteDisconnected):
            self.run_script(query=f"job_id={job_id}")
        self.assertTrue(self.done(job_id)["success"])
        self.assertEqual(400, self.run_script(query=f"job_id={job_id}")[0])

    def test_connections_that_break(self):
        self.faults({"close": "before"}, {"close": "mid-answer"}, {"hang_s": 30})
        with self.assertRaises(http.client.RemoteDisconnected):
            self.run_script()
        with self.assertRaises(http.client.IncompleteRead):
            self.run_script()
        with self.assertRaises(TimeoutError):
            self.wm.ask("POST", "/api/w/main/jobs/run/p/f/t/echo", b"{}", bearer(), timeout=0.2)

    def test_a_failing_script_is_a_delivered_event(self):
        body = {"body": {"event": "x", "data": {"object": {"uuid": "u-1"}}}}
        first, second = (self.result("f/nextcloud/flaky", json.dumps(body).encode()) for _ in range(2))
        self.assertEqual([False, True], [first["success"], second["success"]])

    def test_the_documented_script(self):
        thing = {"uuid": "7f", "register": "3", "schema": "12", "data": {"titel": "T", "a": 1}}
        event = {"event": "OCA\\OpenRegister\\Event\\ObjectUpdatedEvent", "data": {
            "object": thing, "newObject": thing, "oldObject": {**thing, "data": {"titel": "T", "a": 0}}}}
        for kind, path in (("p", ON_OBJECT), ("f", "f/nextcloud/flow")):
            done = self.result(path, json.dumps({"body": event}).encode(), kind=kind)
            self.assertEqual({"action": "updated", "uuid": "7f", "register": "3", "schema": "12", "title": "T",
                              "changed": ["a"]}, done["result"])

    def test_the_journal_has_a_line_for_the_start_and_one_for_the_end(self):
        job_id = self.result(body=b'{"body":5}')["id"]
        with open(self.journal, encoding="utf-8") as file:
            own = [line for line in map(json.loads, file) if line["id"] == job_id]
        self.assertEqual(["accepted", "finished"], [line["what"] for line in own])
        self.assertEqual({"body": 5}, own[0]["args"])

    def test_requests_sent_together_are_answered_in_order(self):
        one = b"POST /api/w/main/jobs/run/p/f/t/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wm-token\r\n" \
              b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.wm.port), 5) as link:
            link.sendall(one * 3 + b"GET /api/version HTTP/1.1\r\nConnection: close\r\n\r\n")
            got = b""
            while chunk := link.recv(65536):
                got += chunk
        self.assertEqual(3, got.count(b"HTTP/1.1 201 Created"))
        self.assertIn(b"CE v", got[-40:])
