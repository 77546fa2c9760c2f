"""Clauses T, R, U, N, V: what requests are answered."""

import http.client
import json
import re
import urllib.parse

from clauses import clause
from world import JSON_TYPE, LEASE_MAX, SECOND_TOKEN, TOKEN, check, equal, now_ms

URL = "http://127.0.0.1:9/cb"  # R16: never called


@clause("T1")
def t1(w):
    for action in ("register", "unregister", "renew", "view"):
        w.api.call(action, {}).shaped()
    for action in ("list", "View", "REGISTER", "views"):
        w.api.call(action, {}).shaped(404)


@clause("T2")
def t2(w):
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        reply = w.api.raw(method, w.api.path("register"), b"{}").shaped(405)
        check("POST" in reply.headers["allow"], "Allow does not name POST")


@clause("T3")
def t3(w):
    w.api.call("view", {}, token=None).shaped(401)
    w.api.call("view", {}, token="").shaped(401)


@clause("T4")
def t4(w):
    reply = w.api.call("view", {}, token="not-a-known-token-123").shaped(401).keys("success", "message")
    check("not-a-known" not in reply.text, "the wrong token is repeated")
    w.api.call("view", {}, token=SECOND_TOKEN).good()


@clause("T5")
def t5(w):
    headers = {**JSON_TYPE, "Authorization": f"Bearer {TOKEN}", "apiToken": TOKEN}
    w.api.raw("POST", w.api.path("view", None), json.dumps({"apiToken": TOKEN}).encode(), headers).shaped(401)


@clause("T6")
def t6(w):
    w.api.raw("POST", w.api.path("view"), b"{}", {}).shaped(415)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "text/json"):
        w.api.raw("POST", w.api.path("view"), b"{}", {"Content-Type": kind}).shaped(415)


@clause("T7")
def t7(w):
    for kind in ("Application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8"):
        w.api.raw("POST", w.api.path("view"), b"{}", {"Content-Type": kind}).good()


@clause("T8")
def t8(w):
    w.api.call("view", {"channel": 7, "leaseTime": {}, "unknown": [1]}).good()
    hook = w.api.registered(URL, w.name(), unknown=None, webhooks={"a": 1})
    w.api.call("renew", {"hookId": hook, "leaseTime": 60, "channel": [], "eventFilter": 3}).good()
    w.api.call("unregister", {"hookId": hook, "leaseTime": "x", "channel": False}).good()


@clause("T9")
def t9(w):
    for body in (b"", b"{", b"[]", b"null", b"1", b'"x"', b"{}{}", b'{"a":"\xff"}', b"{'a':1}", b'{"a":1,}'):
        w.api.call("view", body).shaped(400)


@clause("T10")
def t10(w):
    for reply in (w.api.call("view", {}), w.api.call("register", {}), w.api.call("renew", {"hookId": "x", "leaseTime": 5})):
        reply.shaped()
    w.api.call("nothing", {}).shaped(404)
    w.api.call("view", b"x").shaped(400)


@clause("T11")
def t11(w):
    big = b'{"a":"' + b"x" * (1 << 20) + b'"}'
    w.api.call("view", big).shaped(413)
    w.api.raw("POST", w.api.path("view"), iter([big[:700000], big[700000:]]), JSON_TYPE).shaped(413)
    w.api.call("view", {}).good()


@clause("T12")
def t12(w):
    w.api.call("register", {"url": "", "channel": None, "leaseTime": ""}).bad("url", "channel", "leaseTime")
    hook = w.api.registered(URL, w.name(), hookId=None, eventFilter="")
    equal(w.api.shown(hook)["eventFilter"], ".*")
    w.api.call("unregister", {"hookId": hook, "url": None}).good()


@clause("T13")
def t13(w):
    parts = iter([b'{"hookId"', b':"', b'no-such"}'])
    reply = w.api.raw("POST", w.api.path("view"), parts, JSON_TYPE).good()
    equal(reply["webhooks"], [])


