"""The wall clock is set by an hour, forward and back, under the real daemon: nothing is lost, doubled or left lying."""

import os
import pathlib
import struct
import unittest

from harness import binary, call, until
from test_engine import Watched

HOUR_MS = 3_600_000


@unittest.skipIf(os.environ.get("ORBRIDGE_SANITIZED"), "sanitizers ask the clock before they let it be replaced")
class Clock(Watched):
    def set_clock(self, by_ms):
        with open(self.world.folder / "clock", "r+b") as file:
            file.write(struct.pack("=q", by_ms))

    def start_at(self, **more):
        (self.world.folder / "clock").write_bytes(struct.pack("=q", 0))
        shim = pathlib.Path(binary()).parent / "tests/libstepped_clock.so"
        return self.start(env={"LD_PRELOAD": str(shim), "ORBRIDGE_TEST_CLOCK": str(self.world.folder / "clock")}, **more)

    def received_at(self, event):
        return self.bridge.api("/api/v1/events/" + event)[1]["received_at"]

    def delivered(self, events):
        self.bridge.settled()
        self.assertEqual({job["args"]["body"]["id"] for job in self.windmill.jobs()}, set(events))
        self.assertEqual(len(self.windmill.jobs()), len(events))
        self.assertEqual(call("GET", self.bridge.url + "/readyz")[0], 200)

    def test_events_come_and_go_over_every_step(self):
        self.start_at()
        events = []
        for by_ms in (0, HOUR_MS, 0, -HOUR_MS, 0):
            self.set_clock(by_ms)
            events += [self.send() for _ in range(5)]
            self.delivered(events)
        self.assertLess(self.received_at(events[0]), self.received_at(events[5]), "the daemon saw the step")
        self.assertLess(self.received_at(events[15]), self.received_at(events[0]), "and back")
        self.assertEqual(sorted(events), events, "ids stay in order")
        self.bridge.kill()
        self.bridge.start()
        self.delivered(events)

    def test_what_waits_is_due_at_once_when_it_is_set_forward_and_order_holds(self):
        self.start_at(target_extra="    breaker: off\n")
        self.windmill.post("/_standin/faults", [{"match": "run", "path": "on_object", "status": 429, "body": "slowly",
                                                 "headers": {"Retry-After": "1800"}, "times": 1}])
        subject = "00000000-0000-4000-8000-000000000051"
        events = [self.send(subject)]
        until("asked to wait", lambda: self.target().get("deferred", {}).get("by") == "retry_after")
        events.append(self.send(subject))
        self.set_clock(HOUR_MS)
        events.append(self.send())
        self.delivered(events)
        order = [job["args"]["body"]["id"] for job in self.windmill.jobs()]
        self.assertLess(order.index(events[0]), order.index(events[1]))

    def test_a_limited_target_goes_on_after_it_was_set_back(self):
        self.start_at(target_extra="    rate: 20/1s\n")
        events = [self.send() for _ in range(30)]
        self.delivered(events)
        self.set_clock(-HOUR_MS)
        events += [self.send() for _ in range(30)]
        self.delivered(events)


if __name__ == "__main__":
    unittest.main()
