"""What all chaos scenarios share: a load, somebody who watches, and the comparison at the end.

A scenario is a script with a function that does its worst to Herald and returns:

    def play(scene):
        load = scene.load(events=20_000, seconds=20)
        herald = scene.herald(load)
        herald.start()
        scene.watch(load, herald)
        load.start()
        load.wait_fed(0.4)
        scene.figure_max(recover_s=scene.restart(load, herald, herald.kill9))
        scene.check(load, herald)

    if __name__ == "__main__":
        chaos.main(play, __doc__)

Its last line of output is one JSON object, which `tests/chaos/run` reads: scenario, ok, seconds, clients
(what the watchers saw), wrong (the first things that were) and whatever figures it noted.
"""

import argparse
import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import sys
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/integration"))
sys.path.insert(0, str(ROOT / "tests/oracle"))

import check_inboxes
import exactly_once_test
import herald_process
import topics
from herald_process import Herald, Kafka, free_port, make_work_dir, remove_work_dir
from inbox_client import InboxClient
from instances import WrongAnswer, check_page, partition_for_key, wait_until
from oracle import BadEvent, parse_event

PARTITIONS = 4
SESSION_TIMEOUT_MS = 6000  # the least that a broker allows by default
SERVED_WITHIN_S = 90
STALL_S = 45
FEED_TIMEOUT_S = 300
POLL_S = 0.01
WATCH_PAUSE_S = 0.004  # leaves the cores to Herald
WATCH_TIMEOUT_S = 3.0
WRONG_SHOWN = 20
LARGEST_IN_SECOND_LOOK = 30  # inboxes; a page of rows is asked for from those that fit in one
PAGE_ROWS_MAX = 100
EXACTLY_ONCE, AT_LEAST_ONCE = "exactly_once", "at_least_once"
# What at_least_once may do that exactly_once may not: repeats on the topics it writes.
REPEATS = re.compile(r"^(notifications: \d+ records for |dead-letters: \d+ for )")


class Broken(Exception):
    """The scenario cannot go on; the text says what did not come."""


# --- The load ------------------------------------------------------------------------------------


class Feeding(exactly_once_test.PacedFeeder):
    """Feeds evenly until it is told that the trouble is over."""

    def hurry(self):
        self._seconds = 0.0  # all that is left is due at once


