"""Leased subscribers from the operator's side: commands, tokens, metrics, signatures, notices, reload."""

import base64
import hashlib
import hmac
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lease"))

import world as lease  # noqa: E402
from harness import World, call, until  # noqa: E402


class Subscriptions(unittest.TestCase):
    def setUp(self):
        folder = World()
        self.addCleanup(folder.close)
        self.server = lease.Server(folder)
        self.bridge = self.server.bridge
        self.world = lease.World(self.server)
        self.addCleanup(lambda: [each.close() for each in self.world.receivers])

    def test_the_commands_list_show_extend_and_remove(self):
        receiver, channel, hook = self.world.hooked(hookId="billing/1", leaseTime=60)
        code, out, _ = self.bridge.cli("subscriptions")
        self.assertEqual(code, 0)
        self.assertIn("billing/1", out)
        self.assertIn("billing", out.splitlines()[1].split())
        code, out, _ = self.bridge.cli("subscriptions", "show", hook)
        self.assertEqual(json.loads(out)["channel"], channel)
        self.assertEqual(self.bridge.cli("subscriptions", "extend", hook, "--lease-time", "5000")[0], 0)
        self.assertGreater(self.world.api.shown(hook)["leaseEnd"] - lease.now_ms(), 4000e3)
        self.assertEqual(self.bridge.cli("subscriptions", "extend", hook, "--lease-time", "99999999")[0], 1)
        self.assertEqual(self.bridge.cli("subscriptions", "remove", hook)[0], 0)
        self.assertEqual(self.world.api.view(hookId=hook), [])
        self.assertEqual(self.bridge.cli("subscriptions", "remove", hook)[0], 1)
        self.assertEqual(self.bridge.cli("subscriptions", "show", hook)[0], 1)
        self.assertEqual(self.bridge.cli("subscriptions", "frobnicate")[0], 2)

    def test_why_says_what_a_subscription_takes_and_why_it_does_not(self):
        receiver, channel, hook = self.world.hooked(eventFilter="created:.*")
        taken, passed = self.world.emit(channel, "created:x"), self.world.emit(channel, "deleted:x")
        receiver.wait(1)
        target = "hook:" + hook
        self.assertIn(f"→ {target}: the event fits the subscription", self.bridge.cli("why", taken)[1])
        self.assertNotIn(target, self.bridge.cli("why", passed)[1])
        code, out, _ = self.bridge.cli("why", passed, target)
        self.assertEqual(code, 0)
        self.assertIn("eventName is `deleted:x`, the subscription wants all of it to match `created:.*`", out)
        self.assertIn("no lease of this hook runs", self.bridge.cli("why", passed, "hook:nobody")[1])
        late = self.world.api.registered(receiver.url("/late"), channel)
        out = self.bridge.cli("why", passed, "hook:" + late)[1]
        self.assertIn("the event fits the subscription, which was registered after it had come", out)

    def test_a_token_is_made_shown_once_survives_a_restart_and_can_be_removed(self):
        code, out, _ = self.bridge.cli("token", "create", "partner")
        self.assertEqual(code, 0)
        token = out.strip()
        self.assertRegex(token, r"^[A-Za-z0-9_-]{43}$")
        self.world.api.call("view", {}, token=token).good()
        self.assertEqual(self.bridge.cli("token", "create", "partner")[0], 1)
        self.assertEqual(self.bridge.cli("token", "create", "billing")[0], 1)
        self.server.restart()
        self.world.api.call("view", {}, token=token).good()
        listed = {row["name"]: row["configured"] for row in self.bridge.cli_json("token", "list")["tokens"]}
        self.assertEqual(listed, {"billing": True, "partner": False})
        self.assertNotIn(token, self.server.log())
        store = b"".join(each.read_bytes() for each in self.bridge.world.folder.glob("orbridge.db*"))
        self.assertNotIn(token.encode(), store)
        self.assertEqual(self.bridge.cli("token", "remove", "partner")[0], 0)
        self.world.api.call("view", {}, token=token).shaped(401)

    def test_the_audit_tells_who_did_what(self):
        receiver, channel, hook = self.world.hooked(secret="callback-key")
        self.world.api.call("renew", {"hookId": hook, "leaseTime": 100}).good()
        self.assertEqual(self.bridge.cli("subscriptions", "extend", hook, "--lease-time", "5000")[0], 0)
        self.assertEqual(self.bridge.cli("subscriptions", "remove", hook)[0], 0)
        value = self.bridge.cli("token", "create", "partner")[1].strip()
        self.assertEqual(self.bridge.cli("token", "remove", "partner")[0], 0)
        self.server.restart()
        rows = self.bridge.cli_json("audit")["audit"]
        self.assertEqual([(row["who"], row["what"], row["subject"]) for row in rows],
                         [("admin", "token.remove", "partner"), ("admin", "token.create", "partner"),
                          ("admin", "subscription.unregister", hook), ("admin", "subscription.renew", hook),
                          ("token:billing", "subscription.renew", hook), ("token:billing", "subscription.register", hook)])
        self.assertEqual(rows[-1]["detail"]["channel"], channel)
        out = self.bridge.cli("audit", "--who", "token:billing", "--what", "subscription.register")[1]
        self.assertEqual(len(out.splitlines()), 2)
        self.assertIn(hook, out)
        for secret in (value, "callback-key", lease.TOKEN):
            self.assertNotIn(secret, json.dumps(rows))
        page = self.bridge.api("/api/v1/audit?limit=2")[1]
        self.assertEqual(self.bridge.api(f"/api/v1/audit?limit=2&before={page['next_before']}")[1]["audit"], rows[2:4])
        status, answer = self.bridge.api("/api/v1/audit?limit=x")[:2]
        self.assertEqual((status, answer["error"]["field"]), (400, "limit"))

    def test_no_more_subscriptions_than_are_allowed(self):
        folder = World()
        self.addCleanup(folder.close)
        world = lease.World(lease.Server(folder, "  active_max: 1\n"))
        hook = world.api.registered("http://127.0.0.1:9/cb", "Object")
        world.api.register("http://127.0.0.1:9/cb", "Object").bad("subscriptions.active_max")
        world.api.registered("http://127.0.0.1:9/other", "Object", hookId=hook)
        world.api.call("unregister", {"hookId": hook}).good()
        world.api.registered("http://127.0.0.1:9/cb", "Object")

    def test_check_url_explains_its_verdict(self):
        for url, code, words in (("http://127.0.0.1/cb", 0, "allowed"), ("http://10.0.0.1/", 1, "private"),
                                 ("http://2130706433/", 1, "four decimal numbers"), ("http://8.8.8.8/", 0, "public")):
            found, out, err = self.bridge.cli("check-url", url)
            self.assertEqual(found, code, out + err)
            self.assertIn(words, out)

    def test_metrics_count_by_product_channel_and_token(self):
        receiver, channel, hook = self.world.hooked()
        self.world.emit(channel)
        receiver.wait(1)
        self.world.hooked(leaseTime=1)
        want = [f'orbridge_callbacks_total{{channel="{channel}",outcome="delivered",product="openregister"}} 1',
                f'orbridge_subscriptions_active{{channel="{channel}",product="openregister"}} 1',
                'orbridge_lease_requests_total{action="register",product="openregister",result="success",token="billing"} 2',
                "orbridge_subscriptions_expired_total{", 'target="subscriptions"']
        metrics = until("the metrics", lambda: (lambda text: all(each in text for each in want) and text)(
            call("GET", self.bridge.url + "/metrics")[2]))
        self.assertNotIn(hook, metrics)

    def test_a_callback_is_signed_and_the_secret_can_be_changed_with_overlap(self):
        receiver, channel, hook = self.world.hooked(secret="whsec_" + base64.b64encode(b"first-key").decode())
        self.world.api.registered(receiver.url(), channel, hookId=hook, secret="second-key")
        self.world.emit(channel)
        got = receiver.wait(1)[0]
        signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.raw
        expected = [b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
                    for key in (b"second-key", b"first-key")]
        self.assertEqual(got.headers["webhook-signature"].encode().split(b" "), expected)

    def test_notices_tell_those_who_asked(self):
        receiver, _, hook = self.world.hooked(notices=True, leaseTime=3)
        got = receiver.wait(2)
        self.assertEqual([(each.json["channel"], each.json["eventName"]) for each in got],
                         [("Subscription", "expiring"), ("Subscription", "removed")])
        self.assertEqual(got[0].json["hookId"], hook)
        self.assertEqual(got[1].json["payload"], {"reason": "expired"})
        self.assertEqual(set(got[0].json), {"channel", "eventName", "hookId", "timestamp", "payload"})

    def test_a_subscriber_is_told_how_many_events_it_missed(self):
        from receiver import in_turn, ok, status
        receiver, channel, _ = self.world.hooked(in_turn(status(500), status(500), ok), api=self.world.seed, notices=True)
        for name in ("lost", "lost too", "arrives"):
            self.world.emit(channel, name)
        last = receiver.wait(4)[3].json
        self.assertEqual((last["channel"], last["eventName"], last["payload"]), ("Subscription", "missed", {"count": 2}))

    def test_without_a_grace_time_nothing_is_brought_back(self):
        receiver, channel, hook = self.world.hooked()
        self.world.api.register(receiver.url(), channel, hookId=hook, since=0).bad("since")
        self.world.api.shown(hook)

    def test_a_dead_callback_can_be_replayed(self):
        from receiver import in_turn, ok, status
        receiver, channel, _ = self.world.hooked(in_turn(status(500), ok), api=self.world.seed)
        event = self.world.emit(channel)
        receiver.wait(1)
        until("it is dead", lambda: self.bridge.api(f"/api/v1/deliveries?event={event}&state=dead")[1]["deliveries"])
        self.assertEqual(self.bridge.cli("replay", "--event", event, "--state", "dead")[0], 0)
        receiver.wait(2)


