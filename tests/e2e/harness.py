"""Starts the real binary and the stand-ins on free ports, in a folder of its own, and ends them by their ids.

Waiting is always for a condition (a file, an answer, a count), never for a time to pass."""

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data"
CAPTURES = DATA / "openregister/captures"
STANDINS = ROOT / "tests/standins"
SECRET = "vis-7Qm2-OpenRegister-secret"
HOOK_TOKEN = "wm-token-visible-123"
DEADLINE_S = float(os.environ.get("ORBRIDGE_TEST_DEADLINE_S", "60"))


def binary():
    return os.environ.get("ORBRIDGE_BINARY", str(ROOT / "build/dev/orbridge"))


def until(what, condition, deadline_s=DEADLINE_S):
    """Asks again and again until the condition gives something true, and returns that."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"did not happen within {deadline_s} s: {what}")
        time.sleep(0.01)


RESERVED = []


def free_port():
    """For a bridge whose own address stands in its configuration (public_url), so that it must be known before it starts.

    The port stays bound, without listening, until this program ends: so the system gives it to nobody who asks for any
    port, connections to it are refused, and one who names it and reuses addresses (as all servers here do) still gets it.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    RESERVED.append(holder)
    return holder.getsockname()[1]


def call(method, url, body=None, headers=None, timeout=30):
    """(status, headers, text) of one exchange; an HTTP error is an answer, not an exception."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


def parse_capture(path):
    """(method, path, headers, body) of a raw `.http` file; the bytes stay as they are."""
    head, _, body = pathlib.Path(path).read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    return method, target, [tuple(line.split(": ", 1)) for line in lines], body


def send_capture(port, capture, path, body=None, replace=None):
    """Sends a capture byte for byte, but to our own path. Headers in `replace` get another value."""
    method, _, headers, original = parse_capture(capture)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, (replace or {}).get(name, value))
    connection.endheaders(original if body is None else body)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def send_signed(url, document):
    """An event as OpenRegister's webhooks send it: (status, text)."""
    body = json.dumps(document)
    signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
    status, _, text = call("POST", url + "/ingest/openregister", body,
                           {"Content-Type": "application/json", "X-Webhook-Signature": signature})
    return status, text


class Process:
    must_end_well = False

    def __init__(self, command, log, env=None, cwd=None):
        self.log = open(log, "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=env, cwd=cwd)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def end(self, how=signal.SIGTERM, deadline_s=30):
        if self.alive():
            self.process.send_signal(how)
            try:
                self.process.wait(deadline_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        self.log.close()
        return self.process.returncode


class World(contextlib.ExitStack):
    """A folder with processes in it; leaving it ends them."""

    def __init__(self):
        super().__init__()
        self.folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory(prefix="orbridge-test-")))
        self.processes = []
        self.callback(self.end_all)

    def end_all(self):
        faults = []
        for process in reversed(self.processes):
            code = process.end()
            # A sanitizer's finding, a leak or a crash shows in how the bridge ends. Killed by a test is fine.
            if process.must_end_well and code not in (0, -signal.SIGKILL):
                faults.append(f"the bridge ended with {code}:\n" + pathlib.Path(process.log.name).read_text()[-5000:])
        if faults:
            raise AssertionError("\n".join(faults))

    def standin(self, name, *flags):
        port_file = self.folder / f"{name}.port"
        port_file.unlink(missing_ok=True)  # of one that ran before
        process = Process([sys.executable, str(STANDINS / f"{name}.py"), "--port", "0", "--port-file", str(port_file),
                           *flags], self.folder / f"{name}.log")
        self.processes.append(process)
        return process, self.port_of(process, port_file)

    def port_of(self, process, port_file):
        def look():
            if not process.alive():
                raise AssertionError(f"{process.process.args} ended: " + pathlib.Path(process.log.name).read_text()[-3000:])
            with contextlib.suppress(OSError, ValueError):
                return int(port_file.read_text())
            return None
        return until("the port file", look)

    def windmill(self, *flags, script="on_object.py"):
        process, port = self.standin("windmill", "--script", f"f/nextcloud/on_object={STANDINS}/scripts/{script}", *flags)
        return StandIn(process, port)

    def nextcloud(self, *flags):
        process, port = self.standin("nextcloud", *flags)
        return StandIn(process, port)

    def bridge(self, config, name="orbridge"):
        return Bridge(self, config, name)


