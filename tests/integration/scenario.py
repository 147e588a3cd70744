"""What the tests of trouble share: one Kafka for a file of tests, on which Heralds run side by side.

A test file calls start_kafka() and end_kafka() from its setUpModule and tearDownModule.
"""

import itertools
import json
import pathlib
import re
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "oracle"))

import compare
import topics
from herald_process import Herald, Kafka, make_work_dir, remove_work_dir
from inbox_client import InboxClient
from oracle import Oracle, read_users

POLL_S = 0.02
WAIT_S = 30
MIB = 1024 * 1024
USERS = b"""{"id":1,"name":"Emma"}
{"id":"2","name":"Bruno","handle":"bruno","avatar_url":"https://img.example.com/2.png"}
{"id":"3","name":"Rick"}
{"id":"4","name":"Lena"}
"""

TRACE_PARENT = r"^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$"

work = None
kafka = None
serial = itertools.count(1)


def start_kafka():
    global work, kafka
    work = make_work_dir()
    print(f"working directory {work}", file=sys.stderr)
    kafka = Kafka(work / "kafka")
    kafka.start()


def end_kafka():
    kafka.__exit__()
    remove_work_dir(work)


def now_ms():
    return int(time.time() * 1000)


def event(**fields):
    """A raw event of a moment ago."""
    fields.setdefault("time", now_ms() - 60_000)
    return json.dumps(fields, ensure_ascii=False).encode("utf-8")


def make_herald(name, *arguments, brokers=None, prefix=None, **options):
    """A Herald of its own topics, application id and directory; not started."""
    name = f"{name}-{next(serial)}"
    where = ["--brokers", brokers or kafka.brokers, "--application-id", name]
    where += ["--topic-prefix", f"{name}." if prefix is None else prefix]
    return Herald(work / name, *where, *arguments, **options)


def lag_by_partition(client):
    """{(topic, partition): lag}"""
    lags = {}
    for line in client.text("/metrics").splitlines():
        if line.startswith("herald_consumer_lag_records{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            lags[labels["topic"], int(labels["partition"])] = float(line.rsplit(" ", 1)[1])
    return lags


class WithHerald(unittest.TestCase):
    """One Herald for all tests of a class; each test has recipients of its own."""

    arguments = ()  # further ones

    @classmethod
    def setUpClass(cls):
        cls.prefix = f"{cls.__name__.lower()}."
        kafka.create_topic(cls.prefix + "events", 4, max_message_bytes=4 * MIB)
        users = work / "users.ndjson"
        users.write_bytes(USERS)
        cls.users = read_users(USERS.splitlines())
        cls.herald = make_herald(
            cls.__name__.lower(), "--users", users, *cls.arguments, prefix=cls.prefix
        )
        cls.addClassCleanup(cls.herald.kill9)
        cls.herald.start()
        cls.client = InboxClient(cls.herald.url)
        cls.addClassCleanup(cls.client.close)

    def someone(self, name="user"):
        """An id that no other test uses."""
        return f"{name}-{next(serial)}"

    def send(self, *lines):
        """Produces the lines to one partition, so that Herald reads them in this order."""
        topics.produce_lines(kafka.brokers, self.prefix + "events", lines, partition=0)

    def settle(self, recipient):
        """Waits until all that was sent before has reached `recipient`; their rows, newest first.

        A last message travels behind the events before it, in the same partitions.
        """
        mark = f"mark-{next(serial)}"
        self.send(event(type="message", id=mark, actor="2", target=recipient, text=mark))
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            items, _ = self.client.inbox(recipient)
            if any(item["text"] == mark for item in items):
                return [item for item in items if not (item["text"] or "").startswith("mark-")]
            time.sleep(POLL_S)
        self.fail(f"the event behind it did not come:\n{self.herald.log_tail()}")

    def dead_letters(self, value):
        """The dead letters of just these bytes."""
        return [
            record
            for record in topics.read_topic(kafka.brokers, self.prefix + "dead-letters")
            if record.value == value
        ]

    def expect_refused(self, *lines):
        """Each line becomes one dead letter that says why, and the stream goes on."""
        self.send(*lines)
        self.settle(self.someone())
        for line in lines:
            with self.subTest(line=line[:100]):
                letters = self.dead_letters(line)
                self.assertEqual(len(letters), 1)
                self.check_headers(letters[0])

    def check_headers(self, letter):
        headers = letter.headers
        self.assertTrue(headers.get("reason"), headers)
        self.assertIn(headers.get("stage"), ("decode-event", "route-to-recipients"))
        self.assertEqual(headers.get("topic"), self.prefix + "events")
        for name in ("partition", "offset", "timestamp"):
            self.assertRegex(headers.get(name, ""), r"^\d+$", headers)
        self.assertRegex(headers.get("traceparent", ""), TRACE_PARENT)

    def expect_as_oracle(self, recipient, lines):
        """The inbox of `recipient` after these lines is the oracle's."""
        self.send(*lines)
        items = self.settle(recipient)
        oracle = Oracle(self.users)
        for line in lines:
            oracle.add(line)
        total = len(items)
        counts = {"total": total, "unread": total, "unseen": total}
        self.assertEqual(
            compare.inbox_differences(recipient, oracle.inbox(recipient), items, counts), []
        )
        return items

    def metric_sum(self, name, must_contain=""):
        """The sum of a metric's samples whose labels contain a text."""
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in self.client.text("/metrics").splitlines()
            if re.match(re.escape(name) + r"[{ ]", line) and must_contain in line
        )
