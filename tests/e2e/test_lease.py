"""The conformance program of the lease API against the real binary, and against a server that has nothing."""

import pathlib
import subprocess
import sys
import unittest

PROGRAM = pathlib.Path(__file__).resolve().parent / "lease/conformance.py"


def last_line(*arguments):
    done = subprocess.run([sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, timeout=550)
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr, done


class Lease(unittest.TestCase):
    def test_every_clause_holds(self):
        line, done = last_line()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(line, r"^\d\d passed, 0 failed$")

    def test_a_server_that_has_nothing_fails_every_clause(self):
        line, done = last_line("--empty")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(line, r"^0 passed, \d\d failed$")

    def test_subscribers_that_hang_hold_up_no_other_and_take_no_threads(self):
        """The full size, 2,000, is for a quiet machine: lease/hanging.py without arguments. Hanging means 3 s here."""
        done = subprocess.run([sys.executable, str(PROGRAM.parent / "hanging.py"), "--subscriptions", "400", "--events", "5",
                               "--floor-ms", "1000", "--tries", "5"], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
