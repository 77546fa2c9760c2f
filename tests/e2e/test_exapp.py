"""As a Nextcloud ExApp: installed, enabled, used, disabled and removed by AppAPI, without anybody's password."""

import base64
import json
import os
import pathlib
import subprocess
import tempfile
import tomllib
import unittest

from harness import ROOT, STANDINS, Process, World, binary, call, free_port, until

INFO = ROOT / "deploy/exapp/appinfo/info.xml"
NODE = "OCP\\Files\\Events\\Node\\NodeCreatedEvent"
LAST = {"OCA\\OpenRegister\\Event\\ViewDeletedEvent", "OCA\\Mail\\Events\\MessageDeletedEvent"}  # of each source
PAYLOAD = "OCP.Files.Events.Node.NodeCreatedEvent.json"


class ExApp(unittest.TestCase):
    harp = False

    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.windmill = self.world.windmill()
        self.storage = self.world.folder / "storage"
        self.storage.mkdir()

    def deploy(self, *flags, values=None):
        self.nextcloud = self.world.nextcloud("--or-classes-compatible", *flags)
        given = {"WINDMILL_URL": self.windmill.url, "WINDMILL_TOKEN": "wm-token", **(values or {})}
        port = free_port()
        told = self.nextcloud.post("/_standin/exapp-deploy", {
            "info": str(INFO), "port": port, "storage": str(self.storage), "values": given,
            "harp": str(self.world.folder / "exapp.sock") if self.harp else ""})
        self.environment, self.id = told["environment"], told["id"]
        self.url = f"http://127.0.0.1:{port}"
        # The image has it in /usr/share/orbridge; without a config of ours it is what is used.
        text = (ROOT / "deploy/exapp/exapp.yaml").read_text().replace("/usr/share/orbridge", str(ROOT))
        (self.storage / "orbridge.yaml").write_text(text)
        return self

    def start(self):
        env = {**os.environ, **self.environment}
        self.process = Process([os.path.abspath(binary()), "serve"], self.world.folder / "orbridge.log", env, self.storage)
        self.process.must_end_well = True
        self.world.processes.append(self.process)
        return self

    def install(self):
        self.nextcloud.post("/_standin/exapp-install", {"id": self.id})
        return until("the app is enabled", lambda: self.app() if self.app()["enabled"] and self.rows() else None)

    def app(self):
        return self.nextcloud.get("/_standin/exapps")[self.id]

    def rows(self):
        return [row for row in self.nextcloud.get("/_standin/state")["listeners"] if row["appId"] == self.id]

    def registered(self):
        def look():
            rows = {row["event"]: row for row in self.rows()}
            return rows if LAST <= set(rows) else None
        return until("everything is registered", look)

    def fire(self, **what):
        return self.nextcloud.post("/_standin/fire-listener", what)["sent"]

    def log(self):
        return (self.world.folder / "orbridge.log").read_text()

    def test_installed_it_registers_relative_addresses_and_does_the_main_job(self):
        app = self.deploy().start().install()
        self.assertEqual([one["progress"] for one in app["calls"] if "progress" in one], [20, 100])
        rows = self.registered()
        self.assertEqual({row["uri"] for row in rows.values()}, {"/ingest/openregister", "/ingest/nextcloud"})
        self.assertEqual({row["userId"] for row in rows.values()}, {None})
        [sent] = self.fire(capture="ObjectCreatedEvent.standard.http")
        self.assertEqual((sent["status"], sent["success"]), (202, True), sent)
        [job] = until("the job", lambda: [j for j in self.windmill.jobs() if j["success"] is not None])
        self.assertEqual(job["result"]["action"], "created")
        [sent] = self.fire(payload=PAYLOAD)
        self.assertEqual(sent["status"], 202, sent)
        self.assertEqual(self.nextcloud.get("/_standin/state")["login_failures"], 0)
        secrets = (self.environment["APP_SECRET"], "wm-token",
                   base64.b64encode(f":{self.environment['APP_SECRET']}".encode()).decode())
        for secret in secrets:
            self.assertNotIn(secret, self.log())

    def test_it_polls_as_an_account_without_address_or_password_and_not_before_it_is_enabled(self):
        self.deploy(values={"ORBRIDGE_USER": "admin"})
        config = self.storage / "orbridge.yaml"
        login = "    type: openregister\n    login: app_api\n"
        self.assertIn(login, config.read_text())
        config.write_text(config.read_text().replace(
            login, login + "    register: 'off'\n    poll: {interval: 150ms, fallback_interval: 150ms}\n"))
        self.start()
        until("it listens", lambda: self.status() and "bridge.listening" in self.log())
        asked = self.nextcloud.get("/_standin/state")["login_failures"]
        self.install_only()
        until("it knows what is there", lambda: "poll.caught_up" in self.log())  # what comes before is not told
        self.nextcloud.post("/_standin/work", {"seed": 1, "changes": 5})
        self.nextcloud.post("/_standin/commit", {})
        until("what was not pushed is found", lambda: self.status()["sources"]["openregister"]["poll"]["recovered"])
        until("the job", lambda: [j for j in self.windmill.jobs() if j["success"]])
        self.assertEqual((asked, self.nextcloud.get("/_standin/state")["login_failures"]), (0, 0))

    def status(self):
        done = subprocess.run([binary(), "status", "--json", "--config", str(self.storage / "orbridge.yaml")],
                              env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def install_only(self):
        self.nextcloud.post("/_standin/exapp-install", {"id": self.id})
        return until("the app is enabled", lambda: self.app()["enabled"])

    def test_disabled_it_takes_back_what_it_registered_and_enabled_puts_it_there_again(self):
        self.deploy().start().install()
        before = len(self.registered())
        told = self.nextcloud.post("/_standin/exapp-disable", {"id": self.id})
        self.assertEqual((told["enabled"], told["error"]), (False, ""))
        self.assertEqual(self.rows(), [])
        told = self.nextcloud.post("/_standin/exapp-enable", {"id": self.id})
        self.assertEqual((told["enabled"], told["error"]), (True, ""))
        self.assertEqual(len(self.registered()), before)

    def test_a_restart_of_an_enabled_app_goes_on_and_one_of_a_disabled_app_keeps_still(self):
        self.deploy().start().install()
        self.registered()
        self.assertEqual(self.process.end(), 0)
        self.nextcloud.post("/_standin/reset", {})
        self.start()
        self.registered()
        self.nextcloud.post("/_standin/exapp-disable", {"id": self.id})
        self.assertEqual(self.process.end(), 0)
        before = len(self.log())
        self.start()
        until("the state was asked for", lambda: '"enabled":"no"' in self.log()[before:])
        self.assertEqual(self.rows(), [])

    def test_removed_it_leaves_nothing_behind(self):
        self.deploy().start().install()
        self.registered()
        told = self.nextcloud.post("/_standin/exapp-unregister", {"id": self.id})
        self.assertGreater(told["removed"], 0)
        self.assertEqual(self.rows(), [])

    def test_browsers_reach_only_what_has_a_route(self):
        self.deploy().start().install()
        look = lambda path, verb="GET": self.nextcloud.post("/_standin/exapp-browse",  # noqa: E731
                                                            {"id": self.id, "path": path, "verb": verb})
        self.assertEqual(look("/readyz")["status"], 200)
        for path in ("/ingest/nextcloud", "/ingest/openregister", "/enabled?enabled=0", "/init", "/api/v1/status"):
            for verb in ("GET", "POST", "PUT"):
                self.assertFalse(look(path, verb)["forwarded"], path)

    def test_a_released_openregister_sends_webhooks_directly_signed_and_without_a_password(self):
        port = free_port()
        self.deploy(values={"ORBRIDGE_USER": "admin", "ORBRIDGE_PUBLIC_URL": f"http://127.0.0.1:{port}"})
        self.nextcloud.process.end()
        del self.nextcloud
        # The same, but with a Nextcloud that refuses OpenRegister's classes, as all releases do.
        self.nextcloud = self.world.nextcloud()
        told = self.nextcloud.post("/_standin/exapp-deploy", {
            "info": str(INFO), "port": port, "storage": str(self.storage), "harp": "",
            "values": {"WINDMILL_URL": self.windmill.url, "WINDMILL_TOKEN": "wm-token", "ORBRIDGE_USER": "admin",
                       "ORBRIDGE_PUBLIC_URL": f"http://127.0.0.1:{port}"}})
        self.environment = told["environment"]
        self.start().install()
        [webhook] = until("the webhook", lambda: self.nextcloud.get("/_standin/state")["webhooks"])
        self.assertEqual(webhook["url"], f"http://127.0.0.1:{port}/ingest/openregister")
        told = self.nextcloud.post("/_standin/replay", {"capture": "ObjectCreatedEvent.standard.http", "fresh": True})
        self.assertTrue(told["sent"], told)
        until("the job", lambda: [j for j in self.windmill.jobs() if j["success"] is not None])


class Refusals(ExApp):
    """Only those of the one who knows the secret count."""

    def test_wrong_callers_are_refused(self):
        self.deploy().start().install()
        self.registered()
        good = {"EX-APP-ID": self.id, "EX-APP-VERSION": "0.1.0", "AA-VERSION": "32.0.0",
                "AUTHORIZATION-APP-API": self.basic(self.environment["APP_SECRET"])}
        wrong = [{}, {**good, "EX-APP-ID": "other"}, {**good, "AUTHORIZATION-APP-API": self.basic("guess")},
                 {**good, "AUTHORIZATION-APP-API": "%%%"}, {**good, "AUTHORIZATION-APP-API": ""}]
        for headers in wrong:
            for method, path in (("POST", "/init"), ("PUT", "/enabled?enabled=0")):
                status, _, text = call(method, self.url + path, b"", headers)
                self.assertEqual(status, 401, (path, headers))
                self.assertNotIn(self.environment["APP_SECRET"], text)
        self.assertEqual(call("PUT", self.url + "/enabled?enabled=maybe", b"", good)[0], 400)
        # The app's secret alone does not make an event: behind HaRP a browser's request has it too.
        body = json.dumps({"event": {"class": NODE}, "user": None, "time": 1})
        self.assertEqual(call("POST", self.url + "/ingest/nextcloud", body, good)[0], 401)
        self.assertTrue(self.app()["enabled"])
        self.assertEqual(call("GET", self.url + "/heartbeat")[2], '{"status":"ok"}')

    @staticmethod
    def basic(secret):
        return base64.b64encode(f":{secret}".encode()).decode()


class BehindHarp(ExApp):
    """Over the unix socket at the end of the tunnel."""

    harp = True
    test_a_released_openregister_sends_webhooks_directly_signed_and_without_a_password = None


class Tunnel(unittest.TestCase):
    """The image's start: HaRP's tunnel ends at the bridge's socket. `frpc` is a script that keeps what it is given."""

    GIVEN = {"HP_FRP_ADDRESS": "harp.example.org", "HP_FRP_PORT": "8782", "APP_ID": "orbridge", "APP_PORT": "23001"}

    def start(self, **given):
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder)
            for name, script in (("frpc", f'cp "$2" {place}/part && mv {place}/part {place}/kept'),
                                 ("orbridge", f'[ -z "${{HP_SHARED_KEY:-}}" ] || until [ -e {place}/kept ]; do sleep 0.05; done; '
                                              'echo "$@"')):
                (place / name).write_text(f"#!/bin/sh\n{script}\n")
                (place / name).chmod(0o755)
            env = {"PATH": f"{place}:{os.environ['PATH']}", "TMPDIR": folder, **self.GIVEN, **given}
            output = place / "output"  # a pipe would stay open for as long as the tunnel's client runs
            with output.open("wb") as out:
                subprocess.run([ROOT / "deploy/exapp/start", "serve"], env=env, stdout=out, check=True, timeout=300)
            self.assertEqual(output.read_text(), "serve\n")
            kept = place / "kept"
            self.assertEqual([oct(file.stat().st_mode & 0o777) for file in place.glob("tmp.*")], ["0o600"] * kept.exists())
            return tomllib.loads(kept.read_text()) if kept.exists() else None

    def test_it_leads_from_harp_to_the_socket(self):
        with tempfile.TemporaryDirectory() as certs:
            told = self.start(HP_SHARED_KEY='a"b\\c', HP_EXAPP_SOCK="/run/app.sock", HP_FRP_CERTS=certs)
            self.assertEqual(told["transport"]["tls"], {
                "enable": True, "serverName": "harp.nc", "certFile": f"{certs}/client.crt", "keyFile": f"{certs}/client.key",
                "trustedCaFile": f"{certs}/ca.crt"})
        self.assertEqual((told["serverAddr"], told["serverPort"], told["loginFailExit"]), ("harp.example.org", 8782, False))
        self.assertEqual(told["metadatas"], {"token": 'a"b\\c'})
        self.assertEqual(told["proxies"], [{"name": "orbridge", "type": "tcp", "remotePort": 23001, "plugin": {
            "type": "unix_domain_socket", "unixPath": "/run/app.sock"}}])

    def test_without_certificates_it_is_plain_and_without_harp_there_is_none(self):
        told = self.start(HP_SHARED_KEY="key", HP_FRP_CERTS="/nowhere")
        self.assertEqual(told["transport"]["tls"], {"enable": False})
        self.assertEqual(told["proxies"][0]["plugin"]["unixPath"], "/tmp/exapp.sock")
        self.assertIsNone(self.start())


for name in [name for name in dir(ExApp) if name.startswith("test_")]:
    setattr(Refusals, name, None)


if __name__ == "__main__":
    unittest.main()
