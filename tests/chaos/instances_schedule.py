#!/usr/bin/env python3
"""Three instances under load that come and go by a seeded schedule: start, stop, kill -9."""

import time

import chaos

STEPS = 14
PAUSE_S_MAX = 3.0


def play(scene):
    load = scene.load(events=40_000, seconds=STEPS * 15.0)
    heralds = [scene.herald(load, name) for name in ("a", "b", "c")]
    for herald in heralds:
        herald.launch()
    for herald in heralds:
        herald.wait_ready()
    scene.watch(load, *heralds)
    load.start()
    load.wait_fed(0.02)
    done = {"start": 0, "stop": 0, "kill -9": 0}
    for _ in range(STEPS):
        up = [herald for herald in heralds if herald.running()]
        down = [herald for herald in heralds if not herald.running()]
        acts = ["start"] * 2 * len(down)
        acts += ["stop", "kill -9"] if len(up) > 1 else ["kill -9"]  # now and then nobody is left
        act = scene.random.choice(acts)
        herald = scene.random.choice(down if act == "start" else up)
        scene.say(f"{act} {herald.directory.name}")
        if act == "start":
            herald.launch()  # not waited for: the next step may well hit its start
        elif act == "stop":
            scene.stop(herald)
        else:
            herald.kill9()
        done[act] += 1
        time.sleep(scene.random.uniform(0, PAUSE_S_MAX))
    scene.say(f"done: {done}")
    began = time.monotonic()
    for herald in heralds:
        if not herald.running():
            herald.launch()
    for herald in heralds:
        herald.wait_ready()
        scene.served(load, herald)
    scene.figure(recover_s=time.monotonic() - began)
    scene.figure(**{name.replace(" ", "_").replace("-", ""): n for name, n in done.items()})
    scene.expect(load.fed < 1.0, "the load was over before the last step")
    scene.check(load, *heralds)
    scene.replayed(*heralds)


if __name__ == "__main__":
    chaos.main(play, __doc__)
