"""What one inbox may show after what its only reader did to it.

The messages for it have texts of their own, by which the model knows them. An action that was
acknowledged has been applied. One that was not (503, a broken connection) may be applied, now or a
little later, or never: until the next acknowledged action of the same inbox, which lies behind it
in the same partition, the model keeps all that can be.
"""

import collections
import dataclasses
import threading
import time

from instances import WrongAnswer, check_page

# What a message can be for the reader. A message that waits becomes new at any moment.
WAITS, NEW, SEEN, READ, GONE = "waits", "new", "seen", "read", "gone"

_ON_ONE = {
    "read": {NEW: READ, SEEN: READ},
    "unread": {READ: SEEN},
    "seen": {NEW: SEEN},
    "delete": {NEW: GONE, SEEN: GONE, READ: GONE},
}
_ON_ALL = {"read-all": _ON_ONE["read"], "seen-all": _ON_ONE["seen"]}

# A request that was cut off may still be under way between two instances for so long, and be
# overtaken by the next one.
OVERTAKEN_S_MAX = 3.0
HISTORY_LINES = 25
_UNKNOWN_VERSION = float("inf")


@dataclasses.dataclass(frozen=True)
class Action:
    """`texts`: whom it is about; None: all that have arrived. `perhaps`: of these, who may be left
    as they were.
    """

    name: str
    texts: frozenset | None = None
    perhaps: frozenset = frozenset()

    def __str__(self):
        texts = "all" if self.texts is None else sorted(self.texts)
        return f"{self.name} of {texts}" + (f", perhaps {self.perhaps}" if self.perhaps else "")

    def on(self, text, states):
        """What a message may be afterwards that may have been any of `states`."""
        if self.texts is not None and text not in self.texts:
            return set(states)
        changes = _ON_ONE.get(self.name) or _ON_ALL[self.name]
        after = {changes.get(state, state) for state in states}
        return after | states if text in self.perhaps else after


@dataclasses.dataclass(frozen=True)
class Page:
    """A whole inbox as it was served."""

    items: list
    counts: dict
    version: int


class InboxModel:
    """The inbox of one user. arrives() may come from another thread, all else from one."""

    def __init__(self, user):
        self.user = user
        self._lock = threading.Lock()
        self._possible = {}  # text: set of states
        self._unsure = []  # (when it failed, Action), oldest first
        self._version = 0
        self._contents = {}  # version: what was shown
        self.page = Page([], {"total": 0, "unread": 0, "unseen": 0}, 0)  # the last one
        self._unread_after = {}  # text: the version before it was last marked unread, or later
        self.pages = {0: frozenset()}  # version: texts on the page
        self.history = collections.deque(maxlen=HISTORY_LINES)  # for people

    def arrives(self, text):
        """From now on the message may be there, any time."""
        with self._lock:
            self._possible[text] = {WAITS}

    def _states(self, text):
        """All that the message may be now. Holds the lock."""
        states = set(self._possible[text])
        if WAITS in states:
            states.add(NEW)
        for _, action in self._unsure:
            states |= action.on(text, states)
        return states

    def up_to(self, name, version):
        """`name` of all on the page of this version; perhaps not of what was marked unread since."""
        texts = self.pages[version]
        since = frozenset(text for text in texts if self._unread_after.get(text, -1) >= version)
        return Action(name, texts, since)

    def sends(self, action):
        """To be told before the action is sent."""
        if action.name == "unread":
            for text in action.texts:
                self._unread_after[text] = self._version

    def may_be_applied(self, action):
        self._note(f"perhaps {action}")
        if action.name == "unread":
            for text in action.texts:
                self._unread_after[text] = _UNKNOWN_VERSION
        with self._lock:
            self._unsure.append((time.monotonic(), action))

    def is_applied(self, action, sent, counts):
        """The action that was sent at `sent` is acknowledged with `counts`."""
        self._note(f"did {action}: {counts}")
        with self._lock:
            self._possible = {
                text: action.on(text, self._states(text)) for text in self._possible
            }
            self._unsure = [
                (failed, other) for failed, other in self._unsure if failed + OVERTAKEN_S_MAX > sent
            ]
        self._advance("the answer to " + action.name, counts["version"])
        self._same(counts["version"], "counts", _counts_of(counts))

    def is_gone(self, text, by_us):
        """404: `by_us` when this very request may have been carried out twice."""
        self._note(f"404 for {text}")
        with self._lock:
            states = self._states(text)
            if GONE not in states and not by_us:
                raise WrongAnswer(f"{self.user}: {text} is said to be gone, it may be {states}")
            self._possible[text] = {GONE}

    def _note(self, line):
        self.history.append(f"{time.monotonic():.3f} {line}")

    @property
    def is_sure(self):
        return not self._unsure

    def settle_at(self):
        """When an acknowledged action would leave nothing in doubt."""
        return max((failed + OVERTAKEN_S_MAX for failed, _ in self._unsure), default=0.0)

    def waiting(self):
        """Messages that may not have come yet."""
        with self._lock:
            return [text for text, states in self._possible.items() if WAITS in states]

    def _advance(self, what, version):
        if version < self._version:
            raise WrongAnswer(f"{self.user}: {what} has version {version} after {self._version}")
        self._version = version

    def _same(self, version, kind, content):
        known = self._contents.setdefault((version, kind), content)
        if known != content:
            raise WrongAnswer(
                f"{self.user}: version {version} had {kind} {known}, has {content}"
            )

    def shows(self, what, page):
        """Takes a whole inbox and checks it against all that it may be."""
        what = f"{self.user}: {what}"
        check_page(what, dataclasses.asdict(page))
        shown = {item["text"]: _state_of(what, item) for item in page.items}
        if len(shown) != len(page.items):
            raise WrongAnswer(f"{what}: a message is there twice")
        times = [item["time"] for item in page.items]
        if times != sorted(times, reverse=True):
            raise WrongAnswer(f"{what}: not newest first: {times}")
        self._note(f"{what}: version {page.version}: {shown}")
        self._advance(what, page.version)
        self._same(page.version, "counts", _counts_of(page.counts))
        self._same(page.version, "rows", tuple(shown.items()))
        with self._lock:
            self._narrow(what, page, shown)
        self.page = page
        self.pages[page.version] = frozenset(shown)

    def _narrow(self, what, page, shown):
        if unknown := shown.keys() - self._possible.keys():
            raise WrongAnswer(f"{what}: nobody sent {sorted(unknown)[:3]}")
        for text in self._possible:
            states = self._states(text)
            if text in shown:
                found = {shown[text]}
            else:
                found = {WAITS, GONE} & states
            if not found & states:
                raise WrongAnswer(
                    f"{what}: version {page.version}: {text} is {shown.get(text, 'not there')}, "
                    f"may be {sorted(states)}; unsure {[a.name for _, a in self._unsure]}"
                )
            self._possible[text] = found


def _counts_of(counts):
    return tuple(counts[name] for name in ("total", "unread", "unseen"))


def _state_of(what, item):
    if item["read"] and not item["seen"]:
        raise WrongAnswer(f"{what}: {item['text']} is read and not seen")
    return READ if item["read"] else SEEN if item["seen"] else NEW
