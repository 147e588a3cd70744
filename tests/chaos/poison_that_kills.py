#!/usr/bin/env python3
"""Records that kill whoever touches them: at the third crash each becomes a dead letter.

Two instances of tests/chaos/crashing_words.cc, restarted by a supervisor whenever they die; two such
records among good ones, one a partition. All good words come out once, each bad one is a dead letter
`crashed_stage`, and no more than three crashes go to each.
"""

import contextlib
import os
import signal
import subprocess
import time

import chaos
import topics
from herald_process import ROOT

PROGRAM = os.environ.get(
    "HERALD_CRASHING_WORDS", str(ROOT / "build/release/tests/chaos/crashing_words")
)
CRASHES_MAX = 3
WORDS = 400
WITHIN_S = 120
LOOK_S = 0.05


class Supervised:
    """A process that is started again whenever it is killed."""

    def __init__(self, directory, *arguments):
        directory.mkdir(parents=True)
        self._log = open(directory / "log", "ab")
        self._command = [PROGRAM, *arguments, str(directory / "state")]
        self._process = None
        self.deaths = 0
        self._launch()

    def _launch(self):
        self._process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log)

    def look(self):
        code = self._process.poll()
        if code is None:
            return
        if code != -signal.SIGKILL:
            raise chaos.Broken(f"it ended with code {code}, see {self._log.name}")
        self.deaths += 1
        self._launch()

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(15)
        self._process.kill()
        self._process.wait()
        self._log.close()


def play(scene):
    name = f"words-{os.getpid()}"
    for topic in ("words", "out", "dead-letters"):
        scene.kafka.create_topic(f"{name}-{topic}", 2)
    for partition in (0, 1):
        words = [f"p{partition}-{number}" for number in range(WORDS)]
        words.insert(WORDS // 2, "crash")
        topics.produce_lines(
            scene.brokers, f"{name}-words", [word.encode() for word in words], partition=partition
        )
    supervised = []
    try:
        for instance in ("a", "b"):
            supervised.append(
                Supervised(scene.directory / f"crashing-{instance}", scene.brokers, name, instance)
            )
        began = time.monotonic()
        out = letters = []
        while len(out) < 2 * WORDS or len(letters) < 2:
            if time.monotonic() - began > WITHIN_S:
                raise chaos.Broken(f"{len(out)} words and {len(letters)} dead letters came")
            for one in supervised:
                one.look()
            time.sleep(LOOK_S)
            out = list(topics.read_topic(scene.brokers, f"{name}-out"))
            letters = list(topics.read_topic(scene.brokers, f"{name}-dead-letters"))
        took = time.monotonic() - began
        deaths = sum(one.deaths for one in supervised)
    finally:
        for one in supervised:
            one.end()
    said = sorted(record.value.decode() for record in out)
    expected = sorted(f"p{partition}-{n}" for partition in (0, 1) for n in range(WORDS))
    scene.expect(said == expected, f"{len(said)} words came out, not each of {len(expected)} once")
    scene.expect(len(letters) == 2, f"{len(letters)} dead letters, not 2")
    for letter in letters:
        scene.expect(letter.value == b"crash", f"a dead letter of {letter.value!r}")
        reason = letter.headers.get("reason", "")
        scene.expect(reason.startswith("crashed_stage"), f"a dead letter for {reason!r}")
    # A thread of the same process may have the other bad record in hand when it dies.
    scene.expect(deaths <= 2 * CRASHES_MAX, f"{deaths} crashes for two records")
    scene.figure(crashes=deaths, recover_s=round(took, 1))


if __name__ == "__main__":
    chaos.main(play, __doc__)
