#!/usr/bin/env python3
"""The generated load is what it claims to be: seeded, and as unkind as the tests need it.

HERALD_GENERATOR names the program.
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from oracle import Oracle, read_users

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GENERATOR = os.environ.get("HERALD_GENERATOR", str(ROOT / "build/release/generate_events"))


class GeneratedLoad(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.directory = pathlib.Path(directory.name)
        cls.said = cls.generate("first", "--seed", "5")
        cls.lines = cls.read("first")
        cls.oracle = Oracle(read_users((cls.directory / "first.users").read_bytes().splitlines()))
        cls.events = [event for event in map(cls.oracle.add, cls.lines) if event]

    @classmethod
    def generate(cls, name, *arguments):
        command = [GENERATOR, "--out", cls.directory / name, "--events", "30000"]
        command += ["--users", "2000", "--users-out", cls.directory / f"{name}.users"]
        command += ["--start-time", "2025-01-01T00:00:00Z", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    @classmethod
    def read(cls, name):
        return (cls.directory / name).read_bytes().split(b"\n")[:-1]

    def test_the_same_seed_makes_the_same_lines_and_another_seed_others(self):
        self.generate("again", "--seed", "5")
        self.generate("other", "--seed", "6")
        self.assertEqual(self.read("again"), self.lines)
        self.assertNotEqual(self.read("other"), self.lines)

    def test_there_are_as_many_lines_as_asked_for_and_none_is_empty(self):
        self.assertEqual(len(self.lines), 30_000)
        self.assertTrue(all(self.lines))

    def test_the_oracle_refuses_just_the_lines_that_were_made_bad(self):
        made_bad = int(re.search(r"bad=(\d+)", self.said)[1])
        self.assertEqual(len(self.oracle.dead_letters), made_bad)
        self.assertAlmostEqual(made_bad / len(self.lines), 0.01, delta=0.003)

    def test_every_sort_of_bad_line_is_there(self):
        reasons = set(self.oracle.dead_reasons)
        for reason in (
            "not JSON",
            "not an object",
            "unknown type",
            "missing actor",
            "missing target",
            "missing undo_of",
            "actor too long",
            "text too long",
            "title too long",
            "too many targets",
            "bad time",
            "time too far ahead",
        ):
            self.assertIn(reason, reasons)
        self.assertTrue(any(not _is_utf8(line) for line in self.oracle.dead_letters))

    def test_every_kind_is_done_and_undone(self):
        kinds = collections.Counter((event.type, event.undo) for event in self.events)
        for kind in ("follow", "like", "mention"):
            self.assertGreater(kinds[kind, False], 100)
            self.assertGreater(kinds[kind, True], 100)
        self.assertGreater(kinds["message", False], 100)
        plain = [e for e in self.events if e.type == "mention" and e.object is None]
        self.assertTrue(any(e.undo_of for e in plain) and all(e.id or e.undo for e in plain))

    def test_undos_come_before_after_and_without_what_they_undo(self):
        first = {}  # (identity, recipient) -> place of the first do and of the first undo
        for place, event in enumerate(self.events):
            for recipient in event.recipients:
                key = (event.type, event.actor, event.object and event.object.id, recipient)
                if event.type in ("follow", "like"):
                    first.setdefault(key, {}).setdefault(event.undo, place)
        orders = collections.Counter(
            "without" if False not in of else "before" if of[True] < of[False] else "after"
            for of in first.values()
            if True in of
        )
        for order in ("before", "after", "without"):
            self.assertGreater(orders[order], 50, orders)

    def test_lines_repeat_and_few_recipients_get_much(self):
        repeats = sum(n - 1 for n in collections.Counter(self.lines).values())
        self.assertGreater(repeats, 300)
        sizes = sorted((len(rows) for rows in self.oracle.inboxes().values()), reverse=True)
        self.assertGreater(sum(sizes[:20]), sum(sizes) / 5)

    def test_some_actors_are_not_among_the_users_and_some_events_are_of_oneself(self):
        unknown = sum(event.actor not in self.oracle.users for event in self.events)
        self.assertTrue(0.01 < unknown / len(self.events) < 0.2, unknown)
        self.assertTrue(any(not event.recipients for event in self.events))
        self.assertTrue(any(len(event.recipients) > 40 for event in self.events))
        self.assertTrue(any(e.type == "message" and e.actor in e.recipients for e in self.events))

    def test_a_flag_that_cannot_be_used_is_refused(self):
        for arguments in (["--seed"], ["--seed", "x"], ["--users", "1"], ["--start-time", "noon"], []):
            finished = subprocess.run([GENERATOR, *arguments], capture_output=True)
            self.assertEqual(finished.returncode, 2, arguments)


def _is_utf8(line):
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


if __name__ == "__main__":
    unittest.main()
