#!/usr/bin/env python3
"""Two Heralds under an even load for a long time: memory flat, no descriptor leaks, nothing lost.

    tests/soak/soak.py                     30 minutes at 2,000 events/s
    tests/soak/soak.py --minutes 3

Two instances on a real Kafka, queries all the time, and two rolling restarts (--stay-on-stop), after a
sixth and after a third of the time. What is left, the longest life, is judged: its first half is warm-up.
Prints a table; exits 0 when all of this holds:

  - resident memory: no tenth of the time behind the warm-up is more than 5 % off the whole of it;
  - descriptors other than table files: no more at the end than behind the warm-up, but for a few;
  - answers: 5xx only while an instance restarts, and then only 503 with Retry-After; no impossible one;
  - at the end every inbox is what the oracle says, row by row, and each notification was written once.

A few minutes are too short for the databases' memory to fill, so for it to be flat, unless it is small:

    tests/soak/soak.py --minutes 3 --herald-arg=--memory-mib --herald-arg=16

Needs the machine for itself, a build with HERALD_BENCH=ON, tools/setup --tests, and for each million
events some 1.3 GB of memory for the oracle.
"""

import collections
import contextlib
import gc
import os
import pathlib
import re
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))

import chaos
import check_inboxes
import topics
from inbox_client import InboxClient

FLAT_PERCENT = 5.0
DESCRIPTORS_MORE_MAX = 8  # connections of clients and brokers that come and go
SAMPLE_S = 1.0
TENTHS = 10
WARM_UP_SHARE = 0.5
RESTARTS_AT = (1 / 6, 1 / 3)
CHUNK_S = 0.05
SETTLES_S = 2.0  # behind a restart: answers of a moment ago may still come in
SESSION_TIMEOUT_MS = "15000"
USERS = 10_000
INBOX_ITEMS_MAX = "1000000"  # nothing is trimmed: the oracle knows of no limit


class EvenFeeding(chaos.Feeding):
    """A chunk each 50 ms, however long it goes on."""

    def __init__(self, brokers, topic, path, seconds):
        super().__init__(brokers, topic, path, seconds, chunks=max(1, int(seconds / CHUNK_S)))


