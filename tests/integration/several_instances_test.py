#!/usr/bin/env python3
"""Three Heralds, then four, on a real Kafka under load: killed, stopped, started, restarted.

    several_instances_test.py                one round, within two minutes
    several_instances_test.py --minutes 30   rounds with other victims until the time is over

All the while readers ask every instance for inboxes. Each answer has to be right or 503 with
Retry-After: a version never goes back behind what any instance had answered before, one version
never shows two contents, counts are those of the rows. At the end all inboxes equal the oracle
from every instance, and a rolling restart with --stay-on-stop leaves the group as it is.
"""

import argparse
import collections
import contextlib
import hashlib
import os
import random
import re
import sys
import threading
import time

import check_inboxes
from feeding import Feeder
from herald_process import (
    GENERATOR,
    HERALD,
    HeraldFailed,
    Kafka,
    generate,
    make_work_dir,
    remove_work_dir,
)
from inbox_client import HttpProblem, InboxClient
from instances import (
    Asker,
    Instance,
    NoAnswer,
    WrongAnswer,
    check_page,
    partition_for_key,
    read_answer,
    settled,
    wait_until,
)
from oracle import Oracle, read_users

PARTITIONS = 8
SESSION_TIMEOUT_MS = 6000
HAND_OVER_S_MAX = 3.0  # from SIGTERM to the last partition that others serve
TAKE_OVER_S_MAX = 20.0  # from kill -9, the session time-out included
SERVED_WITHIN_S = 60
SETTLED_WITHIN_S = 60
STALL_S = 30
WARM_UP_S = 4.0
UNTOUCHED_S = 3.0  # all quiet for so long after a hand-over: it is over
READER_PAUSE_S = 0.004  # leaves the cores to the Heralds
READERS = 3
PROBE_PAUSE_S = 0.01
WRONG_ANSWERS_SHOWN = 10
BROKEN_OFF_BY = (HeraldFailed, HttpProblem, NoAnswer, OSError, RuntimeError, WrongAnswer)


def digest(value):
    return hashlib.sha1(repr(value).encode("utf-8")).digest()


