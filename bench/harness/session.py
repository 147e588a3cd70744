"""One call of bench/run: its settings, its broker, and how often a measurement is made."""

import contextlib
import json
import pathlib
import subprocess
import sys
import time

from harness import machine
from harness.broker import Broker
from harness.processes import Failed, Kafka

# A run during which others used more than this of a core is made again, so many times at most.
DISTURBED_CORES = 0.15
RERUNS_MAX = 3

INPUTS = ("events", "users")

_GENERATE_TIMEOUT_S = 600
_LOAD_TIMEOUT_S = 600
_KCAT = ["kcat", "-P", "-q", "-X", "linger.ms=20", "-X", "partitioner=murmur2_random"]


class Cluster:
    """A broker with its requests and the inputs that are loaded into it."""

    def __init__(self, kafka, partitions):
        self.kafka, self.partitions = kafka, partitions
        self.address, self.pid, self.data = kafka.address, kafka.pid, kafka.data
        self.requests = Broker(kafka.address)

    def load(self, workload):
        """Fills the inputs, which are not there, with the events and users of a workload."""
        self.requests.create_topic("events", self.partitions)
        self.requests.create_topic("users", self.partitions, cleanup_policy="compact")
        users_keyed = workload.users.with_suffix(".keyed")
        with workload.users.open() as lines, users_keyed.open("w") as out:
            out.writelines(str(json.loads(line)["id"]) + "\t" + line for line in lines)
        self.fill("users", users_keyed, "-K", "\t")
        if workload.events_count:
            self.fill("events", workload.events)
        loaded = sum(self.requests.ends("events", self.partitions))
        if loaded != workload.events_count:
            raise Failed(f"{loaded} of {workload.events_count} events were loaded")

    def fill(self, topic, path, *options):
        command = [*_KCAT, "-b", self.address, "-t", topic, *options, "-l", path]
        subprocess.run([str(part) for part in command], timeout=_LOAD_TIMEOUT_S, check=True)

    def clear(self, keep=INPUTS):
        """Takes away what an earlier run has left, so that the next finds the inputs alone."""
        left = [t for t in self.requests.topics() if not t.startswith("__") and t not in keep]
        if left:
            self.requests.delete_topics(left)
        # Whoever runs next finds the topic in the middle there: nobody measures its making.
        self.requests.create_topic("notifications", self.partitions)

    def ends_sum(self, topic):
        return sum(self.requests.ends(topic, self.partitions))


class Workload:
    """Files of events and users."""

    def __init__(self, events, users, events_count, said):
        self.events, self.users, self.events_count, self.said = events, users, events_count, said


class Session:
    def __init__(self, arguments, directory):
        self.arguments, self.directory = arguments, pathlib.Path(directory)
        self.build = arguments.build
        self.smoke = arguments.smoke
        self.repeats = arguments.repeats
        self.suite = "bench"
        self.notes = []
        self._roots = []
        self._workloads = {}
        self._serial = 0

    def say(self, text):
        print(f"{self.suite}: {text}", file=sys.stderr, flush=True)

    def note(self, text):
        """Something that the reader of the tables should know; once."""
        if text not in self.notes:
            self.notes.append(text)
            self.say(text)

    def window(self):
        return machine.Window(self._roots)

    def new_name(self, name):
        """Not used before: for application ids and directories."""
        self._serial += 1
        return f"{name}-{self._serial}"

    def generate(self, events, users, first_user_percent=0):
        """The files of a plain workload, made once."""
        key = (events, users, first_user_percent)
        if key not in self._workloads:
            self.say(f"making {events:,} events for {users:,} users")
            name = self.new_name("workload")
            paths = self.directory / f"{name}.events", self.directory / f"{name}.users"
            command = [self.build / "generate_events", "--plain", "yes", "--seed", 1]
            command += ["--events", events, "--users", users, "--out", paths[0]]
            command += ["--users-out", paths[1], "--first-user-percent", first_user_percent]
            said = subprocess.run(
                [str(part) for part in command],
                stdout=subprocess.PIPE,
                text=True,
                timeout=_GENERATE_TIMEOUT_S,
                check=True,
            ).stdout.strip()
            self._workloads[key] = Workload(*paths, events, said)
        return self._workloads[key]

    @staticmethod
    def without_events(workload):
        """Its users alone."""
        return Workload(workload.events, workload.users, 0, workload.said)

    @contextlib.contextmanager
    def cluster(self, partitions=4):
        self.say("starting a broker")
        with Kafka(self.directory / self.new_name("kafka")) as kafka:
            self._roots.append(kafka.pid)
            cluster = Cluster(kafka, partitions)
            try:
                yield cluster
            finally:
                cluster.requests.close()
                self._roots.remove(kafka.pid)

    def interleave(self, subjects):
        """Measures {name: function of a Window} one after the other, and all of that again.

        Each function returns the figures of one run, and lets the window's `with` last while it
        measures. A run that others disturbed is made again; of all tries the quietest counts.
        """
        runs = {name: [] for name in subjects}
        for repeat in range(self.repeats):
            for name, measure in subjects.items():
                tries = []
                while True:
                    what = f"{name}, {repeat + 1} of {self.repeats}"
                    self.say(what + (f", again ({len(tries)})" if tries else ""))
                    started = time.monotonic()
                    window = self.window()
                    figures = measure(window)
                    disturbed = window.other_cores > DISTURBED_CORES
                    tries.append({
                        "figures": figures,
                        "other_cores": round(window.other_cores, 3),
                        "others": window.others,
                        "disturbed": disturbed,
                        "took_s": round(time.monotonic() - started, 1),
                    })  # fmt: skip
                    if not disturbed or len(tries) > self.arguments.reruns:
                        break
                    self.say(f"others used {window.other_cores:.2f} cores: {window.others}")
                quietest = min(tries, key=lambda run: run["other_cores"])
                quietest["tries"] = len(tries)
                runs[name].append(quietest)
        return runs