class Load:
    """Seeded events with topics and a group of their own, fed evenly in the background.

    `plain` leaves the undos out, so that no count may ever fall.
    """

    def __init__(self, scene, number, events, users, seconds, plain, partitions):
        self.scene = scene
        self.name = f"{scene.name}-{os.getpid()}-{number}"
        self.prefix, self.group = self.name + ".", self.name
        self.partitions = partitions
        self.seconds = seconds
        self.directory = scene.directory / f"load-{number}"
        self.directory.mkdir()
        users = users or max(50, events // 40)
        self.events_path, self.users_path, said = herald_process.generate(
            self.directory, scene.args.seed + number, events, users
        )
        scene.say(said)
        if plain:
            self._leave_out_undos()
        self._feeder = None
        self.know()

    def _leave_out_undos(self):
        lines = check_inboxes.read_lines(self.events_path)
        self.events_path.write_bytes(b"".join(line + b"\n" for line in lines if not undoes(line)))

    def know(self):
        """Computes what has to come of the file; again after the file was changed by hand."""
        self.oracle = check_inboxes.build_oracle(self.events_path, self.users_path)
        self.totals = {name: len(rows) for name, rows in self.oracle.inboxes().items()}
        self.by_partition = collections.defaultdict(list)  # partition: recipients in it
        for recipient in self.totals:
            partition = partition_for_key(recipient, self.partitions)
            self.by_partition[partition].append(recipient)

    @property
    def events_topic(self):
        return self.prefix + "events"

    @property
    def fed(self):
        """0 to 1"""
        return self._feeder.fed if self._feeder else 0.0

    def start(self, seconds=None, feeder=exactly_once_test.PacedFeeder):
        seconds = self.seconds if seconds is None else seconds
        self._feeder = feeder(self.scene.brokers, self.events_topic, self.events_path, seconds)
        self._feeder.daemon = True
        self._feeder.start()

    def wait_fed(self, fraction):
        """Waits until so much of it is fed."""
        while self.fed < fraction:
            if not self._feeder.is_alive():
                self._feeder.finish()
                if self.fed < fraction:
                    raise Broken("the feeding ended early")
                return
            time.sleep(POLL_S)

    def hurry(self):
        """What is not fed yet is fed at once."""
        self._feeder.hurry()

    def finish(self):
        """Feeds what is left at once, and waits until Kafka has all of it."""
        self._feeder.hurry()
        self._feeder.join(FEED_TIMEOUT_S)
        if self._feeder.is_alive():
            raise Broken(f"kcat has not produced all after {FEED_TIMEOUT_S} s")
        self._feeder.finish()

    def someone_in(self, partition):
        """The recipient with most rows in a partition, or None."""
        return max(self.by_partition[partition], key=self.totals.get, default=None)


def undoes(line):
    try:
        return parse_event(line).undo
    except BadEvent:
        return False


# --- Who watches ---------------------------------------------------------------------------------


class Watcher(threading.Thread):
    """Asks the instances for inboxes all the time, like clients that do not know of any trouble.

    An answer is impossible when a count is above what the whole load gives, is below what any
    instance has answered before (plain loads), does not agree with the rows beside it, or when the
    version goes back; also any status but 200 and 503, and a 503 without Retry-After.
    """

    def __init__(self, load, heralds, seed, falls=False):
        super().__init__(daemon=True)
        self._load = load
        self._heralds = heralds  # may grow
        self._falls = falls  # counts may fall: the load has undos
        self._random = random.Random(seed)
        self._ends = threading.Event()
        self._connections = {}  # url: connection
        self._told = {}  # user: (total, version), the latest that was answered
        self._turn = 0
        self._last_200 = {}  # partition: when
        self.answers = collections.Counter()
        self.wrong = []
        self.silent_s_max = 0.0  # the longest that no partition was answered for
        self.partition_silent_s_max = 0.0  # the longest that some partition was not answered for
        self._silent_since = None

    def run(self):
        try:
            while not self._ends.wait(WATCH_PAUSE_S):
                self._ask()
        except Exception as error:  # a watcher that ends early would hide what comes
            self._add_wrong(f"the watcher broke off: {error!r}\n{traceback.format_exc()}")
        finally:
            self._note_silence(time.monotonic(), ended=True)
            for connection in self._connections.values():
                connection.close()

    def finish(self):
        self._ends.set()
        self.join(WATCH_TIMEOUT_S * 4)

    def _add_wrong(self, text):
        self.answers["wrong"] += 1
        if len(self.wrong) < WRONG_SHOWN:
            self.wrong.append(f"watcher at {time.strftime('%H:%M:%S')}: {text}")

    def _ask(self):
        known = [h for h in list(self._heralds) if h.ready]
        partitions = [p for p, users in self._load.by_partition.items() if users]
        if not known or not partitions:
            return
        herald = self._random.choice(known)
        self._turn += 1
        partition = partitions[self._turn % len(partitions)]
        user = self._random.choice(self._load.by_partition[partition])
        with_rows = self._random.random() < 0.3 and self._load.totals[user] <= PAGE_ROWS_MAX
        path = InboxClient.user_path(
            user, f"inbox?limit={PAGE_ROWS_MAX}" if with_rows else "inbox/counts"
        )
        what = f"{herald.directory.name}: {path}"
        answer = self._request(herald.url, path)
        now = time.monotonic()
        if answer is None:
            self.answers["refused"] += 1
        else:
            status, headers, body = answer
            if status == 503 and headers.get("Retry-After"):
                self.answers["503"] += 1
            elif status != 200:
                self._add_wrong(f"{what}: {status} {dict(headers)} {body[:300]!r}")
            else:
                self.answers["200"] += 1
                self._last_200[partition] = now
                self._judge(what, user, body, with_rows)
        self._note_silence(now, ended=False)

    def _request(self, url, path):
        """(status, headers, body), or None when nobody answers."""
        connection = self._connections.pop(url, None)
        fresh = connection is None
        while True:
            if connection is None:
                host, port = url.removeprefix("http://").rsplit(":", 1)
                connection = http.client.HTTPConnection(host, int(port), timeout=WATCH_TIMEOUT_S)
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                body = response.read()
            except TimeoutError:
                connection.close()
                self.answers["timeout"] += 1
                return None
            except (http.client.HTTPException, OSError):
                connection.close()
                if fresh:
                    return None
                connection, fresh = None, True  # it was kept open, and its server went
                continue
            self._connections[url] = connection
            return response.status, response.headers, body

    def _judge(self, what, user, body, with_rows):
        answer = json.loads(body)
        counts = answer["counts"] if with_rows else answer
        if with_rows and answer["next"] is None:
            try:
                check_page(what, answer)
            except WrongAnswer as wrong:
                self._add_wrong(str(wrong))
        total, version = counts["total"], answer["version"]
        total_before, version_before = self._told.get(user, (0, 0))
        if total > self._load.totals[user] and not self._falls:
            self._add_wrong(f"{what}: {total} rows, the whole load gives {self._load.totals[user]}")
        if total < total_before and not self._falls:
            self._add_wrong(f"{what}: {total} rows, before it there were {total_before}")
        if version < version_before:
            self._add_wrong(f"{what}: version {version}, before it there was {version_before}")
        self._told[user] = (total, version)

    def _note_silence(self, now, ended):
        """Takes the time between one 200 and the next; what comes before the first is no silence."""
        if not self._last_200:
            return
        last = max(self._last_200.values())
        if last == now or ended:
            if self._silent_since is not None:
                self.silent_s_max = max(self.silent_s_max, now - self._silent_since)
            self._silent_since = now
        for partition, answered in self._last_200.items():
            if answered != now:
                self.partition_silent_s_max = max(self.partition_silent_s_max, now - answered)


# --- The scene -----------------------------------------------------------------------------------


class Scene:
    """Kafka, loads, Heralds and watchers of one scenario, and what came of it."""

    def __init__(self, name, args, directory, kafka):
        self.name = name
        self.args = args
        self.directory = directory
        self.kafka = kafka
        self.random = random.Random(args.seed)
        self.guarantee = args.guarantee
        self.heralds = []
        self.watchers = []
        self.wrong = []
        self.figures = {}
        self._loads = 0
        self._began = time.monotonic()

    @property
    def brokers(self):
        return self.kafka.brokers

    def say(self, text):
        print(f"{time.monotonic() - self._began:7.2f} {text}", flush=True)

    def add_wrong(self, text):
        self.wrong.append(text)
        self.say(f"WRONG {text[:600]}")

    def expect(self, right, text):
        """Notes `text` as wrong unless `right`."""
        if not right:
            self.add_wrong(text)

    def figure(self, **figures):
        """Notes figures for the result line."""
        self.figures.update(figures)

    def figure_max(self, **figures):
        """Notes figures of which the largest counts."""
        for name, value in figures.items():
            self.figures[name] = max(self.figures.get(name, value), value)

    # What takes part

    def load(self, events=20_000, users=None, seconds=20.0, plain=True, partitions=PARTITIONS):
        self._loads += 1
        return Load(self, self._loads, events, users, seconds, plain, partitions)

    def herald(self, load, name="herald", *arguments, brokers=None, **options):
        """A Herald for a load, not started; always at the same address, as clients expect."""
        where = ["--brokers", brokers or self.brokers, "--application-id", load.group]
        where += ["--topic-prefix", load.prefix, "--guarantee", self.guarantee]
        where += ["--users", load.users_path, "--instance-id", name]
        for flag, value in (
            ("--partitions", load.partitions),
            ("--session-timeout-ms", SESSION_TIMEOUT_MS),
        ):
            if flag not in arguments:
                where += [flag, value]
        options.setdefault("listen", f"127.0.0.1:{free_port()}")
        herald = Herald(load.directory / name, *where, *arguments, *self.args.herald_arg, **options)
        self.heralds.append(herald)
        return herald

    def watch(self, load, *heralds, falls=False):
        """Starts a Watcher of these instances; those without `ready` yet are left alone."""
        watcher = Watcher(load, list(heralds), self.args.seed + len(self.watchers), falls)
        self.watchers.append(watcher)
        watcher.start()
        return watcher

    # What is asked of it

    def served(self, load, herald, timeout_s=SERVED_WITHIN_S):
        """Waits until `herald` answers for every partition; the seconds it took."""

        def all_answer():
            if not herald.running():
                raise Broken(f"{herald.directory.name} has ended:\n{herald.log_tail(5)}")
            try:
                with contextlib.closing(InboxClient(herald.url)) as client:
                    for partition in range(load.partitions):
                        user = load.someone_in(partition)
                        if user is not None:
                            path = InboxClient.user_path(user, "inbox/counts")
                            if client.request("GET", path)[0] != 200:
                                return False
                return True
            except (http.client.HTTPException, OSError):
                return False

        return wait_until(f"{herald.directory.name} answers for all", all_answer, timeout_s)[1]

    def restart(self, load, herald, end):
        """Ends it by end(), starts it again; seconds from the end until it answers for all."""
        began = time.monotonic()
        end()
        herald.start()
        self.served(load, herald)
        seconds = time.monotonic() - began
        self.say(f"{herald.directory.name} answers for all {seconds:.2f} s after its end")
        return seconds

    def stop(self, herald):
        """SIGTERM; anything but an exit with 0 in time is wrong."""
        code, seconds = herald.stop()
        if code != 0:
            self.add_wrong(f"{herald.directory.name}: SIGTERM: exit code {code}, {seconds:.1f} s")
        return seconds

    def check(self, load, *heralds):
        """Nothing lost, nothing twice, all in order: compares with the oracle, then stops them.

        All inboxes from each of these instances, and what a read_committed reader finds on the topics.
        """
        load.finish()
        rows = {}
        began = time.monotonic()
        for herald in heralds:
            with contextlib.closing(InboxClient(herald.url)) as client:
                found = check_inboxes.check_inboxes(client, load.oracle, STALL_S, rows)
            for line in found[:WRONG_SHOWN]:
                self.add_wrong(f"{herald.directory.name}: {line}")
        self.say(f"inboxes compared after {time.monotonic() - began:.1f} s")
        for watcher in self.watchers:
            watcher.finish()
        for herald in heralds:
            self.stop(herald)
        found, notifications, dead_letters = check_inboxes.check_topics(
            self.brokers,
            load.prefix,
            check_inboxes.read_lines(load.events_path),
            load.oracle,
            rows,
        )
        found += order_differences(self.brokers, load.prefix)
        if self.guarantee == AT_LEAST_ONCE:
            repeats = [line for line in found if REPEATS.match(line)]
            self.figure_max(repeats=len(repeats))
            found = [line for line in found if not REPEATS.match(line)]
        for line in found[:WRONG_SHOWN]:
            self.add_wrong(line)
        if len(found) > WRONG_SHOWN:
            self.add_wrong(f"… and {len(found) - WRONG_SHOWN} more differences on the topics")
        self.say(f"{notifications} notifications, {dead_letters} dead letters compared")
        if not found and not notifications:
            self.add_wrong("nothing to compare: the scenario has fed nothing")

    def replayed(self, *heralds):
        """Notes how many changelog records these replayed: at most in one task, and in all."""
        counts = [count for herald in heralds for count in replays(herald.whole_log())]
        self.figure_max(replayed=max(counts, default=0))
        self.figure(replayed_all=self.figures.get("replayed_all", 0) + sum(counts))
        return counts

    def check_replays(self, load, *heralds):
        """No restore may have replayed more than the largest transaction of its partition.

        Only where the state was never deleted and nothing was fed while no instance ran.
        """
        largest = exactly_once_test.largest_transactions(self.brokers, load.prefix)
        self.replayed(*heralds)
        for herald in heralds:
            replayed = exactly_once_test.replayed_by_partition(herald.whole_log())
            for partition, count in replayed.items():
                if count > largest.get(partition, 0):
                    self.add_wrong(
                        f"{herald.directory.name}: partition {partition}: {count} records "
                        f"replayed, its largest transaction has {largest.get(partition, 0)}"
                    )
        self.figure(largest_transaction=max(largest.values(), default=0))

    def clients(self):
        """What all watchers saw, summed up."""
        answers = collections.Counter()
        for watcher in self.watchers:
            answers.update(watcher.answers)
        return {name: answers[name] for name in ("200", "503", "refused", "timeout", "wrong")}


def replays(log):
    """How many changelog records each restore in a log replayed."""
    return [
        int(count[1])
        for line in log.splitlines()
        if "restored" in line and (count := re.search(r"\breplayed=(\d+)", line))
    ]


def order_differences(brokers, prefix):
    """What one recipient is told from one events partition must come in the order of the events.

    Of repeats only the first counts: whether they may be there is another question.
    """
    found = []
    last, seen = {}, set()
    for record in topics.read_topic(brokers, prefix + "notifications"):
        value = json.loads(record.value)
        source = value["source"]
        cause = (value["recipient"], source["partition"], source["offset"])
        if cause in seen:
            continue
        seen.add(cause)
        place = (record.partition, *cause[:2])
        if last.get(place, -1) > source["offset"]:
            found.append(
                f"notifications[{record.partition}]@{record.offset}: {cause} stands after "
                f"offset {last[place]}"
            )
        last[place] = source["offset"]
    return found


# --- The frame of a scenario ---------------------------------------------------------------------


def parse_arguments(description, extend):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--guarantee", choices=[EXACTLY_ONCE, AT_LEAST_ONCE], default=EXACTLY_ONCE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the working directory")
    parser.add_argument("--herald-arg", action="append", default=[], help="passed to herald run")
    if extend:
        extend(parser)
    return parser.parse_args()