class Seen:
    """What any instance has answered for each user. For all threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self._versions = {}  # user: the latest version that was answered
        self._contents = {}  # (user, kind of answer, version): digest
        self.answers = collections.Counter()
        self.wrong = []

    def version(self, user):
        with self._lock:
            return self._versions.get(user, 0)

    def add(self, what, user, kind, floor, version, content):
        """Takes a 200; `floor` is version(user) from before the request was sent."""
        content = digest(content)
        with self._lock:
            self.answers["200"] += 1
            if version < floor:
                raise WrongAnswer(f"{what}: version {version}, before it there was {floor}")
            if self._contents.setdefault((user, kind, version), content) != content:
                raise WrongAnswer(f"{what}: version {version} shows two contents ({kind})")
            self._versions[user] = max(version, self._versions.get(user, 0))

    def count(self, answer):
        with self._lock:
            self.answers[answer] += 1

    def add_wrong(self, text):
        with self._lock:
            self.wrong.append(text)


class Reader(threading.Thread):
    """Asks random instances for random users until told to end."""

    def __init__(self, instances, users, seen, seed):
        super().__init__(daemon=True)
        self._instances = instances  # grows
        self._users = users
        self._seen = seen
        self._random = random.Random(seed)
        self._ends = threading.Event()
        self._asker = Asker()

    def run(self):
        try:
            while not self._ends.wait(READER_PAUSE_S):
                try:
                    self.ask()
                except NoAnswer:
                    self._seen.count("down")
                except WrongAnswer as wrong:
                    self._seen.add_wrong(str(wrong))
        except Exception as error:  # a reader that ends early would hide what comes
            self._seen.add_wrong(f"the reader broke off: {error!r}")
        finally:
            self._asker.close()

    def ask(self):
        instance = self._random.choice(list(self._instances))
        user = self._random.choice(self._users)
        with_rows = self._random.random() < 0.5
        path = InboxClient.user_path(user, "inbox?limit=100" if with_rows else "inbox/counts")
        what = f"{instance.name}: {path}"
        floor = self._seen.version(user)
        status, _, body = self._asker.request(instance, "GET", path)
        answer = read_answer(what, status, body)
        if answer is None:
            return self._seen.count("503")
        if with_rows and answer["next"] is None:
            check_page(what, answer)
        counts = answer["counts"] if with_rows else answer
        names = ("total", "unread", "unseen")
        self._seen.add(
            what, user, "counts", floor, answer["version"], [counts[name] for name in names]
        )
        if with_rows:
            self._seen.add(what, user, "rows", floor, answer["version"], answer["items"])

    def finish(self):
        self._ends.set()
        self.join(SERVED_WITHIN_S)


class Prober:
    """Finds out when every partition is answered for by every one of some instances."""

    def __init__(self, users):
        self._users = {}  # partition: a user in it
        for user in users:
            self._users.setdefault(partition_for_key(user, PARTITIONS), user)
        if len(self._users) != PARTITIONS:
            raise AssertionError("there are too few users to have one in every partition")
        self._asker = Asker()

    @property
    def asker(self):
        return self._asker

    def refused(self, instances):
        """One who does not answer for some partition, or None."""
        for instance in instances:
            for partition, user in self._users.items():
                path = InboxClient.user_path(user, "inbox/counts")
                status, _, body = self._asker.request(instance, "GET", path)
                if read_answer(f"{instance.name}: {path}", status, body) is None:
                    return f"{instance.name}, partition {partition}"
        return None

    def hand_over_s(self, instances, signalled, is_over):
        """Seconds from `signalled` until all partitions were answered for and stayed so.

        `is_over()`: the group has settled without those that left.
        """
        last_refusal, why = signalled, "nothing was refused"
        deadline = signalled + SERVED_WITHIN_S
        quiet_since = None
        while quiet_since is None or time.monotonic() - quiet_since < UNTOUCHED_S:
            refused = self.refused(instances)
            now = time.monotonic()
            if refused:
                last_refusal, why, quiet_since = now, refused, None
            elif quiet_since is None and is_over():
                quiet_since = now
            if now > deadline:
                raise TimeoutError(f"not served after {SERVED_WITHIN_S} s: {why}")
            time.sleep(PROBE_PAUSE_S)
        return last_refusal - signalled


class Scene:
    """Kafka, the instances, the feeding, and what is done to them."""

    def __init__(self, args, directory, brokers):
        self.args = args
        self.random = random.Random(args.seed)
        self.brokers = brokers
        self.prefix = f"several-{os.getpid()}."
        self.topic = self.prefix + "notifications"
        self.group = f"several-{os.getpid()}"
        self.directory = directory
        seconds = args.minutes * 60 + 300
        events = int(args.rate * seconds)
        events_path, self.users_path, said = generate(
            directory, args.seed, events, args.users, None, args.generator
        )
        print(said, flush=True)
        self._lines = open(events_path, "rb")
        with open(self.users_path, "rb") as users:
            self.known_users = read_users(users)
        self.users = list(self.known_users)
        self.instances = []
        self.figures = []
        self.seen = Seen()
        self.prober = Prober(self.users)
        self.feeder = None

    def next_line(self):
        line = self._lines.readline()
        return line[:-1] if line.endswith(b"\n") else None

    def make(self, name, *arguments):
        arguments = [*arguments, "--brokers", self.brokers, "--application-id", self.group]
        arguments += ["--topic-prefix", self.prefix, "--partitions", PARTITIONS]
        arguments += ["--session-timeout-ms", SESSION_TIMEOUT_MS, *self.args.herald_arg]
        if not self.instances:
            arguments += ["--users", self.users_path]
        return Instance(name, self.directory, *arguments, binary=self.args.herald)

    def say(self, what, seconds=None):
        text = what if seconds is None else f"{what}: {seconds:.2f} s"
        self.figures.append(text)
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def up(self):
        return [instance for instance in self.instances if instance.life is not None]

    def wait_settled(self, what):
        """All that are up share all partitions."""
        wait_until(f"settled {what}", lambda: self.is_settled(self.up()), SETTLED_WITHIN_S)

    def is_settled(self, instances):
        return settled(self.prober.asker, instances, PARTITIONS, self.topic)

    def kill(self, instance):
        signalled = time.monotonic()
        instance.kill9()
        others = self.up()
        seconds = self.prober.hand_over_s(others, signalled, lambda: self.is_settled(others))
        self.say(f"kill -9 of {instance.name}, others serve after", seconds)
        if seconds > TAKE_OVER_S_MAX:
            self.seen.add_wrong(f"to take over took {seconds:.2f} s, allowed {TAKE_OVER_S_MAX}")

    def stop_politely(self, instance):
        signalled = time.monotonic()
        stopper = threading.Thread(target=instance.stop, daemon=True)
        others = [other for other in self.up() if other is not instance]
        stopper.start()
        wait_until("it is stopping", lambda: instance.life is None, SERVED_WITHIN_S, 0)
        seconds = self.prober.hand_over_s(others, signalled, lambda: self.is_settled(others))
        stopper.join(SERVED_WITHIN_S)
        self.say(f"polite stop of {instance.name}, others serve after", seconds)
        if seconds > HAND_OVER_S_MAX:
            self.seen.add_wrong(f"the hand-over took {seconds:.2f} s, allowed {HAND_OVER_S_MAX}")

    def start(self, *instances):
        began = time.monotonic()
        for instance in instances:
            instance.launch()
        for instance in instances:
            instance.wait_ready()
        self.wait_settled("after a start")
        seconds = time.monotonic() - began
        names = ", ".join(instance.name for instance in instances)
        self.say(f"start of {names}, all settled after", seconds)

    def round(self, killed, stopped):
        self.kill(killed)
        self.stop_politely(stopped)
        self.start(killed, stopped)

    def compare(self, what):
        """Every inbox from every instance against the oracle."""
        oracle = Oracle(self.known_users)
        for line in self.feeder.fed:
            oracle.add(line)
        rows = {}
        for instance in self.up():
            began = time.monotonic()
            client = InboxClient(instance.herald.url)
            found = check_inboxes.check_inboxes(client, oracle, STALL_S, rows)
            client.close()
            for line in found:
                self.seen.add_wrong(f"{what}, {instance.name}: {line}")
            self.say(
                f"{what}: {len(oracle.recipients())} inboxes, {sum(map(len, rows.values()))} rows, "
                f"{'DIFFERENT' if found else 'equal'} from {instance.name} after",
                time.monotonic() - began,
            )

    def generations(self):
        """The group's generations, as the broker's log tells them."""
        log = (self.directory / "kafka/node-1/log").read_text(errors="replace")
        pattern = rf"Stabilized group {re.escape(self.group)} generation (\d+)"
        return [int(number) for number in re.findall(pattern, log)]

    def stop(self, instance):
        code, seconds = instance.stop()
        if code != 0:
            self.seen.add_wrong(f"{instance.name}: SIGTERM: exit code {code}, {seconds:.1f} s")

    def rolling_restart(self, *instances):
        """Each in turn goes and comes back within the session time-out; nothing may move."""
        others = [instance for instance in self.instances if instance not in instances]
        before = self.generations()
        logs = {other.name: group_changes(other.herald) for other in others}
        for instance in instances:
            began = time.monotonic()
            self.stop(instance)
            instance.start()
            self.say(f"restart of {instance.name} with --stay-on-stop", time.monotonic() - began)
            _, seconds = wait_until(
                "all partitions are served",
                lambda: not self.prober.refused(self.up()),
                SERVED_WITHIN_S,
            )
            self.say("  and from then to the last partition", seconds)
        self.wait_settled("after the rolling restart")
        for other in others:
            more = group_changes(other.herald)[len(logs[other.name]) :]
            if more:
                self.seen.add_wrong(f"restarts of others moved tasks of {other.name}: {more[:3]}")
        after = self.generations()
        if before and after != before:
            self.seen.add_wrong(f"the group's generation was {before[-1]}, is {after[-1]}")
        self.say(f"generation before {before[-1:]}, after {after[-1:]}, by the broker's log")


def group_changes(herald):
    """The lines of its log that say that the group gave it or took from it something."""
    pattern = re.compile(r"\b(assigned|revoked|partitions lost)\b")
    return [line for line in herald.log().splitlines() if pattern.search(line)]


def play(scene, args):
    scene.instances += [scene.make("a", "--stay-on-stop"), scene.make("b"), scene.make("c")]
    a, b, c = scene.instances
    scene.start(a, b, c)
    scene.feeder = Feeder(scene.brokers, scene.prefix + "events", args.rate, scene.next_line)
    scene.feeder.start()
    readers = [
        Reader(scene.instances, scene.users, scene.seen, args.seed * 1000 + i)
        for i in range(READERS)
    ]
    for reader in readers:
        reader.start()
    began = time.monotonic()
    time.sleep(WARM_UP_S)  # so that there are inboxes to be wrong about
    scene.round(a, b)
    d = scene.make("d", "--stay-on-stop")
    scene.instances.append(d)
    scene.start(d)
    while time.monotonic() - began < args.minutes * 60:
        stopped = scene.random.choice([b, c])
        killed = scene.random.choice([i for i in scene.instances if i is not stopped])
        scene.round(killed, stopped)
    scene.feeder.finish()
    scene.say(f"fed {len(scene.feeder.fed)} events in", time.monotonic() - began)
    scene.compare("after the feeding")
    scene.rolling_restart(a, d)
    scene.compare("after the rolling restart")
    for reader in readers:
        reader.finish()
    for instance in scene.instances:
        scene.stop(instance)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--herald", default=HERALD)
    parser.add_argument("--generator", default=GENERATOR)
    parser.add_argument("--minutes", type=float, default=0, help="of chaos; 0: one round")
    parser.add_argument("--rate", type=float, default=200, help="events a second")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the working directory")
    parser.add_argument("--herald-arg", action="append", default=[], help="passed to herald run")
    return parser.parse_args()


def main():
    args = parse_arguments()
    directory = make_work_dir()
    print(f"seed {args.seed}, in {directory}", flush=True)
    scene = None
    with contextlib.ExitStack() as stack:
        brokers = stack.enter_context(Kafka(directory / "kafka")).brokers
        scene = Scene(args, directory, brokers)
        try:
            play(scene, args)
        except BROKEN_OFF_BY as error:
            scene.seen.add_wrong(f"broken off: {error!r}")
        finally:
            for instance in scene.instances:
                instance.kill9()
    answers = scene.seen.answers
    print(f"answers: {answers['200']} × 200, {answers['503']} × 503, {answers['down']} while down")
    right = check_inboxes.report(scene.seen.wrong[:WRONG_ANSWERS_SHOWN])
    if right and not args.keep:
        remove_work_dir(directory)
    print("right" if right else f"WRONG: {len(scene.seen.wrong)} times; logs in {directory}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
