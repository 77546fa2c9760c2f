"""As test_completeness.py, with kill -9 again and again while people work: for each of the three logs, with pushes on, off
and lost at random, everything that the installation could tell arrives exactly once, in order per subject."""
import unittest

from test_completeness import Days


class Killed(Days):
    def test_S8_audit_trail_killed_again_and_again_without_pushes(self):
        self.audit(killed=True, push="off")

    def test_S8_audit_trail_killed_again_and_again_with_pushes(self):
        self.audit(killed=True, register="[webhooks]")

    def test_S8_audit_trail_killed_again_and_again_with_pushes_lost(self):
        self.audit(killed=True, register="[webhooks]", push="0.4")

    def test_S8_realtime_killed_again_and_again_without_pushes(self):
        self.realtime(killed=True, push="off")

    def test_S8_realtime_killed_again_and_again_with_pushes(self):
        self.realtime(killed=True, register="[webhooks]")

    def test_S8_realtime_killed_again_and_again_with_pushes_lost(self):
        self.realtime(killed=True, register="[webhooks]", push="0.4")

    def test_S9_lists_killed_again_and_again_without_pushes(self):
        self.lists(killed=True, push="off")

    def test_S9_lists_killed_again_and_again_with_pushes(self):
        self.lists(killed=True, register="[webhooks]")

    def test_S9_lists_killed_again_and_again_with_pushes_lost(self):
        self.lists(killed=True, register="[webhooks]", push="0.4")


if __name__ == "__main__":
    unittest.main()
