"""A database of every earlier migration level, with a backlog, starts under this binary; a newer one is refused.

Levels are found in bridge/store/migrations. What a level looked like is kept as a dump in tests/data/upgrade; for one
without a dump it is made of the migrations and today's rows. `python3 tests/e2e/test_upgrade.py --make` writes dumps
of levels that have none yet; one that is there is never written again: it is what stands on somebody's disk.
"""

import contextlib
import hashlib
import sqlite3
import sys
import unittest

from harness import CAPTURES, DATA, ROOT, World, config, send_capture, until

MIGRATIONS = sorted((ROOT / "bridge/store/migrations/sqlite").glob("*.sql"))
DUMPS = DATA / "upgrade"
NAMES = ("ObjectCreatedEvent.standard.http", "ObjectCreatedEvent-zaak.standard.http", "ObjectUpdatedEvent.standard.http")
PATIENT = "    retry: {schedule: [50ms, 200ms, 500ms, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s], floor: 20ms}\n"


def dump_of(level):
    return DUMPS / f"{level:04}.sql"


def backlog(world):
    """Today's store with deliveries that wait, since there is no Windmill. The file of a bridge that has ended."""
    windmill = world.windmill()
    windmill.process.end()
    bridge = world.bridge(config(world, windmill, target_extra=PATIENT)).start()
    for name in NAMES:
        assert send_capture(bridge.port, CAPTURES / name, "/ingest/openregister")[0] == 202
    until("each was tried", lambda: len([one for one in bridge.log_lines() if one["message"] == "delivery.attempted"]) >= 2)
    assert bridge.stop() == 0
    return world.folder / "orbridge.db"


def make_level(level, today, file):
    """A database as migrations 1 to `level` leave it, with those of today's rows that fit into it."""
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.executescript("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, "
                         "checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT")
        for number, migration in enumerate(MIGRATIONS[:level], 1):
            text = migration.read_text()
            db.executescript(text)
            db.execute("INSERT INTO migrations VALUES (?, ?, ?, 0)",
                       (number, migration.stem, hashlib.sha256(text.encode()).hexdigest()))
        db.execute("ATTACH ? AS today", (str(today),))
        for (table,) in db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
                                   "AND name <> 'migrations'").fetchall():
            columns = [row[1] for row in db.execute(f"PRAGMA main.table_info({table})")]
            there = {row[1] for row in db.execute(f"PRAGMA today.table_info({table})")}
            names = ", ".join(name for name in columns if name in there)
            if names:
                db.execute(f"INSERT OR REPLACE INTO main.{table} ({names}) SELECT {names} FROM today.{table}")
        db.commit()


def write_dump(level, today, folder):
    file = folder / f"level-{level}.db"
    make_level(level, today, file)
    with contextlib.closing(sqlite3.connect(file)) as db:
        dump_of(level).write_text("\n".join(db.iterdump()) + "\n")


class Upgrade(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)

    def start_with(self, prepare):
        windmill = self.world.windmill()
        bridge = self.world.bridge(config(self.world, windmill, target_extra=PATIENT))
        place = self.world.folder / "orbridge.db"
        for leftover in self.world.folder.glob("orbridge.db*"):
            leftover.unlink()
        prepare(place)
        return windmill, bridge

    def test_every_earlier_level_starts_and_its_backlog_is_delivered(self):
        today = backlog(self.world).rename(self.world.folder / "today.db")
        self.assertGreaterEqual(len(MIGRATIONS), 2)
        for level in range(1, len(MIGRATIONS) + 1):
            dump = dump_of(level)

            def prepare(place):
                if not dump.exists():
                    return make_level(level, today, place)
                with contextlib.closing(sqlite3.connect(place)) as db:
                    db.executescript(dump.read_text())
                return None

            with self.subTest(level=level, dump=dump.exists()):
                windmill, bridge = self.start_with(prepare)
                with contextlib.closing(sqlite3.connect(self.world.folder / "orbridge.db")) as db:
                    waiting = {row[0] for row in db.execute("SELECT count(*) FROM deliveries")}
                    self.assertNotEqual(waiting, {0})
                bridge.start()
                bridge.settled()
                jobs = until("the jobs", lambda: windmill.jobs() if len(windmill.jobs()) == len(NAMES) else None)
                self.assertEqual(len({job["id"] for job in jobs}), len(NAMES))
                self.assertEqual(send_capture(bridge.port, CAPTURES / NAMES[0], "/ingest/openregister")[0], 200)
                self.assertEqual(bridge.stop(), 0)
                windmill.process.end()

    def test_a_newer_database_is_refused_with_a_sentence(self):
        self.start_with(lambda place: make_level(len(MIGRATIONS), backlog(self.world).rename(place.with_name("t.db")), place))
        bridge = self.world.bridge((self.world.folder / "orbridge.yaml").read_text())
        newest = len(MIGRATIONS) + 1
        with contextlib.closing(sqlite3.connect(self.world.folder / "orbridge.db")) as db:
            db.execute("INSERT INTO migrations VALUES (?, 'of the future', 'x', 0)", (newest,))
            db.commit()
        bridge.start(wait=False)
        bridge.process.must_end_well = False
        self.assertEqual(bridge.process.process.wait(30), 1)
        self.assertIn(f"the store is newer than this orbridge (it has migration {newest}, this version knows "
                      f"{newest - 1}): run the newer version again", bridge.log.read_text())


if __name__ == "__main__":
    if sys.argv[1:] == ["--make"]:
        DUMPS.mkdir(exist_ok=True)
        with World() as made:
            now = backlog(made)
            for each in range(1, len(MIGRATIONS) + 1):
                if not dump_of(each).exists():
                    write_dump(each, now, made.folder)
        sys.exit(0)
    unittest.main()
