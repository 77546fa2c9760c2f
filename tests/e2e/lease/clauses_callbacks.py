"""Clauses U6, L, M, C: leases, matching, callbacks."""

import json
import time

import receiver as receivers
from clauses import clause
from harness import until
from world import TOKEN, Receiver, at_least_once, check, equal, now_ms


# ---- leases


@clause("U6")
def u6(w):
    gate = w.receiver()
    gate.behave = receivers.hang(lambda: gate)
    channel = w.name()
    hook = w.api.registered(gate.url(), channel)
    for n in range(5):
        w.emit(channel, f"e{n}")
    gate.wait(1)  # the first is under way, the others are queued
    w.api.call("unregister", {"hookId": hook}).good()
    gate.released.set()
    gate.behave = receivers.ok
    w.fence()
    equal(gate.names(), ["e0"])


def ended(w, api, leaseTime=1, **more):
    """A hook whose lease is over, with its receiver and channel."""
    receiver, channel, hook = w.hooked(api=api, leaseTime=leaseTime, **more)
    until("the lease is over", lambda: api.view(hookId=hook) == [])
    return receiver, channel, hook


@clause("L1")
def l1(w):
    receiver, channel = w.receiver(), w.name()
    reply = w.api.register(receiver.url(), channel, leaseTime=1).good()
    while now_ms() < reply["leaseEnd"] + 100:
        before = now_ms()
        shown = w.api.view(hookId=reply["hookId"])
        after = now_ms()
        if after < reply["leaseEnd"]:
            equal(len(shown), 1, "gone before its end")
        if before >= reply["leaseEnd"]:
            equal(shown, [], "there after its end")


@clause("L2")
def l2(w):
    _, _, hook = ended(w, w.api)
    equal(w.api.call("renew", {"hookId": hook, "leaseTime": 60}).bad()["hookIds"], [])
    equal(w.api.view(hookId=hook), [])


@clause("L3")
def l3(w):
    receiver, _, hook = ended(w, w.api)
    equal(w.api.call("unregister", {"hookId": hook}).good()["hookIds"], [])
    equal(w.api.call("unregister", {"url": receiver.url()}).good()["hookIds"], [])


@clause("L4")
def l4(w):
    def play(api):
        busy = w.receiver()
        busy.behave = receivers.hang(lambda: busy)
        channel = w.name()
        hook = api.registered(busy.url(), channel, leaseTime=1)
        for n in range(5):
            w.emit(channel, f"e{n}")
        busy.wait(1)
        until("the lease is over", lambda: api.view(hookId=hook) == [])
        w.emit(channel, "late")
        busy.behave = receivers.ok
        busy.released.set()
        time.sleep(1.2)  # longer than the callback's timeout: the second's turn would come
        w.fence()
        equal(busy.names(), ["e0"])

    for api in (w.api, w.seed):
        at_least_once(lambda api=api: play(api))  # the lease is short: a second for all that


@clause("L5")
def l5(w):
    receiver, channel, hook = ended(w, w.api)
    equal(w.api.registered(receiver.url(), channel, hookId=hook), hook)
    w.emit(channel)
    receiver.wait(1)


@clause("L6")
def l6(w):
    receiver, channel, hook = w.hooked(leaseTime=600)
    _, _, short = w.hooked(leaseTime=1)
    before = w.api.shown(hook)
    w.server.restart(while_down=lambda: time.sleep(1))
    equal(w.api.shown(hook), before)
    equal(w.api.view(hookId=short), [])
    w.emit(channel)
    receiver.wait(1)


# ---- matching


