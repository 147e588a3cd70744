#!/usr/bin/env python3
"""Bad records of many kinds in every topic, under load: one dead letter each, and the stream goes on.

Bad users are no dead letters: they are passed over and counted, and who was there stays.
"""

import collections
import contextlib
import dataclasses
import json

import chaos
import check_inboxes
import topics
from inbox_client import InboxClient
from instances import partition_for_key

MIB = 1024 * 1024
KILLS = 2
DELIVERED_WITHIN_S = 60
DEEP = 300


def notification(recipient, /, **changes):
    """A good notification, and what makes it bad."""
    time_ms = 1_795_237_200_000
    good = {
        "v": 1,
        "id": f"{'5f0c' * 8}-{time_ms}",
        "type": "message",
        "recipient": recipient,
        "actor": {"id": "1", "name": "Emma", "handle": None, "avatar_url": None},
        "object": None,
        "text": "poison",
        "message": "poison",
        "time": "2026-11-21T05:00:00.000Z",
        "source": {"topic": "elsewhere", "partition": 0, "offset": 0},
    }
    good.update(changes)
    return json.dumps({k: v for k, v in good.items() if v != "absent"}).encode("utf-8")


def action(recipient, /, **changes):
    good = {"v": 1, "action": "read", "recipient": recipient, "id": f"{'5f0c' * 8}-1795237200000"}
    good.update(changes)
    return json.dumps({k: v for k, v in good.items() if v != "absent"}).encode("utf-8")


def bad_anything(tag):
    """Values that are bad in every topic; `tag` makes each one of its own."""
    mark = tag.encode("utf-8")
    return [
        b"this is not json " + mark,
        b"{" + mark,
        b'"' + mark + b'"',
        b'["' + mark + b'"]',
        b'{"tag":"' + mark + b'"}',
        b'{"tag":"' + mark + b'"} and more',
        b'{"tag":"' + mark + b'\xff\xfe"}',
        b'{"tag":"' + mark + b'","deep":' + b"[" * DEEP + b"]" * DEEP + b"}",
        mark + bytes(range(256)),
        mark + b"\x00" * 100_000,
    ]


def bad_events(tag):
    good = {"type": "message", "id": tag, "actor": "1", "target": "2", "text": tag}
    changes = [
        {"type": "poke"},
        {"type": 7},
        {"actor": None},
        {"actor": ""},
        {"actor": "a" * 257},
        {"target": {}},
        {"target": None},
        {"target": None, "targets": []},
        {"target": None, "targets": [f"{tag}-{n}" for n in range(10_001)]},
        {"text": "x" * 4097},
        {"text": 5},
        {"time": "yesterday"},
        {"time": "2099-01-01T00:00:00Z"},
        {"object": []},
        {"object": {"id": "o", "title": "t" * 1025}},
    ]
    values = [json.dumps({**good, **change}).encode("utf-8") for change in changes]
    return [*bad_anything(tag), *values]


def bad_notifications(recipient, tag):
    return [
        *bad_anything(tag),
        notification(recipient, v=2, text=tag),
        notification(recipient, v="absent", text=tag),
        notification(recipient, type="poke", text=tag),
        notification(recipient, type=3, text=tag),
        notification(recipient, recipient="absent", text=tag),
        notification(recipient, recipient=recipient + "-else", text=tag),
        notification(recipient, id="absent", text=tag),
        notification(recipient, id="", text=tag),
        notification(recipient, id=f"{'5f0c' * 8}-1", text=tag),
        notification(recipient, time="absent", text=tag),
        notification(recipient, time="once", text=tag),
        notification(recipient, actor="absent", text=tag),
        notification(recipient, actor=[tag]),
        json.dumps({"from": {"id": 1, "name": tag}, "to": {"id": "nobody"}}).encode("utf-8"),
        json.dumps({"from": tag, "to": tag}).encode("utf-8"),
    ]


def bad_actions(recipient, tag):
    return [
        *bad_anything(tag),
        action(recipient, v=2, tag=tag),
        action(recipient, action="eat", tag=tag),
        action(recipient, action="absent", tag=tag),
        action(recipient, recipient="absent", tag=tag),
        action(recipient, recipient=recipient + "-else", tag=tag),
        action(recipient, id="absent", tag=tag),
        action(recipient, id=9, tag=tag),
        action(recipient, id=tag + "x" * 5000),
        action(recipient, action="read-all", id="absent", up_to="all", tag=tag),
        action(recipient, action="read-all", id="absent", up_to=-1, tag=tag),
    ]


def bad_users(known, tag):
    """(key, value) pairs that must leave the user `known` alone."""
    values = [
        *bad_anything(tag)[:4],
        *bad_anything(tag)[5:],
        json.dumps({"id": known + "-else", "name": tag}).encode("utf-8"),
        json.dumps({"id": known, "name": 5, "tag": tag}).encode("utf-8"),
        json.dumps({"id": known, "name": "n" * 257, "tag": tag}).encode("utf-8"),
        json.dumps({"id": known, "avatar_url": "u" * 2049, "tag": tag}).encode("utf-8"),
        json.dumps({"id": known, "name": tag, "more": "x" * 65_536}).encode("utf-8"),
    ]
    return [(known, value) for value in values]  # without a key the broker refuses them


