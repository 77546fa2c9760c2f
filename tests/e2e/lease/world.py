"""What the clauses are played in: a server of the lease API, and ways to emit events."""

import http.client
import itertools
import json
import time
import urllib.parse


import harness
from receiver import Receiver

TOKEN = "billing-token-0123456789"
SECOND_TOKEN = "billing.next~token@2:b-0"
RECORD_TOKEN = "sender-token"
PRODUCT, SEED_PRODUCT = "openregister", "projectmanager"  # the second with `retry: off`
LEASE_MAX = 1209600
JSON_TYPE = {"Content-Type": "application/json"}


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def at_least_once(play, times=5):
    """For what has to be quick: a busy machine is late now and then, but who waits by design is late every time."""
    for _ in range(times - 1):
        try:
            return play()
        except AssertionError:
            pass
    return play()


def equal(found, expected, what=""):
    check(found == expected, f"{what}: {found!r} is not {expected!r}")


class Reply:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, {k.lower(): v for k, v in headers.items()}, text
        try:
            self.json = json.loads(text)
        except ValueError:
            self.json = None

    def __getitem__(self, name):
        return self.json[name]

    def shaped(self, status=200):
        """T10 and T16, which hold for every answer."""
        equal(self.status, status, f"status of {self.text[:200]}")
        check(self.headers.get("content-type", "").split(";")[0].strip() == "application/json", "no application/json")
        check(isinstance(self.json, dict), f"no JSON object: {self.text[:200]}")
        check(isinstance(self.json.get("success"), bool), "success is no boolean")
        check(isinstance(self.json.get("message"), str) and self.json["message"], "message is no text")
        check(TOKEN not in self.text and SECOND_TOKEN not in self.text, "the answer repeats the token")
        return self

    def good(self):
        self.shaped()
        check(self.json["success"], f"failed: {self.json['message']}")
        return self

    def bad(self, *named):
        self.shaped()
        check(not self.json["success"], f"succeeded: {self.text}")
        for name in named:
            check(str(name) in self.json["message"], f"'{self.json['message']}' does not name {name}")
        return self

    def keys(self, *names):
        equal(set(self.json), set(names), "members of the answer")
        return self


class Api:
    """One product of a server."""

    def __init__(self, world, product):
        self.world, self.product = world, product

    def path(self, action, token=TOKEN):
        query = "" if token is None else "?apiToken=" + token
        return f"/{self.product}/webhookAPI/{action}{query}"

    def raw(self, method, path, body=b"", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.world.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=JSON_TYPE if headers is None else headers)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()

    def call(self, action, body, token=TOKEN):
        text = body if isinstance(body, (str, bytes)) else json.dumps(body)
        return self.raw("POST", self.path(action, token), text.encode() if isinstance(text, str) else text)

    def register(self, url, channel, leaseTime=600, **more):
        return self.call("register", {"url": url, "channel": channel, "leaseTime": leaseTime, **more})

    def registered(self, *args, **more):
        return self.register(*args, **more).good()["hookId"]

    def view(self, **which):
        return self.call("view", which).good()["webhooks"]

    def shown(self, hook):
        found = self.view(hookId=hook)
        equal(len(found), 1, "entries of this hookId")
        return found[0]


class Server:
    """The real bridge, in a folder of its own."""

    def __init__(self, world, extra=""):
        self.bridge = world.bridge(f"""listen: 127.0.0.1:0
store: sqlite:{world.folder}/orbridge.db
mappings: [{harness.ROOT}/mappings/openregister.yaml]
sources:
  app: {{type: record, token: {RECORD_TOKEN}}}
subscriptions:
  products: [{PRODUCT}, {{name: {SEED_PRODUCT}, retry: off}}]
  tokens:
    - {{name: billing, token: [{TOKEN}, {SECOND_TOKEN}]}}
  allow: [127.0.0.0/8]
  timeout: 1s
  retry_after: [100ms, 200ms, 400ms, 800ms, 1s, 2s, 4s]
{extra}
""").start()

    @property
    def port(self):
        return self.bridge.port

    def restart(self, while_down=lambda: None):
        self.bridge.stop()
        while_down()
        self.bridge.start()

    def log(self):
        return self.bridge.log.read_text()


class World:
    """A server for all clauses; each gets channels and receivers of its own."""

    def __init__(self, server):
        self.server = server
        self.numbers = itertools.count(1)
        self.receivers = []
        self.api, self.seed = Api(self, PRODUCT), Api(self, SEED_PRODUCT)

    @property
    def port(self):
        return self.server.port

    def alive(self):
        """Without this nothing else means anything."""
        check(isinstance(self.api.call("view", {}).good()["webhooks"], list), "view has no list")

    def name(self, what="channel"):
        return f"{what}-{next(self.numbers)}"

    def receiver(self, behave=None):
        made = Receiver(behave)
        self.receivers.append(made)
        return made

    def end_clause(self):
        for receiver in self.receivers:
            receiver.close()
        for receiver in self.receivers:
            for path in receiver.paths if hasattr(receiver, "paths") else ["/cb"]:
                self.api.call("unregister", {"url": receiver.url(path)})
        self.receivers.clear()

    def emit(self, channel, name="created:x", payload=None, timestamp=1437763552852):
        body = {"channel": channel, "eventName": name, "timestamp": timestamp,
                "payload": {"n": 1} if payload is None else payload}
        return self.emit_text(json.dumps(body))

    def emit_text(self, text):
        status, _, answer = harness.call("POST", f"http://127.0.0.1:{self.port}/ingest/app", text,
                                         {**JSON_TYPE, "Authorization": f"Bearer {RECORD_TOKEN}"})
        equal(status, 202, f"the event was not accepted: {answer}")
        return json.loads(answer)["id"]

    def fence(self):
        """Returns when whatever was due before has been sent."""
        for _ in range(2):
            channel, receiver = self.name("fence"), Receiver()
            hook = self.api.registered(receiver.url(), channel)
            self.emit(channel)
            receiver.wait(1)
            self.api.call("unregister", {"hookId": hook}).good()
            receiver.close()

    def hooked(self, behave=None, api=None, **more):
        """(receiver, channel, hookId) of a new subscription."""
        receiver, channel = self.receiver(behave), self.name()
        return receiver, channel, (api or self.api).registered(receiver.url(), channel, **more)


def now_ms():
    return time.time() * 1000


def query_of(path):
    return urllib.parse.urlsplit(path).query
