"""Rows K1, K9 and K12 of integrations.md for every adapter that comes along."""

import base64
import json
import os
import signal
import subprocess
import unittest
import urllib.parse

import jsonschema

from harness import ROOT, SECRET, World, binary, call, until
from test_adapters import CASES, Base
from test_hostile_sinks import Sink, answer, says

# With characters that every encoding writes in another way. What is looked for is the beginning.
PLANTED = 'S3CR3T-{}-k9 "é/+&=%\\'
WEBHOOK = "{fake}/services/T1/S3CR3T-{name}-k9?sig=S3CR3T-{name}-sig%2Fx&api-version=1"
TARGETS = {
    "slack-hook": ("slack", {}, {"webhook_url": WEBHOOK}),
    "slack-bot": ("slack", {"base_url": "{fake}/api"}, {"bot_token": PLANTED}),
    "github": ("github", {"base_url": "{fake}"}, {"token": PLANTED}),
    "jira": ("jira", {"config": {"url": "{fake}"}}, {"email": "a@b.example", "api_token": PLANTED}),
    "teams": ("teams", {}, {"webhook_url": WEBHOOK}),
    "sendgrid": ("sendgrid", {"base_url": "{fake}/v3"}, {"api_key": PLANTED}),
    "s3": ("s3", {"config": {"endpoint": "{fake}", "bucket": "zaken"}}, {"access_key_id": "AKIA", "secret_access_key": PLANTED}),
    "http": ("http", {"config": {"url": "{fake}/in"}}, {"token": PLANTED}),
    "openregister": ("openregister", {"config": {"url": "{fake}"}}, {"user": "bot", "password": PLANTED}),
    "postgresql": ("postgresql", {"config": {"host": "127.0.0.1", "port": "{postgresql}", "database": "zaken", "sslmode": "disable"}}, {"user": "bot", "password": PLANTED}),
    "smtp": ("smtp", {"config": {"host": "127.0.0.1", "port": "{smtp}", "from": "a@b.example"}}, {"user": "bot", "password": PLANTED}),
    "windmill": ("windmill", {"config": {"url": "{fake}", "workspace": "main"}}, {"token": PLANTED}),
}

# Of what is not HTTP, tasks to fail.
NATIVE = {"postgresql": [("postgresql", "upsert", {"table": "t", "key": {"id": 1}, "values": {"a": "b"}}), ("postgresql", None, {})],
          "smtp": [("smtp", "send_email", {"to": ["c@d.example"], "subject": "S", "text": "T"}), ("smtp", None, {})]}


def cases_of(name):
    """(task, params) of every task of the target's adapter, and None for its test."""
    return [case[1:3] for case in (*CASES.values(), *NATIVE.get(name, [])) if case[0] == name]


def greedy_postgresql(connection):
    """Asks for the password as it is, and quotes it in the error."""
    def take():
        return connection.recv(int.from_bytes(connection.recv(4), "big") - 4)
    take()
    connection.sendall(b"R" + (8).to_bytes(4, "big") + (3).to_bytes(4, "big"))
    connection.recv(1)
    said = b"SFATAL\0VFATAL\0C28P01\0Mno " + take().rstrip(b"\0") + b" here\0\0"
    connection.sendall(b"E" + (len(said) + 4).to_bytes(4, "big") + said)


def rude_smtp(connection):
    connection.sendall(b"220 hello\r\n")
    while line := connection.recv(4096):
        connection.sendall(b"554 no " + line)


def filled(values, name, fake):
    return {key: value.replace("{fake}", fake).replace("{name}", name).replace("{}", name) for key, value in values.items()}


def spread(request):
    """All that a service that quotes could make of what it was sent."""
    text = request.decode(errors="replace")
    return "\n".join([text, urllib.parse.unquote(text), json.dumps(text), urllib.parse.quote(text), urllib.parse.quote_plus(text),
                      json.dumps(urllib.parse.unquote(text))])


