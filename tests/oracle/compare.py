"""Compares what Herald shows with what the oracle expects; says each difference in one line."""

import json

from oracle import Actor, Content, Object, format_time

ABSENT = "(absent)"


def read_content(notification):
    """The Content of a Notification as Herald writes it (on the topic or over HTTP)."""
    actor = notification["actor"]
    thing = notification.get("object")
    return Content(
        type=notification["type"],
        recipient=notification["recipient"],
        actor=Actor(
            actor["id"], actor.get("name"), actor.get("handle"), actor.get("avatar_url")
        ),
        object=Object(thing.get("type") or None, thing["id"], thing.get("title") or None)
        if thing
        else None,
        text=notification.get("text") or None,
        message=notification["message"],
        time=notification["time"],
    )


def shape_differences(item):
    """What is wrong with an inbox item on its face, whatever it ought to say."""
    found = []
    if not isinstance(item.get("v"), int):
        found.append(f"v is {item.get('v', ABSENT)!r}, not a number")
    if not isinstance(item.get("id"), str) or not item["id"]:
        found.append(f"id is {item.get('id', ABSENT)!r}")
    for name in ("read", "seen"):
        if item.get(name, ABSENT) is not False:
            found.append(f"{name} is {item.get(name, ABSENT)!r}, nobody has read it")
    if item.get("retracted"):
        found.append("a retraction stands as a row")
    source = item.get("source")
    if not isinstance(source, dict) or not (
        isinstance(source.get("topic"), str)
        and isinstance(source.get("partition"), int)
        and isinstance(source.get("offset"), int)
    ):
        found.append(f"source is {source!r}")
    return found


def match_rows(standings, contents):
    """Pairs each Standing with one content that is among its candidates.

    Returns (standings without a row, contents without a standing), both of the least number: rows
    that may stem from several events are matched by augmenting paths.
    """
    takers = {}  # content -> indices of the standings that it satisfies
    for index, standing in enumerate(standings):
        for candidate in standing.candidates:
            takers.setdefault(candidate, []).append(index)
    row_of = {}  # index of a standing -> index of its row

    def place(row, seen):
        for index in takers.get(contents[row], ()):
            if index not in seen:
                seen.add(index)
                if index not in row_of or place(row_of[index], seen):
                    row_of[index] = row
                    return True
        return False

    unmatched = [contents[row] for row in range(len(contents)) if not place(row, set())]
    missing = [s for index, s in enumerate(standings) if index not in row_of]
    return missing, unmatched


def _field_differences(expected, found):
    parts = []
    for name in Content.__slots__:
        want, have = getattr(expected, name), getattr(found, name)
        if want != have:
            parts.append(f"{name}: expected {want!r}, found {have!r}")
    return "; ".join(parts)


def _same_thing(standing, content):
    """Does the row look as if it were meant to be this standing?"""
    candidate = standing.candidates[0]
    return (
        candidate.type == content.type
        and candidate.actor.id == content.actor.id
        and (candidate.object and candidate.object.id) == (content.object and content.object.id)
    )


def inbox_differences(recipient, standings, items, counts):
    """Lines that say where an inbox differs from the oracle's; empty when it is right.

    `items` are all rows as served, in the order served; `counts` is the object with total, unread
    and unseen.
    """
    found = []
    contents = []
    ids = set()
    for position, item in enumerate(items):
        try:
            content = read_content(item)
        except (KeyError, TypeError, AttributeError) as error:
            found.append(f"item {position} has no {error}: {json.dumps(item)[:300]}")
            continue
        found += [f"item {position} ({content.message!r}): {d}" for d in shape_differences(item)]
        if item.get("id") in ids:
            found.append(f"item {position}: id {item['id']!r} is there twice")
        ids.add(item.get("id"))
        if contents and content.time > contents[-1].time:
            found.append(f"item {position}: {content.time} stands after {contents[-1].time}")
        contents.append(content)

    missing, unmatched = match_rows(standings, contents)
    for content in unmatched:
        twin = next((s for s in missing if _same_thing(s, content)), None)
        if twin:
            missing.remove(twin)
            parts = [_field_differences(c, content) for c in twin.candidates[:3]]
            found.append(f"row {twin.identity} differs: " + " | or: ".join(parts))
        else:
            found.append(f"row too many: {content}")
    found += [f"row missing: {s.identity} {s.candidates[0]}" for s in missing]

    for name in ("total", "unread", "unseen"):
        if counts.get(name) != len(standings):
            found.append(f"counts.{name}: expected {len(standings)}, found {counts.get(name)!r}")
    return [f"{recipient!r}: {difference}" for difference in found]


def notification_key(notification):
    """What a record on `notifications` says, comparable with expected_keys()."""
    thing = notification.get("object")
    if notification.get("retracted"):
        return (
            True,
            notification["type"],
            notification["recipient"],
            notification["actor"]["id"],
            thing["id"] if thing else None,
            notification["time"],
        )
    return (False, read_content(notification))


def expected_keys(oracle, event):
    """The keys of the records that one valid event makes, by recipient."""
    if not event.undo:
        return {r: (False, oracle.content(event, r)) for r in event.recipients}
    object_id = event.object.id if event.object else None
    time = format_time(event.time_ms)
    return {r: (True, event.type, r, event.actor, object_id, time) for r in event.recipients}
