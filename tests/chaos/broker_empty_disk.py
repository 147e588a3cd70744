#!/usr/bin/env python3
"""The broker comes back with an empty disk, so as another cluster: nothing is wiped, nothing mixed.

First while Herald is down, then while it runs; --accept-new-cluster moves the old state aside.
"""

import hashlib
import re
import time

import chaos
import cluster
from herald_process import HeraldFailed

EVENTS = 3_000
FEED_S = 2.0
NOTICES_WITHIN_S = 60
WIPED = "not usable, restoring in full"


def tables(state_dir):
    """{file: digest} of the rows' logs and tables, which only a wipe or new rows change."""
    return {
        str(path.relative_to(state_dir)): hashlib.sha1(path.read_bytes()).hexdigest()
        for path in sorted((state_dir / "tasks").rglob("*"))
        if re.fullmatch(r"\d+\.(log|sst)", path.name)
    }


def size_of(state_dir):
    return sum((state_dir / name).stat().st_size for name in tables(state_dir))


def refused(scene, herald, *words):
    """It ends non-zero by itself, with each of these words."""
    try:
        code = herald.wait(NOTICES_WITHIN_S)
    except HeraldFailed as still:
        return scene.add_wrong(f"it runs on with another cluster: {str(still)[-800:]}")
    scene.expect(code > 0, f"exit code {code} with another cluster")
    for word in words:
        scene.expect(word in herald.log(), f"the log does not say {word!r}: {herald.log_tail(5)}")


def fill(scene, load, herald):
    """Starts it on an empty cluster, feeds all, compares all, stops it."""
    herald.start()
    load.start(seconds=FEED_S)
    scene.check(load, herald)


def while_it_is_down(scene):
    load = scene.load(events=EVENTS)
    herald = scene.herald(load)
    fill(scene, load, herald)
    old, rows = scene.kafka.cluster_id(), tables(herald.state_dir)
    scene.kafka.kill()
    scene.kafka.start_empty()
    new = scene.kafka.cluster_id()
    herald.launch()
    refused(scene, herald, old, new)
    scene.expect(tables(herald.state_dir) == rows, "a refused start has changed the rows")
    # Accepted: all is new, the old rows are beside it.
    arguments = ("--accept-new-cluster", "--state-dir", herald.state_dir)
    accepting = scene.herald(load, "herald-too", *arguments)
    fill(scene, load, accepting)
    aside = herald.state_dir / "aside-1"
    scene.expect(tables(aside) == rows, f"{aside} does not hold the rows as they were")


def while_it_runs(scene, name, with_another):
    """The cluster changes under it; `with_another` Herald of its group makes the topics anew."""
    load = scene.load(events=EVENTS)
    herald = scene.herald(load, name)
    herald.start()
    load.start(seconds=FEED_S)
    load.finish()
    biggest = max(load.totals, key=load.totals.get)
    cluster.wait_total(herald, biggest, load.totals[biggest])
    old = scene.kafka.cluster_id()
    scene.kafka.kill()
    before = size_of(herald.state_dir)
    scene.kafka.start_empty()
    new = scene.kafka.cluster_id()
    swapped = time.monotonic()
    if with_another:
        other = scene.herald(load, "other")
        other.start()
    refused(scene, herald, old, new)
    scene.figure_max(notices_s=time.monotonic() - swapped)
    scene.expect(WIPED not in herald.log(), f"it has wiped its rows: {first_line(herald, WIPED)}")
    scene.expect(size_of(herald.state_dir) >= before, f"rows are gone: {before} bytes before")
    herald.kill9()
    # What it has is the old cluster's, and it must know so.
    rows = tables(herald.state_dir)
    herald.launch()
    refused(scene, herald, old, new)
    scene.expect(tables(herald.state_dir) == rows, "a refused start has changed the rows")
    if with_another:
        scene.stop(other)


def first_line(herald, word):
    return next((line for line in herald.log().splitlines() if word in line), "")


PARTS = {
    "down": while_it_is_down,
    "alone": lambda scene: while_it_runs(scene, "alone", with_another=False),
    "beside": lambda scene: while_it_runs(scene, "beside", with_another=True),
}


def extend(parser):
    parser.add_argument("--only", choices=PARTS, help="one of the three parts")


def play(scene):
    for name, part in PARTS.items():
        if scene.args.only in (None, name):
            part(scene)


if __name__ == "__main__":
    chaos.main(play, __doc__, nodes=1, extend=extend, make_kafka=cluster.Brokers)
