"""Native adapters with the real binary against real servers: PostgreSQL and a mail server over STARTTLS, started here.

One event of OpenRegister goes to Slack, GitHub, PostgreSQL and mail at once; and what becomes of it when a server is down,
hangs, refuses the login, the row or the mail."""

import base64
import contextlib
import email
import email.policy
import http.client
import json
import pathlib
import re
import socket
import subprocess
import sys
import threading
import unittest

import jsonschema

from certificates import make_authority, sign
from harness import CAPTURES, ROOT, SECRET, STANDINS, Process, World, binary, call, free_port, parse_capture, send_signed, until
from test_integrations import Fake

sys.path.insert(0, str(STANDINS))
from postgres import Postgres  # noqa: E402

PASSWORDS = {"pg": "S3CR3T-pg-ü-7f1c", "mail": "S3CR3T-mail-93bd", "wrong": "S3CR3T-wrong-11aa"}
HOOK, TOKEN = "S3CR3T-slack-hook", "S3CR3T-github-token"
UUID = "9b2d3c1a-6f64-4a7e-8a39-2d9d1f0e0777"
RETRY = "    retry: {schedule: [" + ", ".join(["100ms"] * 20 + ["1s"] * 75) + "], floor: 20ms, jitter: 0}\n    breaker: off\n"
# The table of the example "Sync Objects to PostgreSQL" in OpenRegister's guide for Windmill, and a column for deletions.
TABLES = """
CREATE TABLE openregister_objects (uuid uuid PRIMARY KEY, register text, schema text, data jsonb, created_at timestamptz,
                                   updated_at timestamptz, deleted_at timestamptz);
CREATE TABLE mirrored (uuid uuid PRIMARY KEY, name text UNIQUE, tags text[], amount numeric, active boolean);
CREATE TABLE history (seq serial PRIMARY KEY, what text, status text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO history (what, status) VALUES (TG_OP, NEW.data->>'status'); RETURN NEW; END $$;
CREATE TRIGGER noted AFTER INSERT OR UPDATE ON openregister_objects FOR EACH ROW EXECUTE FUNCTION note();
CREATE ROLE bridge LOGIN PASSWORD '%s';
GRANT ALL ON ALL TABLES IN SCHEMA public TO bridge; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO bridge;
CREATE TABLE forbidden (id int PRIMARY KEY);
"""
HEAD = """listen: 127.0.0.1:0
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/openregister.yaml]
adapters: {{folders: [{root}/adapters]}}
deliver: {{ca_file: ca.pem}}
credentials: {{key_file: {folder}/master.key}}
sources:
  openregister: {{type: openregister, register: off, secret: {secret}}}
targets:
"""
REGISTRY = """  registry:
    adapter: postgresql
    config:
      {where}
      statements:
        by_status: "SELECT uuid, data, active FROM (SELECT uuid, data, true AS active FROM openregister_objects) x WHERE data->>'status' = $1 ORDER BY uuid"
        slow: "SELECT pg_sleep(60)"
        backend: "SELECT pg_backend_pid() AS pid"
        write: "INSERT INTO mirrored (uuid, amount) VALUES ($1, $2) RETURNING amount"
    credentials: {credentials}
    task: upsert
    params:
      table: public.openregister_objects
      key: {{uuid: "{{{{event.payload.object.uuid}}}}"}}
      values:
        data: "{{{{event.payload.object.data}}}}"
        updated_at: "{{{{event.payload.object.updated}}}}"
      initial:
        register: "{{{{event.payload.object.register}}}}"
        schema: "{{{{event.payload.object.schema}}}}"
        created_at: "{{{{event.payload.object.created}}}}"
"""
MAIL = """  mail:
    adapter: smtp
    config: {{host: 127.0.0.1, port: {port}, from: "De bridge <bridge@a.example>"{more}}}
    credentials: {credentials}
    task: send_email
    params:
      to: {to}
      subject: "Zaak {{{{event.payload.object.data.titel}}}} – ✓"
      text: "Zie {{{{event.subject}}}}.\\n.\\nTot ziens"
      html: "<p>{{{{event.payload.object.data.status}}}}</p>"
"""
WEB = """  chat:
    adapter: slack
    task: send_message
    params: {{text: "{{{{event.eventName}}}}"}}
    credentials: {{webhook_url: "{fake}/services/{hook}"}}
  issues:
    adapter: github
    base_url: {fake}/github
    task: create_issue
    params: {{repo: acme/zaken, title: "{{{{event.eventName}}}}"}}
    credentials: {{token: {token}}}
"""


def encoded(text):
    return base64.b64encode(text.encode()).decode()


