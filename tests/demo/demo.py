#!/usr/bin/env python3
"""Shows events on their way: a stand-in Nextcloud with OpenRegister sends captured requests, orbridge keeps,
maps and delivers them, and a stand-in Windmill really runs the documented script.

--once ends by itself; its exit code is 0 only if every event that was sent arrived."""

import argparse
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import ROOT, STANDINS, World, free_port, until  # noqa: E402

CONFIG = """# made by ./dev demo
listen: 127.0.0.1:{port}
public_url: http://127.0.0.1:{port}
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/openregister.yaml, {root}/mappings/nextcloud.yaml]
sources:
  cloud:
    type: openregister
    url: {nextcloud}
    user: admin
    password: apppass
    secret: demo-ingest-secret
    register: auto
  files:
    type: nextcloud
    url: {nextcloud}
    user: admin
    password: apppass
    secret: demo-listener-secret
    classes: ['OCP\\Files\\Events\\Node\\NodeCreatedEvent']
targets:
  on-object:
    adapter: windmill
    url: {windmill}/api/w/main/jobs/run/p/f/nextcloud/on_object
    token: wm-token
    follow: true
    retry: {{schedule: [500ms, 1s, 2s], floor: 500ms}}
  flaky-script:
    adapter: windmill
    url: {windmill}/api/w/main/jobs/run/p/f/nextcloud/flaky
    token: wm-token
    follow: true
routes:
  - {{name: objects, channel: Object, event_name: '(created|updated|deleted):.*', to: on-object}}
  - {{name: schemas, channel: Schema, to: on-object}}
  - {{name: files, channel: File, to: on-object}}
  - {{name: flaky, channel: Object, event_name: 'created:zaken:.*', to: flaky-script}}
"""


def say(text=""):
    print(text, flush=True)


def title(text):
    say(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}")


class Demo:
    def __init__(self, world, flags):
        self.world, self.flags = world, flags
        os.environ["ORBRIDGE_BINARY"] = str(pathlib.Path(flags.binary).resolve())
        self.windmill = world.windmill("--script", f"f/nextcloud/flaky={STANDINS}/scripts/flaky.py")
        self.nextcloud = world.nextcloud()
        self.bridge = world.bridge(self.config(flags.port))

    def config(self, port):
        return CONFIG.format(port=port, folder=self.world.folder, root=ROOT, nextcloud=self.nextcloud.url,
                             windmill=self.windmill.url)

    def start(self):
        title("1. orbridge starts and registers itself")
        self.bridge.start()
        until("registered", lambda: [w for w in self.nextcloud.get("/_standin/state")["webhooks"]])
        until("listening", lambda: self.nextcloud.get("/_standin/state")["listeners"])
        say(self.bridge.cli("status")[1])

    def send(self):
        title("2. A day's changes in OpenRegister; Windmill's database is in trouble at first")
        self.windmill.post("/_standin/faults", [
            {"match": "run", "status": 400, "body": "SqlErr: error returned from database: pool timed out", "times": 1}])
        answers = self.nextcloud.post("/_standin/scenario", {"name": "day"})
        answers.append(dict(self.nextcloud.post("/_standin/fire-listener", {"payload": "OCP.Files.Events.Node.NodeCreatedEvent"}),
                            capture="OCP.Files.Events.Node.NodeCreatedEvent"))
        sent = 0
        for answer in answers:
            for request in answer["sent"]:
                sent += 1
                say(f"  {answer['event'].rsplit(chr(92), 1)[-1]:24} → HTTP {request.get('status')} {str(request.get('answer', ''))[:60]}")
        return sent

    def watch(self):
        title("3. Each event: mapping, delivery, attempts, the script's own return value")
        self.bridge.settled()
        until("every job has its result", self.all_followed)
        rows = [("EVENT NAME", "TARGET", "DELIVERY", "TRIES", "JOB", "RESULT")]
        for row in reversed(self.deliveries()):
            story = self.bridge.api("/api/v1/deliveries/" + row["id"])[1]
            job = story.get("job", {})
            rows.append((row["event_name"], row["target"], row["state"], str(row["attempts"]), job.get("state", "-"),
                         job.get("result", "")[:90]))
        say(table(rows))

    def deliveries(self):
        return self.bridge.api("/api/v1/deliveries?limit=1000")[1]["deliveries"]

    def all_followed(self):
        stories = [self.bridge.api("/api/v1/deliveries/" + row["id"])[1] for row in self.deliveries()]
        return all(s["delivery"]["state"] != "delivered" or s.get("job", {}).get("state") in ("succeeded", "failed") for s in stories)

    def replay_failed(self):
        failed = [row for row in self.deliveries()
                  if self.bridge.api("/api/v1/deliveries/" + row["id"])[1].get("job", {}).get("state") == "failed"]
        for row in failed:
            title("4. A script failed (the delivery did not): it is run again with a new job")
            command = ["replay", "--event", row["event"], "--target", row["target"]]
            say("  $ orbridge " + " ".join(command))
            say("  " + self.bridge.cli(*command)[1].strip())
            self.bridge.settled()
            until("the second run", self.all_followed)
            say("  $ orbridge why " + row["event"])
            say(self.bridge.cli("why", row["event"])[1])
        return len(failed)

    def verdict(self, sent):
        title("5. Where everything went")
        status = self.bridge.api("/api/v1/status")[1]["store"]
        events, jobs = status["events"], self.windmill.jobs()
        undelivered = [row for row in self.deliveries() if row["state"] != "delivered"]
        by_event = {}
        for row in self.deliveries():
            by_event.setdefault((row["event"], row["event_name"]), []).append(row)
        rows = [("EVENT", "NAME", "JOBS", "LAST RESULT")]
        results = {job["id"]: job for job in jobs}
        for (event, name), found in reversed(by_event.items()):
            runs = [results[row["id"]] for row in found if row["id"] in results]
            last = max(runs, key=lambda job: job["created"], default=None)
            rows.append((event, name, str(len(runs)), "failed" if last and not last["success"] else "ok" if last else "none"))
        say(table(rows))
        arrived = sent == events and not undelivered and all(row["id"] in results for row in self.deliveries())
        say(f"{sent} requests sent, {events} events kept, {len(by_event)} routed, {len(jobs)} jobs: "
            + ("every event arrived" if arrived else f"NOT everything arrived: {undelivered}"))
        return arrived


def table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself")
    parser.add_argument("--port", type=int, help="where orbridge listens (default: a free port)", default=None)
    parser.add_argument("--binary", default="build/dev/orbridge", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.port is None:
        flags.port = free_port()
    with World() as world:
        demo = Demo(world, flags)
        demo.start()
        sent = demo.send()
        demo.watch()
        demo.replay_failed()
        arrived = demo.verdict(sent)
        if not flags.once:
            title("Running until Ctrl-C")
            say(f"  bridge {demo.bridge.url}   metrics {demo.bridge.url}/metrics   log {demo.bridge.log}")
            say(f"  try: ORBRIDGE_URL={demo.bridge.url} {flags.binary} events --config {demo.bridge.config}")
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
        return 0 if arrived else 1


if __name__ == "__main__":
    sys.exit(main())
