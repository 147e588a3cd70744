#!/usr/bin/env python3
"""Three brokers: SIGKILL of the one that coordinates Herald's transactions, twice under load."""

import chaos
import cluster

EVENTS_PER_S = 60
FEED_S = 300  # if need be; what is left at the end is fed at once
KILLS = 2


def play(scene):
    load = scene.load(events=EVENTS_PER_S * FEED_S, seconds=FEED_S)
    herald = scene.herald(load, "herald", *cluster.replicated(scene.kafka.nodes))
    herald.start()
    transactional_id = f"{load.group}-herald-0"
    with cluster.under_load(scene, load, herald) as progress:

        def goes_on():
            cluster.expect_failover(scene, load, progress, herald)

        for _ in range(KILLS):
            node = scene.kafka.coordinator("__transaction_state", transactional_id)
            cluster.kill_and_wait(scene, load, progress, node, while_dead=goes_on)
    scene.served(load, herald)
    scene.check(load, herald)


if __name__ == "__main__":
    chaos.main(play, __doc__, nodes=3, make_kafka=cluster.Brokers)
