"""Stored credentials from outside: rows K1 to K13, S12 and S13 of integrations.md, with the real binary and the command line."""
import base64
import contextlib
import http.server
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
import unittest
import urllib.parse

import jsonschema

from harness import CAPTURES, ROOT, World, binary, call, send_capture, until
from harness import SECRET as SOURCE_SECRET

SECRET, REFRESH = "S3CR3T-client-9f2c", "S3CR3T-refresh-71ab"
CONFIG = """listen: 127.0.0.1:0
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/http.yaml]
credentials: {{key_file: {keys}}}
sources:
  tickets:
    type: http
    url: {url}/api/tickets
    oauth2: {{credentials: desk, token_url: {url}/token}}
    poll: {{interval: 150ms, backoff_max: 150ms, channel: Ticket, items: /data, id: /number}}
targets:
  nowhere: {{adapter: windmill, url: 'http://127.0.0.1:9/api/w/main/jobs/run/p/f/x/y', token: wm}}
routes:
  - {{channel: Nothing, to: nowhere}}
"""
OWNERS = """listen: 127.0.0.1:0
public_url: http://127.0.0.1:1
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/openregister.yaml]
adapters: {{folders: [{root}/adapters]}}
credentials: {{key_file: {keys}}}
sources:
  openregister: {{type: openregister, register: off, secret: {secret}}}
targets:
{targets}routes:
  - {{channel: Object, to: [{names}]}}
"""


class Desk:
    """A service with a token endpoint. Tokens are access-1, access-2 …; `refuses` says what it refuses.

    What is posted elsewhere it takes, and keeps whose it was."""

    def __init__(self, case):
        self.grants, self.times, self.shown, self.refuses, self.lifetime = [], [], [], set(), 3600
        self.taken = []
        self.lock = threading.Lock()
        desk = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if self.path != "/token":
                    with desk.lock:
                        desk.taken.append((self.path, self.headers.get("Authorization")))
                    return self.answer(200, {})
                with desk.lock:
                    desk.times.append(time.monotonic())
                    desk.grants.append((dict(urllib.parse.parse_qsl(form)), self.headers.get("Authorization")))
                    if "token" in desk.refuses:
                        return self.answer(400, {"error": "invalid_client", "error_description": form})
                    count = len(desk.grants)
                    given = {"access_token": f"S3CR3T-access-{count}", "token_type": "bearer", "expires_in": desk.lifetime}
                    if "refresh_token" in form:
                        given["refresh_token"] = f"{REFRESH}-{count}"
                    self.answer(200, given)

            def do_GET(self):
                with desk.lock:
                    desk.shown.append(self.headers.get("Authorization"))
                    refused = "use" in desk.refuses
                self.answer(401 if refused else 200, {"data": [{"number": 1}]})

            def answer(self, status, body):
                body = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # who asked may have gone
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)

    def refuse(self, *what):
        with self.lock:
            self.refuses = set(what)

    def count(self):
        with self.lock:
            return len(self.grants)


