#!/usr/bin/env python3
"""What polling costs: reading 100,000 rows of an audit trail, then comparing lists in which nothing changed.

    python3 tests/bench/poll.py [--rows 100000] [--objects 10000]

Says requests, bytes, CPU and memory at a tenth of the way and at its end: memory must stay flat."""

import argparse
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import ROOT, SECRET, World, until  # noqa: E402

FILLED_AT_ONCE = 5_000
CONFIG = """listen: 127.0.0.1:0
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/openregister.yaml]
sources:
  cloud:
    type: openregister
    url: {nextcloud}
    user: admin
    password: apppass
    secret: {secret}
    register: 'off'
    poll: {{interval: 500ms, log: audit, compare_every: {compare}}}
targets: {{}}
routes: []
"""


def used(pid):
    """CPU seconds and resident MiB."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def polled(bridge):
    return bridge.api("/api/v1/status")[1]["sources"]["cloud"]["poll"]


def traffic(nextcloud):
    """Requests so far, and bytes of their answers."""
    return len(nextcloud.get("/_standin/requests")), nextcloud.get("/_standin/reads")["answer_bytes"]


def since(nextcloud, before):
    requests, size = (now - then for now, then in zip(traffic(nextcloud), before))
    return f"{requests} requests, {size / 1e6:.1f} MB of answers"


def at_rest(bridge, after=""):
    def look():
        poll = polled(bridge)
        return poll.get("fetched_at", "") > after and poll.get("next_poll", "") > poll["fetched_at"] and poll
    return until("polled to the end", look, 900)


def read_rows(world, nextcloud, rows, objects):
    nextcloud.post("/_standin/fill", {"objects": objects})
    bridge = world.bridge(CONFIG.format(folder=world.folder, root=ROOT, nextcloud=nextcloud.url, secret=SECRET, compare="0s"))
    bridge.start()
    at_rest(bridge)
    bridge.stop()
    for _ in range(0, rows, FILLED_AT_ONCE):
        nextcloud.post("/_standin/fill", {"audit_rows": FILLED_AT_ONCE})
    asked, cpu = traffic(nextcloud), 0
    bridge.start()
    start = time.monotonic()
    until("a tenth", lambda: polled(bridge)["recovered"] >= rows // 10, 900)
    _, early = used(bridge.process.pid)
    until("all", lambda: polled(bridge)["recovered"] >= rows, 900)
    seconds = time.monotonic() - start
    cpu_now, late = used(bridge.process.pid)
    print(f"{rows} rows: {seconds:.1f} s, {since(nextcloud, asked)}, {cpu_now - cpu:.1f} s CPU, "
          f"RSS {early:.0f} MiB at a tenth, {late:.0f} MiB at the end")
    bridge.stop()


def compare(world, nextcloud, objects):
    bridge = world.bridge(CONFIG.format(folder=world.folder, root=ROOT, nextcloud=nextcloud.url, secret=SECRET, compare="1s"))
    bridge.start()
    at_rest(bridge)
    for name in ("first", "second"):
        asked, (cpu, _) = traffic(nextcloud), used(bridge.process.pid)
        start, before = time.monotonic(), bridge.api("/api/v1/status")[1]["now"]
        until("compared", lambda: traffic(nextcloud)[0] > asked[0] + objects // 200, 300)
        at_rest(bridge, before)
        cpu_now, memory = used(bridge.process.pid)
        print(f"{objects} unchanged objects, {name} time: {time.monotonic() - start:.1f} s, "
              f"{since(nextcloud, asked)}, {cpu_now - cpu:.2f} s CPU, RSS {memory:.0f} MiB")
    print(f"events told: {polled(bridge)['recovered']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--objects", type=int, default=10_000)
    flags = parser.parse_args()
    with World() as world:
        nextcloud = world.nextcloud()
        read_rows(world, nextcloud, flags.rows, flags.objects)
        compare(world, nextcloud, flags.objects)
        world.end_all()


if __name__ == "__main__":
    main()