@clause("T14")
def t14(w):
    w.api.call("view", b'{"a":' * 70 + b"1" + b"}" * 70).shaped(400)
    w.api.call("view", b"[" * 100000).shaped(400)
    w.api.call("view", b'{"a":' * 60 + b"1" + b"}" * 60).good()


@clause("T15")
def t15(w):
    w.api.call("register", {}).bad()
    w.api.call("view", {"url": URL, "hookId": "x"}).bad()
    w.api.call("renew", {}).bad()


@clause("T16")
def t16(w):
    w.api.call("view", {}).good()
    w.api.call("view", b"x").shaped(400)
    w.api.call("register", {"url": URL + "?apiToken=" + TOKEN}).bad()
    check(TOKEN not in w.server.log(), "the log holds the token")


@clause("order of checks")
def order(w):
    raw = w.api.raw
    big = b"x" * (1 << 21)
    raw("PUT", w.api.path("list", None), b"x", {}).shaped(404)
    raw("PUT", w.api.path("view", None), b"x", {}).shaped(401)
    raw("PUT", w.api.path("view"), b"x", {}).shaped(405)
    raw("POST", w.api.path("view"), b"x", {}).shaped(415)
    raw("POST", w.api.path("view", None), big).shaped(401)
    raw("POST", w.api.path("view"), big, {}).shaped(415)
    raw("POST", w.api.path("view"), big).shaped(413)


@clause("R1")
def r1(w):
    w.api.call("register", {}).bad("url", "channel", "leaseTime").keys("success", "message")
    w.api.call("register", {"url": URL, "leaseTime": 5}).bad("channel")


@clause("R2")
def r2(w):
    w.api.register(URL, w.name()).good().keys("hookId", "success", "message", "leaseEnd")


@clause("R3")
def r3(w):
    before = now_ms()
    reply = w.api.register(URL, w.name(), leaseTime=100).good()
    after = now_ms()
    check(type(reply["leaseEnd"]) is int, "leaseEnd is no integer")
    check(before + 100000 - 50 <= reply["leaseEnd"] <= after + 100000 + 50, "leaseEnd is not now + leaseTime")
    equal(w.api.shown(reply["hookId"])["leaseEnd"], reply["leaseEnd"])


