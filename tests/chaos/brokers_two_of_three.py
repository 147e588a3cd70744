#!/usr/bin/env python3
"""Two of three brokers are dead for 70 s, longer than any time-out of Herald's, and come back."""

import chaos
import cluster

EVENTS_PER_S = 60
FEED_S = 300  # if need be; what is left at the end is fed at once
DEAD_S = 70.0


def play(scene):
    load = scene.load(events=EVENTS_PER_S * FEED_S, seconds=FEED_S)
    herald = scene.herald(load, "herald", *cluster.replicated(scene.kafka.nodes))
    herald.start()
    stays = scene.random.randint(1, scene.kafka.nodes)
    with cluster.under_load(scene, load, herald) as progress:
        dead = [node for node in range(1, scene.kafka.nodes + 1) if node != stays]
        cluster.kill_and_wait(scene, load, progress, *dead, dead_s=DEAD_S)
    scene.served(load, herald)
    scene.check(load, herald)


if __name__ == "__main__":
    chaos.main(play, __doc__, nodes=3, make_kafka=cluster.Brokers)
