#!/usr/bin/env python3
"""2,000 subscriptions, of which 1,000 hang for their whole timeout: what the healthy ones notice of it.

    hanging.py [--subscriptions 2000] [--events 10] [--floor-ms 0]

Prints the time from the event's acceptance to its callback, with and without the hanging half, and how many
threads the bridge has. Exit code 1 if the healthy ones' p99 is more than doubled, or above --floor-ms if that is more
(what a busy machine adds by itself), or if the number of threads changes."""

import argparse
import asyncio
import json
import pathlib
import statistics
import sys
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[up]) for up in (0, 1)]

import harness  # noqa: E402
from world import Api, World  # noqa: E402

TIMEOUT_S = 3


class Receivers:
    """One asyncio server in a thread: /ok/… answers at once, /hang/… never."""

    def __init__(self):
        self.arrived, self.hanging = [], 0
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        threading.Thread(target=self.run, args=(started,), daemon=True).start()
        started.wait()

    def run(self, started):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=4096))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                if head.startswith(b"POST /hang"):
                    self.hanging += 1
                    await reader.read()
                    break
                self.arrived.append((json.loads(body)["eventName"], time.monotonic()))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Served:
    def __init__(self, world):
        self.bridge = world.bridge(f"""listen: 127.0.0.1:0
store: sqlite:{world.folder}/orbridge.db
mappings: [{harness.ROOT}/mappings/openregister.yaml]
log: {{level: warning}}
sources:
  app: {{type: record, token: sender-token}}
subscriptions:
  products: [openregister]
  tokens: [{{name: billing, token: billing-token-0123456789}}]
  allow: [127.0.0.0/8]
  timeout: {TIMEOUT_S}s
""").start()

    @property
    def port(self):
        return self.bridge.port

    def threads(self):
        status = pathlib.Path(f"/proc/{self.bridge.process.pid}/status").read_text()
        return int(status.split("Threads:")[1].split()[0])


def measure(hanging, healthy, events):
    receivers = Receivers()
    with harness.World() as folder:
        served = Served(folder)
        world = World(served)
        api = Api(world, "openregister")
        for n in range(hanging):
            api.registered(f"http://127.0.0.1:{receivers.port}/hang/{n}", "c")
        for n in range(healthy):
            api.registered(f"http://127.0.0.1:{receivers.port}/ok/{n}", "c")
        threads, delays = set(), []
        for n in range(events):
            receivers.arrived.clear()
            world.emit("c", f"e{n}")
            accepted = time.monotonic()
            harness.until(f"all healthy callbacks of event {n}", lambda: len(receivers.arrived) >= healthy)
            threads.add(served.threads())
            delays += [arrived - accepted for _, arrived in receivers.arrived]
        delays.sort()
        print(f"{hanging:5} hanging, {healthy} healthy: p50 {statistics.median(delays) * 1000:7.1f} ms   "
              f"p99 {delays[len(delays) * 99 // 100] * 1000:7.1f} ms   threads {min(threads)} to {max(threads)}   "
              f"callbacks left hanging {receivers.hanging}", flush=True)
        return delays[len(delays) * 99 // 100], threads


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscriptions", type=int, default=2000)
    parser.add_argument("--events", type=int, default=10)
    parser.add_argument("--floor-ms", type=int, default=0)
    parser.add_argument("--tries", type=int, default=1, help="on a busy machine: once must do")
    options = parser.parse_args()
    half = options.subscriptions // 2
    for _ in range(options.tries):
        without, _ = measure(0, half, options.events)
        beside, threads = measure(half, half, options.events)
        print(f"p99 beside the hanging ones: {beside / without:.2f} times that without them")
        if beside <= max(2 * without, options.floor_ms / 1000) and len(threads) == 1:
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