@clause("R4")
def r4(w):
    hooks = {w.api.registered(URL, w.name()) for _ in range(5)}
    equal(len(hooks), 5)
    for hook in hooks:
        check(re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", hook), hook)


@clause("R5")
def r5(w):
    for hook in ("billing-1", " a/b?c&d ", "äöü☃\U0001f600", "x" * 256, "ä" * 256, '"\\'):
        equal(w.api.register(URL, w.name(), hookId=hook).good()["hookId"], hook)
        equal(w.api.shown(hook)["hookId"], hook)
    for hook in ("x" * 257, "a\nb", "a\u0000b", "a\u0085b", "\u007f"):
        w.api.register(URL, w.name(), hookId=hook).bad("hookId").keys("success", "message")


@clause("R6")
def r6(w):
    old, old_channel, hook = w.hooked()
    new, channel = w.receiver(), w.name()
    w.api.register(new.url(), channel, leaseTime=77, hookId=hook, eventFilter="a.*").good()
    shown = w.api.shown(hook)
    equal((shown["url"], shown["channel"], shown["eventFilter"]), (new.url(), channel, "a.*"))
    w.emit(old_channel)
    w.emit(channel, "abc")
    new.wait(1)
    w.fence()
    equal(old.names(), [])


@clause("R7")
def r7(w):
    hook = w.api.registered(URL, w.name("r7"), eventFilter="a")
    before = w.api.shown(hook)
    w.api.register(URL, "other", hookId=hook, eventFilter="((").bad()
    w.api.register("nonsense", "other", hookId=hook).bad()
    w.api.register(URL, "other", hookId=hook, leaseTime=0).bad()
    equal(w.api.shown(hook), before)


@clause("R8")
def r8(w):
    equal(w.api.shown(w.api.registered(URL, w.name()))["eventFilter"], ".*")


@clause("R9")
def r9(w):
    for java in ("((", "[", "*a", "a)|(b", "(?!x).*"):
        w.api.register(URL, w.name(), hookId="r9", eventFilter=java).bad("eventFilter")
    equal(w.api.view(hookId="r9"), [])


@clause("R10")
def r10(w):
    w.api.register(URL, w.name(), eventFilter="a" * 1025).bad("eventFilter")
    w.api.register(URL, w.name(), eventFilter="a" * 1024).good()


@clause("R11")
def r11(w):
    for text in ("1", "1200.0", "12e2", '"1200"', "60", '"60"'):
        w.api.call("register", '{"url":"%s","channel":"c","leaseTime":%s}' % (URL, text)).good()
    for text in ("0", "-5", "1.5", '"1.5"', '"abc"', '"-1"', "true", "{}", "[]", '" 5"', '"0"'):
        w.api.call("register", '{"url":"%s","channel":"c","leaseTime":%s}' % (URL, text)).bad("leaseTime")


@clause("R12")
def r12(w):
    w.api.register(URL, w.name(), leaseTime=LEASE_MAX + 1).bad(LEASE_MAX).keys("success", "message")
    w.api.call("register", '{"url":"%s","channel":"c","leaseTime":1e300}' % URL).bad(LEASE_MAX)
    reply = w.api.register(URL, w.name(), leaseTime=LEASE_MAX).good()
    check(reply["leaseEnd"] - now_ms() > (LEASE_MAX - 5) * 1000, "the lease was shortened")


@clause("R13")
def r13(w):
    for url in ("nonsense", "/cb", "ftp://127.0.0.1/", "http://", "http://user@127.0.0.1/", "http://user:pw@127.0.0.1/",
                "http://127.0.0.1/" + "x" * 2048, "http://a b/", "http://127.0.0.1:99999/", "mailto:a@b.c"):
        w.api.register(url, w.name()).bad("url")
    for url in ("http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[::1]/", "http://2130706433/",
                "http://0x7f.1/", "http://0177.0.0.1/", "http://[::ffff:10.0.0.1]/", "http://[64:ff9b::10.0.0.1]/"):
        w.api.register(url, w.name()).bad("url")
    for url in ("http://127.0.0.1:1/a?b=c", "HTTP://127.0.0.1/", "https://127.0.0.2/x", "http://127.0.0.1./"):
        w.api.register(url, w.name()).good()


@clause("R14")
def r14(w):
    for channel in ("never seen before", "äöü☃", "c" * 256, "*", "a\nb"):
        equal(w.api.shown(w.api.registered(URL, channel))["channel"], channel)
    w.api.register(URL, "c" * 257).bad("channel")


@clause("R15")
def r15(w):
    good = {"url": URL, "channel": "c", "leaseTime": 60, "eventFilter": "a", "hookId": "r15"}
    for name in ("url", "channel", "eventFilter", "hookId"):
        for value in (7, True, {}, []):
            w.api.call("register", {**good, name: value}).bad(name)


@clause("R16")
def r16(w):
    receiver, _, _ = w.hooked()
    w.fence()
    equal(len(receiver.requests), 0, "register called the url")


@clause("R17")
def r17(w):
    receiver = w.receiver()
    hooks = [w.api.registered(receiver.url(), w.name()) for _ in range(5)]
    equal([each["hookId"] for each in w.api.view(url=receiver.url())], hooks)


@clause("U1")
def u1(w):
    hook = w.api.registered(URL, w.name())
    for body in ({}, {"url": URL, "hookId": hook}, {"url": None, "hookId": ""}):
        equal(w.api.call("unregister", body).bad().keys("hookIds", "success", "message")["hookIds"], [])
    w.api.shown(hook)


@clause("U2")
def u2(w):
    url = "http://127.0.0.1:9/" + w.name("u2")
    first, second = w.api.registered(url, "c"), w.api.registered(url, "c")
    equal(w.api.call("unregister", {"hookId": first}).good()["hookIds"], [first])
    equal([each["hookId"] for each in w.api.view(url=url)], [second])


@clause("U3")
def u3(w):
    url = "http://127.0.0.1:9/" + w.name("u3")
    hooks = [w.api.registered(url, "c", hookId=f"{w.name('u3')}-{n}") for n in (3, 1, 2)]
    other = w.api.registered(url + "/", "c")
    equal(w.api.call("unregister", {"url": url}).good()["hookIds"], hooks)
    w.api.shown(other)


@clause("U4")
def u4(w):
    for body in ({"hookId": "no-such-hook"}, {"url": "http://127.0.0.1:9/no-such-url"}):
        equal(w.api.call("unregister", body).good()["hookIds"], [])


@clause("U5")
def u5(w):
    for value in (7, True, {}, []):
        w.api.call("unregister", {"url": value}).bad("url")
        w.api.call("unregister", {"hookId": value}).bad("hookId")


@clause("U7")
def u7(w):
    hook = w.api.registered(URL, w.name())
    w.api.call("unregister", {"hookId": hook}).good().keys("hookIds", "success", "message")


@clause("U8")
def u8(w):
    hook = w.api.registered(URL, w.name())
    equal(w.api.call("deregister", {"hookId": hook}).good()["hookIds"], [hook])


@clause("N1")
def n1(w):
    hook = w.api.registered(URL, w.name())
    before = w.api.shown(hook)
    for body in ({"leaseTime": 60}, {"leaseTime": 60, "url": URL, "hookId": hook}):
        equal(w.api.call("renew", body).bad().keys("hookIds", "success", "message")["hookIds"], [])
    equal(w.api.shown(hook), before)


@clause("N2")
def n2(w):
    hook = w.api.registered(URL, w.name())
    before = w.api.shown(hook)
    w.api.call("renew", {"hookId": hook}).bad("leaseTime")
    for value in (0, -1, 1.5, "x", True, {}):
        w.api.call("renew", {"hookId": hook, "leaseTime": value}).bad("leaseTime")
    w.api.call("renew", {"hookId": hook, "leaseTime": LEASE_MAX + 1}).bad(LEASE_MAX)
    equal(w.api.shown(hook), before)


@clause("N3")
def n3(w):
    hook = w.api.registered(URL, w.name())
    reply = w.api.call("renew", {"hookId": hook, "leaseTime": 1000}).good()
    check(abs(reply["leaseEnd"] - now_ms() - 1000000) < 5000, "leaseEnd is not now + leaseTime")
    equal(w.api.shown(hook)["leaseEnd"], reply["leaseEnd"])


@clause("N4")
def n4(w):
    url = "http://127.0.0.1:9/" + w.name("n4")
    hooks = [w.api.registered(url, "c", hookId=f"{w.name('n4')}-{n}") for n in (2, 3, 1)]
    reply = w.api.call("renew", {"url": url, "leaseTime": 1000}).good()
    equal(reply["hookIds"], hooks)
    equal({each["leaseEnd"] for each in w.api.view(url=url)}, {reply["leaseEnd"]})


@clause("N5")
def n5(w):
    reply = w.api.call("renew", {"hookId": "no-such-hook", "leaseTime": 60}).bad().keys("hookIds", "success", "message")
    equal(reply["hookIds"], [])
    equal(w.api.view(hookId="no-such-hook"), [])


@clause("N6")
def n6(w):
    hook = w.api.registered(URL, w.name(), leaseTime=1000)
    before = w.api.shown(hook)["leaseEnd"]
    check(w.api.call("renew", {"hookId": hook, "leaseTime": 10}).good()["leaseEnd"] < before, "not earlier")


@clause("N7")
def n7(w):
    hook = w.api.registered(URL, w.name(), eventFilter="a|b")
    before = w.api.shown(hook)
    w.api.call("renew", {"hookId": hook, "leaseTime": 1000}).good()
    after = w.api.shown(hook)
    for member in ("url", "channel", "eventFilter", "hookId"):
        equal(after[member], before[member])


@clause("N8")
def n8(w):
    hook = w.api.registered(URL, w.name())
    w.api.call("renew", {"hookId": hook, "leaseTime": 60}).good().keys("hookIds", "success", "message", "leaseEnd")


@clause("V1")
def v1(w):
    hooks = [w.api.registered(URL, w.name()) for _ in range(3)]
    other = json.loads(w.api.call("register", {"url": URL, "channel": "c", "leaseTime": 60}, token=SECOND_TOKEN).good().text)
    shown = [each["hookId"] for each in w.api.view()]
    check(set(hooks + [other["hookId"]]) <= set(shown), "not all hooks are shown")


@clause("V2")
def v2(w):
    url = "http://127.0.0.1:9/" + w.name("v2")
    hook = w.api.registered(url, "c")
    w.api.registered(url + "/", "c")
    w.api.registered(url + "?x", "c")
    equal([each["hookId"] for each in w.api.view(url=url)], [hook])


@clause("V3")
def v3(w):
    hook = w.api.registered(URL, w.name())
    w.api.registered(URL, w.name())
    equal([each["hookId"] for each in w.api.view(hookId=hook)], [hook])


@clause("V4")
def v4(w):
    w.api.call("view", {"url": URL, "hookId": "x"}).bad().keys("success", "message")


@clause("V5")
def v5(w):
    equal(w.api.view(url="http://127.0.0.1:9/never"), [])
    equal(w.api.view(hookId="never"), [])


@clause("V6")
def v6(w):
    entry = w.api.shown(w.api.registered(URL, w.name()))
    equal(set(entry), {"url", "channel", "eventFilter", "hookId", "leaseEnd"})
    for member in ("url", "channel", "eventFilter", "hookId"):
        check(isinstance(entry[member], str), f"{member} is no string")
    check(type(entry["leaseEnd"]) is int, "leaseEnd is no integer")


@clause("V7")
def v7(w):
    url, java = "HTTP://127.0.0.1.:9//a/../b?x=%41&y", r"(?<kind>new):\u0061\Q.\E.*"
    entry = w.api.shown(w.api.registered(url, w.name(), eventFilter=java))
    equal((entry["url"], entry["eventFilter"]), (url, java))


@clause("V8")
def v8(w):
    w.api.call("view", {}).good().keys("webhooks", "success", "message")


@clause("V9")
def v9(w):
    hook = w.api.registered(URL, w.name())
    reply = w.api.raw("GET", w.api.path("view"), None, {}).good()
    check(hook in [each["hookId"] for each in reply["webhooks"]], "GET view does not show the hook")


@clause("V10")
def v10(w):
    url = "http://127.0.0.1:9/" + w.name("v10")
    hooks = [w.api.registered(url, "c", hookId=f"{w.name('v10')}-{n}") for n in "cab"]
    w.api.registered(url, "c", hookId=hooks[0])
    equal([each["hookId"] for each in w.api.view(url=url)], hooks[1:] + hooks[:1])


@clause("F1")
def f1(w):
    connection = http.client.HTTPConnection("127.0.0.1", w.port, timeout=5)
    connection.request("POST", f"/{w.seed.product}/projectAPI/addLogMessage?apiToken={TOKEN}", "project_id=1",
                       {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    check(isinstance(json.loads(answer.read()), dict), "no JSON object")
    check(answer.status in (200, 404), f"status {answer.status}")


@clause("F2")
def f2(w):
    def post(body, query=f"?apiToken={TOKEN}", product=w.seed.product):
        connection = http.client.HTTPConnection("127.0.0.1", w.port, timeout=5)
        connection.request("POST", f"/{product}/projectAPI/addLogMessage{query}", body,
                           {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    told = urllib.parse.urlencode({"project_id": 17, "log_message_json": json.dumps(
        {"trigger": "created:x", "message": "made it", "success": True})})
    equal(post(told), (200, {"result": {"id": 17}}))
    equal(post(told + f"&apiToken={TOKEN}", query=""), (200, {"result": {"id": 17}}))
    for missing in ("project_id=17", "log_message_json=%7B%7D", "project_id=17&log_message_json=nonsense", ""):
        status, answer = post(missing)
        equal((status, answer["error"]["code"]), (200, "MISSING_REQUIRED_PARAM"))
    equal(post(told, query="")[0], 401)
    equal(post(told, query="?apiToken=wrong")[0], 401)
    equal(post(told, product="nothing")[0], 404)
