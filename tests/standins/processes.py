"""Stand-in processes and a receiver, for tests."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(os.path.dirname(HERE), "data")


class StandIn:
    """A stand-in process on a port of its own."""

    def __init__(self, program, *flags):
        self.folder = tempfile.TemporaryDirectory()
        port_file = os.path.join(self.folder.name, "port")
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, program), "--port-file", port_file, *flags],
                                        stderr=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while not os.path.exists(port_file):
            if time.monotonic() > until or self.process.poll() is not None:
                raise RuntimeError(f"{program} did not start")
            time.sleep(0.02)
        with open(port_file, encoding="ascii") as file:
            self.port = int(file.read())

    def ask(self, method, path, body=None, headers=None, timeout=10):
        """Status, headers and text of one exchange."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        data = body if isinstance(body, (bytes, str, type(None))) else json.dumps(body)
        sent = dict(headers or {})
        if data is not None and not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, data, {name: value for name, value in sent.items() if value is not None})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def control(self, method, what, body=None):
        return json.loads(self.ask(method, "/_standin/" + what, body)[2])

    def end(self):
        self.process.terminate()
        code = self.process.wait(5)
        self.folder.cleanup()
        return code


class Receiver:
    """Keeps what it is sent; answers `status`, or closes without a byte when that is 0."""

    def __init__(self):
        receiver = self
        self.got, self.status, self.body = [], 200, b'{"status":"approved"}'

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.got.append((self.path, self.headers, body))
                if receiver.status == 0:
                    self.close_connection = True
                    return
                self.send_response(receiver.status)
                self.send_header("Content-Length", str(len(receiver.body)))
                self.end_headers()
                self.wfile.write(receiver.body)

            do_GET = do_PUT = do_POST

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()