def matched(w, java, names):
    """Which of the names a hook with this filter is called for; None: the filter is refused."""
    receiver, channel = Receiver(), w.name()
    reply = w.api.register(receiver.url(), channel, eventFilter=java)
    if not reply.shaped()["success"]:
        check("eventFilter" in reply["message"], "eventFilter is not named")
        receiver.close()
        return None
    w.api.register(receiver.url(), channel, eventFilter="fence", hookId="fence " + channel).good()
    for name in names:
        w.emit(channel, name)
    w.emit(channel, "fence")
    until("the fence", lambda: "fence" in receiver.names())
    hook = reply["hookId"]
    until("nothing waits", lambda: len(receiver.names()) > 0)
    w.fence()
    found = [each.json["eventName"] for each in receiver.requests if each.json["hookId"] == hook]
    w.api.call("unregister", {"url": receiver.url()}).good()
    receiver.close()
    return found


@clause("M1")
def m1(w):
    base = w.name("Object")
    receiver = w.receiver()
    for channel in (base, base.lower(), base + "x", "*", ".*"):
        w.api.registered(receiver.url(), channel, hookId=f"{base} {channel}")
    w.emit(base)
    w.fence()
    equal([each.json["hookId"] for each in receiver.requests], [f"{base} {base}"])


@clause("M2")
def m2(w):
    equal(matched(w, "new", ["new", "new:x", "New", "xnew"]), ["new"])
    equal(matched(w, "update|delete", ["update", "delete", "updates", "xdelete"]), ["update", "delete"])


def table(verdict):
    import pathlib
    import harness
    for line in pathlib.Path(harness.DATA / "lease/filters.tsv").read_text().splitlines():
        columns = line.split("\t")
        if not line.startswith("#") and columns[0] == verdict:
            yield columns[1:]


@clause("M3")
def m3(w):
    receiver = w.receiver()
    expected = {}
    for number, (java, yes, no) in enumerate(table("accept")):
        channel = f"{w.name('m3')} {number}"
        hook = w.api.registered(receiver.url(), channel, eventFilter=java)
        expected[hook] = [yes] if yes else []
        for name in filter(None, (yes, no)):
            w.emit(channel, name)
    count = sum(map(len, expected.values()))
    receiver.wait(count)
    w.fence()
    found = {hook: [] for hook in expected}
    for each in receiver.requests:
        found[each.json["hookId"]].append(each.json["eventName"])
    equal(found, expected)


@clause("M4")
def m4(w):
    rows = [(r"(?!update:).*", "new:x", "update:x"), (r".*(?<!1)", "delete", "project 1"), (r"(\w+):\1", "dup:dup", "dup:dap"),
            (r"(?>a|ab)c", "ac", "abc"), (r"(?<kind>new):.*", "new:x", "update:x"), (r"[a-z&&[^e]]+", "foobar", "delete"),
            (r"[a-c[x-z]]+", "axb", "a]"), ("[[:alpha:]]", "a", "delete"), (r"\0141xb", "axb", "0141xb"),
            (r"(?U)\w+", "été", "a.b"), (r"(?x)a x b", "axb", "a x b"), (r"\u0061xb", "axb", "a.b"), (r"tag\h1", "tag 1", "tag1"),
            (r"\p{Alpha}+", "delete", "tag-123"), (r"[\Qa]\E]", "]", "x"), (r"[^#]{0,2000}", "delete", "a#"),
            (r"\w++:\w++", "dup:dup", "dup"), (r"delete\Z", "delete", "deletex")]
    for java, yes, no in rows:
        found = matched(w, java, [yes, no])
        check(found is None or found == [yes], f"{java} is accepted with another meaning: {found}")


@clause("M5")
def m5(w):
    for java, _, _ in table("refuse"):
        reply = w.api.register("http://127.0.0.1:9/cb", w.name(), eventFilter=java)
        check(not reply.shaped()["success"], f"{java} is accepted")
        check("eventFilter" in reply["message"], "eventFilter is not named")


@clause("M6")
def m6(w):
    def play():
        receiver, channel, _ = w.hooked()
        other = w.receiver()
        for java in ("(a+)+b", "(x+x+)+y", "(a|b)*c", "(.*)*z", "([a-z]+)*1"):
            w.api.registered(other.url(), channel, eventFilter=java)
        for letter in "axb":
            began = time.monotonic()
            w.emit(channel, letter * 1000)
            receiver.wait("axb".index(letter) + 1, seconds=3)
            check(time.monotonic() - began < 3, "the other hook waited")

    at_least_once(play)


