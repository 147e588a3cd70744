#!/usr/bin/env python3
"""All three brokers die at once and come back, within the session time-out and long after it.

Once its session is over by its own clock, Herald answers 503: others may have taken over.
"""

import chaos
import cluster

EVENTS_PER_S = 60
ROUND_S = 120  # if need be; what is left at the end is fed at once
DEAD_S = (0.0, 20.0)
SILENT_AFTER_S = 3.0 + chaos.SESSION_TIMEOUT_MS / 1000


def extend(parser):
    parser.add_argument("--dead-s", type=float, action="append", help="how long; repeatable")


def play(scene):
    times = scene.args.dead_s or DEAD_S
    seconds = sum(times) + ROUND_S * len(times)
    load = scene.load(events=int(EVENTS_PER_S * seconds), seconds=seconds)
    herald = scene.herald(load, "herald", *cluster.replicated(scene.kafka.nodes))
    herald.start()
    with cluster.under_load(scene, load, herald) as progress:
        for dead_s in times:
            cluster.kill_and_wait(
                scene,
                load,
                progress,
                dead_s=dead_s,
                while_dead=lambda: cluster.expect_silence(scene, load, herald)
                if dead_s >= SILENT_AFTER_S
                else None,
            )
            scene.served(load, herald)
    scene.check(load, herald)


if __name__ == "__main__":
    chaos.main(play, __doc__, nodes=3, extend=extend, make_kafka=cluster.Brokers)
