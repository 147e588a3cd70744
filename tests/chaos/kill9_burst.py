#!/usr/bin/env python3
"""Thirty SIGKILLs within ten seconds: most of them hit a Herald that is still starting."""

import time

import chaos

KILLS = 30
BURST_S = 10.0


def play(scene):
    load = scene.load(events=16_000, seconds=60)
    herald = scene.herald(load)
    herald.start()
    scene.watch(load, herald)
    load.start()
    load.wait_fed(0.1)
    began = time.monotonic()
    for number in range(KILLS):
        # Even on the whole, uneven one by one: no two hit the same step of a start.
        due = began + BURST_S * (number + scene.random.uniform(0.1, 0.9)) / KILLS
        time.sleep(max(0.0, due - time.monotonic()))
        herald.kill9()
        if number < KILLS - 1:
            herald.launch()
    took = time.monotonic() - began
    scene.say(f"{KILLS} kills in {took:.1f} s")
    scene.expect(took <= BURST_S + 2, f"the burst took {took:.1f} s")
    scene.figure(kills=KILLS, recover_s=scene.restart(load, herald, lambda: None))
    scene.expect(load.fed < 1.0, "the load was over before the burst was")
    scene.check(load, herald)
    scene.check_replays(load, herald)


if __name__ == "__main__":
    chaos.main(play, __doc__)
