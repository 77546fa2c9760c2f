"""What goes to Windmill is checked against Windmill's own API document by an independent program (Prism)."""

import http.server
import json
import os
import pathlib
import subprocess
import threading
import unittest
import urllib.request

from harness import CAPTURES, DATA, ROOT, World, config, free_port, send_capture, until

TOOLS = pathlib.Path(os.environ.get("ORBRIDGE_PRISM_DIR", ROOT / "build/prism"))
PRISM = TOOLS / "node_modules/.bin/prism"


def install():
    if not PRISM.exists():
        TOOLS.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(TOOLS),
                        "@stoplight/prism-cli@5.14.2"], check=True, stdout=subprocess.DEVNULL)


class Recorder(http.server.ThreadingHTTPServer):
    """Stands between the bridge and Prism and keeps what was sent and answered."""

    daemon_threads = True

    def __init__(self, upstream):
        self.upstream, self.seen = upstream, []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length", "connection")}
        request = urllib.request.Request(self.server.upstream + self.path, data=body or None, method=self.command, headers=headers)
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            answer = error
        text = answer.read()
        self.server.seen.append((self.command, self.path, answer.status, answer.headers.get("sl-violations"), body))
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_HEAD = forward

    def log_message(self, *arguments):
        pass


class Prism(unittest.TestCase):
    def setUp(self):
        install()
        self.world = World()
        self.addCleanup(self.world.close)
        port = free_port()
        log = self.world.enter_context(open(self.world.folder / "prism.log", "wb"))
        self.prism = subprocess.Popen([str(PRISM), "mock", "--errors", "-h", "127.0.0.1", "-p", str(port),
                                       str(DATA / "windmill/windmill.openapi.json")], stdout=log, stderr=log)
        self.addCleanup(lambda: (self.prism.terminate(), self.prism.wait()))
        self.recorder = Recorder(f"http://127.0.0.1:{port}")
        threading.Thread(target=self.recorder.serve_forever, daemon=True).start()
        self.addCleanup(self.recorder.server_close)
        self.addCleanup(self.recorder.shutdown)
        self.url = f"http://127.0.0.1:{self.recorder.server_address[1]}"

        def up():
            try:
                return urllib.request.urlopen(f"http://127.0.0.1:{port}/api/version").status == 200
            except OSError:
                return False
        until("Prism listens", up)

    def test_no_request_violates_the_document(self):
        self.bridge = self.world.bridge(config(self.world, self, target_extra="    follow: true\n")).start()
        for name in ("ObjectCreatedEvent.standard.http", "ObjectUpdatedEvent-softdelete.cloudevents.http",
                     "ObjectCreatedEvent-emoji.standard.http", "ObjectCreatedEvent-numbers.cloudevents.http"):
            send_capture(self.bridge.port, CAPTURES / name, "/ingest/openregister")
        until("jobs run", lambda: len([s for s in self.recorder.seen if s[0] == "POST"]) >= 4)
        until("jobs followed", lambda: any("jobs_u" in s[1] for s in self.recorder.seen))
        self.bridge.cli("test", "on-object")
        self.assertTrue(any(s[0] == "HEAD" for s in self.recorder.seen))
        for method, path, status, violations, body in self.recorder.seen:
            with self.subTest(f"{method} {path}"):
                self.assertIsNone(violations, body)
        for method, path, _, _, body in self.recorder.seen:
            if method == "POST" and "/run/" in path:
                self.assertIn("body", json.loads(body))


if __name__ == "__main__":
    unittest.main()
