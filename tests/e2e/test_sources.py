"""Registering at a stand-in Nextcloud, and what that brings."""

import unittest

from harness import HOOK_TOKEN, ROOT, SECRET, World, free_port, until

CONFIG = """listen: 127.0.0.1:{port}
public_url: http://127.0.0.1:{port}
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/openregister.yaml, {root}/mappings/nextcloud.yaml]
sources:
  openregister:
    type: openregister
    url: {nextcloud}
    user: admin
    password: {password}
    secret: {secret}
{extra}
  files:
    type: nextcloud
    url: {nextcloud}
    user: admin
    password: {password}
    secret: listener-secret-0123456789
    classes: ['OCP\\Files\\Events\\Node\\NodeCreatedEvent']
targets:
  on-object:
    adapter: windmill
    url: {windmill}/api/w/main/jobs/run/p/f/nextcloud/on_object
    token: wm-token
routes:
  - {{channel: Object, to: on-object}}
  - {{channel: File, to: on-object}}
"""
HOOKS = f"    hook_token: {HOOK_TOKEN}\n    schemas: [zaak]\n"


class Sources(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.windmill = self.world.windmill()
        self.nextcloud = self.world.nextcloud()

    def start(self, password="apppass", extra=""):
        config = CONFIG.format(port=free_port(), folder=self.world.folder, root=ROOT, nextcloud=self.nextcloud.url,
                               password=password, secret=SECRET, extra=extra, windmill=self.windmill.url)
        self.bridge = self.world.bridge(config)
        return self.bridge.start()

    def state(self):
        return self.nextcloud.get("/_standin/state")

    def registrar(self, source):
        return self.bridge.api("/api/v1/status")[1]["sources"][source].get("registrar", {})

    def checked(self, source, state):
        return until(f"{source} {state}", lambda: self.registrar(source).get("state") in state.split("|") and self.registrar(source).get("checked_at"))

    def test_a_restart_and_register_multiply_nothing(self):
        self.start(extra=HOOKS)
        self.checked("openregister", "ok|degraded")
        self.checked("files", "ok")
        before = self.state()
        self.assertEqual(len(before["webhooks"]), 1)
        self.assertEqual(len(before["listeners"]), 1)
        self.assertEqual(self.bridge.stop(), 0)
        self.bridge.start()
        self.checked("files", "ok")
        code, out, err = self.bridge.cli("register")
        self.assertEqual(code, 0, out + err)
        after = self.state()
        self.assertEqual([len(after[k]) for k in ("webhooks", "listeners", "engines")],
                         [len(before[k]) for k in ("webhooks", "listeners", "engines")])
        self.assertEqual(self.bridge.cli("unregister")[0], 0)
        self.assertEqual([len(self.state()[k]) for k in ("webhooks", "listeners")], [0, 0])

    def test_events_come_through_every_intake_once(self):
        self.start(extra=HOOKS)
        self.checked("openregister", "ok|degraded")
        self.checked("files", "ok")
        answers = self.nextcloud.post("/_standin/scenario", {"name": "day"})
        self.nextcloud.post("/_standin/fire-listener", {"payload": "OCP.Files.Events.Node.NodeCreatedEvent"})
        statuses = {sent["status"] for answer in answers for sent in answer["sent"]}
        self.assertLessEqual(statuses, {200, 202})
        self.bridge.settled()
        heard = self.bridge.api("/api/v1/status")[1]["sources"]
        self.assertEqual(set(heard["openregister"]["heard"]), {"webhooks", "hooks"})
        self.assertEqual(set(heard["files"]["heard"]), {"listeners"})
        names = [e["event_name"] for e in self.bridge.api("/api/v1/events?limit=100")[1]["events"]]
        created = [n for n in names if n.startswith("created:zaken:zaak:")]
        self.assertEqual(len(created), 1, names)  # seen by webhook and by hook: one event, with readable names

    def test_status_says_what_cannot_arrive(self):
        self.start()
        self.checked("openregister", "ok|degraded")
        code, out, _ = self.bridge.cli("status")
        self.assertEqual(code, 0)
        self.assertIn("cannot arrive", out)

    def test_wrong_credentials_stop_at_once(self):
        self.start(password="wrong")
        self.checked("openregister", "stopped")
        tries = [r for r in self.nextcloud.get("/_standin/requests") if "webhook" in r["target"]]
        self.assertLessEqual(len(tries), 2)  # one for each source
        self.assertIn("stopped", self.bridge.cli("status")[1])

    def test_maintenance_is_waited_out(self):
        self.nextcloud.post("/_standin/mode", {"maintenance": True})
        self.start()
        self.checked("files", "failed")
        self.nextcloud.post("/_standin/mode", {"maintenance": False})
        self.assertEqual(self.bridge.cli("register")[0], 0)
        self.assertEqual(len(self.state()["listeners"]), 1)

    def test_what_is_sent_to_nextcloud_matches_the_examples(self):
        self.start()
        self.checked("files", "ok")
        [row] = self.state()["listeners"]
        self.assertEqual((row["httpMethod"], row["authMethod"]), ("POST", "header"))
        [webhook] = self.state()["webhooks"]
        self.assertEqual(webhook["method"], "POST")
        self.assertTrue(webhook["configuration"]["allowPrivateTargets"])


if __name__ == "__main__":
    unittest.main()
