"""Targets behind TLS: authorities of one's own, HTTP/2 where it is offered, and what a wrong certificate comes to."""

import json
import shutil
import ssl
import subprocess
import unittest
import urllib.request

from certificates import make_authority, sign
from harness import STANDINS, World, call, config, until
from test_engine import RETRY, Sending


class Tls(Sending):
    def setUp(self):
        super().setUp()
        make_authority(self.world.folder)
        sign(self.world.folder, "sink")
        node = shutil.which("node") or shutil.which("nodejs")
        self.sink = subprocess.Popen([node, str(STANDINS / "h2_sink.js"), "sink.pem", "sink.key"], cwd=self.world.folder,
                                     stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end_sink)
        self.port = int(self.sink.stdout.readline())

    def end_sink(self):
        self.sink.terminate()
        self.sink.wait()
        self.sink.stdout.close()

    def seen(self):
        trusted = ssl.create_default_context(cafile=self.world.folder / "ca.pem")
        with urllib.request.urlopen(f"https://127.0.0.1:{self.port}/seen", context=trusted) as answer:
            return json.loads(answer.read())

    def begin(self, extra):
        target = RETRY + f"""  secure:
    adapter: windmill
    url: https://127.0.0.1:{self.port}/api/w/main/jobs/run/p/f/x/y
    token: t
    in_flight_max: 5
"""
        windmill = self.world.windmill()
        routes = "  - {channel: Object, to: secure, order: none}\n"
        self.bridge = self.world.bridge(config(self.world, windmill, routes=routes, target_extra=target, extra=extra))
        self.bridge.start()

    def test_what_an_authority_of_ones_own_has_signed_is_trusted_and_http_2_is_used(self):
        self.begin("deliver: {ca_file: ca.pem}\n")
        for _ in range(40):
            self.send()
        self.bridge.settled()
        seen = self.seen()
        self.assertEqual(len(set(seen["jobs"])), 40)
        self.assertEqual(seen["versions"], ["2.0"])
        self.assertLessEqual(seen["streams_most"], 5)  # the target's cap counts streams, not connections

    def test_without_it_nothing_is_sent_and_the_reason_is_told(self):
        self.begin("")
        event = self.send()
        until("it was tried", lambda: self.attempts(event))
        self.assertIn("certificate", self.attempts(event)[0]["reason"])
        self.assertEqual(self.seen()["jobs"], [])

    def attempts(self, event):
        [delivery] = self.bridge.api(f"/api/v1/deliveries?event={event}")[1]["deliveries"]
        return self.bridge.api("/api/v1/deliveries/" + delivery["id"])[1]["attempts_made"]

    def test_a_ca_file_that_is_none_is_a_mistake_of_the_configuration(self):
        windmill = self.world.windmill()
        (self.world.folder / "empty.pem").write_text("nothing")
        bridge = self.world.bridge(config(self.world, windmill, extra="deliver: {ca_file: empty.pem}\n"))
        code, out, err = bridge.cli("check", url=False)
        self.assertEqual(code, 2)
        self.assertRegex(out + err, r"orbridge.yaml:\d+:\d+: deliver.ca_file: cannot read a certificate from .*empty.pem")


if __name__ == "__main__":
    unittest.main()