@clause("M7")
def m7(w):
    receiver, channel = w.receiver(), w.name()
    wanted = [w.api.registered(receiver.url(), channel, eventFilter=java) for java in (".*", "created:.*", "(created|x):.*")]
    w.api.registered(receiver.url(), channel, eventFilter="deleted:.*")
    w.emit(channel, "created:1")
    receiver.wait(3)
    w.fence()
    equal(sorted(each.json["hookId"] for each in receiver.requests), sorted(wanted))


@clause("M8")
def m8(w):
    receiver, channel, _ = w.hooked(eventFilter="a.b")
    w.emit(channel, "a\r\n\u0085\u2028\u2029\tb")
    equal(receiver.wait(1)[0].json["eventName"], "a b")


# ---- callbacks


@clause("C1")
def c1(w):
    receiver, channel = w.receiver(), w.name()
    receiver.paths = ["/a/b%20c?wait=true&x=%41"]
    w.api.registered(receiver.url(receiver.paths[0]), channel)
    w.emit(channel)
    got = receiver.wait(1)[0]
    equal((got.method, got.path), ("POST", "/a/b%20c?wait=true&x=%41"))
    equal(got.headers["content-type"].split(";")[0], "application/json")
    equal(int(got.headers["content-length"]), len(got.raw))


@clause("C2")
def c2(w):
    receiver, channel, hook = w.hooked()
    for n, payload in enumerate(({"a": 1}, [1, 2], "text", 7, True)):
        w.emit(channel, f"e{n}", payload)
    for n, got in enumerate(receiver.wait(5)):
        body = got.json
        equal(set(body), {"channel", "eventName", "hookId", "timestamp", "payload"})
        equal((body["channel"], body["eventName"], body["hookId"]), (channel, f"e{n}", hook))
        check(type(body["timestamp"]) is int, "timestamp is no integer")
        check(isinstance(body["payload"], dict), "payload is no object")


@clause("C3")
def c3(w):
    receiver, channel, _ = w.hooked()
    w.emit(channel, timestamp=1437763552852)
    equal(receiver.wait(1)[0].json["timestamp"], 1437763552852)


@clause("C4")
def c4(w):
    trap = w.receiver()
    behaviours = [receivers.status(code) for code in (200, 204, 400, 404, 410, 429, 500, 503)]
    behaviours += [receivers.status(302, [("Location", trap.url())]), receivers.status(307, [("Location", trap.url())]),
                   receivers.drop, receivers.garbage, receivers.half]
    for behave in behaviours:
        receiver, channel, hook = w.hooked(receivers.in_turn(behave, receivers.ok), api=w.seed)
        w.emit(channel, "first")
        receiver.wait(1)
        w.emit(channel, "second")
        receiver.wait(2)
        w.fence()
        equal(receiver.names(), ["first", "second"])
        w.seed.shown(hook)
    equal(trap.names(), [])


@clause("C4r")
def c4r(w):
    trap = w.receiver()
    for behave in (receivers.status(500), receivers.status(404), receivers.status(302, [("Location", trap.url())]),
                   receivers.drop, receivers.garbage):
        receiver, channel, hook = w.hooked(receivers.in_turn(behave, behave, receivers.ok))
        w.emit(channel, "again")
        got = receiver.wait(3)
        w.fence()
        equal(receiver.names(), ["again"] * 3)
        equal(len({each.headers["webhook-id"] for each in got}), 1, "webhook-ids of the repeats")
        w.api.shown(hook)
    for code in (200, 201, 204):
        receiver, channel, _ = w.hooked(receivers.status(code, body=b""))
        w.emit(channel, "once")
        receiver.wait(1)
        time.sleep(0.3)  # longer than the first retry would take
        w.fence()
        equal(receiver.names(), ["once"])
    equal(trap.names(), [])
    c4r_gone(w)


