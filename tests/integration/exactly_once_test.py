#!/usr/bin/env python3
"""Feeds a real Herald on a real Kafka with seeded events and compares all results with the oracle.

    exactly_once_test.py                   one load of 20,000 events
    exactly_once_test.py --events 200000   the full load
    exactly_once_test.py --kill9 20        kill -9 in the middle of the load, twenty rounds in a row
    exactly_once_test.py --embedded        on the embedded broker, 3,000 events

Each round has its own topics, application id, state directory and seed. After a kill, the log has
to say how many changelog records were replayed, and in no partition may that be more than the
largest transaction of that partition's changelog. Prints a table; exits 0 when every round is equal.
"""

import argparse
import contextlib
import os
import random
import re
import subprocess
import sys
import threading
import time

import check_inboxes
import topics
from herald_process import (
    GENERATOR,
    HERALD,
    Herald,
    HeraldFailed,
    Kafka,
    generate,
    make_work_dir,
    remove_work_dir,
)
from inbox_client import HttpProblem, InboxClient

FEED_TIMEOUT_S = 120
CHUNKS = 200
PACED_FEED_S = 3.0
KILL_JITTER_S = 0.1
SECOND_KILL_PERCENT = 30
SECOND_KILL_DELAY_S = 2.0


class PacedFeeder(threading.Thread):
    """Produces a file through kcat over some seconds; `fed` goes from 0 to 1."""

    def __init__(self, brokers, topic, path, seconds, properties=(), chunks=CHUNKS):
        super().__init__()
        self._lines = path.read_bytes().splitlines(keepends=True)
        self._seconds = seconds
        self._chunks = chunks
        self._failure = None
        command = ["kcat", "-P", "-b", brokers, "-t", topic, "-X", "enable.idempotence=true"]
        for item in properties:
            command += ["-X", item]
        self._kcat = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.fed = 0.0

    def run(self):
        try:
            began = time.monotonic()
            step = max(1, len(self._lines) // self._chunks)
            for start in range(0, len(self._lines), step):
                due = began + self._seconds * start / len(self._lines)
                time.sleep(max(0.0, due - time.monotonic()))
                self._kcat.stdin.write(b"".join(self._lines[start : start + step]))
                self._kcat.stdin.flush()
                self.fed = min(1.0, (start + step) / len(self._lines))
            _, errors = self._kcat.communicate(timeout=FEED_TIMEOUT_S)
            if self._kcat.returncode != 0:
                self._failure = errors.decode("utf-8", "replace")
        except (OSError, subprocess.SubprocessError) as error:
            self._failure = str(error)
        finally:
            if self._kcat.poll() is None:
                self._kcat.kill()
                self._kcat.wait()

    def hurry(self):
        """What is left is fed at once."""
        self._seconds = 0.0

    def finish(self):
        self.join(FEED_TIMEOUT_S)
        if self._failure:
            raise RuntimeError(f"kcat cannot produce: {self._failure}")


def replayed_by_partition(log):
    """{partition: records replayed from its changelog} as the log tells it.

    The line: `… restored … task=1_3 … replayed=17 …`, one for each task at its assignment.
    """
    replayed = {}
    for line in log.splitlines():
        if "restored" not in line:
            continue
        count = re.search(r"\breplayed=(\d+)", line)
        task = re.search(r"\btask=\d+_(\d+)", line) or re.search(r"\bpartition=(\d+)", line)
        if count and task:
            partition = int(task[1])
            replayed[partition] = max(replayed.get(partition, 0), int(count[1]))
    return replayed


def largest_transactions(brokers, prefix):
    """{partition: records of its largest transaction} over all changelogs of the prefix.

    The marker that ends a transaction takes an offset of its own, so between two gaps in the
    offsets lies one transaction (compaction leaves gaps too, but not in the active segment).
    """
    largest = {}
    for topic in topics.topic_partitions(brokers):
        if not (topic.startswith(prefix) and topic.endswith("-changelog")):
            continue
        runs = {}  # partition: (last offset, length); the partitions come interleaved
        for record in topics.read_topic(brokers, topic):
            last, run = runs.get(record.partition, (None, 0))
            run = run + 1 if last is not None and record.offset == last + 1 else 1
            runs[record.partition] = (record.offset, run)
            largest[record.partition] = max(largest.get(record.partition, 0), run)
    return largest


def hottest_recipient(oracle):
    """(recipient with most rows, number of its rows)."""
    inboxes = oracle.inboxes()
    name = max(inboxes, key=lambda recipient: len(inboxes[recipient]))
    return name, len(inboxes[name])


class Round:
    """One load from fresh topics to the comparison."""

    def __init__(self, args, number, directory, brokers):
        self.args = args
        self.number = number
        self.seed = args.seed + number
        self.random = random.Random(self.seed)
        self.directory = directory / f"round-{number}"
        self.directory.mkdir()
        self.prefix = f"r{number}-{os.getpid()}." if brokers else ""
        self.events, self.users, said = generate(
            self.directory, self.seed, args.events, args.users, args.start_time, args.generator
        )
        print(f"round {number}: {said}", flush=True)
        self.oracle = check_inboxes.build_oracle(self.events, self.users)
        where = ["--embedded"]
        if brokers:
            where = ["--brokers", brokers, "--application-id", f"herald-{number}-{os.getpid()}"]
            where += ["--topic-prefix", self.prefix, "--guarantee", args.guarantee]
        self.herald = Herald(
            self.directory, *where, "--users", self.users, *args.herald_arg, binary=args.herald
        )
        self.kills = []
        self.found = []

    def kill(self, feeder, fraction):
        """kill -9 when `fraction` of the load is fed (paced) or shown (all at once)."""
        hottest, rows = hottest_recipient(self.oracle)
        client = InboxClient(self.herald.url)
        end = time.monotonic() + FEED_TIMEOUT_S

        def progress():
            if self.args.feed_s > 0:
                return feeder.fed
            return client.counts(hottest)["total"] / rows

        while progress() < fraction:
            if time.monotonic() > end:
                raise HeraldFailed(f"no progress to {fraction:.0%} of the load")
            time.sleep(0.001)
        time.sleep(self.random.uniform(0, KILL_JITTER_S))  # any moment of a commit
        with contextlib.suppress(OSError, HttpProblem):
            self.kills.append(f"{client.counts(hottest)['total'] / rows:.0%}")
        self.herald.kill9()
        client.close()
        if self.random.random() * 100 < SECOND_KILL_PERCENT:
            self.herald.launch()
            time.sleep(self.random.uniform(0, SECOND_KILL_DELAY_S))  # any moment of a start
            self.herald.kill9()
            self.kills.append("start")

    def run(self, with_kill):
        self.herald.start()
        brokers = self.herald.ready["brokers"]
        feeder = PacedFeeder(brokers, self.prefix + "events", self.events, self.args.feed_s)
        feeder.start()
        try:
            if with_kill:
                self.kill(feeder, self.random.uniform(0.05, 0.9))
                self.herald.start()
        finally:
            feeder.finish()
        rows = {}
        client = InboxClient(self.herald.url)
        self.found = check_inboxes.check_inboxes(client, self.oracle, self.args.stall_s, rows)
        client.close()
        # The embedded broker ends with Herald; a real one is read when nothing can be written more.
        if self.args.embedded:
            numbers = self.check_topics(brokers, rows)
        code, seconds = self.herald.stop()
        if code != 0:
            self.found.append(f"SIGTERM: exit code {code} after {seconds:.1f} s")
        if not self.args.embedded:
            numbers = self.check_topics(brokers, rows)
        replayed = bound = "-"
        if with_kill:
            replayed, bound = self.check_replay(brokers)
        equal = check_inboxes.report(self.found)
        if not equal:
            print(f"  log: {self.herald.log_path}\n{self.herald.log_tail()}")
        return [
            str(self.number),
            str(self.seed),
            "+".join(self.kills) or "-",
            str(sum(len(items) for items in rows.values())),
            *map(str, numbers),
            str(replayed),
            str(bound),
            "equal" if equal else "DIFFERENT",
        ]

    def check_topics(self, brokers, rows):
        lines = check_inboxes.read_lines(self.events)
        more, notifications, dead_letters = check_inboxes.check_topics(
            brokers, self.prefix, lines, self.oracle, rows
        )
        if self.args.guarantee == "at_least_once":  # the republished topic may hold repeats
            more = [line for line in more if " records for " not in line]
        self.found += more
        return notifications, dead_letters

    def check_replay(self, brokers):
        """(most records replayed in one partition, largest transaction of that partition)."""
        replayed = replayed_by_partition(self.herald.log())
        if not replayed:
            self.found.append("the log after the kill does not say how many records were replayed")
            return "-", "-"
        largest = largest_transactions(brokers, self.prefix)
        for partition, count in replayed.items():
            if count > largest.get(partition, 0):
                self.found.append(
                    f"partition {partition}: {count} changelog records replayed, its largest "
                    f"transaction has {largest.get(partition, 0)}"
                )
        worst = max(replayed, key=replayed.get)
        return replayed[worst], largest.get(worst, 0)


def print_table(rows):
    head = ["round", "seed", "killed at", "rows", "notifications", "dead", "replayed", "of", ""]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths)).rstrip())


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--herald", default=HERALD)
    parser.add_argument("--generator", default=GENERATOR)
    parser.add_argument("--events", type=int, help="default 20,000; embedded 3,000")
    parser.add_argument("--users", type=int, help="default a tenth of the events")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start-time", help="as of generate_events; default six hours ago")
    parser.add_argument("--kill9", type=int, default=0, metavar="N", help="rounds with a kill -9")
    parser.add_argument("--embedded", action="store_true")
    parser.add_argument("--brokers", help="a Kafka that runs; default: one of our own")
    parser.add_argument(
        "--guarantee", choices=["exactly_once", "at_least_once"], default="exactly_once"
    )
    parser.add_argument(
        "--feed-s", type=float, help="spread the feeding; default 3 with --kill9, else 0"
    )
    parser.add_argument("--stall-s", type=float, default=30)
    parser.add_argument("--keep", action="store_true", help="keep the working directory of a good run too")
    parser.add_argument("--herald-arg", action="append", default=[], help="passed to herald run")
    args = parser.parse_args()
    if args.embedded and args.kill9:
        parser.error("the embedded broker ends with Herald: no --kill9")
    if args.embedded:
        args.guarantee = "at_least_once"
    args.events = args.events or (3_000 if args.embedded else 20_000)
    args.users = args.users or max(50, args.events // 10)
    if args.feed_s is None:
        args.feed_s = PACED_FEED_S if args.kill9 else 0.0
    return args


def main():
    args = parse_arguments()
    directory = make_work_dir()
    print(f"seed {args.seed}, {args.events} events, {args.users} users, in {directory}", flush=True)
    table = []
    with contextlib.ExitStack() as stack:
        brokers = args.brokers
        if not args.embedded and not brokers:
            brokers = stack.enter_context(Kafka(directory / "kafka")).brokers
        for number in range(max(1, args.kill9)):
            one = Round(args, number, directory, brokers)
            try:
                table.append(one.run(with_kill=args.kill9 > 0))
            except (HeraldFailed, HttpProblem, OSError, RuntimeError) as error:
                print(f"round {number} broke off: {error}\n{one.herald.log_tail()}")
                table.append([str(number), str(one.seed)] + ["-"] * 6 + ["BROKEN OFF"])
            finally:
                one.herald.kill9()
    print_table(table)
    equal = all(row[-1] == "equal" for row in table)
    if equal and not args.keep:
        remove_work_dir(directory)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
