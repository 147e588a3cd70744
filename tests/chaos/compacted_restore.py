#!/usr/bin/env python3
"""A changelog compacted with tombstones and with transaction markers at its end, restored in full."""

import shutil
import time

import chaos
import topics

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


def play(scene):
    load = scene.load(events=30_000, users=400, seconds=20, plain=False)
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
