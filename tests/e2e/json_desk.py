"""A service with a list of JSON, as sources of type http poll it."""
import contextlib
import http.server
import json
import threading
import urllib.parse


class Desk:
    """A service with a list, in whatever way of paging is asked for. `answer` may replace what it says."""

    def __init__(self, case):
        self.items, self.asked, self.answer, self.lock = [], [], None, threading.Lock()
        self.answer_to_posts = lambda body: (200, {}, {})
        self.watch = lambda path, headers, begins: None
        self.pause = lambda: None  # before an answer, while others are answered
        desk = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.reply(lambda: (desk.answer or desk.list)(self.path, self.headers))

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.reply(lambda: desk.answer_to_posts(body))

            def reply(self, make):
                with desk.lock:
                    desk.asked.append((self.path, dict(self.headers)))
                    desk.watch(self.path, self.headers, True)
                    status, headers, body = make()
                desk.pause()
                body = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
                with desk.lock:
                    desk.watch(self.path, self.headers, False)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # who asked may have gone
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/tickets?state=open"
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        case.addCleanup(self.server.server_close)
        case.addCleanup(self.server.shutdown)

    def list(self, path, _):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))
        start = int(query.get("offset", 0)) or (int(query.get("page", 1)) - 1) * 2 or int(query.get("cursor", 0))
        paged = any(key in query for key in ("page", "offset", "cursor", "size"))
        rows = self.items[start:start + 2] if paged else self.items
        more = paged and start + 2 < len(self.items)
        meta = {"next": str(start + 2) if more else None}
        headers = {"Link": f'</api/tickets?size=2&page={start // 2 + 2}>; rel="next"'} if more else {}
        return 200, headers, {"data": rows, "meta": meta}

    def set(self, items):
        with self.lock:
            self.items = items

    def say(self, answer):
        with self.lock:
            self.answer = answer

    def say_to_posts(self, answer):
        with self.lock:
            self.answer_to_posts = answer

    def count(self):
        with self.lock:
            return len(self.asked)
