"""Brokers that die: a Kafka of which single nodes are killed, a load that outlives them, and a look
at whether anything still comes through."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time

import exactly_once_test
from chaos import Broken
from herald_process import Kafka
from inbox_client import InboxClient
from instances import wait_until

os.environ.setdefault("KAFKA_HEAP", "400m")  # three nodes beside all else

# Kafka moves leaders away from a dead broker after broker.session.timeout.ms, 9 s.
DEAD_S = 12.0
IN_SYNC_WITHIN_S = 90
FLOWS_WITHIN_S = 90
FAILS_OVER_WITHIN_S = 60  # with one of three dead; Kafka itself takes some 10
METADATA_TIMEOUT_S = 30
PROGRESS_EVERY_S = 0.05
WARM_UP_S = 3.0
FEEDER_PATIENCE_MS = 300_000
CHUNKS = 2000  # of a load that is fed for minutes: several a second
# Inboxes of each partition that are looked at for progress: the biggest, which grow often.
LOOKED_AT = 3


def java_hash(text):
    """String.hashCode(), by which brokers choose the coordinator of a group or transactional id."""
    value = 0
    for unit in text.encode("utf-16-be")[1::2]:  # ids here are ASCII
        value = (31 * value + unit) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


class Brokers(Kafka):
    """A Kafka whose nodes, 1 to `nodes`, can be killed; start() brings all back that are dead."""

    def __init__(self, directory, nodes=3):
        super().__init__(directory, nodes)
        self._dir = str(directory)
        self.nodes = nodes

    @property
    def port(self):
        """Of the first node."""
        return int(self.brokers.split(",")[0].rsplit(":", 1)[1])

    def kill(self, *nodes):
        """SIGKILL, to these or to all at once."""
        for arguments in [["--node", str(node)] for node in nodes] or [[]]:
            self._tool("kill", "--dir", self._dir, *arguments)

    def start_empty(self):
        """All nodes come back on their ports with empty disks: another cluster."""
        self._tool("start", *self._arguments, "--port", str(self.port), "--wipe")

    def _metadata(self, topic=None):
        command = ["kcat", "-L", "-J", "-b", self.brokers, "-m", "5"]
        command += ["-t", topic] if topic else []
        finished = subprocess.run(command, capture_output=True, timeout=METADATA_TIMEOUT_S)
        if finished.returncode != 0:
            raise Broken(f"kcat -L: {finished.stderr.decode('utf-8', 'replace')}")
        return json.loads(finished.stdout)

    def leader(self, topic, partition):
        """The node that leads a partition."""
        for known in self._metadata(topic)["topics"]:
            for one in known["partitions"]:
                if one["partition"] == partition and one["leader"] > 0:
                    return one["leader"]
        raise Broken(f"nobody leads {topic}[{partition}]")

    def coordinator(self, topic, name):
        """The node that coordinates what is called `name`, by the topic that says so."""
        partitions = len(self._metadata(topic)["topics"][0]["partitions"])
        return self.leader(topic, abs(java_hash(name)) % partitions)

    def wait_in_sync(self):
        """Waits until every partition of every topic has all its replicas in sync, and a leader."""

        def in_sync():
            with contextlib.suppress(Broken, ValueError):
                metadata = self._metadata()
                return len(metadata["brokers"]) == self.nodes and all(
                    one["leader"] > 0 and len(one["isrs"]) == len(one["replicas"])
                    for topic in metadata["topics"]
                    for one in topic["partitions"]
                )

        return wait_until("all replicas in sync", in_sync, IN_SYNC_WITHIN_S, 0.2)[1]


class PatientFeeder(exactly_once_test.PacedFeeder):
    """Feeds on through any outage.

    kcat gives up when no broker at all is connected. So it is also told of one that takes every
    connection and never says a word: to kcat it is one that may yet answer.
    """

    def __init__(self, brokers, topic, path, seconds):
        self._silent = socket.socket()
        self._silent.bind(("127.0.0.1", 0))
        self._silent.listen()
        silent = f"127.0.0.1:{self._silent.getsockname()[1]}"
        patience = [
            f"{name}={FEEDER_PATIENCE_MS}"
            for name in (
                "api.version.request.timeout.ms",
                "socket.connection.setup.timeout.ms",
                "socket.timeout.ms",
                "message.timeout.ms",
            )
        ]
        brokers = f"{brokers},{silent}"
        super().__init__(brokers, topic, path, seconds, properties=patience, chunks=CHUNKS)

    def finish(self):
        super().finish()
        self._silent.close()


class Progress(threading.Thread):
    """Looks all the time whether inboxes grow, as they do while a load is fed."""

    def __init__(self, load, *heralds):
        super().__init__(daemon=True)
        self._heralds = heralds
        biggest = sorted(load.totals, key=load.totals.get, reverse=True)
        self._users = []
        for partition in range(load.partitions):
            here = set(load.by_partition[partition])
            self._users += [user for user in biggest if user in here][:LOOKED_AT]
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._totals = {}
        self._grew = []  # when, in order

    def run(self):
        clients = {}
        try:
            while not self._ends.wait(PROGRESS_EVERY_S):
                for herald in self._heralds:
                    with contextlib.suppress(Exception):  # whoever does not answer shows no growth
                        if herald.url not in clients:
                            clients[herald.url] = InboxClient(herald.url)
                        self._look(clients[herald.url])
                        break
        finally:
            for client in clients.values():
                client.close()

    def _look(self, client):
        for user in self._users:
            status, _, body = client.request("GET", client.user_path(user, "inbox/counts"))
            if status != 200:
                continue
            total = json.loads(body)["total"]
            with self._lock:
                if total > self._totals.get(user, 0):
                    self._totals[user] = total
                    self._grew.append(time.monotonic())

    def finish(self):
        self._ends.set()
        self.join(10)

    def grown_since(self, moment):
        """When an inbox first grew after `moment`, or None."""
        with self._lock:
            return next((when for when in self._grew if when > moment), None)

    def wait_growth(self, moment, timeout_s=FLOWS_WITHIN_S):
        """Waits for growth after `moment`; the seconds from there to it."""
        wait_until("an inbox that grows", lambda: self.grown_since(moment), timeout_s)
        return self.grown_since(moment) - moment

    def longest_pause(self, begin, end):
        """The longest time within these in which no inbox grew."""
        with self._lock:
            moments = [begin, *(when for when in self._grew if begin < when < end), end]
        return max(later - earlier for earlier, later in zip(moments, moments[1:]))


def wait_total(herald, user, total, timeout_s=FLOWS_WITHIN_S):
    """Waits until an inbox has so many rows; the seconds it took."""
    path = InboxClient.user_path(user, "inbox/counts")
    with contextlib.closing(InboxClient(herald.url)) as client:

        def is_there():
            status, _, body = client.request("GET", path)
            return status == 200 and json.loads(body)["total"] >= total

        return wait_until(f"{total} rows of {user!r}", is_there, timeout_s)[1]


def expect_silence(scene, load, herald):
    """Past its session an instance that is cut off may not answer: others may have what it had."""
    with contextlib.closing(InboxClient(herald.url)) as client:
        for partition in range(load.partitions):
            path = InboxClient.user_path(load.someone_in(partition), "inbox/counts")
            status = client.request("GET", path)[0]
            scene.expect(
                status == 503, f"partition {partition}: {status} though the session is over"
            )


def expect_failover(scene, load, progress, *heralds):
    """With one broker of three dead, all is answered and goes on before that one is back."""
    began = time.monotonic()
    try:
        for herald in heralds:
            scene.served(load, herald, FAILS_OVER_WITHIN_S)
        progress.wait_growth(time.monotonic(), FAILS_OVER_WITHIN_S)
    except TimeoutError as late:
        scene.add_wrong(f"one broker is dead, and {late}")
    scene.figure_max(failover_s=DEAD_S + time.monotonic() - began)


@contextlib.contextmanager
def under_load(scene, load, *heralds):
    """Feeds the load patiently, with a watcher and a Progress, which it gives, for the block."""
    scene.watch(load, *heralds)
    progress = Progress(load, *heralds)
    progress.start()
    load.start(feeder=PatientFeeder)
    try:
        progress.wait_growth(time.monotonic())
        time.sleep(WARM_UP_S)
        yield progress
    finally:
        progress.finish()
        load.hurry()


def replicated(nodes):
    """Herald's arguments for a cluster of so many nodes."""
    return ("--replication-factor", str(nodes))


def kill_and_wait(scene, load, progress, *nodes, dead_s=DEAD_S, while_dead=None):
    """SIGKILL of these nodes, back after `dead_s`, until all replicas are in sync.

    while_dead() is called just before they come back. Notes how long nothing came through: from
    the kill, and from when the brokers were back.
    """
    scene.say(f"SIGKILL of {nodes or 'all nodes'}, {load.fed:.0%} fed")
    killed = time.monotonic()
    scene.kafka.kill(*nodes)
    time.sleep(dead_s)
    if while_dead:
        while_dead()
    starting = time.monotonic()
    scene.kafka.start()
    back = time.monotonic()
    grew = progress.grown_since(starting)
    recover_s = max(0.0, grew - back) if grew else progress.wait_growth(back)
    scene.kafka.wait_in_sync()
    pause_s = progress.longest_pause(killed, time.monotonic())
    scene.say(
        f"back after {back - killed:.1f} s, inboxes grow {recover_s:.1f} s later; "
        f"longest pause {pause_s:.1f} s"
    )
    scene.expect(load.fed < 1.0, "the load was over before the brokers were back")
    scene.figure_max(recover_s=recover_s, pause_s=pause_s, outage_s=back - killed)
    return pause_s
