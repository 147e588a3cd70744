#!/usr/bin/env python3
"""Herald is started while the broker is down: it starts once the broker is up, or says why not."""

import time

import chaos
import cluster

DOWN_S = 6.0
PATIENCE_MS = 90_000
IMPATIENCE_MS = 3_000
GIVES_UP_WITHIN_S = 20.0  # --broker-timeout-ms and the time to start and to say so
READY_WITHIN_S = 90


def gives_up(scene, herald):
    """Past --broker-timeout-ms it ends non-zero and says for which broker it looked how long."""
    began = time.monotonic()
    herald.launch()
    code = herald.wait(GIVES_UP_WITHIN_S)
    seconds = time.monotonic() - began
    log = herald.log()
    scene.expect(code > 0, f"exit code {code} although no broker was there")
    scene.expect(seconds >= IMPATIENCE_MS / 1000, f"gave up after {seconds:.1f} s")
    scene.expect(not herald.ready_file.exists(), "it said that it was ready")
    for word in (str(IMPATIENCE_MS), "--broker-timeout-ms", scene.brokers):
        scene.expect(word in log, f"the log does not say {word!r}: {herald.log_tail(5)}")
    scene.figure_max(gives_up_s=seconds)


def waits(scene, load, herald):
    """Starts it, lets it wait, brings the broker up; the seconds from there until it answers."""
    herald.launch()
    time.sleep(DOWN_S)
    scene.expect(herald.running(), f"it has ended: {herald.log_tail(5)}")
    scene.expect(not herald.ready_file.exists(), "it is ready without a broker")
    scene.kafka.start()
    up = time.monotonic()
    herald.wait_ready(READY_WITHIN_S)
    scene.served(load, herald)
    scene.figure_max(recover_s=time.monotonic() - up)


def play(scene):
    load = scene.load(events=6_000, seconds=4.0)
    scene.kafka.stop()
    arguments = ("--broker-timeout-ms", IMPATIENCE_MS)
    gives_up(scene, scene.herald(load, "impatient", *arguments))
    # With nothing yet, then with state.
    herald = scene.herald(load, "herald", "--broker-timeout-ms", PATIENCE_MS)
    waits(scene, load, herald)
    scene.watch(load, herald)
    load.start()
    load.wait_fed(0.5)
    herald.kill9()
    load.finish()
    scene.kafka.stop()
    impatient = scene.herald(load, "impatient-too", *arguments, "--state-dir", herald.state_dir)
    gives_up(scene, impatient)
    waits(scene, load, herald)
    scene.check(load, herald)


if __name__ == "__main__":
    chaos.main(play, __doc__, nodes=1, make_kafka=cluster.Brokers)
