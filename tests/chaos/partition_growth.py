#!/usr/bin/env python3
"""Topics gain partitions under a running Herald: `events` it reads, for `notifications` it stops.

Records that were in a new partition before Herald knew of it are read too.
"""

import json
import time

import chaos
import cluster
import topics

EVENTS = 4_000
FEED_S = 20.0
MORE = 7
# librdkafka asks for what it is subscribed to each 5 minutes unless told otherwise.
REFRESH_MS = 5_000
REFRESHED_WITHIN_S = 3 * REFRESH_MS / 1000
MARKS = 20  # records in each new partition
TIME_MS = 1_795_237_200_000
STOPS_WITHIN_S = 60.0


def grow(scene, topic, partitions):
    scene.kafka.topic_command("--alter", "--topic", topic, "--partitions", str(partitions))


def marks(partition):
    """Messages to somebody whom nobody else tells of anything."""
    for number in range(MARKS):
        fields = {"type": "message", "id": f"mark-{partition}-{number}", "time": TIME_MS}
        fields.update(actor="2", target=f"marked-{partition}", text=f"mark {number}")
        yield json.dumps(fields).encode("utf-8")


def events_grow(scene):
    load = scene.load(events=EVENTS, seconds=FEED_S)
    herald = scene.herald(load, "herald", "-X", f"topic.metadata.refresh.interval.ms={REFRESH_MS}")
    herald.start()
    scene.watch(load, herald)
    load.start()
    load.wait_fed(0.3)
    grow(scene, load.events_topic, MORE)
    grown = time.monotonic()
    added = range(load.partitions, MORE)
    for partition in added:
        lines = list(marks(partition))
        topics.produce_lines(scene.brokers, load.events_topic, lines, partition=partition)
        with open(load.events_path, "ab") as events:
            events.write(b"".join(line + b"\n" for line in lines))
    load.know()
    for partition in added:
        cluster.wait_total(herald, f"marked-{partition}", MARKS)
    seconds = time.monotonic() - grown
    scene.say(f"the records of the new partitions came through after {seconds:.1f} s")
    scene.expect(seconds <= REFRESHED_WITHIN_S, f"that took {seconds:.1f} s")
    scene.figure(recover_s=seconds)
    scene.check(load, herald)


def notifications_grow(scene):
    load = scene.load(events=EVENTS, seconds=2.0)
    herald = scene.herald(load)
    herald.start()
    load.start()
    load.finish()
    topic = load.prefix + "notifications"
    grow(scene, topic, MORE)
    grown = time.monotonic()
    code = herald.wait(STOPS_WITHIN_S)
    scene.figure(stops_s=time.monotonic() - grown)
    scene.expect(code > 0, f"exit code {code} although {topic} has grown")
    for word in (topic, str(load.partitions), str(MORE), "partitions"):
        scene.expect(word in herald.log(), f"the log does not say {word!r}: {herald.log_tail(5)}")
    # So it is at the next start: the rows are where the keys no longer map to.
    herald.launch()
    code = herald.wait(STOPS_WITHIN_S)
    scene.expect(code > 0, f"exit code {code} at the start after {topic} has grown")
    scene.expect(topic in herald.log(), f"the log does not name {topic}: {herald.log_tail(5)}")


def play(scene):
    events_grow(scene)
    notifications_grow(scene)


if __name__ == "__main__":
    chaos.main(play, __doc__, nodes=1, make_kafka=cluster.Brokers)
