"""Receivers of callbacks: one that behaves, and those that do not."""

import http.server
import json
import socket
import threading
import time


class Receiver:
    """An HTTP server on 127.0.0.1 that keeps every request. `behave(handler, number)` answers; number counts from 1."""

    def __init__(self, behave=None):
        self.requests = []
        self.change = threading.Condition()
        self.released = threading.Event()
        self.behave = behave or ok
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                length = int(self.headers.get("Content-Length", 0))
                raw = self.rfile.read(length)
                with receiver.change:
                    receiver.requests.append(Callback(self.command, self.path, dict(self.headers), raw))
                    number = len(receiver.requests)
                    receiver.change.notify_all()
                receiver.behave(self, number)

            do_POST = do_GET = do_PUT = handle_one

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path="/cb"):
        return f"http://127.0.0.1:{self.port}{path}"

    def wait(self, count, seconds=60):
        """The callbacks once there are so many."""
        with self.change:
            if not self.change.wait_for(lambda: len(self.requests) >= count, seconds):
                raise AssertionError(f"{len(self.requests)} callbacks came, expected {count}")
            return list(self.requests)

    def names(self):
        with self.change:
            return [each.json["eventName"] for each in self.requests]

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


class Callback:
    def __init__(self, method, path, headers, raw):
        self.method, self.path, self.headers, self.raw = method, path, {k.lower(): v for k, v in headers.items()}, raw
        self.time = time.monotonic()

    @property
    def json(self):
        return json.loads(self.raw.decode("utf-8", "strict"))


def ok(handler, _number):
    status(200)(handler, _number)


def status(code, headers=(), body=b"OK"):
    def behave(handler, _number):
        handler.send_response(code)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
    return behave


def hang(receiver_of):
    """Says nothing until the receiver is closed."""
    def behave(handler, _number):
        receiver_of().released.wait(60)
        handler.close_connection = True
    return behave


def drop(handler, _number):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def garbage(handler, _number):
    handler.wfile.write(b"\x00\x01this is not HTTP\r\n\r\n")
    handler.close_connection = True


def half(handler, _number):
    """Announces more than it sends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    handler.close_connection = True


def in_turn(*behaviours):
    """One after another; the last one stays."""
    def behave(handler, number):
        behaviours[min(number, len(behaviours)) - 1](handler, number)
    return behave


def refused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
