#!/usr/bin/env python3
"""64 partitions of each topic are revoked at once, again and again, as an instance comes and goes."""

import time

import chaos

PARTITIONS = 64
ROUNDS = 3
BETWEEN_S = 3.0
REVOKE_S_MAX = 10.0  # that a partition may go without an answer when all are alive


def play(scene):
    load = scene.load(events=20_000, users=800, seconds=120.0 * ROUNDS, partitions=PARTITIONS)
    stays, comes = scene.herald(load, "stays"), scene.herald(load, "comes")
    began = time.monotonic()
    stays.start()
    scene.say(f"ready {time.monotonic() - began:.2f} s after its first start")
    watcher = scene.watch(load, stays)
    load.start()
    load.wait_fed(0.05)
    for _ in range(ROUNDS):
        began = time.monotonic()
        comes.start()
        scene.served(load, comes)
        joined = time.monotonic() - began
        time.sleep(BETWEEN_S)
        began = time.monotonic()
        scene.stop(comes)
        scene.served(load, stays)
        left = time.monotonic() - began
        scene.say(f"joined within {joined:.2f} s, left within {left:.2f} s")
        scene.figure_max(joined_s=joined, left_s=left, recover_s=max(joined, left))
        time.sleep(BETWEEN_S)
    scene.expect(load.fed < 1.0, "the load was over before the last round")
    silent = watcher.partition_silent_s_max
    scene.expect(silent <= REVOKE_S_MAX, f"a partition was not answered for {silent:.2f} s")
    for line in stays.whole_log().splitlines():
        if "budget" in line:
            scene.add_wrong(f"a revoke did not keep to its budget: {line}")
    scene.check(load, stays)
    scene.replayed(stays, comes)


if __name__ == "__main__":
    chaos.main(play, __doc__)