class Base(unittest.TestCase):
    def setUp(self):
        self.desk = Desk(self)
        self.world = World()
        self.addCleanup(self.world.close)
        self.answers = []

    def key(self, name):
        file = self.world.folder / name
        done = subprocess.run([binary(), "keygen", "--out", str(file)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        return file

    def configured(self, *keys):
        return CONFIG.format(folder=self.world.folder, root=ROOT, url=self.desk.url,
                             keys=json.dumps([str(key) for key in keys]))

    def start(self):
        self.bridge = self.world.bridge(self.configured(self.key("one.key"))).start()

    def cli(self, *arguments, given=None):
        done = subprocess.run([binary(), *arguments, "--config", str(self.bridge.config)], capture_output=True, text=True,
                              env=dict(os.environ, ORBRIDGE_URL=self.bridge.url), input=given, timeout=120)
        self.answers += [done.stdout, done.stderr]
        return done.returncode, done.stdout, done.stderr

    def give(self, values, *more):
        return self.cli("credentials", "set", "oauth2", "desk", *more, given=json.dumps(values))

    def api(self, path, method="GET", body=None):
        status, answer = self.bridge.api(path, method, body)
        self.answers.append(json.dumps(answer))
        return status, answer

    def rows(self):
        return self.api("/api/v1/credentials")[1]["credentials"]

    def poll(self):
        return self.bridge.api("/api/v1/status")[1]["sources"]["tickets"]["poll"]

    def reload(self, config):
        before = sum(line["message"] == "reload.done" for line in self.bridge.log_lines())
        self.bridge.config.write_text(config)
        os.kill(self.bridge.process.pid, signal.SIGHUP)
        until("a reload", lambda: sum(l["message"] == "reload.done" for l in self.bridge.log_lines()) > before)

    def assert_nothing_leaked(self, *also):
        """Everything that was written and answered, plain and as each of the three Base64s that a text can have within another."""
        self.answers += [call("GET", self.bridge.url + "/metrics")[2], json.dumps(self.bridge.api("/api/v1/status")[1]),
                         json.dumps(self.bridge.api("/api/v1/audit")[1]), *also]
        written = b"".join(each.read_bytes() for each in self.world.folder.iterdir()
                           if each.name.startswith(("orbridge.db", "orbridge.log")))
        seen = written + "".join(self.answers).encode()
        for secret in ("S3CR3T-client", "S3CR3T-refresh", "S3CR3T-access"):
            self.assertNotIn(secret.encode(), seen)
            for shift in range(3):
                inner = base64.b64encode(b"x" * shift + secret.encode())[4 if shift else 0:-4]
                self.assertNotIn(inner, seen)


class Credentials(Base):
    def test_K1_the_form_and_the_bridge_have_the_same_verdict(self):
        self.start()
        schema = self.api("/api/v1/adapters/oauth2/form")[1]
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        for values in ({"client_id": "a"}, {"client_id": "a", "client_secret": "S3CR3T-client"}, {}, {"client_id": ""},
                       {"client_id": 5}, {"client_id": "a", "nope": 1}, {"client_id": "a", "client_secret": True}):
            body = {"adapter": "oauth2", "name": "verdict", "values": values}
            status = self.api("/api/v1/credentials", "PUT", body)[0]
            self.assertEqual(status == 200, validator.is_valid(values), values)
        self.assertEqual(schema["properties"]["client_secret"]["format"], "password")
        self.assertTrue(schema["properties"]["client_secret"]["writeOnly"])
        self.assertEqual(self.api("/api/v1/adapters/nope/form")[0], 404)
        self.assertEqual(call("GET", self.bridge.url + "/api/v1/credentials")[0], 401)

    def test_S12_S13_credentials_start_a_source_and_their_refusal_stops_it(self):
        self.start()
        until("stopped for want of them", lambda: "credentials_required" in self.poll().get("error", ""))
        self.assertEqual((self.desk.count(), self.desk.shown), (0, []))
        self.assertEqual(self.give({"client_id": "c", "refresh_token": REFRESH})[0], 0)
        until("polled", lambda: self.poll().get("fetched_at"))
        self.assertEqual(self.desk.grants[0][0]["refresh_token"], REFRESH)
        self.assertEqual(set(self.desk.shown), {"Bearer S3CR3T-access-1"})
        until("known to be valid", lambda: self.rows()[0]["is_valid"])
        # Over a restart neither the token nor the new refresh token is lost.
        self.bridge.stop()
        self.bridge.start()
        shown = len(self.desk.shown)
        until("polled again", lambda: len(self.desk.shown) > shown)
        self.assertEqual(self.desk.count(), 1)
        self.desk.refuse("use", "token")
        until("stopped", lambda: self.rows()[0]["is_valid"] is False and "next_poll" not in self.poll())
        self.assertEqual(self.desk.grants[1][0]["refresh_token"], REFRESH + "-1")
        self.desk.refuse()
        self.assertEqual(self.give({"client_id": "c", "client_secret": SECRET, "refresh_token": None})[0], 0)
        until("valid again", lambda: self.rows()[0]["is_valid"])
        self.assertEqual(self.desk.grants[-1][0]["grant_type"], "client_credentials")
        self.assert_nothing_leaked()

    def test_S12_ten_polls_at_once_renew_one_token_and_the_new_refresh_token_survives_a_restart(self):
        self.desk.lifetime = 4
        sources = "".join(
            f"  s{n}: {{type: http, url: {self.desk.url}/list/{n}, oauth2: {{credentials: desk, token_url: "
            f"{self.desk.url}/token, margin: 1s}}, poll: {{interval: 100ms, backoff_max: 100ms, items: /data, id: /number}}}}\n"
            for n in range(10))
        config = self.configured(self.key("one.key"))
        before, rest = config.partition("sources:\n")[0] + "sources:\n", config[config.index("targets:\n"):]
        self.bridge = self.world.bridge(before + sources + rest).start()
        self.give({"client_id": "c", "refresh_token": REFRESH})
        until("three tokens were renewed", lambda: self.desk.count() >= 4)
        with self.desk.lock:
            times, grants, shown = list(self.desk.times), list(self.desk.grants), list(self.desk.shown)
        for earlier, later in zip(times, times[1:]):
            self.assertGreater(later - earlier, 0.5)  # a token is good for three seconds: nobody renews it beside another
        tokens = [grant[0]["refresh_token"] for grant in grants]
        self.assertEqual(tokens, [REFRESH] + [f"{REFRESH}-{n}" for n in range(1, len(tokens))])
        self.assertGreaterEqual(len(shown), 10)
        self.bridge.stop()
        count = self.desk.count()
        self.bridge.start()
        until("renewed after the restart", lambda: self.desk.count() > count)
        with self.desk.lock:
            self.assertEqual(self.desk.grants[count][0]["refresh_token"], f"{REFRESH}-{count}")
        self.desk.refuse("use", "token")
        until("refused", lambda: self.rows()[0]["is_valid"] is False)
        polls = lambda: [each["poll"] for each in self.bridge.api("/api/v1/status")[1]["sources"].values()]
        until("all stopped", lambda: all(poll["state"] == "error" and "next_poll" not in poll for poll in polls()))
        with self.desk.lock:
            shown = len(self.desk.shown)
        self.assertEqual(len(self.desk.shown), shown)
        self.assert_nothing_leaked()

    def test_K3_K4_K9_K10_K12_from_the_command_line(self):
        self.start()
        code, _, err = self.give({"client_secret": SECRET, "pass": SECRET})
        self.assertEqual(code, 1)
        self.assertIn("client_id: missing; pass: unknown field", err)
        self.desk.refuse("token")
        code, _, err = self.give({"client_id": "c", "client_secret": SECRET}, "--test")
        self.assertEqual(code, 1)
        self.assertIn("invalid_client", err)
        self.assertEqual(self.rows(), [])
        self.desk.refuse()
        self.assertEqual(self.give({"client_id": "c", "client_secret": SECRET}, "--test")[0], 0)
        self.assertEqual(self.cli("credentials", "test", "oauth2", "desk")[0], 0)
        # One field alone: the secret stays.
        self.assertEqual(self.cli("credentials", "set", "oauth2", "desk", "--field", "client_id", given="d\n")[0], 0)
        self.assertEqual(self.rows()[0]["values"]["client_id"], "d")
        self.assertEqual(self.rows()[0]["values"]["client_secret"], "***")
        self.assertEqual(self.cli("credentials", "test", "oauth2", "desk")[0], 0)
        shown = base64.b64decode(self.desk.grants[-1][1].split()[1]).decode()
        self.assertEqual(shown, "d:" + SECRET)
        self.assertIn("source tickets", self.cli("credentials", "list")[1])
        code, _, err = self.cli("credentials", "rm", "oauth2", "desk")
        self.assertEqual(code, 1)
        self.assertIn("in use by source tickets", err)
        self.assertEqual(self.cli("credentials", "set", "oauth2", "other", given='{"client_id": "x"}')[0], 0)
        self.assertEqual(self.cli("credentials", "rm", "oauth2", "other")[0], 0)
        self.assertEqual(self.cli("credentials", "rm", "oauth2", "other")[0], 1)
        self.assertEqual(self.cli("credentials", "frobnicate")[0], 2)
        deeds = {row["what"] for row in self.api("/api/v1/audit")[1]["audit"]}
        self.assertLessEqual({"credentials.set", "credentials.test", "credentials.remove"}, deeds)
        self.assert_nothing_leaked()

    def test_K11_a_wrong_scope_is_refused_and_the_owners_own_win(self):
        self.start()
        self.assertEqual(self.give({"client_id": "c"}, "--scope", "team:1")[0], 1)
        self.assertEqual(self.give({"client_id": "all", "client_secret": SECRET})[0], 0)
        self.assertEqual(self.give({"client_id": "own", "client_secret": SECRET}, "--scope", "workspace:main")[0], 0)
        self.reload(self.bridge.config.read_text().replace("credentials: desk,", "credentials: desk, owner: 'workspace:main',"))
        def client():
            with self.desk.lock:
                return base64.b64decode(self.desk.grants[-1][1].split()[1]).decode().split(":")[0] if self.desk.grants else ""
        until("asked with its own", lambda: client() == "own")

    def test_K6_damage_is_told_with_the_row_and_the_bridge_stays_up(self):
        self.start()
        self.assertEqual(self.give({"client_id": "c", "client_secret": SECRET}, "--scope", "workspace:a")[0], 0)
        self.assertEqual(self.cli("credentials", "set", "oauth2", "other", given='{"client_id": "x"}')[0], 0)
        ids = {row["name"]: row["id"] for row in self.rows()}
        self.bridge.stop()
        with sqlite3.connect(self.world.folder / "orbridge.db") as db:
            sealed = db.execute("SELECT sealed FROM credentials WHERE id = ?", (ids["desk"],)).fetchone()[0]
            self.assertEqual(sealed[0], 1)
            flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
            db.execute("UPDATE credentials SET sealed = ? WHERE id = ?", (flipped, ids["desk"]))
        db.close()
        self.bridge.start()
        rows = {row["name"]: row for row in self.rows()}
        self.assertIn(f"credentials {ids['desk']}", rows["desk"]["trouble"])
        self.assertEqual(rows["other"]["values"]["client_id"], "x")
        self.assertIn("unreadable", self.cli("credentials", "list")[1])
        self.assertEqual(call("GET", self.bridge.url + "/healthz")[0], 200)
        self.assert_nothing_leaked()

    def test_K7_a_key_that_is_none_or_that_others_can_read_is_refused_at_start(self):
        one = self.key("one.key")
        for content, mode in (("A" * 43, 0o600), ("typed by hand", 0o600), (one.read_text(), 0o644)):
            one.write_text(content)
            one.chmod(mode)
            bridge = self.world.bridge(self.configured(one))
            code, out, err = bridge.cli("check")
            self.assertEqual(code, 2, out + err)
            self.assertIn("credentials.key_file", out + err)
        self.assertIn("0600", out + err)

    def test_K7_without_a_key_the_bridge_runs_and_says_why_nothing_can_be_stored(self):
        one = self.key("one.key")
        config = self.configured(one).replace("credentials: {key_file", "#credentials: {key_file")
        self.bridge = self.world.bridge(config).start()
        status, answer = self.api("/api/v1/credentials", "PUT", {"adapter": "oauth2", "name": "desk",
                                                                   "values": {"client_id": "c"}})
        self.assertEqual(status, 503)
        self.assertIn("orbridge keygen", answer["error"]["message"])

    def test_K8_a_rekey_that_is_killed_leaves_everything_readable_and_is_gone_on_with(self):
        self.start()
        count = 60
        for i in range(count):
            status, _ = self.api("/api/v1/credentials", "PUT", {"adapter": "oauth2", "name": f"n{i}",
                                                                  "values": {"client_id": f"c{i}", "client_secret": SECRET}})
            self.assertEqual(status, 200)
        one, two = self.world.folder / "one.key", self.key("two.key")
        old = {row["key_id"] for row in self.rows()}
        self.reload(self.configured(two, one))
        asking = subprocess.Popen([binary(), "credentials", "rekey", "--config", str(self.bridge.config)],
                                  env=dict(os.environ, ORBRIDGE_URL=self.bridge.url), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        with sqlite3.connect(f"file:{self.world.folder}/orbridge.db?mode=ro", uri=True) as db:
            until("some are sealed anew", lambda: db.execute(
                "SELECT count(*) FROM credentials WHERE key_id <> ?", tuple(old)).fetchone()[0] > 0)
            self.bridge.kill()
        db.close()
        asking.wait(120)
        self.bridge.start()
        rows = self.rows()
        self.assertEqual({row["values"]["client_id"] for row in rows}, {f"c{i}" for i in range(count)})
        code, out, err = self.cli("credentials", "rekey", "--json")
        self.assertEqual(code, 0, err)
        told = json.loads(out)
        self.assertEqual((told["sealed_anew"] + told["current"], told["unreadable"]), (count, []))
        self.bridge.stop()
        one.unlink()
        self.bridge.config.write_text(self.configured(two))
        self.bridge.start()
        self.assertEqual({row["values"]["client_id"] for row in self.rows()}, {f"c{i}" for i in range(count)})
        self.assert_nothing_leaked()

    def test_K9_secrets_of_subscribers_are_sealed_once_there_is_a_key(self):
        config = f"""listen: 127.0.0.1:0
store: sqlite:{self.world.folder}/orbridge.db
mappings: [{ROOT}/mappings/openregister.yaml]
sources:
  app: {{type: record, token: record-token-0123456789}}
subscriptions:
  products: [openregister]
  tokens: [{{name: billing, token: lease-token-0123456789}}]
  allow: [127.0.0.0/8]
"""
        keyed = config + f"credentials: {{key_file: {self.key('one.key')}}}\n"
        self.bridge = self.world.bridge(config).start()

        def register(hook, secret):
            body = {"url": "http://127.0.0.1:9/cb", "channel": "Object", "leaseTime": 600, "hookId": hook, "secret": secret}
            answer = json.loads(call("POST", self.bridge.url + "/openregister/webhookAPI/register?apiToken=lease-token-0123456789",
                                     body, {"Content-Type": "application/json"})[2])
            self.assertTrue(answer["success"], answer)

        def kept():
            with sqlite3.connect(f"file:{self.world.folder}/orbridge.db?mode=ro", uri=True) as db:
                found = dict(db.execute("SELECT hook, secret FROM subscriptions"))
            db.close()
            return found
        register("old", "before-there-was-a-key")
        self.assertEqual(kept(), {"old": "before-there-was-a-key"})
        self.bridge.config.write_text(keyed)
        self.bridge.stop()
        self.bridge.start()
        self.assertTrue(kept()["old"].startswith("sealed:"))
        register("new", SECRET)
        self.assertTrue(kept()["new"].startswith("sealed:"))
        self.assert_nothing_leaked()

    def test_K13_export_wipe_import_fill_in_and_the_test_passes(self):
        self.start()
        self.assertEqual(self.give({"client_id": "c", "client_secret": SECRET})[0], 0)
        code, exported, _ = self.cli("credentials", "export")
        self.assertEqual(code, 0)
        self.bridge.stop()
        for each in self.world.folder.glob("orbridge.db*"):
            each.unlink()
        self.bridge.start()
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.cli("credentials", "import", given=exported)[0], 0)
        self.assertEqual(self.rows()[0]["status"], "credentials_required")
        self.assertEqual(self.cli("credentials", "test", "oauth2", "desk")[0], 1)
        self.assertEqual(self.give({"client_id": "c", "client_secret": SECRET})[0], 0)
        self.assertEqual(self.cli("credentials", "test", "oauth2", "desk")[0], 0)
        self.assert_nothing_leaked()


class Owners(Base):
    """Whose credentials a target delivers with (K11)."""

    def owned(self, targets):
        """`targets`: name → (credentials, owner), without an owner where it is None."""
        text = ""
        for name, (credentials, owner) in targets.items():
            text += (f"  {name}:\n    adapter: http\n    config: {{url: '{self.desk.url}/{name}'}}\n"
                     f"    credentials: {credentials}\n    task: post\n    retry: {{schedule: [10ms], floor: 0s, jitter: 0}}\n"
                     "    breaker: off\n" + (f"    owner: {owner}\n" if owner else ""))
        return OWNERS.format(folder=self.world.folder, root=ROOT, keys=json.dumps([str(self.key("one.key"))]),
                             secret=SOURCE_SECRET, targets=text, names=", ".join(targets))

    def give_to(self, name, scope):
        code, out, err = self.cli("credentials", "set", "http", name, "--scope", scope,
                                  given=json.dumps({"token": f"S3CR3T-access-{name}-{scope}"}))
        self.assertEqual(code, 0, out + err)

    def send(self):
        status, text = send_capture(self.bridge.port, CAPTURES / "ObjectCreatedEvent.standard.http", "/ingest/openregister")
        self.assertEqual(status, 202, text)

    def taken(self):
        with self.desk.lock:
            return sorted((path, given.removeprefix("Bearer S3CR3T-access-")) for path, given in self.desk.taken)

    def delivery(self, target):
        row, = self.api(f"/api/v1/deliveries?target={target}")[1]["deliveries"]
        return row

    def test_K11_each_target_delivers_with_the_credentials_of_its_owner_and_with_no_others(self):
        self.bridge = self.world.bridge(self.owned({
            "main": ("desk", "workspace:main"), "other": ("desk", "workspace:other"), "all": ("desk", "global"),
            "event": ("desk", None), "third": ("desk", "workspace:third")})).start()
        for scope in ("global", "register:3", "register:4", "workspace:main", "workspace:other"):
            self.give_to("desk", scope)
        self.send()  # of an object in register 3
        self.bridge.settled()
        self.assertEqual(self.taken(), [("/all", "desk-global"), ("/event", "desk-register:3"),
                                        ("/main", "desk-workspace:main"), ("/other", "desk-workspace:other"),
                                        ("/third", "desk-global")])  # it has none of its own
        self.assert_nothing_leaked()

    def test_K11_those_of_another_owner_are_never_used_instead(self):
        self.bridge = self.world.bridge(self.owned({"nobody": ("own", "workspace:nobody"),
                                                    "main": ("own", "workspace:main")})).start()
        self.give_to("own", "workspace:main")
        self.give_to("own", "register:3")
        self.send()
        until("the owner's own are delivered with", lambda: self.taken() == [("/main", "own-workspace:main")])
        refused = until("told what is missing", lambda: (lambda row: row if "credentials_required" in (
            row.get("reason") or "") else None)(self.delivery("nobody")))
        self.assertIn("no credentials `own` for adapter http", refused["reason"])
        self.assertEqual(self.taken(), [("/main", "own-workspace:main")])
        self.give_to("own", "workspace:nobody")
        code, out, err = self.cli("replay", "--target", "nobody")
        self.assertEqual(code, 0, out + err)
        until("delivered with what was given", lambda: self.taken() == [("/main", "own-workspace:main"),
                                                                        ("/nobody", "own-workspace:nobody")])
        self.assert_nothing_leaked()

    def test_K11_what_is_no_owner_is_refused_with_its_place(self):
        good = self.owned({"main": ("desk", "workspace:main"), "other": ("desk", "workspace:other")})
        self.bridge = self.world.bridge(good)
        self.assertEqual(self.bridge.cli("check")[0], 0)
        lines = good.splitlines()
        first = lines.index("    owner: workspace:main") + 1
        second = lines.index("    owner: workspace:other") + 1
        self.bridge.config.write_text(good.replace("owner: workspace:main", "owner: everybody")
                                      .replace("owner: workspace:other", "owner: 'workspace:'"))
        code, out, err = self.bridge.cli("check")
        self.assertNotEqual(code, 0)
        for line, target in ((first, "main"), (second, "other")):
            self.assertRegex(out + err, rf"orbridge\.yaml:{line}:\d+: targets\.{target}\.owner: "
                                        r"expected `global`, `register:<id>` or `workspace:<name>`")
        self.bridge.config.write_text(good.replace("credentials: desk", "credentials: {token: S3CR3T-access}"))
        code, out, err = self.bridge.cli("check")
        self.assertNotEqual(code, 0)
        self.assertRegex(out + err, rf":{first}:\d+: targets\.main\.owner: only stored credentials have owners")
        self.assertNotIn("S3CR3T", out + err)

    def test_K11_nothing_is_kept_for_what_is_no_owner(self):
        self.bridge = self.world.bridge(self.owned({"main": ("desk", "workspace:main")})).start()
        for scope in ("everybody", "register:", "workspace:a b", "register:3,register:4"):
            code, out, err = self.cli("credentials", "set", "http", "desk", "--scope", scope,
                                      given='{"token": "S3CR3T-access-x"}')
            self.assertNotEqual(code, 0, scope)
            self.assertIn("expected `global`, or exactly one owner as `register:<id>` or `workspace:<name>`", out + err)
        self.assertEqual([row for row in self.rows() if row["status"] != "credentials_required"], [])
        self.assertEqual(self.cli("credentials", "set", "http", "desk", "--scope", "workspace:main", given='{"token": "x"}')[0], 0)
        self.assertEqual([row["scope"] for row in self.rows() if row["status"] == "untested"], ["workspace:main"])
        self.assert_nothing_leaked()


if __name__ == "__main__":
    unittest.main()