class Poison:
    """Produces bad records and remembers what has to come of them."""

    def __init__(self, scene, load):
        self._scene = scene
        self._load = load
        self.expected = collections.Counter()  # (topic, key, value): dead letters

    def put(self, name, value, key=None, partition=None):
        topic = self._load.prefix + name
        if value is None:
            topics.produce_null(self._scene.brokers, topic, key, partition)
        else:
            topics.produce(self._scene.brokers, topic, value, key, partition)
        return topic

    def put_dead(self, name, value, key=None, partition=None):
        topic = self.put(name, value, key, partition)
        raw_key = None if key is None else key.encode("utf-8")
        self.expected[topic, raw_key, value or b""] += 1

    def differences(self):
        found = []
        prefix = self._load.prefix
        mine = {self._load.prefix + name for name in ("users", "notifications", "inbox-actions")}
        seen = collections.Counter()
        for record in topics.read_topic(self._scene.brokers, prefix + "dead-letters"):
            headers = record.headers
            if headers.get("topic") not in mine:
                continue
            seen[headers["topic"], record.key, record.value or b""] += 1
            names = ("reason", "stage", "partition", "offset", "timestamp")
            found += [f"dead letter without {name}: {headers}" for name in names if name not in headers]
        for what in seen.keys() | self.expected.keys():
            if seen[what] != self.expected[what]:
                topic, key, value = what
                found.append(
                    f"{topic}: key {key!r}: {self.expected[what]} dead letters expected, "
                    f"{seen[what]} there: {value[:200]!r}"
                )
        return found


def metric_sum(herald, name):
    with contextlib.closing(InboxClient(herald.url)) as client:
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in client.text("/metrics").splitlines()
            if line.startswith((name + " ", name + "{"))
        )


def poison_events(scene, load, poison):
    """Between the good events of the load; what the general comparison expects knows of them."""
    values = bad_events("poisoned-event")
    for value in values:
        poison.put("events", value)
    poison.put("events", None, key="a-key")
    return [*values, None]


def poison_inbox_topics(load, poison):
    """Bad notifications and actions in the partition of their key, and in others."""
    for name, make in (("notifications", bad_notifications), ("inbox-actions", bad_actions)):
        recipient = load.someone_in(0)
        other = f"{name}-poisoned"
        for key in (recipient, other):
            right = partition_for_key(key, load.partitions)
            for value in make(key, f"{name}-{key}-right"):
                poison.put_dead(name, value, key, right)
            for value in make(key, f"{name}-{key}-wrong"):
                poison.put_dead(name, value, key, (right + 1) % load.partitions)
            poison.put_dead(name, None, key, right)
        for value in make(recipient, f"{name}-without-key"):
            poison.put_dead(name, value, None, 1)


def play(scene):
    load = scene.load(events=12_000, seconds=90)
    herald = scene.herald(load)
    herald.start()
    scene.watch(load, herald)
    known = next(iter(load.oracle.users))
    load.start()
    load.wait_fed(0.05)
    poison = Poison(scene, load)
    scene.say("poison for events")
    extra = poison_events(scene, load, poison)
    scene.say("poison for users")
    refused = metric_sum(herald, "herald_global_records_refused_total")
    users = bad_users(known, "poisoned-user")
    for key, value in users:
        poison.put("users", value, key)
    chaos.wait_until(
        f"{len(users)} bad users counted",
        lambda: metric_sum(herald, "herald_global_records_refused_total") - refused == len(users),
        DELIVERED_WITHIN_S,
    )
    scene.say("poison for notifications and inbox-actions")
    poison_inbox_topics(load, poison)
    bad = len(extra) + len(users) + sum(poison.expected.values())
    scene.say(f"{bad} bad records produced")
    scene.figure(bad_records=bad)
    times = [scene.restart(load, herald, herald.kill9) for _ in range(KILLS)]
    scene.figure(recover_s=max(times))
    load.finish()
    # Nobody may have got anything but what the good events say.
    with contextlib.closing(InboxClient(herald.url)) as client:
        rows = {}
        for line in check_inboxes.check_inboxes(client, load.oracle, chaos.STALL_S, rows):
            scene.add_wrong(line)
        for name in ("notifications-poisoned", "inbox-actions-poisoned"):
            scene.expect(client.counts(name)["total"] == 0, f"{name} has rows")
    found = []

    def all_there():
        found[:] = poison.differences()
        return not found

    with contextlib.suppress(TimeoutError):
        chaos.wait_until("all dead letters", all_there, DELIVERED_WITHIN_S, poll_s=1.0)
    at_least_once = scene.guarantee == chaos.AT_LEAST_ONCE
    for line in found[: chaos.WRONG_SHOWN]:
        scene.add_wrong(line)
    # The topics of what Herald itself wrote hold the poison too: events and dead letters of events
    # are compared in full, notifications by the rows above.
    lines = [*check_inboxes.read_lines(load.events_path), *extra]
    events = check_inboxes.read_events(scene.brokers, load.prefix)
    more = check_inboxes.check_events(events, lines)
    letters, count = events_dead_letters(scene.brokers, load.prefix, events)
    more += letters + check_inboxes.check_sources(rows, load.prefix, events, load.oracle)
    if at_least_once:
        more = [line for line in more if not chaos.REPEATS.match(line)]
    for line in more[: chaos.WRONG_SHOWN]:
        scene.add_wrong(line)
    scene.say(f"{count} dead letters of events, {sum(poison.expected.values())} of others compared")
    scene.stop(herald)
    scene.replayed(herald)


def events_dead_letters(brokers, prefix, events):
    """check_dead_letters() for a topic that also has those of other topics."""
    read_topic = topics.read_topic

    def only_of_events(*arguments, **options):
        for record in read_topic(*arguments, **options):
            if record.headers.get("topic") == prefix + "events":
                # A null value comes back as null; the comparison knows it as empty.
                yield dataclasses.replace(record, value=record.value or b"")

    topics.read_topic = only_of_events
    try:
        return check_inboxes.check_dead_letters(brokers, prefix, events)
    finally:
        topics.read_topic = read_topic


if __name__ == "__main__":
    chaos.main(play, __doc__)
