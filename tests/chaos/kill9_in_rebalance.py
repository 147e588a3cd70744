#!/usr/bin/env python3
"""A second instance joins under load, and one of the two is killed while partitions move."""

import time

import chaos

ROUNDS = 6
WAIT_S = 30
MOMENT_S_MAX = 0.6


def play(scene):
    load = scene.load(events=30_000, seconds=40.0 * ROUNDS)
    stays, joins = scene.herald(load, "one"), scene.herald(load, "two")
    both = (stays, joins)
    stays.start()
    scene.watch(load, *both)
    load.start()
    load.wait_fed(0.02)
    times = []
    for number in range(ROUNDS):
        before = stays.log()
        joins.launch()
        # The one that is there gives up partitions, the one that comes gets them.
        chaos.wait_until(
            "the rebalance",
            lambda: "revoked" in stays.log()[len(before) :] or "assigned" in joins.log(),
            WAIT_S,
        )
        time.sleep(scene.random.uniform(0, MOMENT_S_MAX))
        dies, lives = (joins, stays) if number % 2 == 0 else (stays, joins)
        began = time.monotonic()
        dies.kill9()
        if lives is joins:
            lives.wait_ready()
        scene.served(load, lives)
        times.append(time.monotonic() - began)
        scene.say(
            f"{'the one that joins' if dies is joins else 'the one that was there'} killed, "
            f"the other answers for all after {times[-1]:.2f} s"
        )
        stays, joins = lives, dies
    scene.expect(load.fed < 1.0, "the load was over before the last kill")
    scene.figure(recover_s=max(times), recover_s_least=min(times), kills=ROUNDS)
    joins.start()
    scene.check(load, *both)
    scene.replayed(*both)


if __name__ == "__main__":
    chaos.main(play, __doc__)
