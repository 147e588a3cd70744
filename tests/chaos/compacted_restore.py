#!/usr/bin/env python3
"""A changelog compacted with tombstones and with transaction markers at its end, restored in full."""

import json
import shutil
import time

import chaos
import topics

LIKES, ROUNDS = 1_000, 16
RECIPIENTS, ACTORS = 40, 7
COMPACTED_WITHIN_S = 120
QUIET_S = 3.0
# Small segments, compacted as soon as the broker's cleaner comes by, tombstones forgotten at once.
CHANGELOG = {
    "cleanup_policy": "compact",
    "segment_bytes": 1_048_576,
    "segment_ms": 2_000,
    "min_cleanable_dirty_ratio": 0.01,
    "max_compaction_lag_ms": 2_000,
    "delete_retention_ms": 1_000,
}


def records_and_end(scene, topic):
    """(records that are left, tombstones among them, offsets that were ever used)."""
    records = tombstones = 0
    ends = {}
    for record in topics.read_topic(scene.brokers, topic, isolation="read_uncommitted"):
        records += 1
        tombstones += record.value is None
        ends[record.partition] = record.offset + 1
    return records, tombstones, sum(ends.values())


def write_events(scene, load):
    """The same likes and unlikes over and over: little that stands, and much that is deleted."""
    likes = [
        {"actor": f"fan-{n % ACTORS}", "target": f"reader-{n % RECIPIENTS}", "object": {"id": f"o-{n}"}}
        for n in range(LIKES)
    ]
    time_ms = int(time.time() * 1000) - 3_600_000
    lines = []
    for round_ in range(ROUNDS):
        kind = "unlike" if round_ % 2 else "like"
        for like in scene.random.sample(likes, len(likes)):
            time_ms += 1
            if round_ < ROUNDS - 1 or scene.random.random() < 0.5:  # half of them stand at last
                lines.append(json.dumps({"type": kind, **like, "time": time_ms}).encode("utf-8"))
    load.events_path.write_bytes(b"".join(line + b"\n" for line in lines))
    load.know()


def play(scene):
    load = scene.load(events=100, seconds=30, plain=False)  # the files; what is in them follows
    write_events(scene, load)
    changelog = f"{load.prefix}{load.group}-inbox-changelog"
    scene.kafka.create_topic(changelog, load.partitions, **CHANGELOG)
    herald = scene.herald(load)
    herald.start()
    scene.watch(load, herald, falls=True)
    load.start()
    load.wait_fed(0.9)
    # In the middle of a transaction: what its abort leaves is a marker and no rows before it.
    herald.kill9()
    load.finish()
    herald.start()
    scene.served(load, herald)

    def compacted():
        records, tombstones, end = records_and_end(scene, changelog)
        scene.say(f"changelog: {records} records, {tombstones} tombstones, of {end} offsets")
        time.sleep(QUIET_S)
        return records < end * 0.5 and (records, tombstones, end)

    (records, tombstones, end), _ = chaos.wait_until(
        "the changelog is compacted", compacted, COMPACTED_WITHIN_S
    )
    scene.figure(changelog_records=records, changelog_offsets=end, tombstones=tombstones)
    for wait_s in (0.0, QUIET_S):
        herald.kill9()
        shutil.rmtree(herald.state_dir)
        time.sleep(wait_s)
        seconds = scene.restart(load, herald, lambda: None)
        scene.figure_max(recover_s=seconds)
    restored = chaos.replays(herald.log())
    scene.expect(len(restored) == load.partitions, f"restored: {restored}")
    scene.check(load, herald)
    scene.replayed(herald)


if __name__ == "__main__":
    chaos.main(play, __doc__)
