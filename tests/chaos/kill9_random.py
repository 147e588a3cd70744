#!/usr/bin/env python3
"""kill -9 of the one Herald at random moments, twenty times under load, started again each time."""

import time

import chaos

KILLS = 20
LIFE_S_MAX = 2.0


def extend(parser):
    parser.add_argument("--kills", type=int, default=KILLS)


def play(scene):
    load = scene.load(events=24_000, seconds=10.0 * scene.args.kills)
    herald = scene.herald(load)
    herald.start()
    scene.watch(load, herald)
    load.start()
    load.wait_fed(0.03)
    times = []
    for _ in range(scene.args.kills):
        times.append(scene.restart(load, herald, herald.kill9))
        time.sleep(scene.random.uniform(0, LIFE_S_MAX))
    scene.expect(load.fed < 1.0, "the load was over before the last kill")
    scene.figure(recover_s=max(times), recover_s_median=sorted(times)[len(times) // 2])
    scene.figure(kills=len(times))
    scene.check(load, herald)
    scene.check_replays(load, herald)


if __name__ == "__main__":
    chaos.main(play, __doc__, extend=extend)
