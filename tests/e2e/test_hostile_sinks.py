"""Targets that misbehave in every way a socket allows: each ends in a recorded outcome, and delays nobody else."""

import contextlib
import datetime
import email.utils
import gzip
import hashlib
import hmac
import json
import os
import re
import socket
import ssl
import struct
import threading
import time
import unittest
import uuid

from certificates import make_authority, sign, sign_expired, sign_itself
from harness import CAPTURES, SECRET, World, call, config, parse_capture, until

TIMEOUT_S = 10 if os.environ.get("ORBRIDGE_SANITIZED") else 4
JOB = "0190aaaa-0000-7000-8000-00000000000a"


def read_request(connection):
    """One request as it came; empty if the other side left."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = int((re.search(rb"(?i)content-length: *(\d+)", head) or [0, 0])[1])
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            break
        body += more
    return head + b"\r\n\r\n" + body


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def wait_for_the_end(connection):
    while connection.recv(65536):
        pass


def answer(status, body=b"", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(*pieces, pause=0):
    """Reads the request, then sends the pieces."""
    def act(connection):
        read_request(connection)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
    return act


def for_ever(first, again, pause=0):
    def act(connection):
        read_request(connection)
        connection.sendall(first)
        while True:
            connection.sendall(again)
            time.sleep(pause)
    return act


def then_reset(connection):
    read_request(connection)
    connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 36\r\n\r\n0190")
    reset(connection)


def half_close(connection):
    read_request(connection)
    connection.shutdown(socket.SHUT_WR)
    wait_for_the_end(connection)


def answers_unasked(connection):
    connection.sendall(answer("201 Created", JOB.encode()))
    wait_for_the_end(connection)


def no_tls(connection):
    connection.recv(1)
    connection.sendall(b"\x16\x03\x01 no handshake of any kind" * 500)
    wait_for_the_end(connection)


def refuses_the_handshake(connection):
    connection.recv(65536)
    connection.sendall(bytes.fromhex("15030300020228"))  # alert, fatal, handshake_failure (RFC 8446 §6)
    wait_for_the_end(connection)


def resets_in_the_handshake(connection):
    connection.recv(1)
    reset(connection)


def cuts_off_an_answer_without_length(connection):
    """No close_notify. Many servers end so, and libcurl takes it for the end: what came has to speak for itself."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 201 Created\r\nConnection: close\r\n\r\n" + JOB[:20].encode())
    socket.socket(fileno=connection.detach()).close()


def leaves_at_once(connection):
    reset(connection)


def redirects(status, elsewhere):
    return says(answer(status, b"", f"Location: http://127.0.0.1:{elsewhere}/api/w/main/jobs/run/p/f/a/b"))


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def in_an_hour():
    return email.utils.formatdate(time.time() + 3600, usegmt=True)