def quoting(status):
    def act(connection):
        request = connection.recv(1 << 20)
        said = spread(request).encode()
        # As an error, where each of these services has it, and as a text.
        body = json.dumps({"message": said.decode(), "error": said.decode(), "errors": [{"message": said.decode()}],
                           "errorMessages": [said.decode()]}).encode() if status.startswith("4") else said
        connection.sendall(b"HTTP/1.1 " + status.encode() + b"\r\nX-Said: " + text_header(said) + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return act


def text_header(said):
    return urllib.parse.quote(said[:2000]).encode()


class Planted(Base):
    def look(self, written, where):
        for form in [b"S3CR3T-", *(base64.b64encode(b"x" * shift + b"S3CR3T-")[4 if shift else 0:-4] for shift in range(3))]:
            at = written.find(form)
            self.assertEqual(at, -1, f"{where}: {written[max(0, at - 200):at + 200]}")


class Secrets(Planted):
    def cli(self, *words):
        code, out, err = self.bridge.cli(*words)
        return f"{code} {out} {err}"

    def begin(self):
        """Each target twice: with its credentials in the configuration, and with stored ones."""
        targets, ports = {}, {}
        for name, act in (("postgresql", greedy_postgresql), ("smtp", rude_smtp)):
            sink = Sink(act)
            self.addCleanup(sink.close)
            ports[name] = sink.port
        for name, (adapter, more, values) in TARGETS.items():
            if name in ports:
                more["config"]["port"] = ports[name]
            own = {"adapter": adapter} | more | {"retry": {"schedule": []}, "timeout": "60s"}
            task, params = next(case for case in cases_of(name) if case[0])
            targets[name] = own | {"task": task, "params": params, "credentials": filled(values, name, self.fake.url)}
            targets[name + "-stored"] = own | {"task": task, "params": params, "credentials": name}
        native = {"adapter": "windmill", "url": "{fake}/api/w/main/jobs/run/p/f/a/b", "token": "S3CR3T-native-k9", "retry": {"schedule": []}}
        self.start(targets | {"native": native}, [{"channel": "Object", "to": [*targets, "native"]}], allow="127.0.0.0/8")
        answers = []
        for name, (adapter, _, values) in TARGETS.items():
            status, answer = self.store(adapter, name, filled(values, name + "-stored", self.fake.url))
            self.assertEqual(status, 200, answer)
            answers.append(answer)
        return targets, answers

    def test_K9_no_failing_task_of_any_shipped_adapter_leads_a_secret_anywhere(self):
        targets, answers = self.begin()
        for status in ("400 Bad Request", "401 Unauthorized", "500 Oops", "200 OK"):
            self.fake.usual = quoting(status)
            for target in targets:
                name = target.removesuffix("-stored")
                for task, params in cases_of(name):
                    if task is None:
                        answers.append(self.bridge.api(f"/api/v1/targets/{target}/test", "POST", {})[1])
                    else:
                        answers.append(self.run_task(target, task, params))
            for name, (adapter, more, values) in TARGETS.items():
                body = {"credentials": filled(values, name, self.fake.url), "config": json.loads(json.dumps(more.get("config", {})).replace("{fake}", self.fake.url))}
                if "base_url" not in more:
                    answers.append(self.bridge.api(f"/api/v1/adapters/{adapter}/test", "POST", body)[1])
            answers.append(self.bridge.api("/api/v1/targets/native/test", "POST", {})[1])
            if status.startswith("400"):
                self.send_event()
        for row in self.bridge.api("/api/v1/credentials")[1]["credentials"]:
            answers.append(self.bridge.api(f"/api/v1/credentials/{row['id']}/test", "POST", {})[1])
        self.bridge.settled()
        self.assertIn("***", json.dumps(answers), "the fakes' quotes are there, without the secrets")
        self.assertIn("no *** here", json.dumps(answers), "PostgreSQL's as well")
        self.assertGreater(len(self.fake.seen), 200)
        # Wrong addresses, and values that do not fit.
        for adapter, values in (("slack", {"webhook_url": "https://S3CR3T-wrong-k9 x/"}), ("slack", {"webhook_url": "S3CR3T-none-k9"}),
                                ("slack", {"webhook_url": "http://u:S3CR3T-user-k9@127.0.0.1:9/S3CR3T-path-k9"}), ("github", {"token": "S3CR3T-ok-k9", "nope": "S3CR3T-nope-k9"}),
                                ("s3", {"access_key_id": 5, "secret_access_key": ["S3CR3T-list-k9"]})):
            answers.append(self.bridge.api(f"/api/v1/adapters/{adapter}/test", "POST", {"credentials": values, "config": {}})[1])
            answers.append(self.store(adapter, "wrong", values)[1])
        self.assertIn("`***` is no http or https URL", json.dumps(answers))
        self.collect(answers)

    def collect(self, answers):
        for path in ("status", "deliveries?limit=1000", "events", "targets", "adapters", "audit?limit=1000", "credentials", "export"):
            answers.append(self.bridge.api("/api/v1/" + path)[1])
        for row in self.bridge.api("/api/v1/deliveries?limit=1000")[1]["deliveries"]:
            answers.append(self.bridge.api("/api/v1/deliveries/" + row["id"])[1])
            answers.append(self.bridge.api("/api/v1/explain/" + row["event"]["id"] if isinstance(row.get("event"), dict) else "/api/v1/explain/" + str(row.get("event")))[1])
        answers.append(call("GET", self.bridge.url + "/metrics")[2])
        for words in (("status",), ("credentials", "list"), ("credentials", "export"), ("adapters",), ("deliveries",), ("check",), ("audit",),
                      ("backup", str(self.world.folder / "copy.db"))):
            answers.append(self.cli(*words))
        self.assertTrue((self.world.folder / "copy.db").exists(), answers[-1])
        self.look(json.dumps(answers, ensure_ascii=False).encode() + json.dumps(answers).encode(), "an answer")
        self.look_at_files()
        self.assertEqual(self.bridge.stop(), 0)
        self.look_at_files()

    def look_at_files(self):
        files = [file for pattern in ("orbridge.db*", "copy.db*", "orbridge.log") for file in self.world.folder.glob(pattern)]
        self.assertGreaterEqual(len(files), 3)
        for file in files:
            self.look(file.read_bytes(), file.name)

    def test_K1_the_form_of_every_adapter_and_the_bridge_have_the_same_verdict(self):
        self.start({})
        checked = 0
        for number, adapter in enumerate(each["name"] for each in self.bridge.api("/api/v1/credentials")[1]["adapters"]):
            schema = self.bridge.api(f"/api/v1/adapters/{adapter}/form")[1]
            jsonschema.Draft202012Validator.check_schema(schema)
            validator = jsonschema.Draft202012Validator(schema)
            for name, field in schema["properties"].items():
                self.assertEqual(field.get("format") == "password" and field.get("writeOnly"), field.get("format") == "password", name)
            good = {name: self.fitting(field) for name, field in schema["properties"].items()}
            tries = [good, {}, {name: good[name] for name in schema["required"]}, good | {"nope": "x"}]
            for name in good:
                tries.append({key: value for key, value in good.items() if key != name})
                tries += [good | {name: wrong} for wrong in (5, 1.5, True, [], ["a"], {}, {"a": 1}, "", "x", " ", "https://", "https://x", "a\nb", "x" * 5000)]
            self.assertTrue(validator.is_valid(good), (adapter, good))
            for at, values in enumerate(tries):
                status, answer = self.store(adapter, f"n{number}-{at}", values)
                self.assertIn(status, (200, 422), answer)
                self.assertEqual(status == 200, validator.is_valid(values), (adapter, values, answer))
                checked += 1
        self.assertGreater(checked, 200)

    def fitting(self, field):
        validator = jsonschema.Draft202012Validator(field)
        return next(value for value in ("abc", "https://a.example/x", "a@b.example", 5, 0.5, True, {}, [], *field.get("enum", [])) if validator.is_valid(value))


class Sources(Planted):
    def test_K9_a_source_that_quotes_what_it_is_asked_leads_no_secret_anywhere(self):
        config = """listen: 127.0.0.1:0
public_url: http://127.0.0.1:1
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/openregister.yaml, {root}/mappings/nextcloud.yaml, {root}/mappings/http.yaml]
sources:
  api: {{type: http, url: '{fake}/x', token: S3CR3T-bearer, poll: {{interval: 150ms, backoff_max: 150ms, channel: T, items: /data, id: /n}}}}
  cloud: {{type: openregister, url: '{fake}', user: bot, password: S3CR3T-basic, secret: S3CR3T-hmac, hook_token: S3CR3T-hook, schemas: '*', register: auto}}
"""
        for status in ("400 Bad Request", "401 Unauthorized", "500 Oops", "200 OK"):
            with self.subTest(status), World() as self.world:
                self.fake.usual = quoting(status)
                self.bridge = self.world.bridge(config.format(folder=self.world.folder, root=ROOT, fake=self.fake.url)).start()
                until("registration failed", lambda: "cloud" in self.bridge.log.read_text() and "register" in self.bridge.log.read_text())
                until("polled", lambda: self.bridge.api("/api/v1/status")[1]["sources"]["api"]["poll"].get("error"))
                answers = [self.bridge.api("/api/v1/status"), self.bridge.cli("register"), self.bridge.cli("status"),
                           call("GET", self.bridge.url + "/metrics"), self.bridge.api("/api/v1/audit")]
                self.look(json.dumps(answers).encode(), "an answer")
                self.assertEqual(self.bridge.stop(), 0)
                for file in (*self.world.folder.glob("orbridge.db*"), self.bridge.log):
                    self.look(file.read_bytes(), file.name)


class InUse(Base):
    ADAPTER = "name: mine\nbase_url: '{{config.url}}'\nconfig: [{ name: url, type: string, required: true }]\n" \
              "credentials: [{ name: token, type: password, required: true }]\nauth: { bearer: '{{credentials.token}}' }\n" \
              "test: { request: { path: / } }\ntasks: { go: { request: { path: /go } } }\n"

    def reload(self):
        count = lambda: sum(line["message"] in ("reload.done", "reload.refused") for line in self.bridge.log_lines())
        before = count()
        os.kill(self.bridge.process.pid, signal.SIGHUP)
        until("a reload", lambda: count() > before)
        return [line for line in self.bridge.log_lines() if line["message"].startswith("reload.")][-1]

    def names(self):
        return [each["name"] for each in self.bridge.api("/api/v1/adapters")[1]["adapters"]]

    def test_K12_an_adapter_in_use_cannot_be_removed(self):
        more = self.own_adapter(self.ADAPTER)
        file = self.world.folder / "adapters/mine.yaml"
        self.start({"there": {"adapter": "mine", "credentials": "main", "config": {"url": "{fake}"}}}, more=more)
        self.assertEqual(self.store("mine", "main", {"token": "S3CR3T-mine"})[0], 200)
        status, answer = self.bridge.api("/api/v1/adapters/mine", "DELETE")
        self.assertEqual((status, answer["error"]["users"]), (409, ["target there", "credentials main@global"]))
        self.assertTrue(file.exists())
        # Taken away by hand: the reload is refused, and the target goes on.
        text = file.read_text()
        file.unlink()
        line = self.reload()
        self.assertNotEqual(line["message"], "reload.done", line)
        self.assertIn("mine", self.names())
        self.assertTrue(self.bridge.api("/api/v1/targets/there/tasks/go", "POST", {}))
        file.write_text(text)
        # No target uses it any more: its credentials do.
        config = self.bridge.config.read_text()
        self.bridge.config.write_text(config.replace(config[config.index("targets:"):config.index("routes:")], "targets: {}\n"))
        self.assertEqual(self.reload()["message"], "reload.done")
        status, answer = self.bridge.api("/api/v1/adapters/mine", "DELETE")
        self.assertEqual((status, answer["error"]["users"]), (409, ["credentials main@global"]))
        code, out, err = self.bridge.cli("adapters", "rm", "mine")
        self.assertEqual((code, "in use by credentials main@global" in err), (1, True), out + err)
        self.assertEqual(self.bridge.cli("credentials", "rm", "mine", "main")[0], 0)
        code, out, err = self.bridge.cli("adapters", "rm", "mine")
        self.assertEqual((code, f"{file} is removed" in out), (0, True), out + err)
        self.assertFalse(file.exists())
        self.assertEqual(self.reload()["message"], "reload.done")
        self.assertNotIn("mine", self.names())
        self.assertEqual(self.bridge.api("/api/v1/adapters/mine", "DELETE")[0], 404)


class Elsewhere(Base):
    """Row K13, all of it: adapters, targets and sources go without their secrets, and wait until those are given again."""

    def test_K13_export_wipe_import_fill_in_and_the_test_passes(self):
        self.fake.usual = says(answer("200 OK", b"{}"))
        folder = self.world.folder
        self.own_adapter(InUse.ADAPTER)
        self.start({"there": {"adapter": "mine", "config": {"url": "{fake}"}, "task": "go", "credentials": {"token": "S3CR3T-literal"}},
                    "stored": {"adapter": "mine", "config": {"url": "{fake}"}, "credentials": "main"},
                    "with-login": {"adapter": "http", "config": {"url": self.fake.url.replace("//", "//u:S3CR3T-login@")}}},
                   [{"channel": "Object", "to": ["there"]}], more=f", {folder}/adapters")
        self.assertEqual(self.store("mine", "main", {"token": "S3CR3T-main"})[0], 200)
        self.assertEqual(self.store("mine", "spare", {"token": "S3CR3T-spare"})[0], 200)
        code, bundle, err = self.bridge.cli("export")
        self.assertEqual(code, 0, err)
        for secret in ("S3CR3T", SECRET):
            self.assertNotIn(secret, bundle)
        self.assertEqual([(each["adapter"], each["name"]) for each in json.loads(bundle)["credentials"]],
                         [("mine", "main"), ("mine", "spare"), ("mine", "there")])
        self.assertEqual(self.bridge.stop(), 0)

        elsewhere = folder / "elsewhere"
        (folder / "bundle.json").write_text(bundle)
        for each in (*folder.glob("orbridge.*"), folder / "adapters/mine.yaml", folder / "admin.token"):
            each.unlink()
        done = subprocess.run([binary(), "import", str(folder / "bundle.json"), str(elsewhere)], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("to be given: secrets/sources.openregister.secret\n", done.stdout)
        self.assertIn("to be given: targets.with-login.config.url: who logs in\n", done.stdout)
        self.assertEqual((elsewhere / "secrets").stat().st_mode & 0o777, 0o700)
        again = subprocess.run([binary(), "import", str(folder / "bundle.json"), str(elsewhere)], capture_output=True, text=True, timeout=120)
        self.assertIn("is there already", again.stderr)
        check = lambda: subprocess.run([binary(), "check", "--config", str(elsewhere / "orbridge.yaml")], capture_output=True, text=True, timeout=120)
        self.assertIn("secrets/sources.openregister.secret", check().stdout, "the source waits for its secret")
        (elsewhere / "secrets/sources.openregister.secret").write_text(SECRET + "\n")
        (elsewhere / "master.key").write_text((folder / "master.key").read_text())
        (elsewhere / "master.key").chmod(0o600)
        self.assertEqual(check().returncode, 0, check().stdout)

        self.bridge = self.world.bridge("")
        self.bridge.config.unlink()
        self.bridge.config = elsewhere / "orbridge.yaml"
        self.bridge.start()
        for target in ("there", "stored"):
            self.assertIn("credentials_required", self.try_target(target)["detail"])
        code, out, err = self.bridge.cli("credentials", "import", "--file", str(folder / "bundle.json"))
        self.assertEqual(code, 0, out + err)
        rows = {row["name"]: row["status"] for row in self.bridge.api("/api/v1/credentials")[1]["credentials"]}
        self.assertEqual(rows, {name: "credentials_required" for name in ("main", "spare", "there")})
        self.assertEqual(self.fake.hits, 0)
        for name in ("main", "there"):
            self.assertEqual(self.store("mine", name, {"token": "S3CR3T-" + name})[0], 200)
        for target in ("there", "stored"):
            self.assertEqual(self.try_target(target)["verdict"], "ok")
        self.assertIn(b"Authorization: Bearer S3CR3T-there\r\n", self.fake.seen[0])
        self.assertIn(b"Authorization: Bearer S3CR3T-main\r\n", self.fake.seen[1])

    def test_K13_a_bundle_of_somebody_elses_writes_nowhere_else(self):
        folder = self.world.folder
        for name in ("../evil.yaml", "/tmp/evil.yaml", ".evil.yaml", "evil.sh", ""):
            (folder / "bundle.json").write_text(json.dumps({"orbridge_export": 1, "configuration": "", "adapters": [{"file": name, "text": "x"}]}))
            done = subprocess.run([binary(), "import", str(folder / "bundle.json"), str(folder / "into")], capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 1, name)
            self.assertIn("is no name of a file", done.stderr)
        self.assertEqual([each for each in folder.rglob("*evil*")], [])


if __name__ == "__main__":
    unittest.main()
