"""Several Heralds of one application id on one Kafka, some of which may be down on purpose.

Whoever asks them tells an answer that is wrong from one that is not there: an instance that runs
must answer; one that is being killed, stopped or started need not.
"""

import json
import shutil
import threading
import time

from herald_process import Herald
from inbox_client import InboxClient

POLL_S = 0.02


class WrongAnswer(Exception):
    """An answer that no client may get."""


class NoAnswer(Exception):
    """The instance was down at some moment of the request; it may have been carried out."""


def murmur2(data):
    """The hash by which Kafka's own clients choose partitions."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_for_key(key, partitions):
    return (murmur2(key.encode("utf-8")) & 0x7FFFFFFF) % partitions


class Instance:
    """One Herald that comes and goes. Its fate is in the hands of one thread, any may ask it."""

    def __init__(self, name, directory, *arguments, binary=None):
        self.name = name
        self.herald = Herald(
            directory / name, *arguments, "--instance-id", name, binary=binary
        )
        self._lock = threading.Lock()
        self._life = 0  # odd while it runs and is ready

    @property
    def life(self):
        """The number of this life while it is up, else None."""
        with self._lock:
            return self._life if self._life % 2 else None

    def _turn(self, up):
        with self._lock:
            if self._life % 2 != up:
                self._life += 1

    def launch(self):
        self.herald.launch()

    def wait_ready(self):
        self.herald.wait_ready()
        self._turn(True)

    def start(self):
        self.launch()
        self.wait_ready()

    def kill9(self):
        self._turn(False)
        self.herald.kill9()

    def stop(self):
        """(exit code, seconds)"""
        self._turn(False)
        return self.herald.stop()

    def forget_state(self):
        shutil.rmtree(self.herald.state_dir)


class Asker:
    """Asks instances for one thread, over connections that stay open."""

    def __init__(self):
        self._clients = {}  # instance name: (life, client)

    def close(self):
        for _, client in self._clients.values():
            client.close()
        self._clients = {}

    def _client(self, instance, life):
        known, client = self._clients.get(instance.name, (None, None))
        if known != life:
            if client:
                client.close()
            client = InboxClient(instance.herald.url)
            self._clients[instance.name] = (life, client)
        return client

    def request(self, instance, method, path, body=None):
        """(status, headers, body bytes); NoAnswer from who is down, WrongAnswer from who is not."""
        life = instance.life
        if life is None:
            raise NoAnswer(f"{instance.name} is down")
        what = f"{instance.name}: {method} {path}"
        try:
            status, headers, answer = self._client(instance, life).request(method, path, body)
        except Exception as error:  # whatever http.client makes of a connection that breaks
            if instance.life == life:
                raise WrongAnswer(f"{what}: {error!r} although it runs") from error
            raise NoAnswer(f"{what}: {error!r}") from error
        if status == 503 and not headers.get("Retry-After"):
            raise WrongAnswer(f"{what}: 503 without Retry-After: {answer[:300]!r}")
        return status, headers, answer


def read_answer(what, status, body, allowed=(200, 503)):
    """The JSON of a 200, None for another status that is allowed."""
    if status not in allowed:
        raise WrongAnswer(f"{what}: {status} {body[:300]!r}")
    return json.loads(body) if status == 200 else None


def check_page(what, page):
    """The counts of a page that holds the whole inbox are those of its rows."""
    items, counts = page["items"], page["counts"]
    rows = {
        "total": len(items),
        "unread": sum(not item["read"] for item in items),
        "unseen": sum(not item["seen"] for item in items),
    }
    if rows != counts:
        raise WrongAnswer(f"{what}: counts {counts}, rows {rows}, version {page['version']}")


def wait_until(what, holds, timeout_s, poll_s=POLL_S):
    """Waits until holds() is true; returns what it gave and the seconds it took."""
    began = time.monotonic()
    while not (result := holds()):
        if time.monotonic() - began > timeout_s:
            raise TimeoutError(f"not within {timeout_s} s: {what}")
        time.sleep(poll_s)
    return result, time.monotonic() - began


def settled(asker, instances, partitions, topic):
    """Do all of these, by their own words, share all tasks among just them, all running?"""
    names = {instance.name for instance in instances}
    running = []
    for instance in instances:
        try:
            code, _, body = asker.request(instance, "GET", "/v1/status")
        except NoAnswer:
            return False
        status = read_answer(f"{instance.name}: status", code, body)
        if status is None or not status["ready"]:
            return False
        if {other["id"] for other in status["instances"]} != names:
            return False
        shared = [p for other in status["instances"] for p in other["partitions"].get(topic, [])]
        if sorted(shared) != list(range(partitions)):
            return False
        # What has just moved away stays open here for a while, in case it comes back.
        tasks = [task for task in status["tasks"] if task["state"] != "suspended"]
        if any(task["state"] != "running" for task in tasks):
            return False
        running += [
            entry["partition"]
            for task in tasks
            for entry in task["inputs"]
            if entry["topic"] == topic
        ]
    return sorted(running) == list(range(partitions))
