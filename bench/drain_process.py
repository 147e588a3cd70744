"""Starting, watching and ending the processes of bench/drain."""

import collections
import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent

_KAFKA_TIMEOUT_S = 180
_STOP_TIMEOUT_S = 20
_SAMPLE_S = 0.05
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_LOG_LINES_SHOWN = 20


class Failed(RuntimeError):
    """The run came to nothing; the message says why."""


def cpu_seconds(pid):
    """User and system time of all threads of a process so far."""
    return _cpu_seconds(pathlib.Path(f"/proc/{pid}/stat").read_text())


def _cpu_seconds(stat):
    # The command name is in brackets and may hold spaces and brackets.
    fields = stat[stat.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def cpu_by_thread(pid):
    """The same by the names of threads that live now."""
    sums = collections.Counter()
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it ended meanwhile
            stat = (task / "stat").read_text()
            sums[stat[stat.index("(") + 1 : stat.rindex(")")]] += _cpu_seconds(stat)
    return {name: round(seconds, 2) for name, seconds in sums.most_common() if seconds}


def peak_rss_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE).group(1)) * 1024


def log_bytes(directory, topic):
    """Bytes of a topic's records on a broker's disk."""
    pattern = re.compile(re.escape(topic) + r"-\d+")
    return sum(
        segment.stat().st_size
        for partition in pathlib.Path(directory).iterdir()
        if pattern.fullmatch(partition.name)
        for segment in partition.glob("*.log")
    )


def tree_bytes(directory):
    return sum(path.stat().st_size for path in pathlib.Path(directory).rglob("*") if path.is_file())


class Kafka:
    """A broker of our own by tools/kafka; `with` starts it and takes it away."""

    def __init__(self, directory):
        self._directory = pathlib.Path(directory)
        self.address = None
        self.pid = None

    def _tool(self, *arguments):
        return subprocess.run(
            [str(ROOT / "tools/kafka"), *arguments, "--dir", str(self._directory)],
            stdout=subprocess.PIPE,
            text=True,
            timeout=_KAFKA_TIMEOUT_S,
            check=True,
        ).stdout

    @property
    def data(self):
        return self._directory / "node-1/data"

    def __enter__(self):
        try:
            said = self._tool("start", "--port", "0")
            self.address = re.search(r"^bootstrap: (\S+)$", said, re.MULTILINE).group(1)
            self.pid = int((self._directory / "node-1/pid").read_text().split()[0])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._tool("stop", "--wipe")


class Program:
    """A process of ours; `with` ends it by its own id, however the block is left."""

    def __init__(self, command, log):
        self._command, self._log = [str(part) for part in command], pathlib.Path(log)

    def __enter__(self):
        with self._log.open("w") as log:
            self.started = time.monotonic()
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        self.pid = self._process.pid
        return self

    def check(self):
        """Raises when the process has ended."""
        if self._process.poll() is not None:
            raise Failed(f"{self._command[0]} ended with {self._process.returncode}:\n{self.tail()}")

    def tail(self):
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:])

    def __exit__(self, *_):
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    time: float
    cpu_s: float
    broker_cpu_s: float
    # Committed input records: of the first topic, and of all.
    events: int
    records: int


def watch(program, kafka, broker, group, topics, partitions, timeout_s, on_sample=None):
    """Samples until all records of `topics` are committed; returns the samples, oldest first.

    The first topic is full before; records of the others come as those before them are read.
    """
    samples = []
    deadline = time.monotonic() + timeout_s
    while True:
        program.check()
        committed = [broker.committed(group, topic, partitions) for topic in topics]
        sums = [sum(positions) for positions in committed]
        sample = Sample(
            time.monotonic(), cpu_seconds(program.pid), cpu_seconds(kafka.pid), sums[0], sum(sums)
        )
        samples.append(sample)
        if on_sample is not None:
            on_sample(sample)
        # In this order, and up to the end that open transactions have: what a topic's records lead to
        # is on the next topic by the time that their positions are committed, readable or not.
        if all(p == broker.ends(t, partitions) for p, t in zip(committed, topics)):
            return samples
        if sample.time > deadline:
            raise Failed(f"not drained after {timeout_s} s: {sums} of {topics}\n{program.tail()}")
        time.sleep(_SAMPLE_S)


def scrape(address):
    """The series at /metrics: {'name{labels}': value}."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    series = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, value in series}
