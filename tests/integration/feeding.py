"""Feeds events to Kafka through kcat while a test goes on."""

import subprocess
import threading
import time

FEED_TIMEOUT_S = 120
STEP_S = 0.05


class Feeder(threading.Thread):
    """Produces what `next_line()` gives, `rate` lines a second, until finish() or the first None.

    next_line() is called from this thread; `fed` has what it gave, in order, and belongs to
    others when finish() has returned.
    """

    def __init__(self, brokers, topic, rate, next_line):
        super().__init__(daemon=True)
        self._rate = rate
        self._next_line = next_line
        self._ends = threading.Event()
        self._failure = None
        self._kcat = subprocess.Popen(
            ["kcat", "-P", "-b", brokers, "-t", topic, "-X", "enable.idempotence=true"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.fed = []

    def run(self):
        try:
            self._feed()
            _, errors = self._kcat.communicate(timeout=FEED_TIMEOUT_S)
            if self._kcat.returncode != 0:
                self._failure = errors.decode("utf-8", "replace")
        except (OSError, subprocess.SubprocessError) as error:
            self._failure = str(error)
        finally:
            if self._kcat.poll() is None:
                self._kcat.kill()
                self._kcat.wait()

    def _feed(self):
        began = time.monotonic()
        while not self._ends.wait(STEP_S):
            due = int((time.monotonic() - began) * self._rate) - len(self.fed)
            lines = []
            for _ in range(due):
                line = self._next_line()
                if line is None:
                    self._ends.set()
                    break
                lines.append(line)
            self.fed += lines
            self._kcat.stdin.write(b"".join(line + b"\n" for line in lines))
            self._kcat.stdin.flush()

    def finish(self):
        """Ends the feeding and waits until Kafka has all of it."""
        self._ends.set()
        self.join(FEED_TIMEOUT_S)
        if self._failure or self.is_alive():
            raise RuntimeError(f"kcat cannot produce: {self._failure}")
