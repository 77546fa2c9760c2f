"""Rows P1 to P9, P11 and P12: signed push sources, through the real binary and real sockets.

The vectors (tests/data/push/vectors.json) are sent byte for byte; those with a time in them are signed anew, since the
binary's clock is the real one."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import time
import unittest

from harness import DATA, ROOT, World, call, parse_capture, send_capture, until

VECTORS = json.loads((DATA / "push/vectors.json").read_text())
CONFIG = """listen: 127.0.0.1:0
store: sqlite:{folder}/orbridge.db
mappings: [{mappings}]
sources:
{sources}
targets:
  on-object:
    adapter: windmill
    url: {windmill}/api/w/main/jobs/run/p/f/nextcloud/on_object
    token: wm-token
routes:
  - {{to: on-object}}
"""
ANY = """mapping: any
sources: [any]
class: type
rules:
  - {name: any, class: '.*', channel: Any, event_name: '{class}', payload: .}
"""
TWO_BY_TWO = {"object": "page", "entry": [
    {"id": "1", "time": 1700000000, "changes": [{"field": "feed", "value": {"n": 1}}, {"field": "name", "value": "A"}]},
    {"id": "2", "time": 1700000000, "changes": [{"field": "feed", "value": {"n": 2}}, {"field": "feed", "value": {"n": 3}}]}]}


def hexmac(key, text):
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def b64mac(key, text):
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()


def github(body, key="gh-secret", event="ping", delivery=None):
    headers = {"X-Hub-Signature-256": "sha256=" + hexmac(key, body), "X-GitHub-Event": event}
    return headers | ({"X-GitHub-Delivery": delivery} if delivery else {})


def meta(body, key="gh-secret"):
    return {"X-Hub-Signature-256": "sha256=" + hexmac(key, body)}


def slack(body, at=None, key="slack-secret"):
    at = str(int(time.time()) if at is None else at)
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": "v0=" + hexmac(key, f"v0:{at}:{body}")}


STANDARD_KEY = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def standard(body, name, at=None, key=STANDARD_KEY):
    at = str(int(time.time()) if at is None else at)
    return {"webhook-id": name, "webhook-timestamp": at,
            "webhook-signature": "v1," + b64mac(base64.b64decode(key), f"{name}.{at}.{body}")}


def signed_now(vector):
    """The headers of a vector, signed for this moment if there is a time in them."""
    if vector["verify"] == "slack":
        return slack(vector["body"], key=vector["secret"])
    if vector["name"] == "standard-webhooks":
        return standard(vector["body"], vector["headers"]["webhook-id"])
    if vector["name"] == "hmac-base64-timed":
        at = str(int(time.time()))
        return {"X-Id": "d-1", "X-Time": at, "X-Sig": "sig=" + b64mac(vector["secret"].encode(), f"d-1:{at}:{vector['body']}")}
    return dict(vector["headers"])


def changed(text, at):
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1:]


def yaml_source(name, vector, **other):
    """A source as the vector wants it, read by the mapping `any`."""
    keys = {"type": "push", "verify": vector["verify"], "mapping": "any"}
    keys |= {key: vector[key] for key in ("secret", "public_key", "signature") if key in vector} | other
    return f"  {name}: {json.dumps(keys)}\n"


def pour(connection, pieces):
    """Sends until the other side has answered."""
    pieces, rest = iter(pieces), b""
    while True:
        readable, _, _ = select.select([connection], [connection], [], 30)
        rest = rest or next(pieces, b"")
        if readable or not rest:
            return
        with contextlib.suppress(BlockingIOError):
            rest = rest[connection.send(rest, socket.MSG_DONTWAIT):]


class PushWorld(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.windmill = self.world.windmill()
        (self.world.folder / "any.yaml").write_text(ANY)

    def text(self, sources, mappings=None):
        if mappings is None:
            mappings = [f"{ROOT}/mappings/{name}.yaml" for name in ("github", "meta", "slack", "standard-webhooks")] + ["any.yaml"]
        return CONFIG.format(folder=self.world.folder, mappings=", ".join(mappings), sources=sources, windmill=self.windmill.url)

    def start(self, sources, mappings=None):
        self.bridge = self.world.bridge(self.text(sources, mappings)).start()
        return self.bridge

    def reload(self, text):
        done = lambda: [line for line in self.bridge.log_lines() if line["message"] == "reload.done"]
        before = len(done())
        self.bridge.config.write_text(text)
        os.kill(self.bridge.process.pid, signal.SIGHUP)
        until("reload in the log", lambda: len(done()) > before)

    def send(self, source, body, headers):
        status, answer_headers, text = call("POST", f"{self.bridge.url}/ingest/{source}", body,
                                            {"Content-Type": "application/json"} | headers)
        return status, answer_headers, text

    def status(self, source, body, headers):
        return self.send(source, body, headers)[0]

    def events(self, **query):
        query = "&".join(f"{key}={value}" for key, value in ({"limit": 200} | query).items())
        return self.bridge.api("/api/v1/events?" + query)[1]["events"]


class Vectors(PushWorld):
    def test_P1_every_vector_is_accepted_and_none_with_a_byte_changed(self):
        # An ed25519 key signs only what is in its vector, whose time has passed: the unit tests have it.
        vectors = [vector for vector in VECTORS if "secret" in vector]
        self.start("".join(yaml_source(v["name"], v) + yaml_source(v["name"] + "-other", v | {"secret": changed(v["secret"], len(v["secret"]) // 2)})
                           for v in vectors))
        for number, vector in enumerate(vectors):
            name, body, headers = vector["name"], vector["body"], signed_now(vector)
            with self.subTest(name):
                if not body.startswith("{"):  # a signature is checked first, and this is no JSON
                    self.assertEqual(self.status(name, body, headers), 400)
                else:
                    self.assertEqual(self.status(name, body, headers) // 100, 2)
                self.assertEqual(self.status(name + "-other", body, headers), 401)
                for header, value in headers.items():
                    self.assertEqual(self.status(name, body, headers | {header: changed(value, len(value) - 1)}), 401, header)
                    self.assertEqual(self.status(name, body, {key: v for key, v in headers.items() if key != header}), 401, header)
                if vector["verify"] != "bearer":
                    self.assertEqual(self.status(name, changed(body, len(body) // 2), headers), 401)
        self.assertEqual(len(self.events()), len([v for v in vectors if v["body"].startswith("{")]))

    def test_P2_a_source_without_verify_is_refused_at_start_and_by_check(self):
        self.bridge = self.world.bridge(self.text("  s: {type: push, secret: x}\n"))
        code, out, _ = self.bridge.cli("check", url=False)
        self.assertEqual(code, 2)
        self.assertRegex(out, r"orbridge\.yaml:5:\d+: sources\.s\.verify: missing, whoever sends events must prove who they are")
        self.bridge.start(wait=False)
        self.assertEqual(self.bridge.process.process.wait(30), 2)
        self.bridge.process.must_end_well = False
        self.bridge.config.write_text(self.text("  s: {type: push, verify: none, mapping: any}\n"))
        self.assertEqual(self.bridge.cli("check", url=False)[0], 0)

    def test_P3_a_body_is_checked_as_it_came_and_a_large_one_is_refused_unread(self):
        self.start("  github: {type: push, verify: github, secret: gh-secret}\n")
        odd = '{ "zen" :\t"\\u0061\\/b", "hook_id": 1.0e+2 }\r\n'
        self.assertEqual(self.status("github", odd, github(odd)), 202)
        self.assertEqual(self.status("github", '{"zen":"a/b","hook_id":100.0}', github(odd)), 401)
        for length in ("Content-Length: 104857600", "Transfer-Encoding: chunked"):
            with socket.create_connection(("127.0.0.1", self.bridge.port), timeout=30) as connection:
                connection.sendall(f"POST /ingest/github HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())
                if "chunked" in length:  # announces nothing: refused when it has become too much
                    connection.sendall(b"6400000\r\n" + b" " * (2 << 20))
                self.assertIn(b" 413 ", connection.makefile("rb").readline())

    def test_P3_100_mib_are_answered_413_and_never_held(self):
        self.start("  github: {type: push, verify: github, secret: gh-secret}\n")
        def most():
            return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{self.bridge.process.pid}/status").read())[1]) << 10
        self.assertEqual(self.status("github", "{}", github("{}")), 202)
        before, piece = most(), b" " * (1 << 20)
        for head, pieces in ((b"Content-Length: 104857600", [piece] * 100),
                             (b"Transfer-Encoding: chunked", [b"100000\r\n" + piece + b"\r\n"] * 100 + [b"0\r\n\r\n"])):
            with socket.create_connection(("127.0.0.1", self.bridge.port), timeout=30) as connection:
                connection.sendall(b"POST /ingest/github HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
                pour(connection, pieces)
                self.assertIn(b" 413 ", connection.makefile("rb").readline())
        if not os.environ.get("ORBRIDGE_SANITIZED"):  # which keep what was freed
            self.assertLess(most() - before, 16 << 20)
        self.assertEqual(len(self.events()), 1)

    @unittest.skipUnless(shutil.which("openssl"), "makes its key and signature with openssl")
    def test_P5_a_public_key_is_enough(self):
        key = self.world.folder / "key.pem"
        openssl = lambda *arguments: subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout
        openssl("genpkey", "-algorithm", "ed25519", "-out", str(key))
        public = "whpk_" + base64.b64encode(openssl("pkey", "-in", str(key), "-pubout", "-outform", "DER")[-32:]).decode()
        self.start(f"  shop: {{type: push, verify: standard-webhooks, public_key: '{public}', mapping: any}}\n")
        body, at = '{"type":"order.paid"}', str(int(time.time()))
        message = self.world.folder / "message"
        message.write_text(f"msg_1.{at}.{body}")
        signature = base64.b64encode(openssl("pkeyutl", "-sign", "-inkey", str(key), "-rawin", "-in", str(message))).decode()
        headers = {"webhook-id": "msg_1", "webhook-timestamp": at, "webhook-signature": "v1a," + signature}
        self.assertEqual(self.status("shop", body.replace("paid", "made"), headers), 401)
        self.assertEqual(self.status("shop", body, headers | {"webhook-id": "msg_2"}), 401)
        self.assertEqual(self.status("shop", body, headers), 202)

    def test_P6_sha1_alone_is_not_accepted(self):
        self.start("  github: {type: push, verify: github, secret: gh-secret}\n  meta: {type: push, verify: meta, secret: gh-secret}\n")
        body = '{"object":"page","entry":[]}'
        sha1 = "sha1=" + hmac.new(b"gh-secret", body.encode(), hashlib.sha1).hexdigest()
        for source in ("github", "meta"):
            self.assertEqual(self.status(source, body, {"X-Hub-Signature": sha1}), 401)
            self.assertEqual(self.status(source, body, {"X-Hub-Signature-256": hexmac("gh-secret", body)}), 401)
        self.assertEqual(self.events(), [])


class Replays(PushWorld):
    def test_P4_old_future_and_repeated_requests_make_no_event_even_after_a_restart(self):
        self.start(f"  shop: {{type: push, verify: standard-webhooks, secret: whsec_{STANDARD_KEY}, mapping: any}}\n"
                   "  chat: {type: push, verify: slack, secret: slack-secret, tolerance: 1h}\n")
        body = '{"type":"order.paid"}'
        now = int(time.time())
        for away in (-400, 400):
            status, _, text = self.send("shop", body, standard(body, "msg_0", now + away))
            self.assertEqual(status, 401)
            self.assertIn("webhook-timestamp is too", text)
        headers = standard(body, "msg_1", now)
        status, _, text = self.send("shop", body, headers)
        self.assertEqual(status, 202)
        first = json.loads(text)["id"]
        said = '{"type":"event_callback","team_id":"T","event":{"type":"message","channel":"C"}}'
        spoken = slack(said, now - 400)
        self.assertEqual(self.status("chat", said, spoken), 202, "the tolerance can be set")
        for again in ("at once", "after a restart", "after a crash"):
            if again == "after a restart":
                self.assertEqual(self.bridge.stop(), 0)
                self.bridge.start()
            if again == "after a crash":
                self.bridge.kill()
                self.bridge.start()
            status, _, text = self.send("shop", body, headers)
            self.assertEqual((status, json.loads(text)), (200, {"id": first, "duplicate": True}), again)
            other = '{"type":"order.cancelled"}'
            self.assertEqual(self.status("shop", other, standard(other, "msg_1")), 200, "the name counts, not the body")
            self.assertEqual(self.status("chat", said, spoken), 200)
        self.assertEqual(len(self.events()), 2)
        self.assertEqual(self.status("shop", body, standard(body, "msg_2")), 202)

    def test_P5_a_secret_is_replaced_without_losing_an_event(self):
        source = "  github: {{type: push, verify: github, secret: {}}}\n"
        self.start(source.format("[new-secret, gh-secret]"))
        body = '{"hook_id":1}'
        self.assertEqual(self.status("github", body, github(body, delivery="1")), 202)
        self.assertEqual(self.status("github", body, github(body, "new-secret", delivery="2")), 202)
        self.reload(self.text(source.format("new-secret")))
        self.assertEqual(self.status("github", body, github(body, delivery="3")), 401)
        self.assertEqual(self.status("github", body, github(body, "new-secret", delivery="4")), 202)

    def test_P8_what_cannot_be_stored_is_answered_503_and_may_be_sent_again(self):
        self.start("  github: {type: push, verify: github, secret: gh-secret}\n")
        body = json.dumps({"hook_id": 1, "zen": "x" * 100_000})
        resource.prlimit(self.bridge.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        status, headers, _ = self.send("github", body, github(body, delivery="1"))
        self.assertEqual(status, 503)
        self.assertIn("Retry-After", headers)
        resource.prlimit(self.bridge.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until("it is stored", lambda: self.status("github", body, github(body, delivery="1")) == 202)
        self.assertEqual(self.status("github", body, github(body, delivery="1")), 200)
        took = []
        for delivery in range(2, 7):
            began = time.monotonic()
            self.assertEqual(self.status("github", body, github(body, delivery=str(delivery))), 202)
            took.append(time.monotonic() - began)
        self.assertLess(min(took), 3, "the senders' patience")
        self.assertEqual(len(self.events()), 6)


class Talk(PushWorld):
    def test_P7_handshakes(self):
        self.start("  meta: {type: push, verify: meta, secret: gh-secret, verify_token: 'v t&', paths: /hooks/meta}\n"
                   "  chat: {type: push, verify: slack, secret: slack-secret}\n"
                   "  github: {type: push, verify: github, secret: gh-secret}\n")
        for path in ("/ingest/meta", "/hooks/meta"):
            ask = lambda token, challenge: call("GET", f"{self.bridge.url}{path}?hub.mode=subscribe&hub.verify_token={token}&hub.challenge={challenge}")
            status, headers, text = ask("v%20t%26", "%3Cscript%3Ealert(1)%3C/script%3E")
            self.assertEqual((status, text), (200, "<script>alert(1)</script>"))
            self.assertTrue(headers["Content-Type"].startswith("text/plain"))
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            status, _, text = ask("wrong", "1158201444")
            self.assertEqual(status, 403)
            self.assertNotIn("1158201444", text)
        self.assertEqual(call("GET", self.bridge.url + "/ingest/github?hub.mode=subscribe")[0], 405)

        greeting = '{"token":"t","challenge":"3eZbrw1<b>","type":"url_verification"}'
        status, headers, text = self.send("chat", greeting, slack(greeting))
        self.assertEqual((status, text), (200, "3eZbrw1<b>"))
        self.assertTrue(headers["Content-Type"].startswith("text/plain"))
        status, _, text = self.send("chat", greeting, slack(greeting, key="wrong"))
        self.assertEqual(status, 401)
        self.assertNotIn("3eZbrw1", text)
        self.assertEqual(self.events(), [])

    def test_P11_unknown_and_disabled_sources(self):
        source = "  github: {{type: push, verify: github, secret: gh-secret, enabled: {}}}\n"
        self.start(source.format("false"))
        body = '{"hook_id":1}'
        self.assertEqual(self.status("nobody", body, github(body)), 404)
        status, _, text = self.send("github", body, github(body))
        self.assertEqual((status, json.loads(text)["error"]["code"]), (410, "source_disabled"))
        self.reload(self.text(source.format("true")))
        self.assertEqual(self.status("github", body, github(body)), 202)

    def test_P12_one_request_too_many_is_told_when_to_come_again(self):
        self.start("  github: {type: push, verify: github, secret: gh-secret, limit: 1000/1h}\n"
                   "  other: {type: push, verify: github, secret: gh-secret}\n")
        body = '{"hook_id":1}'
        began = time.monotonic()
        statuses = []
        for number in range(1001):
            status, headers, _ = self.send("github", body, github(body, delivery=str(number)))
            statuses.append(status)
        allowed = 1000 + int((time.monotonic() - began) * 1000 / 3600)
        accepted = statuses.count(202)
        self.assertTrue(1000 <= accepted <= allowed, accepted)
        self.assertEqual(statuses[:1000], [202] * 1000)
        if accepted == 1000:
            self.assertEqual(status, 429)
            self.assertTrue(1 <= int(headers["Retry-After"]) <= 4, headers)
        self.assertEqual(self.status("other", body, github(body, delivery="1")), 202)
        metrics = call("GET", self.bridge.url + "/metrics")[2]
        if accepted == 1000:
            self.assertIn('orbridge_requests_refused_total{source="github",status="429"} 1', metrics)


class Mapped(PushWorld):
    def test_P9_a_meta_body_of_two_entries_with_two_changes_is_four_events(self):
        self.start("  meta: {type: push, verify: meta, secret: gh-secret}\n")
        body = json.dumps(TWO_BY_TWO)
        status, _, text = self.send("meta", body, meta(body))
        self.assertEqual(status, 200, "Meta takes nothing else for good")
        self.assertEqual(len(set(json.loads(text)["ids"])), 4)
        events = self.events()
        self.assertEqual(sorted(each["event_name"] for each in events), ["feed:1", "feed:2", "feed:2", "name:1"])
        self.bridge.settled()
        jobs = until("all four have run", lambda: len(self.windmill.jobs()) == 4 and self.windmill.jobs())
        sent = sorted((job["args"]["body"]["eventName"], str(job["args"]["body"]["data"]["value"])) for job in jobs)
        self.assertEqual(sent, [("feed:1", "{'n': 1}"), ("feed:2", "{'n': 2}"), ("feed:2", "{'n': 3}"), ("name:1", "A")])
        self.assertIn("duplicate", self.send("meta", body, meta(body))[2])
        self.assertEqual(len(self.events()), 4)

    def test_P9_sample_requests_become_what_the_mappings_say(self):
        self.start("  github: {type: push, verify: github, secret: gh-secret}\n  meta: {type: push, verify: meta, secret: gh-secret}\n"
                   "  slack: {type: push, verify: slack, secret: slack-secret}\n"
                   f"  standard-webhooks: {{type: push, verify: standard-webhooks, secret: whsec_{STANDARD_KEY}}}\n")
        for source in ("github", "meta", "slack", "standard-webhooks"):
            for capture in sorted((DATA / source).glob("*.http")):
                with self.subTest(capture.name):
                    golden = json.loads((DATA / f"golden/{source}/{capture.stem}.json").read_text())
                    _, _, _, body = parse_capture(capture)
                    replace = slack(body.decode()) if source == "slack" else {}
                    if source == "standard-webhooks":
                        replace = standard(body.decode(), capture.stem)
                    status, text = send_capture(self.bridge.port, capture, "/ingest/" + source, replace=replace)
                    self.assertEqual(status, 200 if source == "meta" else 202, text)
                    answer = json.loads(text)
                    ids = answer.get("ids", [answer["id"]] if "id" in answer else [])
                    expected = golden.get("mapped", [golden.get("unmapped")])
                    self.assertEqual(len(ids), len(expected))
                    for event_id, wanted in zip(ids, expected):
                        event = self.bridge.api("/api/v1/events/" + event_id)[1]
                        self.assertEqual(event["class"], wanted.get("class", ""))
                        self.assertEqual(event["event_name"], wanted.get("eventName", ""))
                        self.assertNotIn("********", json.dumps(event))

    def test_no_secret_reaches_a_log_an_answer_a_metric_or_the_store(self):
        secrets = {"github": "gh-S3CR3T-planted", "meta": "me-S3CR3T-planted", "slack": "sl-S3CR3T-planted", "bearer": "be-S3CR3T-planted",
                   "old": "ol-S3CR3T-planted", "verify": "ve-S3CR3T-planted", "in-body": "bo-S3CR3T-planted"}
        self.start(f"  github: {{type: push, verify: github, secret: [{secrets['github']}, {secrets['old']}], limit: 2/1h}}\n"
                   f"  meta: {{type: push, verify: meta, secret: {secrets['meta']}, verify_token: {secrets['verify']}}}\n"
                   f"  slack: {{type: push, verify: slack, secret: {secrets['slack']}}}\n"
                   f"  token: {{type: push, verify: bearer, secret: {secrets['bearer']}, mapping: any}}\n")
        answers = []
        said = json.dumps({"type": "event_callback", "token": secrets["in-body"], "team_id": "T", "event": {"type": "message"}})
        for source, body, headers in (
                ("github", '{"hook_id":1}', github('{"hook_id":1}', secrets["github"])),
                ("github", '{"hook_id":2}', github('{"hook_id":2}', secrets["old"])),
                ("github", '{"hook_id":3}', github('{"hook_id":3}', secrets["old"])),
                ("github", '{"hook_id":4}', {"X-Hub-Signature-256": secrets["github"]}),
                ("meta", json.dumps(TWO_BY_TWO), meta(json.dumps(TWO_BY_TWO), secrets["meta"])),
                ("slack", said, slack(said, key=secrets["slack"])),
                ("token", '{"type":"a"}', {"Authorization": f"Bearer {secrets['bearer']}"}),
                ("token", '{"type":"b"}', {"X-API-Key": secrets["bearer"]}),
                ("token", '{"type":', {"Authorization": f"Bearer {secrets['bearer']}"}),
                ("token", '{"type":"c"}', {"Authorization": f"Bearer {secrets['bearer']}x"})):
            answers.append(self.send(source, body, headers))
        self.assertEqual([status for status, _, _ in answers], [202, 202, 429, 401, 200, 202, 202, 202, 400, 401])
        for token in (secrets["verify"], secrets["verify"] + "x"):
            answers.append(call("GET", f"{self.bridge.url}/ingest/meta?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1"))
        self.bridge.settled()
        answers += [self.bridge.api("/api/v1/status"), self.bridge.cli("check"), self.bridge.cli("status"), self.windmill.jobs(),
                    call("GET", self.bridge.url + "/metrics"), [self.bridge.api("/api/v1/events/" + e["id"]) for e in self.events()]]
        self.assertEqual(self.bridge.stop(), 0)
        written = [json.dumps(answers).encode(), self.bridge.log.read_bytes()]
        written += [file.read_bytes() for file in self.world.folder.glob("orbridge.db*")]
        for name, secret in secrets.items():
            for form in (secret.encode(), base64.b64encode(secret.encode()).rstrip(b"=")[:-1]):
                for text in written:
                    self.assertNotIn(form, text, name)

    def test_orbridge_send_signs_as_the_sender_would(self):
        self.start("  github: {type: push, verify: github, secret: gh-secret}\n  meta: {type: push, verify: meta, secret: gh-secret}\n"
                   f"  shop: {{type: push, verify: standard-webhooks, secret: whsec_{STANDARD_KEY}, mapping: any}}\n"
                   "  slack: {type: push, verify: slack, secret: slack-secret}\n")
        for source, file in (("github", DATA / "github/issues-opened.http"), ("meta", DATA / "meta/user-photos.http"),
                             ("slack", DATA / "slack/message.http"), ("shop", DATA / "golden/slack/message.json")):
            code, out, err = self.bridge.cli("send", str(file), "--source", source)
            self.assertEqual(code, 0, out + err)
        self.assertEqual({each["source"]: each["class"] for each in self.events()},
                         {"github": "issues", "meta": "photos", "slack": "message", "shop": ""})

    def test_P9_an_unmapped_event_is_mapped_later_by_the_headers_that_were_kept(self):
        mapping = self.world.folder / "own.yaml"
        head = "mapping: own\nsources: [own]\nclass: header:X-GitHub-Event\ndedup: ['header:X-GitHub-Delivery']\nrules:\n"
        rule = "  - {{name: {0}, class: {0}, channel: Own, event_name: '{{class}}:{{number}}', fields: {{number: n}}, payload: .}}\n"
        mapping.write_text(head + rule.format("star"))
        sources = "  github: {type: push, verify: github, secret: gh-secret, mapping: own}\n"
        self.start(sources, ["own.yaml"])
        body = '{"n":7}'
        headers = github(body, event="issues", delivery="1") | {"Authorization": "Bearer never-to-be-kept"}
        self.assertEqual(self.status("github", body, headers), 202)
        self.assertEqual([each["state"] for each in self.events()], ["unmapped"])
        event = self.bridge.api("/api/v1/events/" + self.events()[0]["id"])[1]
        self.assertEqual(event["headers"], {"X-GitHub-Event": "issues", "X-GitHub-Delivery": "1"})
        self.assertNotEqual(self.bridge.cli("replay", "--unmapped")[0], 0)
        mapping.write_text(head + rule.format("issues"))
        self.reload(self.text(sources, ["own.yaml"]))
        code, out, err = self.bridge.cli("replay", "--unmapped")
        self.assertEqual(code, 0, out + err)
        self.assertEqual([(e["state"], e["event_name"], e["class"]) for e in self.events()], [("mapped", "issues:7", "issues")])
        until("it has run", lambda: len(self.windmill.jobs()) == 1)
        for file in self.world.folder.glob("orbridge.db*"):
            self.assertNotIn(b"never-to-be-kept", file.read_bytes())


if __name__ == "__main__":
    unittest.main()
