"""Starts and ends what the integration tests drive: Herald, the event generator, a real Kafka.

Everything listens on 127.0.0.1 on free ports, lives below one temporary directory, and is ended by
its own process id.
"""

import atexit
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERALD = os.environ.get("HERALD_BINARY", str(ROOT / "build/release/herald"))
GENERATOR = os.environ.get("HERALD_GENERATOR", str(ROOT / "build/release/generate_events"))
KAFKA_LIBS = os.environ.get("HERALD_KAFKA_LIBS", str(ROOT / "build/deps/kafka/libs"))

READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10  # what the program promises for SIGTERM
KAFKA_TIMEOUT_S = 180
POLL_S = 0.01


def make_work_dir():
    """A fresh temporary directory; remove_work_dir() takes it away when nobody need look at it."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="herald-test-"))
    path.chmod(0o755)
    return path


def remove_work_dir(path):
    shutil.rmtree(path, ignore_errors=True)


def free_port():
    """A port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def generate(directory, seed, events, users, start_time=None, generator=None):
    """(events file, users file, what the generator said)."""
    events_path, users_path = directory / "events.ndjson", directory / "users.ndjson"
    command = [generator or GENERATOR, "--out", events_path, "--users-out", users_path]
    command += ["--seed", str(seed), "--events", str(events), "--users", str(users)]
    if start_time:
        command += ["--start-time", start_time]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    return events_path, users_path, finished.stdout.strip()


class Kafka:
    """A cluster of our own by tools/kafka; `with` starts it and takes it away."""

    def __init__(self, directory, nodes=1):
        self._arguments = ["--dir", str(directory), "--nodes", str(nodes)]
        self._directory = pathlib.Path(directory)
        self.brokers = None

    def _tool(self, *arguments):
        return subprocess.run(
            [str(ROOT / "tools/kafka"), *arguments],
            capture_output=True,
            text=True,
            timeout=KAFKA_TIMEOUT_S,
            check=True,
        ).stdout

    def start(self):
        first = [] if self.brokers else ["--port", "0"]
        said = self._tool("start", *self._arguments, *first)
        self.brokers = next(
            line.split(" ", 1)[1] for line in said.splitlines() if line.startswith("bootstrap: ")
        )

    def stop(self):
        """Ends the brokers; the data stays for the next start(), on the same port."""
        self._tool("stop", *self._arguments)

    def cluster_id(self):
        return (self._directory / "cluster").read_text().split()[0]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._tool("stop", *self._arguments, "--wipe")

    def create_topic(self, name, partitions, **config):
        """create_topic("users", 4, cleanup_policy="compact")"""
        command = ["--create", "--topic", name, "--partitions", str(partitions)]
        for key, value in config.items():
            command += ["--config", f"{key.replace('_', '.')}={value}"]
        self.topic_command(*command)

    def topic_command(self, *arguments):
        java = ["java", "-Xmx128m", "-cp", f"{KAFKA_LIBS}/*"]
        java += ["org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.brokers]
        finished = subprocess.run(
            [*java, *arguments], capture_output=True, text=True, timeout=KAFKA_TIMEOUT_S
        )
        if finished.returncode != 0:
            raise RuntimeError(f"TopicCommand {arguments}: {finished.stdout}{finished.stderr}")
        return finished.stdout


class HeraldFailed(Exception):
    """The program ended when it should have run."""


class Herald:
    """One `herald run` with its state directory; may be started again after its end."""

    def __init__(self, directory, *arguments, binary=None, listen="127.0.0.1:0", user=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.state_dir = self.directory / "state"
        self.ready_file = self.directory / "ready.json"
        self.log_path = self.directory / "herald.log"
        self._command = [binary or HERALD, "run", *map(str, arguments)]
        if "--state-dir" not in arguments:
            self._command += ["--state-dir", str(self.state_dir)]
        self._command += ["--listen", listen, "--ready-file", str(self.ready_file)]
        if "--log-format" not in arguments:  # what the tests look for in it is written as text
            self._command += ["--log-format", "text"]
        self._user = user
        self._process = None
        self._log_start = 0
        self.ready = None
        atexit.register(self.kill9)

    @property
    def url(self):
        return "http://" + self.ready["http"][0]

    @property
    def pid(self):
        return self._process.pid

    def running(self):
        return self._process is not None and self._process.poll() is None

    def launch(self, keep_ready_file=False):
        """Starts the process and does not wait."""
        if self.running():
            raise AssertionError("it runs already")
        if not keep_ready_file:  # a dead process's file looks like ours
            self.ready_file.unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=self._user
            )

    def start(self, timeout_s=READY_TIMEOUT_S):
        """Starts the process and waits until it says that it is ready."""
        self.launch()
        self.wait_ready(timeout_s)

    def wait_ready(self, timeout_s=READY_TIMEOUT_S):
        end = time.monotonic() + timeout_s
        while not self.ready_file.exists():
            if not self.running():
                raise HeraldFailed(f"exit code {self._process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > end:
                raise HeraldFailed(f"not ready after {timeout_s} s:\n{self.log_tail()}")
            time.sleep(POLL_S)
        self.ready = json.loads(self.ready_file.read_text())
        if self.ready["pid"] != self.pid:
            raise HeraldFailed(f"the ready file names pid {self.ready['pid']}, not {self.pid}")

    def kill9(self):
        if self.running():
            self._process.kill()
            self._process.wait()

    def stop(self, sig=signal.SIGTERM):
        """Asks it to stop; (exit code, seconds). Past the promised time it is killed: code -9."""
        began = time.monotonic()
        self._process.send_signal(sig)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill9()
        return self._process.returncode, time.monotonic() - began

    def wait(self, timeout_s):
        """The exit code of a process that ends by itself."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise HeraldFailed(f"still running after {timeout_s} s:\n{self.log_tail()}") from None

    def log(self):
        """What it has written since its last start."""
        with open(self.log_path, "rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", "replace")

    def whole_log(self):
        return self.log_path.read_text(errors="replace")

    def log_tail(self, lines=30):
        return "\n".join(self.log().splitlines()[-lines:])