class StandIn:
    def __init__(self, process, port):
        self.process, self.port, self.url = process, port, f"http://127.0.0.1:{port}"

    def get(self, path):
        return json.loads(call("GET", self.url + path)[2])

    def post(self, path, body, timeout=30):
        status, _, text = call("POST", self.url + path, body, {"Content-Type": "application/json"}, timeout)
        assert status < 300, f"{path}: {status} {text}"
        return json.loads(text or "null")

    def jobs(self):
        return self.get("/_standin/jobs")


class Bridge:
    """One configuration and store; start() and kill() as often as wanted. Those that share a store have other names."""

    def __init__(self, world, config, name="orbridge"):
        self.world, self.name = world, name
        self.config = world.folder / f"{name}.yaml"
        self.config.write_text(config)
        self.log = world.folder / f"{name}.log"
        self.process, self.port = None, None
        self.env = None  # of the daemon; None: as the test's

    def start(self, *options, wait=True):
        port_file = self.world.folder / f"{self.name}.port"
        port_file.unlink(missing_ok=True)
        self.process = Process([binary(), "serve", "--config", str(self.config), "--port-file", str(port_file), *options],
                               self.log, self.env)
        self.process.must_end_well = True
        self.world.processes.append(self.process)
        if wait:
            self.port = self.world.port_of(self.process, port_file)
        return self

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        return self.process.end()

    def kill(self):
        self.process.end(signal.SIGKILL)

    def cli(self, *arguments, url=True):
        env = dict(os.environ, ORBRIDGE_URL=self.url) if url and self.port else dict(os.environ)
        done = subprocess.run([binary(), *arguments, "--config", str(self.config)], env=env, capture_output=True,
                              text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def cli_json(self, *arguments):
        code, out, err = self.cli(*arguments, "--json")
        assert code == 0, f"orbridge {' '.join(arguments)}: exit {code}\n{out}{err}"
        return json.loads(out)

    def api(self, path, method="GET", body=None):
        token = (self.world.folder / "admin.token").read_text().strip()
        status, _, text = call(method, self.url + path, body, {"Authorization": f"Bearer {token}"})
        return status, json.loads(text)

    def log_lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def pending(self):
        targets = self.api("/api/v1/status")[1]["store"]["targets"]
        return sum(each["pending"] for each in targets.values())

    def settled(self):
        return until("all deliveries ended", lambda: self.pending() == 0)


def config(world, windmill, *, nextcloud="", routes=None, target_extra="", source_extra="", extra=""):
    """The smallest configuration that does the main job, in the world's folder."""
    if routes is None:
        routes = "  - {channel: Object, event_name: '(created|updated|deleted):.*', to: on-object}\n"
    registers = (f"    url: {nextcloud}\n    user: admin\n    password: apppass\n" if nextcloud
                 else "    register: off\n")
    return f"""listen: 127.0.0.1:0
public_url: http://127.0.0.1:1
store: sqlite:{world.folder}/orbridge.db
mappings: [{ROOT}/mappings/openregister.yaml, {ROOT}/mappings/nextcloud.yaml]
sources:
  openregister:
    type: openregister
{registers}    secret: {SECRET}
    hook_token: {HOOK_TOKEN}
{source_extra}
targets:
  on-object:
    adapter: windmill
    url: {windmill.url}/api/w/main/jobs/run/p/f/nextcloud/on_object
    token: wm-token
{target_extra}
routes:
{routes}
{extra}
"""