class Servers(unittest.TestCase):
    """PostgreSQL once for the class; a world, a mail server and fakes for each test."""

    @classmethod
    def setUpClass(cls):
        cls.shared = World()
        cls.addClassCleanup(cls.shared.close)
        make_authority(cls.shared.folder)
        sign(cls.shared.folder, "sink")
        cls.postgres = Postgres(free_port(), PASSWORDS["pg"], cls.shared.folder / "sink.pem", cls.shared.folder / "sink.key")
        cls.addClassCleanup(cls.postgres.close)
        cls.begin_postgres()
        cls.postgres.sql(TABLES % PASSWORDS["pg"])

    @classmethod
    def begin_postgres(cls):
        cls.postgres.start()
        until("PostgreSQL answers", cls.postgres.answers)

    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        for name in ("ca.pem", "sink.pem", "sink.key"):
            (self.world.folder / name).write_bytes((self.shared.folder / name).read_bytes())
        self.fake = Fake()
        self.addCleanup(self.fake.server_close)
        self.addCleanup(self.fake.shutdown)
        self.postgres.sql("TRUNCATE openregister_objects, mirrored, history")
        self.version = 0
        self.answers = []

    # ---- the mail server

    @property
    def hold_back(self):
        return self.world.folder / "hold-back"

    def mail_server(self, *flags, port=0):
        folder = self.world.folder
        port_file = folder / "mail.port"
        port_file.unlink(missing_ok=True)
        debians = "/usr/bin/python3"
        process = Process([debians, str(STANDINS / "mail_sink.py"), "--cert", "sink.pem", "--key", "sink.key", "--user", "bridge",
                           "--password", PASSWORDS["mail"], "--out", "mail.jsonl", "--hold-back", "hold-back", "--port-file",
                           str(port_file), "--port", str(port), *flags], folder / "mail.log", cwd=folder)
        self.world.processes.append(process)
        return process, self.world.port_of(process, port_file)

    def did(self, what=None):
        file = self.world.folder / "mail.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [line for line in lines if what in (None, line["did"])]

    def mails(self):
        return [(line, email.message_from_string(line["text"], policy=email.policy.default)) for line in self.did("MAIL")]

    # ---- the bridge

    def where(self, **more):
        config = {"host": "127.0.0.1", "port": self.postgres.port, "database": "postgres", **more}
        return "\n      ".join(f"{name}: {value}" for name, value in config.items())

    def registry(self, password="pg", **more):
        credentials = json.dumps({"user": "bridge", "password": PASSWORDS[password]}) if password else "ledger"
        return REGISTRY.format(where=self.where(**more), credentials=credentials)

    def mail(self, port, to='["Zoë Ç <zoe@b.example>"]', password="mail", more=""):
        credentials = json.dumps({"user": "bridge", "password": PASSWORDS[password]}) if password else "post"
        return MAIL.format(port=port, to=to, credentials=credentials, more=more)

    def web(self):
        return WEB.format(fake=self.fake.url, hook=HOOK, token=TOKEN)

    def start(self, targets, routes, allow=""):
        key = self.world.folder / "master.key"
        if not key.exists():
            subprocess.run([binary(), "keygen", "--out", str(key)], check=True, capture_output=True)
        text = HEAD.format(folder=self.world.folder, root=ROOT, secret=SECRET) + targets + "routes:\n" + routes
        text = text.replace(f"[{ROOT}/adapters]", f"[{ROOT}/adapters], allow: [{allow}]")
        self.bridge = self.world.bridge(text).start()

    def send(self, verb="Created", uuid=UUID, **data):
        """An event of a captured shape about an object with these own properties."""
        self.version += 1
        document = json.loads(parse_capture(CAPTURES / f"Object{verb}Event.standard.http")[3])
        document["timestamp"] = f"2026-03-02T10:00:{self.version % 60:02d}+00:00"
        obj = document["data"]["object"]
        obj["@self"].update(id=uuid, version=f"0.0.{self.version}", created="2026-03-02T09:00:00+00:00",
                            updated=f"2026-03-02T10:00:{self.version % 60:02d}+00:00", register="3", schema="12")
        own = {"@self": obj["@self"], "id": uuid, "titel": "Café ‘t Hoekje", **data}
        document["data"].update(object=own, objectUuid=uuid, register="3", schema="12", timestamp=document["timestamp"])
        status, text = send_signed(self.bridge.url, document)
        self.assertEqual(status, 202, text)
        return json.loads(text)["id"]

    def api(self, path, method="GET", body=None):
        status, answer = self.bridge.api(path, method, body)
        self.answers.append(json.dumps(answer))
        return answer

    def cli(self, *arguments):
        code, out, err = self.bridge.cli(*arguments)
        self.answers += [out, err]
        return code, out + err

    def run_task(self, target, task, **params):
        return self.api(f"/api/v1/targets/{target}/tasks/{task}", "POST", json.dumps(params))

    def delivery(self, event, target):
        """With its attempts as `tries`."""
        [found] = [each for each in self.api(f"/api/v1/deliveries?event={event}")["deliveries"] if each["target"] == target]
        answer = self.api("/api/v1/deliveries/" + found["id"])
        return {**answer["delivery"], "tries": answer["attempts_made"]}

    def ended(self, event, target, state):
        return until(f"{target} is {state}", lambda: (lambda each: each if each["state"] == state else None)(
            self.delivery(event, target)))

    def tried(self, event, target):
        return until(f"{target} was tried", lambda: self.delivery(event, target)["tries"])

    def no_secret_in_anything(self):
        """K9: neither plain nor in Base64, in whatever was answered, logged or stored."""
        self.answers += [json.dumps(self.bridge.api(path)[1]) for path in
                         ("/api/v1/status", "/api/v1/deliveries", "/api/v1/targets", "/api/v1/audit", "/api/v1/export")]
        self.answers.append(call("GET", self.bridge.url + "/metrics")[2])
        self.bridge.stop()
        written = "\n".join(self.answers).encode() + self.bridge.log.read_bytes()
        for file in self.world.folder.glob("orbridge.db*"):
            written += file.read_bytes()
        for secret in PASSWORDS.values():
            for form in (secret, json.dumps(secret)[1:-1], encoded(secret), encoded(f"\0bridge\0{secret}")):
                self.assertNotIn(form.encode(), written)


