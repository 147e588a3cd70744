"""Starting, watching and ending the processes that a suite measures."""

import collections
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

_KAFKA_TIMEOUT_S = 180
_STOP_TIMEOUT_S = 20
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_LOG_LINES_SHOWN = 20
_END_WITH_US = ["setpriv", "--pdeathsig", "KILL"]


class Failed(RuntimeError):
    """The run came to nothing; the message says why."""


def cpu_seconds(pid):
    """User and system time of all threads of a process so far."""
    return stat_cpu_seconds(pathlib.Path(f"/proc/{pid}/stat").read_text())


def stat_fields(stat):
    """The fields behind the command name, which is in brackets and may hold spaces and brackets."""
    return stat[stat.rindex(")") + 2 :].split()


def stat_cpu_seconds(stat):
    fields = stat_fields(stat)
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def cpu_by_thread(pid):
    """The same by the names of threads that live now."""
    sums = collections.Counter()
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it ended meanwhile
            stat = (task / "stat").read_text()
            sums[stat[stat.index("(") + 1 : stat.rindex(")")]] += stat_cpu_seconds(stat)
    return {name: round(seconds, 2) for name, seconds in sums.most_common() if seconds}


def peak_rss_bytes(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE).group(1)) * 1024


def log_bytes(directory, topic_pattern):
    """Bytes on a broker's disk of the records of all topics that match the regular expression."""
    pattern = re.compile(f"(?:{topic_pattern})-\\d+")
    return sum(
        segment.stat().st_size
        for partition in pathlib.Path(directory).iterdir()
        if pattern.fullmatch(partition.name)
        for segment in partition.glob("*.log")
    )


def tree_bytes(directory):
    total = 0
    for path in pathlib.Path(directory).rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a compaction took it away
            if path.is_file():
                total += path.stat().st_size
    return total


def free_port():
    """A port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
            stderr=subprocess.DEVNULL if arguments[0] == "stop" else None,
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
        self._process = None

    def start(self):
        with self._log.open("a") as log:
            self.started = time.monotonic()
            # A group of its own: an interrupt at the terminal is for the bench, which then ends it.
            # setpriv becomes the program (exec) and lets the system end it with us, even if we are
            # killed; that takes a millisecond.
            self._process = subprocess.Popen(
                [*_END_WITH_US, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        return self

    __enter__ = start

    def check(self):
        """Raises when the process has ended."""
        if self._process.poll() is not None:
            raise Failed(f"{self._command[0]} ended with {self._process.returncode}:\n{self.tail()}")

    def tail(self):
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:])

    def last_line(self):
        return self._log.read_text().splitlines()[-1]

    def kill(self):
        """As by kill -9."""
        self._process.kill()
        self._process.wait()

    def stop(self):
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def __exit__(self, *_):
        self.stop()


@contextlib.contextmanager
def scratch_directory(path):
    """A new empty directory for one measurement, away at the end."""
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