class Life:
    """What was seen of one process of an instance."""

    def __init__(self, herald, number):
        self.herald, self.number = herald, number
        self.began = time.monotonic()
        self.samples = []  # (seconds since its start, resident bytes, descriptors, table files)

    def sample(self):
        with contextlib.suppress(OSError):  # it is just ending
            process = pathlib.Path(f"/proc/{self.herald.pid}")
            status = (process / "status").read_text()
            resident = int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)[1]) * 1024
            names = []
            for link in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    names.append(os.readlink(link))
            tables = sum(name.endswith((".sst", ".sst (deleted)")) for name in names)
            age = time.monotonic() - self.began
            self.samples.append((age, resident, len(names), tables))

    def warm(self):
        """The samples behind the warm-up."""
        from_s = self.samples[-1][0] * WARM_UP_SHARE
        return [sample for sample in self.samples if sample[0] >= from_s]

    def tenths(self, value):
        """The medians of ten parts of the time behind the warm-up."""
        warm = self.warm()
        size = max(1, len(warm) // TENTHS)
        return [statistics.median(map(value, warm[n : n + size])) for n in range(0, len(warm), size)]

    def memory(self):
        """(median in MiB, the largest deviation of a tenth in percent)"""
        tenths = self.tenths(lambda sample: sample[1])
        median = statistics.median(tenths)
        return median / 2**20, max(abs(part / median - 1) for part in tenths) * 100

    def descriptors(self):
        """(those that are no table files, just behind the warm-up; the same at the end; table files)"""
        tenths = self.tenths(lambda sample: sample[2] - sample[3])
        return int(tenths[0]), int(tenths[-1]), self.samples[-1][3]


class Trouble:
    """How often clients got no answer, while an instance restarted and else."""

    KINDS = ("503", "refused", "timeout")

    def __init__(self, watcher):
        self._watcher = watcher
        self._seen = collections.Counter()
        self.restarting = collections.Counter()
        self.else_ = collections.Counter()

    def look(self, restarting):
        for kind in self.KINDS:
            new = self._watcher.answers[kind] - self._seen[kind]
            self._seen[kind] += new
            (self.restarting if restarting else self.else_)[kind] += new


class Soak:
    def __init__(self, scene):
        self.scene = scene
        self.seconds = scene.args.minutes * 60
        self.load = scene.load(
            events=int(self.seconds * scene.args.rate), users=USERS, seconds=self.seconds
        )
        gc.collect()
        gc.freeze()  # the oracle's millions of objects stay; nobody need look at them again
        flags = ("--stay-on-stop", "--session-timeout-ms", SESSION_TIMEOUT_MS)
        flags += ("--inbox-items-max", INBOX_ITEMS_MAX)
        self.heralds = [scene.herald(self.load, name, *flags) for name in ("first", "second")]
        self.lives = []
        self.restart_s = []

    def live(self, herald):
        number = 1 + sum(life.herald is herald for life in self.lives)
        self.lives.append(Life(herald, number))

    def last_life(self, herald):
        return [life for life in self.lives if life.herald is herald][-1]

    def wait_until(self, due):
        """Samples once a second until `due`."""
        while (left := due - time.monotonic()) > 0:
            for herald in self.heralds:
                self.last_life(herald).sample()
            self.trouble.look(restarting=False)
            time.sleep(min(left, SAMPLE_S))

    def rolling_restart(self):
        for herald in self.heralds:
            self.trouble.look(restarting=False)
            self.restart_s.append(
                self.scene.restart(self.load, herald, lambda: self.scene.stop(herald))
            )
            self.live(herald)
            time.sleep(SETTLES_S)
            self.trouble.look(restarting=True)

    def run(self):
        for herald in self.heralds:
            herald.launch()
        for herald in self.heralds:
            herald.wait_ready()
            self.scene.served(self.load, herald)
            self.live(herald)
        watcher = self.scene.watch(self.load, *self.heralds)
        self.trouble = Trouble(watcher)
        self.load.start(feeder=EvenFeeding)
        began = time.monotonic()
        for share in RESTARTS_AT:
            self.wait_until(began + self.seconds * share)
            self.scene.say(f"rolling restart, {self.load.fed:.0%} fed")
            self.rolling_restart()
        self.wait_until(began + self.seconds)
        self.trouble.look(restarting=False)
        self.load.finish()
        self.scene.say(f"all fed after {time.monotonic() - began:.1f} s")
        self.compare(watcher)

    def compare(self, watcher):
        """Every inbox, row by row; on the topics, how often each recipient was told something."""
        scene, load = self.scene, self.load
        with contextlib.closing(InboxClient(self.heralds[0].url)) as client:
            for line in check_inboxes.check_inboxes(client, load.oracle, chaos.STALL_S)[
                : chaos.WRONG_SHOWN
            ]:
                scene.add_wrong(line)
        watcher.finish()
        for herald in self.heralds:
            scene.stop(herald)
        expected = collections.Counter(load.oracle.notifications())
        found = collections.Counter()
        for record in topics.read_topic(scene.brokers, load.prefix + "notifications"):
            found[record.key.decode("utf-8")] += 1
        for recipient in expected.keys() | found.keys():
            if expected[recipient] != found[recipient]:
                scene.add_wrong(
                    f"{recipient!r}: {found[recipient]} notifications, not {expected[recipient]}"
                )
        letters = sum(1 for _ in topics.read_topic(scene.brokers, load.prefix + "dead-letters"))
        scene.expect(
            letters == len(load.oracle.dead_letters),
            f"{letters} dead letters, not {len(load.oracle.dead_letters)}",
        )
        rows = sum(load.totals.values())
        self.compared = (len(expected), rows, sum(found.values()), letters)
        scene.expect(self.compared[2] > 0, "nothing to compare")

    def judge(self, watcher_answers):
        """Prints the table, notes what is wrong."""
        scene = self.scene
        table = []
        for life in self.lives:
            if len(life.samples) < 2 * TENTHS:
                continue
            judged = life is self.last_life(life.herald)
            median, deviation = life.memory()
            before, after, tables = life.descriptors()
            flat = deviation <= FLAT_PERCENT
            leaks = after > before + DESCRIPTORS_MORE_MAX
            name = f"{life.herald.directory.name}, life {life.number}"
            if judged:
                scene.expect(flat, f"{name}: memory is off by {deviation:.1f} %")
                scene.expect(not leaks, f"{name}: {before} descriptors became {after}")
                scene.figure_max(memory_mib=median, memory_off_percent=deviation)
            verdict = ("ok" if flat and not leaks else "WRONG") if judged else "not judged"
            table.append(
                (name, f"{life.samples[-1][0]:.0f}", f"{median:.1f}", f"{deviation:.1f}",
                 str(before), str(after), str(tables), verdict)
            )
        head = ("process", "lived s", "MiB", "off by %", "descriptors", "at its end", "tables", "")
        widths = [max(len(row[n]) for row in [head, *table]) for n in range(len(head))]
        for row in [head, *table]:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        scene.expect(
            sum(row[-1] != "not judged" for row in table) == len(self.heralds),
            "too short to judge each instance's last life",
        )
        for kind, count in self.trouble.else_.items():
            scene.expect(count == 0, f"{kind}: {count} times when nothing restarted")
        recipients, rows, notifications, letters = self.compared
        print(f"fed: {scene.args.rate} events/s for {self.seconds:.0f} s")
        print(f"restarts, seconds until all is answered: {[round(s, 2) for s in self.restart_s]}")
        print(f"answers: {dict(watcher_answers)}")
        print(f"  of these while an instance restarted: {dict(self.trouble.restarting)}")
        print(
            f"compared: {recipients} inboxes, {rows} rows, {notifications} notifications, "
            f"{letters} dead letters"
        )
        scene.figure(restart_s=max(self.restart_s), queries=watcher_answers["200"])


def extend(parser):
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=2_000, help="events a second")


def play(scene):
    soak = Soak(scene)
    soak.run()
    soak.judge(scene.clients())


if __name__ == "__main__":
    chaos.main(play, __doc__, extend=extend)
