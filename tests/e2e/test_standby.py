"""One bridge works, others wait for its store: whoever waits says so, takes nothing, and goes on when the first is gone.

ORBRIDGE_TEST_KILLS says how many kills (a tenth of it), ORBRIDGE_TEST_SEED repeats their moments."""

import collections
import contextlib
import fcntl
import http.client
import itertools
import json
import os
import random
import signal
import socket
import threading
import unittest

import test_crash
from harness import CAPTURES, ROOT, World, call, config, send_capture, until

KILLS = max(3, test_crash.KILLS // 10)
STANDBY = "standby: true\nstandby_poll: 20ms\n"
CAPTURE = CAPTURES / "ObjectCreatedEvent.standard.http"


def readiness(bridge):
    """(status, document) of /readyz; (None, {}) from nobody."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        status, _, text = call("GET", bridge.url + "/readyz")
        return status, json.loads(text)
    return None, {}


def works(bridge):
    return readiness(bridge)[0] == 200


def waits_for(bridge, holder):
    status, told = readiness(bridge)
    return status == 503 and told.get("standby") is True and told.get("holder", {}).get("pid") == holder.process.pid


def said(bridge, message):
    return [line for line in bridge.log_lines() if line["message"] == message]


class Either:
    """What senders see of several bridges: the port of one after the other."""

    def __init__(self, bridges):
        self.turns = itertools.cycle(bridges)

    @property
    def port(self):
        return next(self.turns).port


class RetryingSender(test_crash.Sender):
    """Whoever does not accept is left for the other one."""

    timeout_s = 60

    def send(self, connection):
        accepted = len(self.accepted)
        super().send(connection)
        if len(self.accepted) == accepted:
            connection.close()
            raise http.client.HTTPException("not accepted")


class Standby(unittest.TestCase):
    check, check_plain = test_crash.Crash.check, test_crash.Crash.check_plain

    def setUp(self):
        self.seed = int(os.environ.get("ORBRIDGE_TEST_SEED", random.randrange(1 << 32)))
        self.world = World()
        self.addCleanup(self.world.close)
        self.windmill = self.world.windmill()

    def text(self, extra=STANDBY, **options):
        return config(self.world, self.windmill, extra=extra, **options)

    def started(self, name, text=None):
        return self.world.bridge(self.text() if text is None else text, name).start()

    def pair(self, text=None):
        first = self.started("first", text)
        until("the first works", lambda: works(first))
        second = self.started("second", text)
        until("the second waits", lambda: waits_for(second, first))
        return first, second

    def test_without_the_setting_a_second_bridge_is_refused(self):
        self.started("first", self.text(extra=""))
        second = self.world.bridge(self.text(extra=""), "second").start(wait=False)
        second.process.must_end_well = False
        self.assertEqual(second.process.process.wait(60), 1)
        self.assertIn("is in use by another process: only one orbridge may have it open", second.log.read_text())

    def test_one_that_waits_is_alive_and_takes_nothing(self):
        first, second = self.pair()
        self.assertEqual(call("GET", second.url + "/healthz")[0], 200)
        status, headers, text = call("GET", second.url + "/readyz")
        self.assertEqual((status, headers["Retry-After"], json.loads(text)["ready"]), (503, "1", False))
        self.assertIn(f"pid {first.process.pid} on ", json.loads(text)["checks"]["store"]["detail"])
        status, text = send_capture(second.port, CAPTURE, "/ingest/openregister")
        self.assertEqual((status, json.loads(text)["error"]["code"]), (503, "standby"))
        for method, path in (("GET", "/api/v1/status"), ("POST", "/openregister/webhookAPI/register"), ("GET", "/ui/credentials")):
            status, headers, text = call(method, second.url + path)
            self.assertEqual((status, headers["Retry-After"], json.loads(text)["error"]["code"]), (503, "1", "standby"), path)
        self.assertIn("\norbridge_standby 0\n", call("GET", first.url + "/metrics")[2])
        self.assertIn("\norbridge_standby 1\n", call("GET", second.url + "/metrics")[2])
        code, out, err = second.cli("status")
        self.assertEqual(code, 1, out)
        self.assertIn("stands by", err)
        self.assertEqual(first.api("/api/v1/status")[1]["store"]["events"], 0)
        self.assertEqual(len(said(second, "bridge.standing_by")), 1)
        self.assertEqual(said(second, "bridge.standing_by")[0]["holder_pid"], first.process.pid)

    def test_one_that_waits_ends_at_once_with_0_when_told(self):
        first = self.started("first")
        for name, how in (("second", signal.SIGTERM), ("third", signal.SIGINT)):
            # Whoever slept until it looks again would be too late.
            waiting = self.started(name, self.text(extra="standby: true\nstandby_poll: 1m\n"))
            until("it waits", lambda bridge=waiting: waits_for(bridge, first))
            self.assertEqual(waiting.process.end(how), 0)
            self.assertEqual([line["signal"] for line in said(waiting, "bridge.stopping")], [how])
        self.assertTrue(works(first))

    def test_a_reload_of_one_that_waits_checks_the_file_and_counts_when_it_takes_over(self):
        first, second = self.pair()
        good = second.config.read_text()
        for text, message in ((good.replace("adapter: windmill", "adapter: windmil"), "reload.refused"),
                              (good.replace("/on_object\n", "/other\n"), "reload.done")):
            second.config.write_text(text)
            second.process.process.send_signal(signal.SIGHUP)
            until(message, lambda wanted=message: said(second, wanted))
        self.assertTrue(waits_for(second, first))
        self.assertTrue(any("targets.on-object" in line["what"] for line in said(second, "reload.changed")))
        first.kill()
        until("the second works", lambda: works(second))
        self.assertEqual(send_capture(second.port, CAPTURE, "/ingest/openregister")[0], 202)
        until("it goes where the new file says", lambda: [
            line for line in said(second, "delivery.attempted") if line["target"] == "on-object" and line["status"] == 404])

    def test_a_wrong_configuration_is_refused_at_once(self):
        self.started("first")
        for name, wrong in (("second", self.text(extra=STANDBY + "no_such_key: 1\n")),
                            ("third", self.text().replace("adapter: windmill", "adapter: windmil"))):
            bridge = self.world.bridge(wrong, name).start(wait=False)
            bridge.process.must_end_well = False
            self.assertEqual(bridge.process.process.wait(60), 2)
            self.assertNotIn("bridge.standing_by", bridge.log.read_text())

    def test_nothing_is_asked_or_told_before_the_store_is_taken(self):
        nextcloud = self.world.nextcloud()
        lock = open(self.world.folder / "orbridge.db.lock", "w", encoding="ascii")
        self.addCleanup(lock.close)
        fcntl.flock(lock, fcntl.LOCK_EX)
        text = self.text(extra="standby_poll: 20ms\n", nextcloud=nextcloud.url,
                         source_extra="    poll: {interval: 1s, refresh_min: 1s}\n")
        bridge = self.world.bridge(text).start("--standby")
        for _ in range(100):
            status, told = readiness(bridge)
            self.assertEqual((status, told["standby"]), (503, True))
            self.assertNotIn("holder", told, "who does not say who it is")
        self.assertEqual(nextcloud.get("/_standin/requests"), [])
        self.assertEqual(self.windmill.jobs(), [])
        self.assertEqual([file.name for file in self.world.folder.glob("orbridge.db*")], ["orbridge.db.lock"])
        self.assertFalse((self.world.folder / "admin.token").exists())
        port = bridge.port
        fcntl.flock(lock, fcntl.LOCK_UN)
        until("it works", lambda: works(bridge))
        until("it registers and polls", lambda: nextcloud.get("/_standin/state")["webhooks"] and any(
            "audit" in json.dumps(each) or "objects" in json.dumps(each) for each in nextcloud.get("/_standin/requests")))
        self.assertEqual(bridge.port, port)
        self.assertEqual([len(said(bridge, name)) for name in ("bridge.standing_by", "bridge.taking_over", "store.opened")],
                         [1, 1, 1])

    def test_of_two_that_wait_one_takes_over_and_the_other_waits_for_that(self):
        first, second = self.pair()
        third = self.started("third")
        until("the third waits too", lambda: waits_for(third, first))
        first.kill()
        one, other = until("one of them works", lambda: next(
            (pair for pair in ((second, third), (third, second)) if works(pair[0])), None))
        until("the other waits for it", lambda: waits_for(other, one))
        self.assertEqual(said(other, "store.opened"), [])
        self.assertEqual(other.stop(), 0)
        self.assertEqual(one.stop(), 0)

    def test_a_service_manager_is_told_that_one_waits_lives_and_works(self):
        first = self.started("first")
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(self.world.folder / "notify"))
        told = []

        def listen():
            """To the last, since who tells waits if nobody listens."""
            while not told or told[-1] != "end":
                told.extend(notify.recv(4096).decode().split("\n"))

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        self.addCleanup(notify.close)
        self.addCleanup(listener.join)
        self.addCleanup(lambda: notify.sendto(b"end", str(self.world.folder / "notify")))

        # The watchdog is told in time, however rarely the store is to be looked at.
        second = self.world.bridge(self.text(extra="standby: true\nstandby_poll: 1m\n"), "second")
        second.env = dict(os.environ, NOTIFY_SOCKET=str(self.world.folder / "notify"), WATCHDOG_USEC="400000")
        second.start()
        until("it waits", lambda: {"STATUS=stands by: another process has the store", "READY=1", "WATCHDOG=1"} <= set(told))
        first.kill()
        until("it works", lambda: "STATUS=works" in told and "READY=1" in told[told.index("STATUS=works"):])
        until("the second works", lambda: works(second))
        self.assertEqual(second.stop(), 0)

    def take_turns(self, bridges, kills, end):
        """Senders try both. `end` ends the one that works, in the presence of the one that waits, which then works."""
        moments, stop = random.Random(self.seed), threading.Event()
        senders = [RetryingSender(Either(bridges), number, stop) for number in range(test_crash.SENDERS)]
        for sender in senders:
            sender.start()
        working, waiting = bridges
        for _ in range(kills):
            accepted = sum(len(s.accepted) for s in senders)
            until("load", lambda least=accepted + 5: sum(len(s.accepted) for s in senders) > least)
            stop.wait(moments.random() * 0.15)
            end(working, waiting)
            until("the one that stood by works", lambda bridge=waiting: works(bridge))
            working.start()
            until("the one that was ended waits", lambda pair=(working, waiting): waits_for(*pair))
            working, waiting = waiting, working
        stop.set()
        for sender in senders:
            sender.join()
        working.settled()
        self.assertEqual([waiting.stop(), working.stop()], [0, 0])
        return [c for s in senders for c in s.accepted], {c for s in senders for c in s.tried}

    def test_killed_again_and_again_nothing_is_missing_and_all_is_in_order(self):
        plain, under_way = test_crash.PlainReceiver(), collections.Counter()
        self.addCleanup(plain.server_close)
        self.addCleanup(plain.shutdown)
        store = self.world.folder / "orbridge.db"

        def kill(working, waiting):
            """What was under way is read before the other one begins with it."""
            waiting.process.process.send_signal(signal.SIGSTOP)
            try:
                working.kill()
                under_way.update(test_crash.waiting_for("plain", store))
            finally:
                waiting.process.process.send_signal(signal.SIGCONT)

        bridges = self.pair(self.text(
            routes=test_crash.route("[on-object, plain]"),
            target_extra=test_crash.RETRY + test_crash.PLAIN.format(port=plain.server_port) + test_crash.RETRY,
            extra=STANDBY + f"adapters: {{folders: [{ROOT}/adapters]}}\n"))
        accepted, tried = self.take_turns(bridges, KILLS, kill)
        self.check(KILLS, accepted, tried, "f/nextcloud/on_object")
        self.check_plain(KILLS, accepted, tried, list(plain.arrived), under_way)

    def test_killed_or_stopped_under_the_eyes_of_the_other(self):
        chance = random.Random(self.seed)

        def end(working, _):
            if chance.random() < 0.5:
                working.kill()
            else:
                self.assertEqual(working.stop(), 0)

        bridges = self.pair(self.text(routes=test_crash.route("on-object"), target_extra=test_crash.RETRY))
        accepted, tried = self.take_turns(bridges, KILLS, end)
        self.check(KILLS, accepted, tried, "f/nextcloud/on_object")


if __name__ == "__main__":
    unittest.main()
