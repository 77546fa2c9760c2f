"""Many sources of type http beside each other: rates that they share, turns, answers that serve several (rows S2, S5, S14)."""
import time
import unittest

from harness import ROOT, World, call, free_port, until
from json_desk import Desk

MANY = """listen: 127.0.0.1:{port}
adapters: {{folders: [{root}/adapters]}}
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/http.yaml]
sources:
{sources}targets:
  told: {target}
routes:
  - {{channel: Thing, to: told}}
"""
NOWHERE = "{adapter: windmill, url: 'http://127.0.0.1:9/api/w/main/jobs/run/p/f/x/y', token: wm}"


class Shared(unittest.TestCase):
    def start(self, answer, sources, push="", target=NOWHERE):
        """`answer(name, token)`: the items that a source of this token is shown; `sources`: name → further settings."""
        self.desk = Desk(self)
        self.arrived, self.busy, self.most = [], {}, {}

        def say(path, headers):
            return 200, {}, answer(path, headers["Authorization"].rpartition(" ")[2])
        self.desk.say(say)
        self.desk.watch = self.watch
        world = World()
        self.addCleanup(world.close)
        base = self.desk.url.partition("/api/")[0]
        text = "".join(f"  {name}: {{type: http, url: '{base}/{path}', {more}}}\n" for name, (path, more) in sources.items())
        self.bridge = world.bridge(MANY.format(port=free_port(), folder=world.folder, root=ROOT, sources=text + push,
                                               target=target.replace("BASE", base))).start()

    def watch(self, path, headers, begins):
        """Called by the desk, under its lock, when a request came and when it is about to be answered."""
        self.busy[path] = self.busy.get(path, 0) + (1 if begins else -1)
        self.most[path] = max(self.most.get(path, 0), self.busy[path])
        if begins:
            self.arrived.append((time.monotonic(), path, headers["Authorization"]))

    def all_arrived(self):
        with self.desk.lock:
            return list(self.arrived)

    def test_S2_S5_twenty_sources_share_one_rate_and_none_is_starved(self):
        poll = "token: same, poll: {interval: 100ms, backoff_max: 100ms, id: /n}"
        began = time.monotonic()
        self.start(lambda path, token: [{"n": path}],
                   {f"s{n}": (f"list/{n}", poll + (", rate: 20/1s" if n == 7 else "")) for n in range(20)})
        until("a hundred requests", lambda: len(self.all_arrived()) >= 100)
        arrived = self.all_arrived()
        for count, (at, *_) in enumerate(arrived):  # a request may arrive late, never early
            self.assertGreaterEqual(at - began, count // 20 - 0.01, "more than 20 within a second")
        self.assertEqual(len({path for _, path, _ in arrived[:100]}), 20)
        self.assertEqual(set(self.most.values()), {1})  # S2: one at a time of each source
        self.assertEqual(self.bridge.stop(), 0)  # though all of them wait for their turn

    def test_S2_one_poll_at_a_time_though_an_answer_takes_three_intervals(self):
        self.start(lambda path, token: [{"n": path}],
                   {"slow": ("list/1", "token: same, poll: {interval: 100ms, backoff_max: 100ms, id: /n}")})
        self.desk.pause = lambda: time.sleep(0.3)  # what the fake is like; nothing waits for it
        until("six polls", lambda: len(self.all_arrived()) >= 6)
        self.assertEqual(self.most["/list/1"], 1)

    def test_S2_the_first_poll_is_at_once_and_twenty_sources_do_not_go_in_step(self):
        self.start(lambda path, token: [{"n": path}],
                   {f"s{n}": (f"list/{n}", "token: same, poll: {interval: 1h, id: /n}") for n in range(20)})
        polls = until("all were polled once", lambda: (lambda all_: all_ if all(
            poll.get("next_poll") for poll in all_) else None)(
                [each["poll"] for each in self.bridge.api("/api/v1/status")[1]["sources"].values()]))
        self.assertEqual(len({path for _, path, _ in self.all_arrived()}), 20)  # at once, not in an hour
        self.assertGreaterEqual(len({poll["next_poll"] for poll in polls}), 15)  # by milliseconds, within 12 minutes

    def test_S5_targets_keep_to_the_rate_of_sources_with_the_same_credentials(self):
        self.start(lambda path, token: [{"n": path}],
                   {f"s{n}": (f"list/{n}", "token: same, poll: {interval: 100ms, backoff_max: 100ms, id: /n}"
                              + (", rate: 10/1s" if n == 7 else "")) for n in range(20)},
                   push="  told: {type: push, verify: bearer, secret: push-token, mapping: record}\n",
                   target="{adapter: http, config: {url: 'BASE/take'}, credentials: {token: same}, task: post, "
                          "params: {body: {name: '{{event.eventName}}'}}, in_flight_max: 3}")
        for n in range(6):
            status, _, text = call("POST", f"{self.bridge.url}/ingest/told",
                                   {"channel": "Thing", "eventName": f"created:{n}", "timestamp": 1790000000000,
                                    "payload": {"n": n}}, {"Authorization": "Bearer push-token"})
            self.assertEqual(status // 100, 2, text)
        until("all were polled twice, and the events were delivered", lambda: all(
            sum(path == f"/list/{n}" for _, path, _ in self.all_arrived()) >= 2 for n in range(20)) and
            sum(path == "/take" for _, path, _ in self.all_arrived()) == 6)
        arrived = self.all_arrived()
        self.assertEqual({token for *_, token in arrived}, {"Bearer same"})
        for (first, *_), (last, *_) in zip(arrived, arrived[10:]):
            self.assertGreaterEqual(last - first, 0.99, "more than 10 within a second")
        self.bridge.settled()
        attempts = [each["attempts"] for each in self.bridge.api("/api/v1/deliveries")[1]["deliveries"]]
        self.assertEqual(attempts, [1] * 6)  # waiting for its turn is no attempt
        self.assertEqual(self.bridge.stop(), 0)

    def test_S14_equal_requests_of_one_owner_are_one_and_none_crosses_to_another(self):
        poll = "poll: {interval: 300ms, backoff_max: 300ms, id: /n, existing: tell}"
        self.start(lambda path, token: [{"n": 1, "of": token}],
                   {"a": ("list", "token: one, " + poll), "b": ("list", "token: one, " + poll),
                    "c": ("list", "token: two, " + poll)})
        until("each owner asked", lambda: all(
            sum(token.endswith(owner) for *_, token in self.all_arrived()) >= 8 for owner in ("one", "two")))
        for owner in ("one", "two"):
            times = [when for when, _, token in self.all_arrived() if token.endswith(owner)]
            for first, last in zip(times, times[1:]):
                self.assertGreaterEqual(last - first, 0.26, f"asked twice in an interval for {owner}")
        told = {}
        for event in self.bridge.api("/api/v1/events")[1]["events"]:
            told[event["source"]] = self.bridge.api("/api/v1/events/" + event["id"])[1]["payload"]["item"]["of"]
        self.assertEqual(told, {"a": "one", "b": "one", "c": "two"})


if __name__ == "__main__":
    unittest.main()