class FanOut(Servers):
    def test_T1_I9_one_event_reaches_slack_github_postgresql_and_mail_at_once(self):
        _, port = self.mail_server()
        self.start(self.registry() + self.mail(port) + self.web(),
                   "  - {channel: Object, event_name: 'created:.*', to: [chat, issues, registry, mail]}\n"
                   "  - {channel: Object, event_name: 'updated:.*', to: registry}\n"
                   "  - {channel: Object, event_name: 'deleted:.*', to: registry,"
                   " params: {values: {deleted_at: '{{event.occurredAt}}'}}}\n")
        nasty = "'); DROP TABLE history; -- \" \\ é\n🙂"
        self.send("Created", status="nieuw", tekst=nasty, getal=1.50)
        self.bridge.settled()
        self.assertEqual(len(self.fake.of("/services/" + HOOK)), 1)
        self.assertEqual(len(self.fake.of("/github/repos/acme/zaken/issues")), 1)
        [row] = self.postgres.sql("SELECT uuid, register, schema, data->>'status', created_at AT TIME ZONE 'UTC', deleted_at"
                                  " FROM openregister_objects")
        self.assertEqual(row, f"{UUID}|3|12|nieuw|2026-03-02 09:00:00|")
        [data] = self.postgres.sql("SELECT data FROM openregister_objects")
        self.assertEqual((json.loads(data)["tekst"], json.loads(data)["getal"]), (nasty, 1.5))
        [(line, mail)] = self.mails()
        self.assertEqual((line["sender"], line["to"], line["tls"], line["login"]),
                         ("bridge@a.example", ["zoe@b.example"], True, "bridge"))
        self.assertEqual(mail["Subject"], "Zaak Café ‘t Hoekje – ✓")
        self.assertEqual(mail["To"].addresses[0].display_name, "Zoë Ç")
        self.assertEqual(mail["From"].addresses[0].display_name, "De bridge")
        self.assertEqual(mail.get_body(("plain",)).get_content().replace("\r\n", "\n").rstrip("\n"),
                         f"Zie object:3/12/{UUID}.\n.\nTot ziens")
        self.assertEqual(mail.get_body(("html",)).get_content().strip(), "<p>nieuw</p>")
        self.assertRegex(mail["Message-ID"], r"^<[0-9a-f-]+@a\.example>$")
        self.no_secret_in_anything()

    def test_T1_objects_are_synced_in_order_through_create_update_and_delete(self):
        self.start(self.registry(), "  - {channel: Object, event_name: '(created|updated):.*', to: registry}\n"
                   "  - {channel: Object, event_name: 'deleted:.*', to: registry,"
                   " params: {values: {deleted_at: '{{event.occurredAt}}'}}}\n")
        self.send("Created", status="nieuw")
        for status in ("in behandeling", "besloten", "gesloten"):
            self.send("Updated", status=status)
        self.send("Deleted", status="gesloten")
        other = UUID.replace("777", "778")
        self.send("Created", uuid=other, status="een ander")
        self.bridge.settled()
        [row] = self.postgres.sql(f"SELECT data->>'status', register, created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC',"
                                  f" deleted_at IS NOT NULL FROM openregister_objects WHERE uuid = '{UUID}'")
        self.assertEqual(row, "gesloten|3|2026-03-02 09:00:00|2026-03-02 10:00:04|t")
        self.assertEqual(self.postgres.sql("SELECT count(*) FROM openregister_objects"), ["2"])
        self.assertEqual(self.postgres.sql("SELECT what, status FROM history WHERE status <> 'een ander' ORDER BY seq"),
                         ["INSERT|nieuw", "UPDATE|in behandeling", "UPDATE|besloten", "UPDATE|gesloten", "UPDATE|gesloten"])

    def test_T1_a_row_may_go_with_its_object(self):
        mirror = ("  mirror:\n    adapter: postgresql\n    config:\n      " + self.where() +
                  "\n    credentials: " + json.dumps({"user": "bridge", "password": PASSWORDS["pg"]}) + "\n")
        key = '{uuid: "{{event.payload.object.uuid}}"}'
        own = "event.payload.object.data"
        self.start(mirror, "  - {channel: Object, event_name: '(created|updated):.*', to: mirror, task: upsert, params: "
                   f'{{table: mirrored, key: {key}, values: {{name: "{{{{{own}.titel}}}}", tags: "{{{{{own}.tags}}}}", '
                   f'amount: "{{{{{own}.bedrag}}}}", active: "{{{{{own}.actief}}}}"}}}}}}\n'
                   f"  - {{channel: Object, event_name: 'deleted:.*', to: mirror, task: delete, params: {{table: mirrored, key: {key}}}}}\n")
        self.send("Created", tags=["a \"b\"", "c,d", None], bedrag=1200.50, actief=True)
        self.bridge.settled()
        self.assertEqual(self.postgres.sql("SELECT name, tags, amount, active FROM mirrored"),
                         ['Café ‘t Hoekje|{"a \\"b\\"","c,d",NULL}|1200.5|t'])
        self.send("Deleted")
        self.bridge.settled()
        self.assertEqual(self.postgres.sql("SELECT count(*) FROM mirrored"), ["0"])