BEHAVIOURS = {
    "silent": wait_for_the_end,
    "leaves-at-once": leaves_at_once,
    "leaves-after-reading": says(),
    "resets-mid-answer": then_reset,
    "short-body": says(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n" + JOB.encode()),
    "endless-body": for_ever(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n", b"2000\r\n" + b"x" * 8192 + b"\r\n"),
    "endless-headers": for_ever(b"HTTP/1.1 201 Created\r\n", b"X-More: " + b"y" * 1000 + b"\r\n"),
    "one-huge-header": for_ever(b"HTTP/1.1 201 Created\r\nX-Huge: ", b"z" * 8192),
    "drips-headers": for_ever(b"HTTP/1.1 201 Created\r\n", b"X: y\r\n", 0.05),
    "drips-a-body": for_ever(b"HTTP/1.1 201 Created\r\nContent-Length: 1000000\r\n\r\n", b"x", 0.05),
    "early-hints": says(b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n", answer("201 Created", JOB.encode())),
    "endless-hints": for_ever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "garbage": says(bytes(range(256)) * 8),
    "gzip-bomb": says(answer("201 Created", gzip.compress(b"\0" * 50_000_000), "Content-Encoding: gzip")),
    "http-09": says(b"just a text\n"),
    "half-closes": half_close,
    "answers-unasked": answers_unasked,
    "bad-length": says(b"HTTP/1.1 201 Created\r\nContent-Length: -5\r\n\r\n" + JOB.encode()),
    "bad-chunks": says(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + JOB.encode()),
    "no-content": says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "html": says(answer("200 OK", b"<!DOCTYPE html><title>Sign in</title>", "Content-Type: text/html")),
    "too-large": says(answer("413 Payload Too Large")),
    "slow-down": says(answer("429 Too Many Requests", b"", "Retry-After: 1800")),
    "slow-down-until": lambda connection: says(answer("429 Too Many Requests", b"", f"Retry-After: {in_an_hour()}"))(connection),
    "unauthorized": says(answer("401 Unauthorized", b"Unauthorized")),
    "tls-garbage": no_tls,
    "tls-silent": wait_for_the_end,
    "tls-refuses": refuses_the_handshake,
    "tls-resets": resets_in_the_handshake,
}
# Behind a handshake: with which certificate, and what then.
SECURE = {
    "tls-fine": ("good", says(answer("201 Created", JOB.encode()))),
    "tls-expired": ("expired", says(answer("201 Created", JOB.encode()))),
    "tls-another-name": ("another-name", says(answer("201 Created", JOB.encode()))),
    "tls-self-signed": ("self-signed", says(answer("201 Created", JOB.encode()))),
    "tls-leaves-after-reading": ("good", says()),
    "tls-cut-off": ("good", cuts_off_an_answer_without_length),
}


def secured(folder, certificate, act):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}.key")

    def behave(connection):
        with context.wrap_socket(connection, server_side=True) as inside:
            act(inside)
    return behave


class Sink:
    """Listens on a port of its own and behaves in one way to everybody."""

    def __init__(self, act):
        self.act, self.hits, self.open = act, 0, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.hits += 1
            self.open.append(connection)
            threading.Thread(target=self.behave, args=(connection,), daemon=True).start()

    def behave(self, connection):
        try:
            with connection:
                self.act(connection)
        except OSError:
            pass  # the bridge has had enough

    def close(self):
        """Ends what its threads are in the middle of before their descriptors are free for the next sink's sockets."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which close() does not
        self.thread.join()
        self.listener.close()
        for connection in self.open:
            with contextlib.suppress(OSError):  # its thread closes it, or did
                connection.shutdown(socket.SHUT_RDWR)


class Closed:
    """A port that is taken, and at which nobody listens."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def close(self):
        self.socket.close()


class HostileSinks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.elsewhere = Sink(says(answer("201 Created", JOB.encode())))
        behaviours = dict(BEHAVIOURS, **{f"redirects-{status[:3]}": redirects(status, cls.elsewhere.port)
                                         for status in ("301 Moved Permanently", "302 Found", "307 Temporary Redirect")})
        folder = cls.world.folder
        make_authority(folder)
        sign(folder, "good")
        sign(folder, "another-name", "DNS:elsewhere.test")
        sign_expired(folder, "expired")
        sign_itself(folder, "self-signed")
        behaviours.update({name: secured(folder, *how) for name, how in SECURE.items()})
        cls.sinks = {name: Sink(act) for name, act in behaviours.items()}
        cls.sinks["refuses"] = Closed()
        for sink in cls.sinks.values():
            cls.addClassCleanup(sink.close)
        cls.windmill = cls.world.windmill()
        cls.bridge = cls.world.bridge(cls.configuration())
        cls.bridge.start()
        body = parse_capture(CAPTURES / "ObjectCreatedEvent-pub2.standard.http")[3]
        cls.parts = body.split(json.loads(body)["data"]["objectUuid"].encode())
        cls.event = cls.send(1)
        cls.first = until("an attempt at each", cls.attempts_at_all)

    @classmethod
    def configuration(cls):
        text = config(cls.world, cls.windmill, extra="deliver: {ca_file: ca.pem}\n")
        targets = "".join(f"""  {name}:
    adapter: windmill
    url: {"https" if name.startswith("tls-") else "http"}://127.0.0.1:{sink.port}/api/w/main/jobs/run/p/f/a/b
    token: wm-token
    timeout: {int(TIMEOUT_S * 1000)}ms
    connect_timeout: {int(TIMEOUT_S * 1000)}ms
    retry: {{schedule: [10m], jitter: 0, floor: 60s}}
""" for name, sink in cls.sinks.items())
        names = ", ".join(["on-object", *cls.sinks])
        return text.replace("routes:\n", targets + "routes:\n", 1).replace("to: on-object}", f"to: [{names}]}}")

    @classmethod
    def send(cls, number):
        body = str(uuid.UUID(int=number, version=4)).encode().join(cls.parts)
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        status, _, text = call("POST", cls.bridge.url + "/ingest/openregister", body,
                               {"Content-Type": "application/json", "X-Webhook-Signature": signature})
        assert status == 202, text
        return json.loads(text)["id"]

    @classmethod
    def attempts_at_all(cls):
        """By target: the delivery and its first attempt. Nothing while one of them has none."""
        rows = cls.bridge.api(f"/api/v1/deliveries?event={cls.event}&limit=100")[1]["deliveries"]
        if any(row["attempts"] == 0 for row in rows):
            return None
        found = {}
        for row in rows:
            whole = cls.bridge.api("/api/v1/deliveries/" + row["id"])[1]
            found[row["target"]] = (whole["delivery"], whole["attempts_made"][0])
        return found

    def check(self, target, outcome, reason, state="pending"):
        delivery, attempt = self.first[target]
        self.assertEqual((attempt["outcome"], delivery["state"]), (outcome, state), attempt)
        self.assertRegex(attempt.get("reason", ""), reason)
        self.assertLess(attempt["duration_ms"], TIMEOUT_S * 1000 + 30_000, "the deadline, and what a busy machine adds")
        return delivery, attempt

    def retried(self, target, reason, *, unclear, status=None):
        delivery, attempt = self.check(target, "retry", reason)
        self.assertEqual((delivery.get("unclear", False), attempt.get("status")), (unclear, status))
        return delivery

    def wait_of(self, target):
        """Seconds from the first attempt to when the next is due."""
        delivery, attempt = self.first[target]
        return seconds(delivery["due_at"]) - seconds(attempt["started_at"])

    # nothing was sent: certainly not received

    def test_refuses_the_connection(self):
        self.retried("refuses", "Couldn't connect", unclear=False)

    def test_speaks_no_tls(self):
        self.retried("tls-garbage", "(?i)ssl|tls", unclear=False)

    def test_says_nothing_in_the_handshake(self):
        self.retried("tls-silent", "timed out|timeout", unclear=False)

    def test_refuses_the_handshake(self):
        self.retried("tls-refuses", "alert handshake failure", unclear=False)

    def test_resets_in_the_handshake(self):
        self.retried("tls-resets", "(?i)reset by peer|ssl", unclear=False)

    def test_shows_a_certificate_that_has_expired(self):
        self.retried("tls-expired", "certificate has expired", unclear=False)

    def test_shows_a_certificate_of_another_name(self):
        self.retried("tls-another-name", "(?i)name.*does not match|no alternative certificate subject name", unclear=False)

    def test_shows_a_certificate_that_nobody_has_signed(self):
        self.retried("tls-self-signed", "self.signed certificate", unclear=False)

    # it may have been received: the next attempt asks first

    def test_leaves_after_reading_behind_tls(self):
        self.retried("tls-leaves-after-reading", "Empty reply|SSL_read|unexpected eof", unclear=True)

    def test_says_nothing(self):
        self.retried("silent", "timed out", unclear=True)
        self.assertGreaterEqual(self.wait_of("silent"), 60)

    def test_leaves_at_once(self):
        self.check("leaves-at-once", "retry", "reset by peer|Empty reply|Send failure|connect")

    def test_leaves_after_reading(self):
        self.retried("leaves-after-reading", "Empty reply", unclear=True)

    def test_half_closes(self):
        self.retried("half-closes", "Empty reply", unclear=True)

    def test_resets_in_the_middle_of_its_answer(self):
        self.retried("resets-mid-answer", "reset by peer", unclear=True)

    def test_promises_more_than_it_sends(self):
        self.retried("short-body", "64 bytes remaining", unclear=True)

    def test_drips_headers(self):
        self.retried("drips-headers", "timed out", unclear=True)

    def test_drips_a_body(self):
        self.retried("drips-a-body", "timed out", unclear=True)

    def test_sends_headers_without_end(self):
        self.retried("endless-headers", "header is larger than 65536 bytes", unclear=True)

    def test_sends_one_header_without_end(self):
        self.retried("one-huge-header", "header larger than|header is larger than", unclear=True)

    def test_sends_hints_without_end(self):
        self.retried("endless-hints", "header is larger than 65536 bytes", unclear=True)

    def test_sends_garbage(self):
        self.retried("garbage", "HTTP/0.9", unclear=True)

    def test_speaks_http_0_9(self):
        self.retried("http-09", "HTTP/0.9", unclear=True)

    def test_says_a_negative_length(self):
        self.retried("bad-length", "Content-Length", unclear=True)

    def test_counts_its_chunks_in_garbage(self):
        self.retried("bad-chunks", "chunked", unclear=True)

    # it answered, but not as Windmill does

    def test_sends_a_body_without_end(self):
        self.retried("endless-body", "no job id in the answer", unclear=False, status=201)
        self.assertLessEqual(len(self.first["endless-body"][1]["answer"]), 20_000)

    def test_sends_a_gzip_bomb(self):
        self.retried("gzip-bomb", "no job id in the answer", unclear=False, status=201)
        self.assertLessEqual(len(self.first["gzip-bomb"][1].get("answer", "")), 150_000, "escaped, as JSON has it")

    def test_cuts_off_an_answer_without_length_behind_tls(self):
        self.retried("tls-cut-off", "no job id in the answer", unclear=False, status=201)

    def test_answers_without_content(self):
        self.retried("no-content", "no job id in the answer", unclear=False, status=204)

    def test_answers_with_a_page(self):
        self.retried("html", "no job id in the answer", unclear=False, status=200)

    def test_redirects_and_is_not_followed(self):
        for status in (301, 302, 307):
            self.retried(f"redirects-{status}", "redirects are not followed", unclear=False, status=status)
        self.assertEqual(self.elsewhere.hits, 0)

    def test_finds_it_too_large(self):
        self.check("too-large", "rejected", "larger than", state="dead")

    def test_wants_other_credentials(self):
        self.retried("unauthorized", "no token", unclear=False, status=401)

    def test_asks_to_wait_in_seconds(self):
        self.retried("slow-down", "429", unclear=False, status=429)
        self.assertGreaterEqual(self.wait_of("slow-down"), 1800)

    def test_asks_to_wait_until_a_date(self):
        self.retried("slow-down-until", "429", unclear=False, status=429)
        self.assertAlmostEqual(self.wait_of("slow-down-until"), 3600, delta=30)

    # it is odd, but it answered

    def test_sends_hints_before_its_answer(self):
        self.check("early-hints", "delivered", "^$", state="delivered")

    def test_shows_a_certificate_that_is_right(self):
        self.check("tls-fine", "delivered", "^$", state="delivered")

    def test_answers_before_it_was_asked(self):
        self.check("answers-unasked", "delivered", "^$", state="delivered")

    # all together

    def test_a_healthy_target_is_not_delayed(self):
        took = []
        for event in [self.send(number) for number in range(100, 105)]:
            row = until("the healthy delivery", lambda: next(
                (r for r in self.bridge.api(f"/api/v1/deliveries?event={event}&target=on-object")[1]["deliveries"]
                 if r["state"] == "delivered"), None))
            took.append(seconds(row["ended_at"]) - seconds(row["created_at"]))
        print(f"beside {len(self.sinks)} hostile targets: median {sorted(took)[2] * 1000:.0f} ms, longest {max(took) * 1000:.0f} ms")
        self.assertLess(sorted(took)[2], TIMEOUT_S, "it waited for the others' timeouts")

    def test_memory_stays_small(self):
        if os.environ.get("ORBRIDGE_SANITIZED"):
            return  # a sanitizer's shadow memory is not the daemon's
        with open(f"/proc/{self.bridge.process.pid}/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        self.assertLess(peak, 128 * 1024)


if __name__ == "__main__":
    unittest.main()
