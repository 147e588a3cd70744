#!/usr/bin/env python3
"""State deleted, and kill -9 again and again while it is restored; then it is let be."""

import datetime
import shutil
import time

import chaos

KILLS = 9
DELETED_EVERY = 4  # kills; what earlier ones left behind is restored further in between


def log_time(log, word, last=False):
    """When a line with this word was written, in seconds."""
    lines = [line for line in log.splitlines() if word in line]
    stamp = (lines[-1] if last else lines[0]).split(" ", 1)[0]
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def play(scene):
    load = scene.load(events=40_000, seconds=100)
    herald = scene.herald(load)
    herald.start()
    scene.watch(load, herald)
    load.start()
    load.wait_fed(0.5)
    herald.kill9()
    shutil.rmtree(herald.state_dir)
    scene.figure(undisturbed_s=scene.restart(load, herald, lambda: None))
    log = herald.log()
    window = log_time(log, "task restored", last=True) - log_time(log, "assigned")
    scene.say(f"undisturbed, tasks restore for {window:.2f} s")
    herald.kill9()
    in_restore = 0
    for number in range(KILLS):
        if number % DELETED_EVERY == 0:
            shutil.rmtree(herald.state_dir)
        herald.launch()
        chaos.wait_until("assigned", lambda: "assigned" in herald.log(), chaos.SERVED_WITHIN_S)
        time.sleep(scene.random.uniform(0, 0.9 * window))
        herald.kill9()
        restored = len(chaos.replays(herald.log()))
        in_restore += restored < load.partitions
        scene.say(f"killed when {restored} of {load.partitions} tasks were restored")
    scene.expect(in_restore >= KILLS // 2, f"only {in_restore} kills hit the restore")
    scene.figure(kills=KILLS, in_restore=in_restore)
    scene.figure(recover_s=scene.restart(load, herald, lambda: None))
    scene.expect(load.fed < 1.0, "the load was over before the last kill")
    scene.check(load, herald)
    scene.replayed(herald)


if __name__ == "__main__":
    chaos.main(play, __doc__)
