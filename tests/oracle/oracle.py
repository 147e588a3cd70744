"""What Herald has to show, computed from the raw events alone.

Shares no code with Herald: it is written from docs/formats.md as a plain, slow, in-memory reading
of the rules. Feed it every line of a file of raw events, in any order, and ask for the inboxes, the
records on `notifications` and the dead letters.

    oracle = Oracle(read_users(open("users.ndjson", "rb")))
    for line in open("events.ndjson", "rb"):
        oracle.add(line.rstrip(b"\\n"))
    oracle.inboxes()          # {recipient: [Standing, ...]}

Where the outcome depends on the order of arrival (which of two equal follows makes the row), a
Standing lists all that are right.
"""

import dataclasses
import datetime
import json
import re
import time as clock

ID_BYTES_MAX = 256
TEXT_BYTES_MAX = 4 * 1024
TITLE_BYTES_MAX = 1024
TARGETS_MAX = 10_000
EVENT_BYTES_MAX = 1024 * 1024
TIME_AHEAD_MS_MAX = 24 * 3600 * 1000

DOS = ("follow", "like", "mention", "message")
UNDOS = {"unfollow": "follow", "unlike": "like", "unmention": "mention"}


class BadEvent(Exception):
    """The line must become a dead letter. The text says why, in the oracle's own words."""


class Unsettled(Exception):
    """The rules do not say what this line means, so no test may contain it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Actor:
    id: str
    name: str | None = None
    handle: str | None = None
    avatar_url: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Object:
    type: str | None
    id: str
    title: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """A valid raw event; `type` is what is done or undone, `recipients` who hears of it."""

    id: str | None
    type: str
    undo: bool
    actor: str
    recipients: tuple[str, ...]
    object: Object | None
    text: str | None
    undo_of: str | None
    time_ms: int


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What a reader sees of a notification, but for its id and where it came from."""

    type: str
    recipient: str
    actor: Actor
    object: Object | None
    text: str | None
    message: str
    time: str


@dataclasses.dataclass(slots=True)
class Standing:
    """One row of an inbox: it must equal one of `candidates`."""

    identity: tuple
    candidates: list[Content]


# --- Reading -------------------------------------------------------------------------------------


def format_time(epoch_ms):
    """1795237200000 -> '2026-11-21T05:00:00.000Z'"""
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=epoch_ms)
    return moment.isoformat(timespec="milliseconds") + "Z"


_ISO_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{3}))?(?:Z|([+-])(\d\d):(\d\d))"
)


def parse_time(value):
    """Epoch milliseconds of an ISO 8601 string or of an integer."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _ISO_TIME.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise BadEvent("bad time")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        moment = datetime.datetime(year, month, day, hour, minute, second)
    except ValueError:
        raise BadEvent("bad time") from None
    epoch_ms = int((moment - datetime.datetime(1970, 1, 1)).total_seconds()) * 1000
    epoch_ms += int(match[7] or 0)
    if match[8]:
        offset_ms = (int(match[9]) * 60 + int(match[10])) * 60_000
        epoch_ms += -offset_ms if match[8] == "+" else offset_ms
    return epoch_ms


def _refuse_constant(name):
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def parse_json(raw):
    """The value of strict JSON in strict UTF-8."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
        if b"\\u" in raw:  # half a surrogate pair parses, but is no text
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise BadEvent("not JSON") from None
    return value


def _read_id(value, name):
    """A string or integer as a string; None when it is missing, null or empty."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadEvent(f"bad {name}")
    if len(value.encode("utf-8")) > ID_BYTES_MAX:
        raise BadEvent(f"{name} too long")
    return value


def _read_text(value, name, bytes_max):
    """A string; None when it is missing, null or empty."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadEvent(f"bad {name}")
    if len(value.encode("utf-8")) > bytes_max:
        raise BadEvent(f"{name} too long")
    return value


def _read_targets(fields):
    if fields.get("target") is not None and fields.get("targets") is not None:
        raise Unsettled("both target and targets")
    targets = fields.get("targets")
    if targets is None:
        targets = [fields.get("target")]
    if not isinstance(targets, list):
        raise BadEvent("bad targets")
    if len(targets) > TARGETS_MAX:
        raise BadEvent("too many targets")
    ids = [_read_id(target, "target") for target in targets]
    if not ids or None in ids:
        raise BadEvent("missing target")
    return list(dict.fromkeys(ids))


def _read_object(value):
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadEvent("bad object")
    object_id = _read_id(value.get("id"), "object id")
    if object_id is None:
        raise Unsettled("an object without id")
    return Object(
        type=_read_text(value.get("type"), "object type", ID_BYTES_MAX),
        id=object_id,
        title=_read_text(value.get("title"), "title", TITLE_BYTES_MAX),
    )


