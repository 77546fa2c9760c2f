"""A small HTTP/1.1 server on asyncio, quick enough to be the far end of a load test.

A handler takes a Request and returns a Response, or a coroutine that gives one. A coroutine is
cancelled when its client goes away. Requests of one connection are answered in order.
"""

import argparse
import asyncio
import functools
import json
import os
import signal
import sys
import traceback
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

HEAD_BYTES_MAX = 64 * 1024
REASONS = {status.value: status.phrase for status in HTTPStatus}


class Refused(Exception):
    """The bytes on the connection cannot be a request; carries the status to answer with."""

    def __init__(self, status, text=""):
        super().__init__(text)
        self.status = status


class Request:
    def __init__(self, method, target, version, headers, body=b""):
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers  # lower-case name -> value; of doubled names the first
        self.body = body
        raw_path, _, self.query_string = target.partition("?")
        self.path = unquote(raw_path) if "%" in raw_path else raw_path
        self.peer = "127.0.0.1"

    @functools.cached_property
    def query(self):
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    def header(self, name, default=None):
        return self.headers.get(name, default)


class Response:
    """`drop` says where the connection breaks: "" nowhere, "before" the first byte, "mid" within the body."""

    __slots__ = ("status", "body", "content_type", "headers", "drop")

    def __init__(self, status=200, body=b"", content_type="text/plain; charset=utf-8", headers=None, drop=""):
        self.status = status
        self.body = body.encode() if isinstance(body, str) else body
        self.content_type = content_type
        self.headers = headers or {}
        self.drop = drop


def json_response(value, status=200, headers=None):
    return Response(status, json.dumps(value), "application/json", headers)


class Connection(asyncio.Protocol):
    def __init__(self, server):
        self.server = server
        self.buffer = bytearray()
        self.head = None  # a Request whose body has not arrived yet
        self.task = None  # an answer in the making
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        self.server.connections.add(self)

    def connection_lost(self, problem):
        self.server.connections.discard(self)
        if self.task:
            self.task.cancel()

    def data_received(self, data):
        self.buffer += data
        if self.task is None:
            self.advance()

    def advance(self):
        while self.task is None and not self.transport.is_closing():
            try:
                request = self.next_request()
            except Refused as refusal:
                self.answer(None, Response(refusal.status, str(refusal)), keep=False)
                return
            if request is None:
                return
            result = self.guarded(request)
            if isinstance(result, Response):
                self.answer(request, result)
            else:
                self.task = asyncio.ensure_future(self.later(request, result))

    def guarded(self, request):
        try:
            return self.server.handler(request)
        except Exception:
            return self.server.broken()

    async def later(self, request, result):
        try:
            response = await result
        except asyncio.CancelledError:
            raise
        except Exception:
            response = self.server.broken()
        self.task = None
        self.answer(request, response)
        self.advance()

    def next_request(self):
        if self.head is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > HEAD_BYTES_MAX:
                    raise Refused(431)
                return None
            self.head = self.parse_head(bytes(self.buffer[:end]))
            del self.buffer[: end + 4]
            if self.head.headers.get("expect", "").lower() == "100-continue":
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.take_body()
        if body is None:
            return None
        request, self.head = self.head, None
        request.body = body
        return request

    def parse_head(self, head):
        lines = head.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise Refused(400)
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise Refused(400)
            headers.setdefault(name.lower(), value.strip())
        request = Request(parts[0], parts[1], parts[2], headers)
        peer = self.transport.get_extra_info("peername")
        if peer:
            request.peer = peer[0]
        return request

    def take_body(self):
        headers = self.head.headers
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self.take_chunks()
        try:
            length = int(headers.get("content-length", 0))
        except ValueError:
            raise Refused(400) from None
        self.limit(length)
        if len(self.buffer) < length:
            return None
        body = bytes(self.buffer[:length])
        del self.buffer[:length]
        return body

    def take_chunks(self):
        at, parts = 0, []
        while True:
            end = self.buffer.find(b"\r\n", at)
            if end < 0:
                return None
            try:
                size = int(bytes(self.buffer[at:end]).split(b";")[0], 16)
            except ValueError:
                raise Refused(400) from None
            self.limit(size + sum(map(len, parts)))
            if len(self.buffer) < end + size + 4:
                return None
            if size == 0:  # trailers are not supported: the empty line follows at once
                del self.buffer[: end + 4]
                return b"".join(parts)
            parts.append(bytes(self.buffer[end + 2 : end + 2 + size]))
            at = end + size + 4

    def limit(self, length):
        if length > self.server.body_bytes_max:
            raise Refused(413, "Failed to buffer the request body: length limit exceeded")

    def answer(self, request, response, keep=True):
        if self.transport.is_closing():
            return
        if response.drop == "before":
            self.transport.close()
            return
        if request is not None:
            keep = request.header("connection", "").lower() != "close" and request.version != "HTTP/1.0"
        data = self.encoded(response, keep, request is not None and request.method == "HEAD")
        if response.drop == "mid":
            data = data[: max(len(data) - 1 - len(response.body) // 2, 1)]
        self.transport.write(data)
        if response.drop or not keep:
            self.transport.close()

    @staticmethod
    def encoded(response, keep, head_only):
        status = response.status
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}"]
        if response.content_type is not None and response.body:
            lines.append(f"Content-Type: {response.content_type}")
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        if status != 204:
            lines.append(f"Content-Length: {len(response.body)}")
        if not keep:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        return head if head_only or status == 204 else head + response.body


class Server:
    def __init__(self, handler, body_bytes_max=256 * 1024 * 1024):
        self.handler = handler
        self.body_bytes_max = body_bytes_max
        self.connections = set()
        self.listener = None

    @staticmethod
    def broken():
        traceback.print_exc(file=sys.stderr)
        return Response(500, "Internal Server Error")

    async def start(self, host, port):
        loop = asyncio.get_running_loop()
        self.listener = await loop.create_server(lambda: Connection(self), host, port, backlog=1024)
        return self.listener.sockets[0].getsockname()[1]

    def stop(self):
        self.listener.close()
        for connection in list(self.connections):
            connection.transport.abort()


def add_listen_flags(parser: argparse.ArgumentParser):
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 lets the system choose")
    parser.add_argument("--port-file", help="where to write the chosen port, in one step")


def write_port(path, port):
    """A reader sees the whole number or no file."""
    part = f"{path}.{os.getpid()}"
    with open(part, "w", encoding="ascii") as out:
        out.write(f"{port}\n")
    os.replace(part, path)


async def serve(server, flags, name, listening=lambda port: None):
    """Runs until SIGTERM or SIGINT. `listening` is told the port before anybody else."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    port = await server.start(flags.host, flags.port)
    listening(port)
    print(f"{name} stand-in on http://{flags.host}:{port}", file=sys.stderr, flush=True)
    if flags.port_file:
        write_port(flags.port_file, port)
    await ended.wait()
    server.stop()
