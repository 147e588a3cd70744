#!/usr/bin/env python3
"""A client and a producer written for kafka-notify, unchanged, against Herald on a real Kafka.

    seed_client_test.py [Class[.test_name] ...]

The client sends forms to one port and polls another; the producer writes its records straight to
topic `notifications`, with whatever partitioner its library has.
"""

import json
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import scenario
import topics
from inbox_client import InboxClient
from instances import partition_for_key
from scenario import POLL_S, WAIT_S, make_herald

PARTITIONS = 6
REQUEST_TIMEOUT_S = 30
JSON_TYPE = "application/json; charset=utf-8"
NOTHING = b'{"message":"No notifications found for user","notifications":[]}'
SENT = b'{"message":"Notification sent successfully!"}'
NAMES = {1: "Emma", 2: "Bruno", 3: "Rick", 4: "Lena"}
CRC32 = ()  # kcat's own choice
MURMUR2 = ("partitioner=murmur2_random",)


def setUpModule():
    scenario.start_kafka()


def tearDownModule():
    scenario.end_kafka()


def text_of(value):
    """JSON text as that system writes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode("utf-8")


def row(sender, receiver, message):
    return {
        "from": {"id": sender, "name": NAMES[sender]},
        "to": {"id": receiver, "name": NAMES[receiver]},
        "message": message,
    }


def page(rows):
    return text_of({"notifications": rows}) if rows else NOTHING


class SeedClient:
    """Two addresses, forms, and a poll: all that the client of that system knows."""

    def __init__(self, send_url, read_url):
        self._send_url = send_url
        self._read_url = read_url

    @staticmethod
    def _open(request):
        """(status, Content-Type, body bytes)"""
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as response:
                return response.status, response.headers["Content-Type"], response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read()

    def send(self, **fields):
        form = urllib.parse.urlencode(fields).encode("ascii")
        return self._open(urllib.request.Request(self._send_url + "/send", data=form))

    def read(self, user):
        return self._open(f"{self._read_url}/notifications/{user}")


class WithTwoPorts(unittest.TestCase):
    """Each class has a Herald of its own that listens twice."""

    @classmethod
    def setUpClass(cls):
        cls.prefix = f"{cls.__name__.lower()}."
        users = scenario.work / "users.ndjson"
        users.write_bytes(scenario.USERS)
        cls.herald = make_herald(
            cls.__name__.lower(),
            *("--users", users, "--partitions", PARTITIONS, "--listen", "127.0.0.1:0"),
            prefix=cls.prefix,
        )
        cls.addClassCleanup(cls.herald.kill9)
        cls.herald.start()
        first, second = cls.herald.ready["http"]
        cls.client = SeedClient(f"http://{first}", f"http://{second}")
        cls.metrics = InboxClient(second)
        cls.addClassCleanup(cls.metrics.close)

    def wait_for(self, user, rows):
        """Polls until the user has so many rows; what was served then is just these."""
        end = time.monotonic() + WAIT_S
        while True:
            status, content_type, body = self.client.read(user)
            self.assertEqual((status, content_type), (200, JSON_TYPE), body)
            if len(json.loads(body)["notifications"]) >= len(rows):
                break
            self.assertLess(time.monotonic(), end, f"{body}\n{self.herald.log_tail()}")
            time.sleep(POLL_S)
        self.assertEqual(body, page(rows))

    def rows_of(self, user):
        return json.loads(self.client.read(user)[2])["notifications"]

    def send(self, rows, sender, receiver, message):
        """Sends one and waits until it is there, so that the next is younger."""
        answer = self.client.send(fromID=sender, toID=receiver, message=message)
        self.assertEqual(answer, (200, JSON_TYPE, SENT))
        rows.append(row(sender, receiver, message))
        self.wait_for(receiver, rows)

    def repartitioned(self):
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in self.metrics.text("/metrics").splitlines()
            if line.startswith("herald_records_repartitioned_total")
        )


class Client(WithTwoPorts):
    def test_what_is_sent_is_read_oldest_first(self):
        self.assertEqual(self.client.read(1), (200, JSON_TYPE, NOTHING))
        rows = []
        self.send(rows, 2, 1, "Bruno started following you.")
        self.send(rows, 4, 1, "Lena liked your post: 'My weekend getaway!'")
        self.send(rows, 1, 1, "a note to myself")
        self.send(rows, 3, 1, 'a <b> & "c" \\ \u00fc \U0001f600 \n end')
        self.send(rows, 3, 1, "")
        self.assertEqual(self.client.read(4), (200, JSON_TYPE, NOTHING))

    def test_what_cannot_be_sent_is_refused_in_its_words(self):
        parse = "failed to parse ID from form value {}: strconv.Atoi: parsing \"{}\": {}"
        syntax, size = "invalid syntax", "value out of range"
        big = "9" * 20
        for fields, status, message in (
            ({}, 400, parse.format("fromID", "", syntax)),
            ({"toID": 1}, 400, parse.format("fromID", "", syntax)),
            ({"fromID": 2}, 400, parse.format("toID", "", syntax)),
            ({"fromID": "abc", "toID": 1}, 400, parse.format("fromID", "abc", syntax)),
            ({"fromID": 2, "toID": big}, 400, parse.format("toID", big, size)),
            ({"fromID": 2, "toID": 99}, 404, "User not found"),
            ({"fromID": 99, "toID": 1}, 404, "User not found"),
        ):
            with self.subTest(fields=fields):
                answer = self.client.send(message="x", **fields)
                self.assertEqual(answer, (status, JSON_TYPE, text_of({"message": message})))

    def test_an_id_that_nobody_has_reads_nothing(self):
        self.assertEqual(self.client.read(99), (200, JSON_TYPE, NOTHING))
        self.assertEqual(self.client.read("Emma"), (200, JSON_TYPE, NOTHING))

    def test_the_page_is_there_again_after_kill_9(self):
        rows = []
        self.send(rows, 2, 3, "before")
        self.herald.kill9()
        self.herald.start()
        first, second = self.herald.ready["http"]
        type(self).client = SeedClient(f"http://{first}", f"http://{second}")
        self.wait_for(3, rows)
        self.send(rows, 2, 3, "and after")


class Producer(WithTwoPorts):
    """Records of the form of that system, written straight to topic `notifications`."""

    def produce(self, rows, sender, receiver, message, properties):
        rows.append(row(sender, receiver, message))
        topics.produce(
            scenario.kafka.brokers,
            self.prefix + "notifications",
            text_of(rows[-1]),
            key=str(receiver),
            properties=properties,
        )
        self.wait_for(receiver, rows)

    def misplaced(self):
        """How many records lie in another partition than Kafka's own clients would choose."""
        return sum(
            record.partition != partition_for_key(record.key.decode("utf-8"), PARTITIONS)
            for record in topics.read_topic(scenario.kafka.brokers, self.prefix + "notifications")
        )

    def test_records_of_any_partitioner_are_read_oldest_first(self):
        for receiver in NAMES:
            rows = self.rows_of(receiver)
            for number, properties in enumerate((CRC32, MURMUR2, CRC32, CRC32, MURMUR2)):
                sender = 1 + (receiver + number) % len(NAMES)
                self.produce(rows, sender, receiver, f"<{number}> to {receiver}", properties)
            if receiver == 1:  # and what comes the other way stands among them
                self.send(rows, 2, 1, "by form")
                self.produce(rows, 3, 1, "after it", CRC32)
        misplaced = self.misplaced()
        self.assertGreater(misplaced, 0, "CRC32 and murmur2 agree for all of these keys")
        self.assertEqual(self.repartitioned(), misplaced)

    def test_a_record_that_is_none_stops_nobody(self):
        rows = self.rows_of(2)
        for value in (b"", b"{", b'{"from":1}', b'{"from":{"id":2},"to":{},"message":"x"}'):
            topics.produce(
                scenario.kafka.brokers, self.prefix + "notifications", value, key="2"
            )
        self.produce(rows, 4, 2, "behind them", MURMUR2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
