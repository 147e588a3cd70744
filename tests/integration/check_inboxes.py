#!/usr/bin/env python3
"""Compares a running Herald with the oracle: every inbox, every counter, and with --brokers every
record on `notifications` and `dead-letters`.

    tests/integration/check_inboxes.py --http http://127.0.0.1:8080 \\
        --events events.ndjson --users users.ndjson [--brokers 127.0.0.1:9092]

Waits until the inboxes have converged; exits 0 when all is equal, else 1 with the first
differences. Nothing else may have been written to the topics.
"""

import argparse
import collections
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))

import compare
import topics
from inbox_client import InboxClient
from oracle import BadEvent, Oracle, parse_event, read_users

POLL_S = 0.1
DIFFERENCES_SHOWN = 20
CLOCK_SLACK_MS = 2 * 3600 * 1000  # between a record's timestamp and now
DEAD_LETTER_BYTES_MAX = 512 * 1024


def read_lines(path):
    with open(path, "rb") as file:
        return file.read().split(b"\n")[:-1]


def build_oracle(events_path, users_path):
    with open(users_path, "rb") as users:
        oracle = Oracle(read_users(users))
    for line in read_lines(events_path):
        oracle.add(line)
    return oracle


# --- Inboxes over HTTP ---------------------------------------------------------------------------


def wait_for_totals(client, inboxes, stall_s):
    """Polls until each inbox has once had its total, biggest first; or nothing moves any more."""
    moved_at, last = time.monotonic(), None
    for recipient in sorted(inboxes, key=lambda name: -len(inboxes[name])):
        while (total := client.counts(recipient)["total"]) != len(inboxes[recipient]):
            if total != last:
                moved_at, last = time.monotonic(), total
            if time.monotonic() - moved_at > stall_s:
                return
            time.sleep(POLL_S)
        moved_at, last = time.monotonic(), None


def check_inbox(client, recipient, standings, rows_out=None):
    items, page = client.inbox(recipient)
    if rows_out is not None:
        rows_out[recipient] = items
    counts = client.counts(recipient)
    found = compare.inbox_differences(recipient, standings, items, counts)
    in_page = page.get("counts")
    if in_page != {name: counts.get(name) for name in ("total", "unread", "unseen")}:
        found.append(f"{recipient!r}: counts in the page {in_page!r}, on their own {counts!r}")
    version = counts.get("version")
    if page.get("version") != version or not isinstance(version, int) or version < len(standings):
        found.append(f"{recipient!r}: versions {page.get('version')!r} and {version!r}")
    return found


def check_inboxes(client, oracle, stall_s, rows_out=None):
    """Lines that say where the inboxes differ from the oracle's, once they have come to rest.

    Puts the items that were served into `rows_out`, by recipient.
    """
    inboxes = oracle.inboxes()
    for stranger in oracle.users.keys() - inboxes.keys():
        inboxes[stranger] = []
    wait_for_totals(client, inboxes, stall_s)
    suspects = list(inboxes)
    rest_since = time.monotonic()
    previous = None
    while True:
        found = {}
        for recipient in suspects:
            differences = check_inbox(client, recipient, inboxes[recipient], rows_out)
            if differences:
                found[recipient] = differences
        if not found:
            return []
        if found != previous:
            rest_since = time.monotonic()
        elif time.monotonic() - rest_since > stall_s:
            return [line for lines in found.values() for line in lines]
        suspects, previous = list(found), found
        time.sleep(POLL_S)


# --- Records on the topics -----------------------------------------------------------------------


def read_events(brokers, prefix):
    """{(partition, offset): Record} of the events as Kafka holds them."""
    return {(r.partition, r.offset): r for r in topics.read_topic(brokers, prefix + "events")}


def check_events(events, lines):
    """Did the feeding itself work? Else nothing below means anything."""
    sent = collections.Counter(lines)
    there = collections.Counter(record.value for record in events.values())
    found = [f"events: {n} times not there: {line[:200]!r}" for line, n in (sent - there).items()]
    found += [f"events: {n} times too many: {line!r}"[:300] for line, n in (there - sent).items()]
    return found


def check_notifications(brokers, prefix, events, oracle):
    """Exactly one record for each (valid event, recipient), and it says what it should."""
    found = []
    expected = {}  # (partition, offset, recipient) -> key
    for (partition, offset), record in events.items():
        try:
            event = parse_event(record.value or b"", record.timestamp_ms)
        except BadEvent:
            continue
        for recipient, key in compare.expected_keys(oracle, event).items():
            expected[partition, offset, recipient] = key
    seen = collections.Counter()
    now_ms = time.time() * 1000
    for record in topics.read_topic(brokers, prefix + "notifications"):
        where = f"notifications[{record.partition}]@{record.offset}"
        try:
            value = json.loads(record.value)
            source = value["source"]
            cause = (source["partition"], source["offset"], value["recipient"])
            said = compare.notification_key(value)
        except (KeyError, TypeError, ValueError) as error:
            found.append(f"{where}: {error!r} in {record.value!r}"[:400])
            continue
        seen[cause] += 1
        if cause not in expected:
            found.append(f"{where}: no event asks for it: {cause} {said}")
        elif said != expected[cause]:
            found.append(f"{where}: {cause} expected {expected[cause]}, found {said}")
        if source["topic"] != prefix + "events":
            found.append(f"{where}: source topic {source['topic']!r}")
        if record.key != value["recipient"].encode("utf-8"):
            found.append(f"{where}: key {record.key!r}, recipient {value['recipient']!r}")
        if abs(record.timestamp_ms - now_ms) > CLOCK_SLACK_MS:
            found.append(f"{where}: timestamp {record.timestamp_ms} is not the wall clock")
    for cause, times in seen.items():
        if times > 1:
            found.append(f"notifications: {times} records for {cause}")
    found += [f"notifications: no record for {cause}" for cause in expected.keys() - seen.keys()]
    return found, len(expected)


