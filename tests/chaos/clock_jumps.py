#!/usr/bin/env python3
"""Herald's wall clock jumps by hours, back and forth, between its runs and while it runs.

A small library, compiled here and loaded into Herald alone (LD_PRELOAD), shifts what the process
reads as wall clock; the monotonic clock, Kafka and everybody else keep the right time.
"""

import os
import pathlib
import struct
import subprocess
import time

import chaos
import check_inboxes
from herald_process import HERALD, HeraldFailed

HOUR_S = 3600
BETWEEN_RUNS_H = (-30, 0.75, -3, 5, 0)
IN_A_RUN_H = (0.75, -2, 0, 30, -30, 0)
STAY_S = 2.0
ENDS_WITHIN_S = 30
BROKER_TAKES_AHEAD_H = 1  # Kafka's message.timestamp.after.max.ms, where nobody has set it
LIBRARY = pathlib.Path(__file__).resolve().parent / "shifted_clock.c"


class Clock:
    """The wall clock of one Herald."""

    def __init__(self, directory):
        self._shift = directory / "clock-shift"
        self._library = directory / "shifted_clock.so"
        self.program = directory / "herald-with-shifted-clock"
        self.set(0)
        command = [os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-Wall", "-Werror"]
        subprocess.run([*command, "-o", self._library, LIBRARY, "-ldl"], check=True)
        self.program.write_text(
            f"#!/bin/sh\nCHAOS_CLOCK_SHIFT='{self._shift}' LD_PRELOAD='{self._library}' "
            f"exec '{HERALD}' \"$@\"\n"
        )
        self.program.chmod(0o755)

    def set(self, hours):
        with open(self._shift, "r+b" if self._shift.exists() else "wb") as file:
            file.write(struct.pack("=q", int(hours * HOUR_S)))


def refuses_clearly(scene, herald, hours):
    """It ends by itself, with 1, and its log names the clock or the timestamps that were refused."""
    code = herald.wait(ENDS_WITHIN_S)
    log = herald.log().replace(scene.name, "")  # which is in the names of the topics
    last = log.splitlines()[-1]
    scene.expect(code == 1, f"clock at {hours:+} h: exit code {code}: {last}")
    scene.expect(
        hours > BROKER_TAKES_AHEAD_H, f"it ended although the broker takes {hours:+} h: {last}"
    )
    scene.expect(
        "timestamp" in log.lower() or "clock" in log.lower(),
        f"clock at {hours:+} h: it does not say why it ended: {last}",
    )
    scene.say(f"clock at {hours:+} h: it ended: {last[:300]}")


def jump(scene, load, clock, herald, hours):
    """Sets the clock of a Herald that may run. Past what the broker takes it may end, but clearly."""
    if herald.running():
        herald_was = "while it ran"
        clock.set(hours)
    else:
        herald_was = "between two runs"
        clock.set(hours)
        herald.launch()
    began = time.monotonic()
    try:
        if herald_was == "between two runs":
            herald.wait_ready()
        time.sleep(STAY_S)
        scene.served(load, herald)
        time.sleep(STAY_S)
        scene.served(load, herald)
    except (chaos.Broken, HeraldFailed, TimeoutError):
        refuses_clearly(scene, herald, hours)
        clock.set(0)
        herald.start()
        scene.served(load, herald)
        scene.figure(stops=scene.figures.get("stops", 0) + 1)
        return
    scene.say(f"clock at {hours:+} h, set {herald_was}: it serves")
    scene.figure_max(recover_s=time.monotonic() - began - 2 * STAY_S)


def play(scene):
    jumps = len(BETWEEN_RUNS_H) + len(IN_A_RUN_H)
    load = scene.load(events=20_000, seconds=jumps * 20.0)
    clock = Clock(scene.directory)
    herald = scene.herald(load, binary=str(clock.program))
    herald.start()
    scene.watch(load, herald)
    load.start()
    load.wait_fed(0.05)
    for hours in BETWEEN_RUNS_H:
        herald.kill9()
        jump(scene, load, clock, herald, hours)
    for hours in IN_A_RUN_H:
        jump(scene, load, clock, herald, hours)
    scene.expect(load.fed < 1.0, "the load was over before the last jump")
    scene.figure(jumps=jumps)
    # What it wrote carries the clock it had, which is part of the trouble and no difference.
    check_inboxes.CLOCK_SLACK_MS = 31 * HOUR_S * 1000
    scene.check(load, herald)
    scene.replayed(herald)


if __name__ == "__main__":
    chaos.main(play, __doc__)