def result(scenario, ok, **figures):
    """The one line that `tests/chaos/run` reads; the last that a scenario prints."""
    figures = {k: round(v, 2) if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps({"scenario": scenario, "ok": ok, **figures}, ensure_ascii=False), flush=True)


def main(play, description, nodes=1, extend=None, make_kafka=Kafka):
    """Runs one scenario: a Kafka of its own, play(scene), the result line; ends the process.

    `extend(parser)` adds flags; `make_kafka(directory, nodes)` gives a cluster that can do more.
    """
    name = pathlib.Path(sys.argv[0]).stem
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and takes Kafka away on the way out
    args = parse_arguments(description, extend)
    directory = make_work_dir()
    print(f"{name}: seed {args.seed}, {args.guarantee}, in {directory}", flush=True)
    began = time.monotonic()
    scene = None
    with contextlib.ExitStack() as stack:
        kafka = stack.enter_context(make_kafka(directory / "kafka", nodes))
        scene = Scene(name, args, directory, kafka)
        try:
            play(scene)
        except Exception as error:  # whatever it is, the line below has to be printed
            scene.add_wrong(f"broken off: {error!r}")
            traceback.print_exc()
            for herald in scene.heralds:
                if herald.log_path.exists():
                    print(f"--- {herald.log_path}\n{herald.log_tail()}", flush=True)
        finally:
            for watcher in scene.watchers:
                watcher.finish()
            for herald in scene.heralds:
                herald.kill9()
    for watcher in scene.watchers:
        scene.wrong += watcher.wrong
        scene.figure_max(
            silent_s=watcher.silent_s_max, partition_silent_s=watcher.partition_silent_s_max
        )
    ok = not scene.wrong
    if ok and not args.keep:
        remove_work_dir(directory)
    for line in scene.wrong[:WRONG_SHOWN]:
        print("WRONG", line[:1500])
    result(
        name,
        ok,
        guarantee=args.guarantee,
        seconds=time.monotonic() - began,
        clients=scene.clients(),
        wrong=[line[:300] for line in scene.wrong[:3]],
        **scene.figures,
    )
    sys.exit(0 if ok else 1)
