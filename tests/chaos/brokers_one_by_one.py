#!/usr/bin/env python3
"""Three brokers, three replicas, of which two must be in sync: SIGKILL of each in turn."""

import time

import chaos
import cluster

EVENTS_PER_S = 60
FEED_S = 400  # if need be; what is left at the end is fed at once


def play(scene):
    load = scene.load(events=EVENTS_PER_S * FEED_S, seconds=FEED_S)
    herald = scene.herald(load, "herald", *cluster.replicated(scene.kafka.nodes))
    herald.start()
    with cluster.under_load(scene, load, herald) as progress:

        def goes_on():
            cluster.expect_failover(scene, load, progress, herald)

        for node in range(1, scene.kafka.nodes + 1):
            began = time.monotonic()
            cluster.kill_and_wait(scene, load, progress, node, while_dead=goes_on)
            scene.served(load, herald)
            scene.figure(**{f"node_{node}_s": time.monotonic() - began})
    scene.check(load, herald)


if __name__ == "__main__":
    chaos.main(play, __doc__, nodes=3, make_kafka=cluster.Brokers)