class LateRenewal(unittest.TestCase):
    def setUp(self):
        folder = World()
        self.addCleanup(folder.close)
        self.server = lease.Server(folder, extra="  grace: 1h\n  catch_up_rate: 100/1s")
        self.world = lease.World(self.server)
        self.addCleanup(lambda: [each.close() for each in self.world.receivers])

    def ended(self):
        receiver, channel, hook = self.world.hooked(leaseTime=1, eventFilter="e.*")
        self.world.emit(channel, "e-before")
        receiver.wait(1)
        until("the lease is over", lambda: self.world.api.view(hookId=hook) == [])
        return receiver, channel, hook

    def test_what_was_missed_arrives_in_order_once_over_a_restart(self):
        receiver, channel, hook = self.ended()
        since = int(lease.now_ms())
        missed = [f"e{n}" for n in range(250)]
        for n, name in enumerate(missed):
            self.world.emit(channel, name)
            if n % 50 == 0:
                self.world.emit(channel, "unwanted")
        self.server.restart()
        self.world.api.register(receiver.url(), channel, hookId=hook, eventFilter="e.*", since=since).good()
        receiver.wait(2)
        live = [f"e-live{n}" for n in range(10)]
        for name in live[:5]:
            self.world.emit(channel, name)
        self.server.restart()
        for name in live[5:]:
            self.world.emit(channel, name)
        self.assertLess(len(set(receiver.names())), 251)  # it is still being brought up to date
        until("all arrived", lambda: len(set(receiver.names())) >= 261)
        self.world.emit(channel, "e-after")
        until("the last arrived", lambda: "e-after" in receiver.names())
        self.world.fence()
        names = receiver.names()
        once = list(dict.fromkeys(names))
        self.assertEqual(once, ["e-before", *missed, *live, "e-after"])
        self.assertLessEqual(len(names) - len(once), 1)  # one was on its way when the bridge was stopped

    def test_since_may_be_the_last_event_it_has(self):
        receiver, channel, hook = self.ended()
        first = self.world.emit(channel, "e1")
        self.world.emit(channel, "e2")
        self.world.api.register(receiver.url(), channel, hookId=hook, eventFilter="e.*", since=first).good()
        receiver.wait(2)
        self.world.fence()
        self.assertEqual(receiver.names(), ["e-before", "e2"])

    def test_since_is_refused_for_who_was_never_here_and_for_what_is_no_time(self):
        receiver, channel, hook = self.ended()
        self.world.api.register(receiver.url(), channel, hookId="stranger", since=0).bad("since")
        for since in ("yesterday", True, {}, "00000000-0000-7000-8000-000000000000"):
            self.world.api.register(receiver.url(), channel, hookId=hook, since=since).bad("since")
        long_ago = int(lease.now_ms()) - 31 * 86400 * 1000
        answer = self.world.api.register(receiver.url(), channel, hookId=hook, since=long_ago)
        answer.bad("since")
        self.assertIn("events are kept from", answer.json["message"])
        self.assertEqual(self.world.api.view(hookId=hook), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
