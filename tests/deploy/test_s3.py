"""The S3 adapter against a real S3 server, which checks every signature: versitygw over a folder.

Needs versitygw and curl, whose own SigV4 is what the bucket is made and looked at with: `./dev s3` brings them."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from harness import CAPTURES, SECRET, Process, World, call, free_port, send_capture, until  # noqa: E402

VERSITYGW = os.environ.get("VERSITYGW", "versitygw")
ACCESS, KEY, REGION = "AKORBRIDGE", "S3CR3T/key+with=signs", "eu-west-1"
EMPTY = hashlib.sha256(b"").hexdigest()
NASTY = "zaken/2026 é/a+b&c=d%20;'(1)~*.json"
CONFIG = """listen: 127.0.0.1:0
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/openregister.yaml]
adapters: {{folders: [{root}/adapters]}}
sources:
  openregister: {{type: openregister, register: off, secret: {secret}}}
targets:
  archive: &archive
    adapter: s3
    config: {{endpoint: "{url}", region: {region}, bucket: zaken}}
    credentials: {{access_key_id: {access}, secret_access_key: "{key}"}}
    task: upload_file
    params: {{key: "objects/{{{{event.payload.object.uuid}}}}.json", content: "{{{{event.payload | json}}}}", content_type: application/json}}
  nowhere:
    <<: *archive
    config: {{endpoint: "{url}", region: {region}, bucket: none-such}}
  stranger:
    <<: *archive
    credentials: {{access_key_id: {access}, secret_access_key: wrong}}
routes:
  - {{channel: Object, to: archive}}
"""


class S3(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        for name in ("root", "sidecar"):
            (self.world.folder / name).mkdir()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [VERSITYGW, "--port", f"127.0.0.1:{port}", "--access", ACCESS, "--secret", KEY, "--region", REGION, "--quiet",
                   "--health", "/health", "posix", "--sidecar", str(self.world.folder / "sidecar"), str(self.world.folder / "root")]
        self.server = Process(command, self.world.folder / "s3.log")
        self.world.processes.append(self.server)
        until("the server answers", self.answers)
        self.curl("PUT", "zaken")
        self.bridge = self.world.bridge(CONFIG.format(folder=self.world.folder, root=ROOT, secret=SECRET, url=self.url,
                                                      region=REGION, access=ACCESS, key=KEY)).start()

    def answers(self):
        self.assertTrue(self.server.alive(), (self.world.folder / "s3.log").read_text())
        try:
            return call("GET", self.url + "/health")[0] == 200
        except OSError:
            return False

    def curl(self, method, path):
        done = subprocess.run(["curl", "-sS", "--fail-with-body", "--noproxy", "*", "-X", method, "--aws-sigv4",
                               f"aws:amz:{REGION}:s3", "--user", f"{ACCESS}:{KEY}",
                               "-H", f"x-amz-content-sha256: {EMPTY}", f"{self.url}/{path}"],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def run_task(self, target, task, **params):
        status, answer = self.bridge.api(f"/api/v1/targets/{target}/tasks/{task}", "POST", json.dumps(params))
        self.assertEqual(status, 200)
        return answer

    def test_I9_what_is_signed_here_is_accepted_there(self):
        code, out, err = self.bridge.cli("test", "archive")
        self.assertEqual((code, "The bucket is there" in out), (0, True), out + err)
        content = "één\n\"twee\" \\ 🙂"
        stored = self.run_task("archive", "upload_file", key=NASTY, content=content, content_type="text/plain; charset=utf-8")
        self.assertTrue(stored["success"], stored)
        self.assertEqual((self.world.folder / "root/zaken" / NASTY).read_text(), content)
        read = self.run_task("archive", "get_file", key=NASTY)
        self.assertEqual((read["success"], read["data"]["content"]), (True, content), read)
        self.assertEqual(read["data"]["etag"], stored["data"]["etag"])
        removed = self.run_task("archive", "delete_file", key=NASTY)
        self.assertTrue(removed["success"], removed)
        self.assertFalse((self.world.folder / "root/zaken" / NASTY).exists())

    def test_T1_an_event_becomes_an_object(self):
        status, text = send_capture(self.bridge.port, CAPTURES / "ObjectCreatedEvent.standard.http", "/ingest/openregister")
        self.assertEqual(status, 202, text)
        self.bridge.settled()
        kept = json.loads(self.curl("GET", "zaken/objects/9b2d3c1a-6f64-4a7e-8a39-2d9d1f0e0101.json"))
        self.assertEqual(kept["object"]["register"], "3")

    def test_I8_K9_refusals_are_results_and_tell_no_secret(self):
        wrong = self.run_task("stranger", "upload_file", key="a", content="b")
        self.assertFalse(wrong["success"])
        self.assertIn("HTTP 403", wrong["message"])
        self.assertEqual(self.bridge.cli("test", "stranger")[0], 1)
        self.assertEqual(self.bridge.cli("test", "nowhere")[0], 1)
        self.assertIn("HTTP 404", self.run_task("archive", "get_file", key="none")["message"])
        self.bridge.stop()
        self.assertNotIn(KEY, self.bridge.log.read_text())


if __name__ == "__main__":
    unittest.main()
