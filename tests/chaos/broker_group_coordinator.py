#!/usr/bin/env python3
"""Three brokers, two instances: SIGKILL of the broker that coordinates their group, twice."""

import chaos
import cluster

EVENTS_PER_S = 60
FEED_S = 300  # if need be; what is left at the end is fed at once
KILLS = 2


def play(scene):
    load = scene.load(events=EVENTS_PER_S * FEED_S, seconds=FEED_S)
    arguments = cluster.replicated(scene.kafka.nodes)
    heralds = [scene.herald(load, name, *arguments) for name in ("first", "second")]
    for herald in heralds:
        herald.start()
    with cluster.under_load(scene, load, *heralds) as progress:

        def goes_on():
            cluster.expect_failover(scene, load, progress, *heralds)

        for _ in range(KILLS):
            node = scene.kafka.coordinator("__consumer_offsets", load.group)
            cluster.kill_and_wait(scene, load, progress, node, while_dead=goes_on)
    for herald in heralds:
        scene.served(load, herald)
    scene.check(load, *heralds)


if __name__ == "__main__":
    chaos.main(play, __doc__, nodes=3, make_kafka=cluster.Brokers)
