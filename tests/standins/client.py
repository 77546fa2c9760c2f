"""One HTTP request from a running loop, with cURL's words for what went wrong."""

import asyncio
import ssl
from urllib.parse import unquote, urljoin, urlsplit

REDIRECTS_MAX = 5


class Answer:
    """A whole answer, or an error; with `partial` an answer broke off after it had begun."""

    def __init__(self, status=None, body=b"", error="", partial=False):
        self.status = status
        self.body = body
        self.error = error
        self.partial = partial

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")


class Incomplete(Exception):
    def __init__(self, status, body, missing):
        super().__init__(missing)
        self.status = status
        self.body = body
        self.missing = missing


def see(url):
    return f" (see https://curl.se/libcurl/c/libcurl-errors.html) for {url}"


async def send(method, url, headers, body, timeout=30.0, connect_timeout=10.0):
    """Sends and follows redirects as Guzzle does: 301 to 303 turn into GET without a body."""
    for _ in range(REDIRECTS_MAX + 1):
        answer, location = await send_once(method, url, headers, body, timeout, connect_timeout)
        if answer.status not in (301, 302, 303, 307, 308) or not location:
            return answer
        url = urljoin(url, location)
        if answer.status < 304 and method != "GET":
            method, body = "GET", b""
            headers = [(name, value) for name, value in headers if name.lower() != "content-type"]
    return Answer(error=f"Will not follow more than {REDIRECTS_MAX} redirects", partial=True)


async def send_once(method, url, headers, body, timeout, connect_timeout):
    place = urlsplit(url)
    port = place.port or (443 if place.scheme == "https" else 80)
    try:
        async with asyncio.timeout(timeout or None):
            try:
                async with asyncio.timeout(connect_timeout):
                    reader, writer = await connect(place, port)
            except OSError:
                where = f"{place.hostname} port {port} after 0 ms: Couldn't connect to server"
                return Answer(error=f"cURL error 7: Failed to connect to {where}{see(url)}"), None
            try:
                return await exchange(reader, writer, method, place, headers, body)
            finally:
                writer.close()
    except TimeoutError:
        after = int((timeout or 0) * 1000)
        return Answer(error=f"cURL error 28: Operation timed out after {after} milliseconds{see(url)}"), None
    except Incomplete as cut:
        error = f"cURL error 18: transfer closed with {cut.missing} bytes remaining to read{see(url)}"
        return Answer(cut.status, cut.body, error, partial=True), None
    except (ConnectionError, BrokenPipeError):
        return Answer(error=f"cURL error 56: Recv failure: Connection reset by peer{see(url)}", partial=True), None
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError):
        return Answer(error=f"cURL error 52: Empty reply from server{see(url)}"), None


async def connect(place, port):
    if place.scheme == "http+unix":  # the host is the percent-encoded name of a socket
        return await asyncio.open_unix_connection(unquote(place.netloc))
    return await asyncio.open_connection(place.hostname, port, ssl=tls(place))


def tls(place):
    if place.scheme != "https":
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def exchange(reader, writer, method, place, headers, body):
    target = (place.path or "/") + (f"?{place.query}" if place.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {place.netloc.rpartition('@')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body or method not in ("GET", "DELETE", "HEAD"):
        lines.append(f"Content-Length: {len(body)}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + body)
    status = 100
    while status < 200:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    content = b"" if status in (204, 304) else await read_body(reader, fields, status)
    return Answer(status, content), fields.get("location")


async def read_body(reader, fields, status):
    if fields.get("transfer-encoding", "").lower() == "chunked":
        return await read_chunks(reader, status)
    if "content-length" not in fields:
        return await reader.read()
    try:
        return await reader.readexactly(int(fields["content-length"]))
    except asyncio.IncompleteReadError as cut:
        raise Incomplete(status, cut.partial, cut.expected - len(cut.partial)) from None


async def read_chunks(reader, status):
    content = b""
    try:
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            chunk = await reader.readexactly(size + 2)
            if size == 0:
                return content
            content += chunk[:-2]
    except (asyncio.IncompleteReadError, ValueError):
        raise Incomplete(status, content, "outstanding chunks, some") from None