def check_dead_letters(brokers, prefix, events):
    """Exactly one record with the original key and bytes for each bad event, none for a good one."""
    found = []
    bad = {}
    for place, record in events.items():
        try:
            parse_event(record.value or b"", record.timestamp_ms)
        except BadEvent as reason:
            bad[place] = str(reason)
    seen = collections.Counter()
    for record in topics.read_topic(brokers, prefix + "dead-letters"):
        where = f"dead-letters[{record.partition}]@{record.offset}"
        headers = record.headers
        try:
            place = (int(headers["partition"]), int(headers["offset"]))
        except (KeyError, ValueError):
            found.append(f"{where}: headers {headers!r} do not name partition and offset")
            continue
        seen[place] += 1
        if place not in bad:
            line = events[place].value if place in events else None
            found.append(f"{where}: not bad: {place} {headers.get('reason')!r} {line!r}"[:500])
            continue
        original = events[place]
        if record.value != (original.value or b"")[:DEAD_LETTER_BYTES_MAX]:
            found.append(f"{where}: {place} value {record.value!r}"[:400])
        if record.key != original.key:
            found.append(f"{where}: {place} key {record.key!r}, original {original.key!r}")
        if headers.get("topic") != prefix + "events" or not headers.get("reason"):
            found.append(f"{where}: {place} headers {headers!r}")
        if headers.get("timestamp") != str(original.timestamp_ms) or not headers.get("stage"):
            found.append(f"{where}: {place} headers {headers!r}")
    found += [f"dead-letters: {times} for {p}" for p, times in seen.items() if times > 1]
    for place in bad.keys() - seen.keys():
        line = events[place].value
        found.append(f"dead-letters: none for {place} ({bad[place]}): {line!r}"[:500])
    return found, len(bad)


def check_sources(rows, prefix, events, oracle):
    """Each row must name an event that says just what the row says."""
    found = []
    for recipient, items in rows.items():
        for item in items:
            source = item["source"]
            record = events.get((source["partition"], source["offset"]))
            if source["topic"] != prefix + "events" or record is None:
                found.append(f"{recipient!r}: no event at {source}")
                continue
            event = parse_event(record.value, record.timestamp_ms)
            if oracle.content(event, recipient) != compare.read_content(item):
                found.append(f"{recipient!r}: {source} is {record.value!r}, the row says {item}")
    return found


def check_topics(brokers, prefix, lines, oracle, rows):
    """(differences, notifications expected, dead letters expected)."""
    events = read_events(brokers, prefix)
    found = check_events(events, lines)
    if found:
        return found, 0, 0
    found, notifications = check_notifications(brokers, prefix, events, oracle)
    more, dead_letters = check_dead_letters(brokers, prefix, events)
    return found + more + check_sources(rows, prefix, events, oracle), notifications, dead_letters


def report(found):
    """Prints the first differences; true when there are none."""
    for line in found[:DIFFERENCES_SHOWN]:
        print("DIFFERS", line[:1500])
    if len(found) > DIFFERENCES_SHOWN:
        print(f"DIFFERS … and {len(found) - DIFFERENCES_SHOWN} more")
    return not found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--http", required=True, help="Herald's address, http://HOST:PORT")
    parser.add_argument("--events", required=True, help="the file of raw events that was fed")
    parser.add_argument("--users", required=True, help="the file of users that was loaded")
    parser.add_argument("--brokers", help="checks the topics too")
    parser.add_argument("--topic-prefix", default="")
    parser.add_argument(
        "--stall-s", type=float, default=30, help="give up when nothing has moved for so long"
    )
    args = parser.parse_args()

    oracle = build_oracle(args.events, args.users)
    client = InboxClient(args.http)
    rows = {}
    found = check_inboxes(client, oracle, args.stall_s, rows)
    summary = f"{len(oracle.recipients())} inboxes, {sum(map(len, rows.values()))} rows"
    if args.brokers:
        more, notifications, dead_letters = check_topics(
            args.brokers, args.topic_prefix, read_lines(args.events), oracle, rows
        )
        found += more
        summary += f", {notifications} notifications, {dead_letters} dead letters"
    print(("equal: " if report(found) else "DIFFERENT: ") + summary)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