def c4r_gone(w):
    receiver, channel, hook = w.hooked(receivers.in_turn(receivers.status(410), receivers.ok))
    w.emit(channel, "gone")
    receiver.wait(1)
    until("the log says so", lambda: any(f'"hook":"{hook}"' in line and "subscription.gone" in line
                                         for line in w.server.log().splitlines()))
    w.emit(channel, "unwanted")
    w.fence()
    equal(receiver.names(), ["gone"])
    w.api.shown(hook)
    w.api.call("renew", {"hookId": hook, "leaseTime": 60}).good()
    w.emit(channel, "wanted")
    receiver.wait(2)
    equal(receiver.names(), ["gone", "wanted"])


@clause("C5")
def c5(w):
    for api in (w.api, w.seed):
        at_once, most = [0], [0]

        # Bound now: the last callback of one round may still be counting when the next round has begun.
        def count(handler, number, at_once=at_once, most=most):
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            time.sleep(0.01)
            at_once[0] -= 1
            receivers.ok(handler, number)

        receiver, channel, _ = w.hooked(count, api=api)
        for n in range(20):
            w.emit(channel, f"e{n}")
        receiver.wait(20)
        equal(receiver.names(), [f"e{n}" for n in range(20)])
        equal(most[0], 1, "callbacks at once")


@clause("C6")
def c6(w):
    def play():
        slow = w.receiver()
        slow.behave = receivers.hang(lambda: slow)
        quick, channel = w.receiver(), w.name()
        w.seed.registered(slow.url(), channel)
        w.seed.registered(quick.url(), channel)
        for n in range(3):
            began = time.monotonic()
            w.emit(channel, f"e{n}")
            check(time.monotonic() - began < 0.9, "ingress waited for a subscriber")
            quick.wait(n + 1, seconds=0.9)
        slow.wait(2)  # after the timeout the next event has its turn
        equal(slow.names()[:2], ["e0", "e1"])

    at_least_once(play)


@clause("C7")
def c7(w):
    payload = {"text": "äöü☃\U0001f600\"\\/\b\f\n\r\t\u0001", "null": None, "list": [], "object": {}, "big": 9007199254740991,
               "part": 0.1, "deep": {"a": [{"b": [None, True, False, -0.5e-7]}]}, "": "empty key"}
    receiver, channel, _ = w.hooked()
    w.emit(channel, payload=payload)
    w.emit_text('{"channel":%s,"eventName":"e","payload":{"b":1.0,"a":123456789012345678901234567890,"e":1E5}}' % json.dumps(channel))
    got = receiver.wait(2)
    equal(got[0].json["payload"], payload)
    check(b'{"b":1.0,"a":123456789012345678901234567890,"e":1E5}' in got[1].raw, "the payload was written anew")


@clause("C8")
def c8(w):
    receiver, channel, _ = w.hooked()
    w.emit(channel)
    got = receiver.wait(1)[0]
    check(TOKEN not in got.raw.decode() and TOKEN not in str(got.headers), "the callback holds the token")


@clause("C9")
def c9(w):
    for api in (w.api, w.seed):
        port = receivers.refused_port()
        channel = w.name()
        hook = api.registered(f"http://127.0.0.1:{port}/cb", channel)
        w.emit(channel, "lost")
        w.fence()
        api.shown(hook)
        api.call("unregister", {"hookId": hook}).good()
    receiver, channel, hook = w.hooked(receivers.in_turn(receivers.drop, receivers.ok), api=w.seed)
    w.emit(channel, "dropped")
    receiver.wait(1)
    w.emit(channel, "arrives")
    receiver.wait(2)
    w.seed.shown(hook)


@clause("C10")
def c10(w):
    payload = {"text": "x" * 90 * 1024}
    receiver, channel, _ = w.hooked()
    w.emit(channel, payload=payload)
    equal(receiver.wait(1)[0].json["payload"], payload)
