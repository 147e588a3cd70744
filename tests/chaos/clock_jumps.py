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
from herald_process import HERALD

HOUR_S = 3600
BETWEEN_RUNS_H = (-30, 5, -3, 26, 0)
IN_A_RUN_H = (2, -2, 30, -30, 0)
STAY_S = 3.0
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


def play(scene):
    jumps = len(BETWEEN_RUNS_H) + len(IN_A_RUN_H)
    load = scene.load(events=24_000, seconds=jumps * 6.0)
    clock = Clock(scene.directory)
    herald = scene.herald(load, binary=str(clock.program))
    herald.start()
    scene.watch(load, herald)
    load.start()
    load.wait_fed(0.05)
    for hours in BETWEEN_RUNS_H:
        herald.kill9()
        clock.set(hours)
        seconds = scene.restart(load, herald, lambda: None)
        scene.figure_max(recover_s=seconds)
        first = herald.log().split(" ", 1)[0]
        scene.say(f"clock at {hours:+} h (its log begins at {first}): serves after {seconds:.2f} s")
        time.sleep(STAY_S)
    for hours in IN_A_RUN_H:
        clock.set(hours)
        time.sleep(STAY_S)
        seconds = scene.served(load, herald)
        scene.expect(herald.running(), f"it ended when its clock jumped to {hours:+} h")
        scene.say(f"clock jumped to {hours:+} h while it ran")
        scene.figure_max(recover_s=seconds)
    scene.expect(load.fed < 1.0, "the load was over before the last jump")
    # What it wrote carries the clock it had, which is part of the trouble and no difference.
    check_inboxes.CLOCK_SLACK_MS = 2 * 31 * HOUR_S * 1000
    scene.check(load, herald)
    scene.replayed(herald)


if __name__ == "__main__":
    chaos.main(play, __doc__)
