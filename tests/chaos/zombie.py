#!/usr/bin/env python3
"""An instance stopped by SIGSTOP for longer than its session: the other takes over, then SIGCONT.

The zombie must not write anything, must not answer from the rows it had when others have shown
newer ones, and has to take part again without a restart. A stop shorter than the session, too.
"""

import contextlib
import http.client
import json
import os
import signal
import threading
import time

import chaos
from inbox_client import InboxClient

MAX_POLL_INTERVAL_MS = 8000
SHORT_STOP_S = 3.0
ROUNDS = 2
HEALED_WITHIN_S = 60
QUESTION_EVERY_S = 0.5
QUESTION_TIMEOUT_S = 90


class Question(threading.Thread):
    """One request to the zombie, sent while it is stopped, answered when it is back.

    `floor` is the version that others had shown for this user before it was sent.
    """

    def __init__(self, url, user, floor):
        super().__init__(daemon=True)
        self._url, self._user, self._floor = url, user, floor
        self.wrong = None
        self.answer = "none"

    def run(self):
        try:
            host, port = self._url.removeprefix("http://").rsplit(":", 1)
            connection = http.client.HTTPConnection(
                host, int(port), timeout=QUESTION_TIMEOUT_S
            )
            connection.request("GET", InboxClient.user_path(self._user, "inbox/counts"))
            response = connection.getresponse()
            body = response.read()
            self.answer = str(response.status)
            if response.status == 200:
                version = json.loads(body)["version"]
                if version < self._floor:
                    self.wrong = (
                        f"the zombie answers version {version} of {self._user!r}, before it was "
                        f"asked another had shown {self._floor}"
                    )
            elif response.status != 503:
                self.wrong = f"the zombie answers {response.status} {body[:200]!r}"
        except OSError as error:
            self.answer = repr(error)


def metric(herald, name):
    """The sum of a metric's samples, or None when there is no such metric."""
    with contextlib.closing(InboxClient(herald.url)) as client:
        values = [
            float(line.rsplit(" ", 1)[1])
            for line in client.text("/metrics").splitlines()
            if line.startswith((name + " ", name + "{"))
        ]
    return sum(values) if values else None


def running_partitions(herald):
    """How many tasks run on it by its own words."""
    with contextlib.closing(InboxClient(herald.url)) as client:
        status, _, body = client.request("GET", "/v1/status")
        if status != 200:
            return 0
        return sum(task["state"] == "running" for task in json.loads(body)["tasks"])


def ask_while_stopped(load, zombie, other, until):
    """Questions to the zombie about rows that the other has shown, until a moment."""
    questions = []
    with contextlib.closing(InboxClient(other.url)) as client:
        while time.monotonic() < until:
            partition = len(questions) % load.partitions
            user = load.someone_in(partition)
            status, _, body = client.request("GET", InboxClient.user_path(user, "inbox/counts"))
            if status == 200:
                questions.append(Question(zombie.url, user, json.loads(body)["version"]))
                questions[-1].start()
            time.sleep(QUESTION_EVERY_S)
    return questions


def long_stop(scene, load, zombie, other):
    """Stops the zombie past its session and its poll interval; what came of it."""
    pid, standstills = zombie.pid, metric(zombie, "herald_standstills_total")
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        scene.served(load, other)
        taken_over = time.monotonic() - began
        scene.say(f"the other answers for all {taken_over:.2f} s after SIGSTOP")
        # New rows, so that what the zombie has is old.
        fed = load.fed
        questions = ask_while_stopped(
            load, zombie, other, max(time.monotonic() + 4, began + MAX_POLL_INTERVAL_MS / 1000 + 6)
        )
        scene.expect(load.fed > fed, "nothing was fed while it was stopped")
    finally:
        os.kill(pid, signal.SIGCONT)
    back = time.monotonic()
    for question in questions:
        question.join(QUESTION_TIMEOUT_S)
        if question.wrong:
            scene.add_wrong(question.wrong)
    answers = sorted(question.answer for question in questions)
    scene.say(f"questions asked while it was stopped: {answers}")
    scene.expect(bool(questions), "no question was asked while it was stopped")
    chaos.wait_until(
        "the zombie has partitions again",
        lambda: zombie.running() and running_partitions(zombie) > 0,
        HEALED_WITHIN_S,
    )
    scene.served(load, zombie)
    healed = time.monotonic() - back
    scene.say(f"it has partitions again and answers for all {healed:.2f} s after SIGCONT")
    scene.expect(zombie.running() and zombie.pid == pid, "the zombie did not heal in-process")
    after = metric(zombie, "herald_standstills_total")
    if after is None:
        scene.add_wrong("there is no metric herald_standstills_total")
    elif after <= (standstills or 0):
        scene.add_wrong(f"herald_standstills_total: {standstills} before, {after} after")
    scene.figure_max(taken_over_s=taken_over, recover_s=healed)


def extend(parser):
    parser.add_argument("--rounds", type=int, default=ROUNDS)


def play(scene):
    rounds = scene.args.rounds
    load = scene.load(events=8_000 * rounds, seconds=90.0 * rounds + 30)
    limit = ("--max-poll-interval-ms", MAX_POLL_INTERVAL_MS)
    heralds = [scene.herald(load, name, *limit) for name in ("one", "two")]
    for herald in heralds:
        herald.start()
    for herald in heralds:
        chaos.wait_until("both have tasks", lambda: running_partitions(herald) > 0, 60)
        scene.served(load, herald)
    scene.watch(load, *heralds)
    load.start()
    load.wait_fed(0.03)
    os.kill(heralds[0].pid, signal.SIGSTOP)
    time.sleep(SHORT_STOP_S)
    os.kill(heralds[0].pid, signal.SIGCONT)
    scene.figure(short_recover_s=scene.served(load, heralds[0]))
    for number in range(rounds):
        zombie, other = heralds[number % 2], heralds[1 - number % 2]
        long_stop(scene, load, zombie, other)
    scene.expect(load.fed < 1.0, "the load was over before the last round")
    scene.check(load, *heralds)
    scene.replayed(*heralds)


if __name__ == "__main__":
    chaos.main(play, __doc__, extend=extend)
