"""A copy of the store made while the bridge works: whole, nobody else's to read, and a bridge that starts on it goes on."""

import contextlib
import json
import sqlite3
import stat
import threading
import unittest

from harness import CAPTURES, SECRET, World, config, parse_capture, send_capture, until

CREATED = CAPTURES / "ObjectCreatedEvent.standard.http"
ENOUGH = 40
PATIENT = "    retry: {schedule: [200ms, 500ms" + ", 1s" * 60 + "], floor: 20ms}\n"


def sign(body):
    import hashlib
    import hmac
    return {"X-Webhook-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}


class Backup(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.windmill = self.world.windmill()
        self.bridge = self.world.bridge(config(self.world, self.windmill, target_extra=PATIENT)).start()
        self.copy = self.world.folder / "copy.db"

    def send(self, number):
        _, _, _, template = parse_capture(CREATED)
        body = template.replace(b"2d9d1f0e0101", f"{number:012x}".encode())
        return send_capture(self.bridge.port, CREATED, "/ingest/openregister", body, sign(body))

    def test_made_under_load_it_starts_again_with_what_had_been_accepted(self):
        self.windmill.process.end()  # so that all of it waits
        accepted, ended = [], threading.Event()

        def load():
            while not ended.is_set():
                self.assertEqual(self.send(len(accepted))[0], 202)
                accepted.append(len(accepted))

        worker = threading.Thread(target=load)
        worker.start()
        try:
            until("events come in", lambda: len(accepted) >= ENOUGH)
            before = len(accepted)
            status, said, _ = self.bridge.cli("backup", str(self.copy), "--json", url=False)
            self.assertEqual(status, 0, said)
            until("events go on coming in", lambda: len(accepted) > before)
        finally:
            ended.set()
            worker.join()
        self.assertEqual(json.loads(said), {"file": str(self.copy), "bytes": self.copy.stat().st_size})
        self.assertEqual(stat.S_IMODE(self.copy.stat().st_mode), 0o600)
        self.assertEqual([file.name for file in self.world.folder.glob("copy.db?*")], [])
        with contextlib.closing(sqlite3.connect(self.copy)) as db:
            kept = db.execute("SELECT count(*) FROM events").fetchone()[0]
        self.assertLessEqual(before, kept)
        self.assertLessEqual(kept, len(accepted))
        self.restore()
        jobs = until("what waited is delivered", lambda: self.windmill.jobs() if len(self.windmill.jobs()) >= kept else None)
        self.assertEqual(len({job["id"] for job in jobs}), kept)
        self.assertEqual(self.send(0)[0], 200)  # a duplicate: the copy knows what it has seen

    def restore(self):
        """As docs/operations.md says."""
        self.assertEqual(self.bridge.stop(), 0)
        store = self.world.folder / "orbridge.db"
        for name in ("-wal", "-shm"):
            store.with_name(store.name + name).unlink(missing_ok=True)
        self.copy.rename(store)
        self.windmill = self.world.windmill()
        self.bridge = self.world.bridge(config(self.world, self.windmill, target_extra=PATIENT)).start()

    def test_nothing_is_written_over_and_nothing_is_left_of_what_failed(self):
        self.copy.write_text("mine")
        status, said, wrong = self.bridge.cli("backup", str(self.copy), url=False)
        self.assertEqual(status, 1)
        self.assertIn("is there already, expected a new file", said + wrong)
        self.assertEqual(self.copy.read_text(), "mine")
        nowhere = self.world.folder / "nowhere/copy.db"
        status, said, wrong = self.bridge.cli("backup", str(nowhere), url=False)
        self.assertEqual(status, 1)
        self.assertIn("No such file or directory", said + wrong)

    def test_a_damaged_store_is_no_backup(self):
        self.assertEqual(self.send(1)[0], 202)
        self.assertEqual(self.bridge.stop(), 0)
        store = self.world.folder / "orbridge.db"
        damaged = bytearray(store.read_bytes())
        damaged[4096:4096 * 3] = b"\xff" * (4096 * 2)
        store.write_bytes(damaged)
        status, said, wrong = self.bridge.cli("backup", str(self.copy), url=False)
        self.assertEqual(status, 1, said)
        self.assertIn("damaged", said + wrong)
        self.assertFalse(self.copy.exists())
        self.assertEqual([file.name for file in self.world.folder.glob("copy.db*")], [])


if __name__ == "__main__":
    unittest.main()