def parse_event(raw, record_timestamp_ms=None):
    """The event in one line, or BadEvent.

    `record_timestamp_ms` is the Kafka record's; without it the present is taken to tell what is too
    far ahead, and an event must bring its own time.
    """
    if len(raw) > EVENT_BYTES_MAX:
        raise BadEvent("event too large")
    fields = parse_json(raw)
    if not isinstance(fields, dict):
        raise BadEvent("not an object")
    type_name = fields.get("type")
    if not isinstance(type_name, str) or (type_name not in DOS and type_name not in UNDOS):
        raise BadEvent("unknown type")
    actor = _read_id(fields.get("actor"), "actor")
    if actor is None:
        raise BadEvent("missing actor")
    targets = _read_targets(fields)
    event_type = UNDOS.get(type_name, type_name)
    undo = type_name in UNDOS
    event_object = _read_object(fields.get("object"))
    undo_of = _read_id(fields.get("undo_of"), "undo_of")
    if type_name == "unmention" and event_object is None and undo_of is None:
        raise BadEvent("missing undo_of")
    if event_object is not None and undo_of is not None:
        raise Unsettled("both object and undo_of")

    reference_ms = record_timestamp_ms
    if reference_ms is None:
        reference_ms = int(clock.time() * 1000)
    if fields.get("time") is not None:
        time_ms = parse_time(fields["time"])
        if time_ms > reference_ms + TIME_AHEAD_MS_MAX:
            raise BadEvent("time too far ahead")
    elif record_timestamp_ms is not None:
        time_ms = record_timestamp_ms
    else:
        raise Unsettled("an event without time, and the record's timestamp is not known")

    return Event(
        id=_read_id(fields.get("id"), "id"),
        type=event_type,
        undo=undo,
        actor=actor,
        recipients=tuple(t for t in targets if event_type == "message" or t != actor),
        object=event_object,
        text=_read_text(fields.get("text"), "text", TEXT_BYTES_MAX),
        undo_of=undo_of,
        time_ms=time_ms,
    )


def read_users(lines):
    """{id: Actor} from lines of JSON; a later line of the same id replaces an earlier one."""
    users = {}
    for line in lines:
        if line.strip():
            fields = json.loads(line)
            user_id = _read_id(fields.get("id"), "user id")
            users[user_id] = Actor(
                user_id, fields.get("name"), fields.get("handle"), fields.get("avatar_url")
            )
    return users


# --- Meaning -------------------------------------------------------------------------------------


def render_message(event, actor):
    """The sentence that a person reads."""
    who = actor.name or "Someone"
    thing = event.object
    if event.type == "follow":
        return f"{who} started following you."
    if event.type == "like":
        start = f"{who} liked your {(thing and thing.type) or 'post'}"
        return f"{start}: {thing.title}" if thing and thing.title else f"{start}."
    if event.type == "message":
        return event.text or ""
    if thing is None:
        start = f"{who} mentioned you"
    elif thing.type is None:
        raise Unsettled("a mention in an object without type")
    else:
        article = "an" if thing.type[0] in "aeiou" else "a"
        start = f"{who} mentioned you in {article} {thing.type}"
    return f"{start}: {event.text}" if event.text else f"{start}."


class Oracle:
    """Takes raw lines, knows what has to come of them."""

    def __init__(self, users):
        self.users = users
        self.valid_lines = 0
        self.dead_letters = []  # the raw bytes of each bad line
        self.dead_reasons = []  # why, in the oracle's words, in the same order
        self._history = {}  # recipient -> identity -> [Event, ...]

    def add(self, raw, record_timestamp_ms=None):
        """Takes one line; returns its Event, or None when it is a dead letter."""
        try:
            event = parse_event(raw, record_timestamp_ms)
        except BadEvent as bad:
            self.dead_letters.append(raw)
            self.dead_reasons.append(str(bad))
            return None
        self.valid_lines += 1
        for recipient in event.recipients:
            identity = self._identity(event)
            inbox = self._history.setdefault(recipient, {})
            inbox.setdefault(identity, []).append(event)
        return event

    def _identity(self, event):
        """What makes two events of one recipient the same thing."""
        if event.type == "follow":
            return ("follow", event.actor)
        if event.type == "like" or event.object is not None and event.type == "mention":
            return (event.type, event.actor, "object", event.object.id if event.object else "")
        own_id = event.undo_of if event.undo else event.id
        if own_id is None:  # a hash of its place in the topic: never the same twice
            return (event.type, event.actor, "line", self.valid_lines)
        return (event.type, event.actor, "event", own_id)

    def actor(self, actor_id):
        """The user as they stand in `users`, or a bare id."""
        return self.users.get(actor_id) or Actor(actor_id)

    def content(self, event, recipient):
        """What `recipient` sees of a valid event that is not an undo."""
        actor = self.actor(event.actor)
        return Content(
            type=event.type,
            recipient=recipient,
            actor=actor,
            object=event.object,
            text=event.text,
            message=render_message(event, actor),
            time=format_time(event.time_ms),
        )

    def recipients(self):
        """Everybody whom a valid event names, also those whose rows were all taken back."""
        return self._history.keys()

    def notifications(self):
        """{recipient: how many records on `notifications` are for them}, undos included."""
        return {
            recipient: sum(map(len, inbox.values())) for recipient, inbox in self._history.items()
        }

    def inbox(self, recipient):
        """The Standings of one recipient, in no order."""
        rows = []
        for identity, events in self._history.get(recipient, {}).items():
            # At equal time the undo wins, so only what is later than every undo stands.
            undone_ms = max((e.time_ms for e in events if e.undo), default=None)
            standing = [
                e for e in events if not e.undo and (undone_ms is None or e.time_ms > undone_ms)
            ]
            if standing:
                contents = dict.fromkeys(self.content(e, recipient) for e in standing)
                rows.append(Standing(identity, list(contents)))
        return rows

    def inboxes(self):
        """{recipient: [Standing, ...]} of all recipients()."""
        return {recipient: self.inbox(recipient) for recipient in self.recipients()}
