#!/usr/bin/env python3
"""SIGTERM while the broker is down: Herald ends with 0 in time, and nothing is lost once both are back."""

import time

import chaos
import cluster
from herald_process import STOP_TIMEOUT_S

EVENTS_PER_S = 100
FEED_S = 200  # if need be; what is left at the end is fed at once
# From the kill to SIGTERM: in the middle of a transaction, and when the session is over.
AFTER_S = (0.0, 0.3, 9.0)


def extend(parser):
    parser.add_argument(
        "--after-s", type=float, action="append", help="seconds from the broker's end; repeatable"
    )


def play(scene):
    load = scene.load(events=EVENTS_PER_S * FEED_S, seconds=FEED_S)
    herald = scene.herald(load)
    herald.start()
    with cluster.under_load(scene, load, herald) as progress:
        for after_s in scene.args.after_s or AFTER_S:
            scene.kafka.kill()
            time.sleep(after_s)
            code, seconds = herald.stop()
            scene.say(f"SIGTERM {after_s} s after the broker's end: code {code}, {seconds:.2f} s")
            scene.expect(code == 0, f"SIGTERM: exit code {code}: {herald.log_tail(5)}")
            scene.expect(seconds < STOP_TIMEOUT_S, f"SIGTERM: {seconds:.1f} s")
            scene.figure_max(stop_s=seconds)
            scene.kafka.start()
            back = time.monotonic()
            herald.start()
            scene.served(load, herald)
            progress.wait_growth(back)
            scene.figure_max(recover_s=time.monotonic() - back)
        scene.expect(load.fed < 1.0, "the load was over before the last SIGTERM")
    scene.check(load, herald)


if __name__ == "__main__":
    chaos.main(play, __doc__, nodes=1, extend=extend, make_kafka=cluster.Brokers)