class Postgresql(Servers):
    ROUTE = "  - {channel: Object, to: registry}\n"

    def test_T2_I8_tasks_are_run_by_hand_with_the_result_of_all_tasks(self):
        self.start(self.registry(), self.ROUTE)
        self.send("Created", status="nieuw")
        self.bridge.settled()
        result = self.run_task("registry", "query", statement="by_status", values=["nieuw"])
        self.assertEqual((result["success"], result["message"], result["data"]["count"]), (True, "1 row", 1))
        [row] = result["data"]["rows"]
        self.assertEqual((row["uuid"], row["data"]["status"], row["active"]), (UUID, "nieuw", True))
        result = self.run_task("registry", "query", statement="by_status", values=["' OR true --"])
        self.assertEqual((result["message"], result["data"]["rows"]), ("0 rows", []))
        uuid = UUID.replace("777", "999")
        result = self.run_task("registry", "execute", statement="write", values=[uuid, 12.5])
        self.assertEqual((result["success"], result["data"]), (True, {"count": 1, "rows": [{"amount": 12.5}]}))
        self.postgres.sql("INSERT INTO history (what) VALUES ('twice'), ('twice')")
        refusals = {"I6: only reading": self.run_task("registry", "query", statement="write", values=[uuid, 1]),
                    "unknown": self.run_task("registry", "execute", statement="DROP TABLE history", values=[]),
                    "too few": self.run_task("registry", "execute", statement="write", values=[uuid]),
                    "I5": self.run_task("registry", "upsert", table="mirrored", key=5),
                    "I4": self.run_task("registry", "drop"),
                    "names": self.run_task("registry", "upsert", table='mirrored" (uuid) --', key={"uuid": uuid}),
                    "column": self.run_task("registry", "upsert", table="mirrored", key={"uuid": uuid}, values={"n\" = 1 --": 1}),
                    "two rows": self.run_task("registry", "delete", table="history", key={"what": "twice"})}
        said = {name: each["message"] for name, each in refusals.items()}
        self.assertFalse(any(each["success"] for each in refusals.values()), said)
        self.assertIn("25006", said["I6: only reading"])
        self.assertIn("none of the target's `config.statements`", said["unknown"])
        self.assertEqual(said["too few"], "the statement takes 2 values, and 1 are given")
        self.assertEqual(said["I5"], "params: key: expected object")
        self.assertIn("42P01", said["names"])
        self.assertIn("42703", said["column"])
        self.assertIn("2 rows have it, and none was removed", said["two rows"])
        self.assertEqual(self.postgres.sql("SELECT count(*) FROM history WHERE what = 'twice'"), ["2"])
        self.assertEqual(self.postgres.sql("SELECT uuid, amount FROM mirrored"), [f"{uuid}|12.5"])

    def test_I3_K5_the_test_connects_and_changes_nothing(self):
        self.start(self.registry(), self.ROUTE)
        code, said = self.cli("test", "registry")
        self.assertEqual(code, 0, said)
        self.assertIn("Connected to PostgreSQL ", said)

    def test_K4_K9_a_wrong_password_is_told_tried_again_and_healed_by_a_right_one(self):
        self.start(self.registry(password=None).replace("    task: upsert", RETRY + "    task: upsert"), self.ROUTE)
        body = {"adapter": "postgresql", "name": "ledger", "values": {"user": "bridge", "password": PASSWORDS["wrong"]}}
        self.api("/api/v1/credentials", "PUT", json.dumps({**body, "test": False}))
        event = self.send("Created", status="nieuw")
        self.tried(event, "registry")
        [row] = self.api("/api/v1/credentials")["credentials"]
        self.assertEqual(row["is_valid"], False, row)
        reason = self.delivery(event, "registry")["tries"][0]["reason"]
        self.assertIn("28P01", reason)
        code, said = self.cli("test", "registry")
        self.assertEqual((code, "28P01" in said), (1, True), said)
        body["values"]["password"] = PASSWORDS["pg"]
        self.api("/api/v1/credentials", "PUT", json.dumps(body))
        self.api("/api/v1/targets/registry/resume", "POST", "{}")
        self.ended(event, "registry", "delivered")
        [row] = self.api("/api/v1/credentials")["credentials"]
        self.assertEqual(row["is_valid"], True, row)
        self.no_secret_in_anything()

    def test_T4_what_waited_for_a_server_that_was_down_arrives_in_order(self):
        self.start(self.registry().replace("    task: upsert", RETRY + "    task: upsert"), self.ROUTE)
        self.postgres.stop()
        try:
            first = self.send("Created", status="1")
            for status in "234":
                self.send("Updated", status=status)
            until("it was tried twice", lambda: self.delivery(first, "registry")["attempts"] >= 2)
        finally:
            self.begin_postgres()
        self.bridge.settled()
        self.assertEqual(self.postgres.sql("SELECT what, status FROM history ORDER BY seq"),
                         ["INSERT|1", "UPDATE|2", "UPDATE|3", "UPDATE|4"])

    def test_T4_a_row_that_the_database_refuses_is_given_up_at_once(self):
        self.postgres.sql(f"INSERT INTO mirrored (uuid, name) VALUES ('{UUID.replace('777', '001')}', 'Café ‘t Hoekje')")
        target = self.registry().split("    params:")[0] + (
            '    params: {table: mirrored, key: {uuid: "{{event.payload.object.uuid}}"}, '
            'values: {name: "{{event.payload.object.data.titel}}"}}\n')
        self.start(target, self.ROUTE)
        event = self.send()
        dead = self.ended(event, "registry", "dead")
        self.assertEqual(len(dead["tries"]), 1)
        self.assertIn("23505", dead["tries"][0]["reason"])

    def test_connections_are_used_again_and_one_that_was_closed_costs_nothing(self):
        self.start(self.registry(), self.ROUTE)

        def backend():
            result = self.run_task("registry", "query", statement="backend")
            self.assertTrue(result["success"], result)
            return result["data"]["rows"][0]["pid"]

        first = backend()
        self.assertEqual(backend(), first)
        self.postgres.sql(f"SELECT pg_terminate_backend({first})")
        until("it has gone", lambda: self.postgres.sql(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {first}") == ["0"])
        second = backend()
        self.assertNotEqual(second, first)
        result = self.run_task("registry", "execute", statement="backend")
        self.assertEqual(result["data"]["rows"][0]["pid"], second)
        self.assertNotEqual(backend(), second)  # whoever ran a statement of their own leaves it to nobody

    def test_I11_a_statement_that_takes_too_long_ends_in_time(self):
        self.start(self.registry().replace("    task: upsert", "    timeout: 500ms\n    task: upsert"), self.ROUTE)
        result = self.run_task("registry", "query", statement="slow")
        self.assertFalse(result["success"])
        self.assertRegex(result["message"], "57014|no answer in time|no connection in time")

    def test_the_certificate_is_checked_unless_the_configuration_says_otherwise(self):
        text = self.registry() + self.registry(sslmode="require").replace("registry:", "trusting:")
        self.start(text, "  - {channel: Object, to: [registry, trusting]}\n")
        config = self.bridge.config.read_text()
        self.bridge.config.write_text(config.replace("deliver: {ca_file: ca.pem}", ""))
        self.assertIn("certificate", self.cli("test", "registry")[1])
        self.assertEqual(self.cli("test", "trusting")[0], 0)

    def test_statements_are_no_templates(self):
        self.start(self.registry(), self.ROUTE)
        bad = self.bridge.config.read_text().replace("SELECT pg_sleep(60)", "SELECT '{{event.subject}}'")
        self.bridge.config.write_text(bad)
        code, said = self.cli("check")
        self.assertEqual(code, 2)
        self.assertRegex(said, r"orbridge\.yaml:\d+:\d+: targets\.registry\.config\.statements\.slow: .*event\.subject")


class Mail(Servers):
    ROUTE = "  - {channel: Object, to: mail}\n"

    def test_I3_K5_the_test_logs_in_and_sends_nothing(self):
        _, port = self.mail_server()
        self.start(self.mail(port), self.ROUTE)
        code, said = self.cli("test", "mail")
        self.assertEqual(code, 0, said)
        self.assertIn("Connected to 127.0.0.1", said)
        until("it said goodbye", lambda: self.did("QUIT"))
        did = [line["did"] for line in self.did()]
        self.assertEqual(did, ["EHLO", "EHLO", "AUTH", "NOOP", "QUIT"])
        self.assertEqual([line["tls"] for line in self.did("EHLO")], [False, True])

    def test_tls_from_the_first_byte(self):
        _, port = self.mail_server("--implicit-tls")
        self.start(self.mail(port, more=", security: tls"), self.ROUTE)
        self.send(status="nieuw")
        self.bridge.settled()
        self.assertEqual(len(self.mails()), 1)

    def test_T4_a_mailbox_that_is_refused_is_given_up_and_one_that_is_busy_tried_again(self):
        _, port = self.mail_server()
        self.hold_back.touch()
        targets = (self.mail(port, '["refused@b.example"]').replace("  mail:", "  gone:") +
                   self.mail(port, '["zoe@b.example", "later@b.example"]').replace("    task:", RETRY + "    task:"))
        self.start(targets, "  - {channel: Object, to: [gone, mail]}\n")
        event = self.send(status="nieuw")
        dead = self.ended(event, "gone", "dead")
        self.assertEqual(len(dead["tries"]), 1)
        self.assertIn("550", dead["tries"][0]["reason"])
        self.tried(event, "mail")
        self.assertIn("451", self.delivery(event, "mail")["tries"][0]["reason"])
        self.assertEqual(self.mails(), [])  # nobody gets what not everybody can
        self.hold_back.unlink()
        self.ended(event, "mail", "delivered")
        [(line, _)] = self.mails()
        self.assertEqual(line["to"], ["zoe@b.example", "later@b.example"])

    def test_T4_what_waited_for_a_server_that_was_down_arrives_with_the_same_id_once(self):
        port = free_port()
        process, _ = self.mail_server(port=port)
        self.start(self.mail(port).replace("    task:", RETRY + "    task:"), self.ROUTE)
        process.end()
        self.world.processes.remove(process)
        event = self.send(status="nieuw")
        until("it was tried twice", lambda: self.delivery(event, "mail")["attempts"] >= 2)
        self.mail_server(port=port)
        self.ended(event, "mail", "delivered")
        [(_, mail)] = self.mails()
        self.assertEqual(mail["Message-ID"], f"<{self.delivery(event, 'mail')['id']}@a.example>")

    def test_K9_a_wrong_password_is_told_and_in_nothing_that_is_written(self):
        _, port = self.mail_server()
        self.start(self.mail(port, password=None).replace("    task:", RETRY + "    task:"), self.ROUTE)
        self.api("/api/v1/credentials", "PUT", json.dumps(
            {"adapter": "smtp", "name": "post", "values": {"user": "bridge", "password": PASSWORDS["wrong"]}, "test": False}))
        event = self.send(status="nieuw")
        self.tried(event, "mail")
        self.assertIn("535", self.delivery(event, "mail")["tries"][0]["reason"])
        [row] = self.api("/api/v1/credentials")["credentials"]
        self.assertEqual(row["is_valid"], False, row)
        self.assertEqual(self.cli("test", "mail")[0], 1)
        self.no_secret_in_anything()

    def test_T4_a_mail_that_may_have_been_taken_is_sent_again_with_the_same_id(self):
        _, port = self.mail_server()
        self.start(self.mail(port, '["silent@b.example"]').replace("    task:", RETRY + "    timeout: 2s\n    task:"), self.ROUTE)
        event = self.send(status="nieuw")
        until("it was sent twice", lambda: len(self.mails()) >= 2)
        self.assertEqual(len({mail["Message-ID"] for _, mail in self.mails()}), 1)
        self.assertTrue(self.delivery(event, "mail")["unclear"])

    def test_the_certificate_is_checked(self):
        _, port = self.mail_server()
        self.start(self.mail(port), self.ROUTE)
        self.bridge.config.write_text(self.bridge.config.read_text().replace("deliver: {ca_file: ca.pem}", ""))
        code, said = self.cli("test", "mail")
        self.assertEqual((code, "certificate" in said), (1, True), said)
        self.assertEqual(self.did("AUTH"), [])


class Forms(Servers):
    def test_K1_K3_the_forms_have_the_verdict_of_the_bridge(self):
        self.start(self.registry() + self.mail(1), "  - {channel: Object, to: [registry, mail]}\n")
        values = ({"user": "a"}, {"user": "a", "password": PASSWORDS["pg"]}, {}, {"user": ""}, {"user": 5}, {"user": "a", "nope": 1},
                  {"user": "a" * 300}, {"password": PASSWORDS["pg"]}, {"user": "a", "password": True})
        for adapter in ("postgresql", "smtp"):
            schema = self.api(f"/api/v1/adapters/{adapter}/form")
            jsonschema.Draft202012Validator.check_schema(schema)
            self.assertEqual((schema["properties"]["password"]["format"], schema["properties"]["password"]["writeOnly"]),
                             ("password", True))
            for each in values:
                status, answer = self.bridge.api("/api/v1/credentials", "PUT", json.dumps(
                    {"adapter": adapter, "name": "verdict", "values": each, "test": False}))
                self.answers.append(json.dumps(answer))
                valid = jsonschema.Draft202012Validator(schema).is_valid(each)
                self.assertEqual((status == 200, status), (valid, 200 if valid else 422), (adapter, each, answer))
        listed = {each["name"]: each for each in self.api("/api/v1/adapters")["adapters"]}
        self.assertEqual([task["name"] for task in listed["postgresql"]["tasks"]], ["delete", "execute", "query", "upsert"])
        self.no_secret_in_anything()


class Scripted:
    """A server that says what it is told to, and keeps what it hears."""

    def __init__(self, case, greeting, answer):
        self.greeting, self.answer, self.heard = greeting, answer, b""
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        case.addCleanup(self.close)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                with self.server.accept()[0] as connection, contextlib.suppress(OSError):
                    connection.sendall(self.greeting)
                    while data := connection.recv(4096):
                        self.heard += data
                        said = self.answer(data)
                        if said is None:
                            break
                        connection.sendall(said)

    def close(self):
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join()


class Strange(Servers):
    """Servers that are not what they should be: each failure is a result, and hears no password."""

    def by_hand(self, server):
        self.start(self.mail(server.port), "  - {channel: Object, to: mail}\n")
        result = self.run_task("mail", "send_email", to=["a@b.example"], subject="S", text="T")
        self.assertFalse(result["success"], result)
        for form in (PASSWORDS["mail"], encoded(PASSWORDS["mail"]), encoded(f"\0bridge\0{PASSWORDS['mail']}")):
            self.assertNotIn(form.encode(), server.heard)
        self.bridge.stop()
        return result["message"]

    def test_I8_a_mail_server_without_encryption_hears_no_login(self):
        plain = Scripted(self, b"220 hello\r\n", lambda data: b"250-here\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 1000\r\n")
        self.assertIn("the server offers no encryption", self.by_hand(plain))
        self.assertTrue(plain.heard.startswith(b"EHLO "))

    def test_I8_a_mail_server_that_takes_encryption_back_hears_no_login(self):
        answers = {b"EHLO": b"250-here\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", b"STAR": b"454 not today\r\n"}
        shy = Scripted(self, b"220 hello\r\n", lambda data: answers.get(data[:4], b"250 OK\r\n"))
        self.assertIn("454 not today", self.by_hand(shy))

    def test_I8_other_strange_mail_servers(self):
        self.assertIn("554 go away", self.by_hand(Scripted(self, b"554 go away\r\n", lambda data: None)))
        self.assertNotEqual(self.by_hand(Scripted(self, b"HTTP/1.1 400 Bad Request\r\n\r\n", lambda data: None)), "")
        self.assertNotEqual(self.by_hand(Scripted(self, b"", lambda data: None)), "")

    def test_I8_a_database_without_encryption_hears_no_login(self):
        for answer, said in ((b"N", "SSL"), (b"E\0\0\0\x0dSFATAL\0\0\0", ""), (b"HTTP/1.1 400\r\n", ""), (None, "")):
            server = Scripted(self, b"", lambda data, answer=answer: answer)
            where = self.where().replace(str(self.postgres.port), str(server.port))
            credentials = json.dumps({"user": "S3CR3T-user", "password": PASSWORDS["pg"]})
            self.start(REGISTRY.format(where=where, credentials=credentials), "  - {channel: Object, to: registry}\n")
            result = self.run_task("registry", "query", statement="slow")
            self.assertEqual((result["success"], said in result["message"]), (False, True), result)
            self.assertNotIn(b"S3CR3T", server.heard)
            self.bridge.stop()


class TryingOut(Servers):
    """Credentials that are not kept yet, at an address that somebody gives."""

    def test_K4_K5_I12_credentials_are_tried_out_where_it_is_allowed_and_not_kept(self):
        _, port = self.mail_server()
        config = {"postgresql": {"host": "127.0.0.1", "port": self.postgres.port, "database": "postgres"},
                  "smtp": {"host": "127.0.0.1", "port": port, "from": "a@a.example"}}
        right = {"postgresql": PASSWORDS["pg"], "smtp": PASSWORDS["mail"]}

        def tried(adapter, password):
            body = {"credentials": {"user": "bridge", "password": password}, "config": config[adapter]}
            return self.api(f"/api/v1/adapters/{adapter}/test", "POST", json.dumps(body))

        self.start(self.registry() + self.mail(port), "  - {channel: Object, to: [registry, mail]}\n")
        for adapter in config:
            answer = tried(adapter, right[adapter])
            self.assertEqual((answer["success"], "the address is refused" in answer["message"]), (False, True), answer)
        self.assertEqual(self.did(), [])
        self.bridge.stop()
        self.start(self.registry() + self.mail(port), "  - {channel: Object, to: [registry, mail]}\n", allow="127.0.0.1")
        for adapter in config:
            self.assertFalse(tried(adapter, PASSWORDS["wrong"])["success"])
            answer = tried(adapter, right[adapter])
            self.assertTrue(answer["success"], answer)
        self.assertEqual(self.did("MAIL"), [])
        self.assertEqual(self.api("/api/v1/credentials")["credentials"], [])
        self.no_secret_in_anything()


class Document(Servers):
    def test_the_examples_of_the_document_are_right(self):
        text = (ROOT / "docs/integrations.md").read_text()
        examples = [block for block in re.findall(r"```yaml\n(targets:\n.*?)```", text, re.S) if "postgresql" in block or "smtp" in block]
        self.assertEqual(len(examples), 2)
        key = self.world.folder / "master.key"
        subprocess.run([binary(), "keygen", "--out", str(key)], check=True, capture_output=True)
        for example in examples:
            (self.world.folder / "password").write_text("x")
            example = re.sub(r"/run/secrets/\w+", str(self.world.folder / "password"), example)
            if "routes:" not in example:
                example += "routes:\n  - {channel: Object, to: clerks}\n"
            head = HEAD.format(folder=self.world.folder, root=ROOT, secret=SECRET).replace("targets:\n", "")
            code, out, err = self.world.bridge(head + example).cli("check", url=False)
            self.assertEqual(code, 0, out + err)


class Hanging(Servers):
    """A server that takes connections and says nothing."""

    def setUp(self):
        super().setUp()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.server.close)
        self.port = self.server.getsockname()[1]

    def test_servers_that_hang_hold_up_no_other_target_and_no_stop(self):
        _, port = self.mail_server()
        where = self.where().replace(str(self.postgres.port), str(self.port))
        hanging = REGISTRY.format(where=where, credentials='{user: bridge, password: x}').replace("registry:", "silent:")
        # Without a breaker, which would begin with one delivery at a time.
        slow = "    timeout: 10m\n    connect_timeout: 60s\n    breaker: off\n    task:"
        targets = (hanging.replace("    task:", slow) + self.mail(self.port).replace("  mail:", "  mute:").replace("    task:", slow) +
                   self.registry() + self.mail(port) + self.web())
        self.start(targets, "  - {channel: Object, to: [silent, mute, registry, mail, chat]}\n")
        for number in range(30):
            self.send(uuid=UUID[:-3] + f"{number:03}", status="nieuw")
        until("the others have all", lambda: len(self.fake.of("/services/")) == 30 and len(self.mails()) == 30 and
              self.postgres.sql("SELECT count(*) FROM openregister_objects") == ["30"])
        views = {each["name"]: each for each in self.api("/api/v1/targets")["targets"]}
        self.assertEqual(views["silent"]["in_flight"], 4)  # of 16 threads for four such targets
        # Nor does somebody who waits for a task of one.
        waiting = threading.Thread(target=lambda: self.api_or_none("/api/v1/targets/silent/tasks/query", '{"statement":"slow"}'))
        waiting.start()
        self.addCleanup(waiting.join)
        until("it is waited for", lambda: self.connections() >= 4 + 4 + 1)
        self.assertEqual(self.bridge.stop(), 0)

    def api_or_none(self, path, body):
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.bridge.api(path, "POST", body)

    def connections(self):
        """To the server that hangs: they wait in its queue, or would have been taken."""
        port = f":{self.port:04X} 01"
        return sum(port in line for line in pathlib.Path("/proc/net/tcp").read_text().splitlines())

    def test_I11_a_server_that_hangs_is_left_in_time(self):
        where = self.where().replace(str(self.postgres.port), str(self.port))
        hanging = REGISTRY.format(where=where, credentials='{user: bridge, password: x}')
        targets = (hanging.replace("    task:", "    timeout: 300ms\n    task:") +
                   self.mail(self.port).replace("    task:", "    timeout: 300ms\n    task:"))
        self.start(targets, "  - {channel: Object, to: [registry, mail]}\n")
        result = self.run_task("registry", "query", statement="slow")
        self.assertEqual((result["success"], result["message"]), (False, "no connection in time"))
        result = self.run_task("mail", "send_email", to=["a@b.example"], subject="S", text="T")
        self.assertFalse(result["success"])
        self.assertIn("timed out", result["message"].lower())


if __name__ == "__main__":
    unittest.main()
