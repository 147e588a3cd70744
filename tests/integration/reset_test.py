#!/usr/bin/env python3
"""`herald reset` on a real Kafka: what it deletes, what it refuses, and that Herald starts anew.

    reset_test.py [Class[.test_name] ...]
"""

import datetime
import subprocess
import time
import unittest

import check_inboxes
import scenario
import topics
from herald_process import HERALD, Herald, HeraldFailed, generate
from inbox_client import InboxClient
from scenario import POLL_S, WAIT_S, event, make_herald

COMMAND_TIMEOUT_S = 60
DONE, USAGE, UNREACHABLE, REFUSED = 0, 2, 3, 4
EVENTS = 3_000
USERS = 300
STALL_S = 30
SESSION_TIMEOUT_MS = 6_000


def setUpModule():
    scenario.start_kafka()


def tearDownModule():
    scenario.end_kafka()


def reset(herald, *arguments, brokers=None):
    """(exit code, lines of standard output, standard error) for the application of `herald`."""
    name = herald.directory.name
    command = [HERALD, "reset", "--brokers", brokers or scenario.kafka.brokers]
    command += ["--application-id", name, "--topic-prefix", f"{name}."]
    finished = subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
    )
    return finished.returncode, finished.stdout.splitlines(), finished.stderr


class Reset(unittest.TestCase):
    """Each test has an application and topics of its own."""

    def make(self, name, *arguments):
        herald = make_herald(name, *arguments)
        self.addCleanup(herald.kill9)
        self.prefix = f"{herald.directory.name}."
        self.changelog = f"{self.prefix}{herald.directory.name}-inbox-changelog"
        self.instances = f"{self.prefix}{herald.directory.name}-instances"
        return herald

    def send(self, *lines):
        topics.produce_lines(scenario.kafka.brokers, self.prefix + "events", lines, partition=0)

    def client(self, herald):
        client = InboxClient(herald.url)
        self.addCleanup(client.close)
        return client

    def wait_for_total(self, client, recipient, total):
        end = time.monotonic() + WAIT_S
        while (there := client.counts(recipient)["total"]) != total:
            self.assertLess(time.monotonic(), end, f"{recipient} has {there} items, not {total}")
            time.sleep(POLL_S)

    def texts(self, herald, recipient):
        client = InboxClient(herald.url)
        items, _ = client.inbox(recipient)
        client.close()
        return [item["text"] for item in items]

    def message(self, text, recipient="1"):
        return event(type="message", id=text, actor="2", target=recipient, text=text)

    def run_once_with(self, herald, *texts):
        """Starts it, sends messages to user 1, waits until they are there, and stops it."""
        herald.start()
        self.send(*(self.message(text) for text in texts))
        client = InboxClient(herald.url)
        self.wait_for_total(client, "1", len(texts))
        client.close()
        self.assertEqual(herald.stop()[0], 0)

    def internal_topics(self):
        there = topics.topic_partitions(scenario.kafka.brokers)
        return [name for name in (self.changelog, self.instances) if name in there]

    def test_inboxes_are_built_again_and_equal_the_oracle(self):
        directory = scenario.work / "generated"
        directory.mkdir()
        events, users, _ = generate(directory, 7, EVENTS, USERS)
        oracle = check_inboxes.build_oracle(events, users)
        herald = self.make("again", "--users", users)
        herald.start()
        self.send(*check_inboxes.read_lines(events))

        def differences():
            client = InboxClient(herald.url)
            found = check_inboxes.check_inboxes(client, oracle, STALL_S)
            client.close()
            return found

        self.assertEqual(differences(), [])

        code, said, why = reset(herald, "--yes")
        self.assertEqual(code, REFUSED, "it was done under a running Herald")
        self.assertIn("has members: i-", why)
        self.assertEqual(said, [])
        code, _, why = reset(herald, "--dry-run", "--state-dir", herald.state_dir)
        self.assertEqual(code, REFUSED)
        self.assertIn("in use", why)
        self.assertEqual(differences(), [])
        self.assertEqual(herald.stop()[0], 0)

        code, _, why = reset(herald)
        self.assertEqual(code, USAGE, "nobody was asked")
        self.assertIn("--yes", why)
        code, would, why = reset(herald, "--dry-run", "--state-dir", herald.state_dir)
        self.assertEqual((code, why), (DONE, ""))
        for line in (
            f"would delete group {herald.directory.name} with its positions",
            f"would delete topic {self.changelog}",
            f"would delete topic {self.instances}",
            f"would delete the rows of 4 tasks in {herald.state_dir}",
        ):
            self.assertIn(line, would)
        self.assertIn(f"would set {self.prefix}events[0]: {EVENTS} -> none", would)
        # One of events, four of notifications; nothing was ever read from the others.
        self.assertEqual(len([line for line in would if line.startswith("would set ")]), 5)
        self.assertEqual(
            reset(herald, "--dry-run", "--state-dir", herald.state_dir)[1],
            would,
            "a dry run changed something",
        )
        self.assertEqual(len(self.internal_topics()), 2)

        # Without the state directory: the old rows are refused, and a second run completes it.
        code, said, why = reset(herald, "--yes")
        self.assertEqual((code, why), (DONE, ""))
        self.assertIn(f"deleted topic {self.changelog}", said)
        self.assertIn("state directory is to be removed", said[-1])
        self.assertEqual(self.internal_topics(), [])
        with self.assertRaisesRegex(HeraldFailed, "topic id"):
            herald.start()
        code, said, why = reset(herald, "--yes", "--state-dir", herald.state_dir)
        self.assertEqual((code, why), (DONE, ""))
        self.assertIn(f"deleted the rows of 4 tasks in {herald.state_dir}", said)

        herald.start()
        self.assertEqual(differences(), [])

    def test_to_latest_leaves_empty_inboxes_that_get_what_comes(self):
        herald = self.make("latest")
        self.run_once_with(herald, "old 1", "old 2")
        code, said, why = reset(herald, "--yes", "--to-latest", "--state-dir", herald.state_dir)
        self.assertEqual((code, why), (DONE, ""))
        self.assertTrue(any(line.startswith(f"set {self.prefix}events[0]: ") for line in said))
        herald.start()
        self.assertEqual(self.texts(herald, "1"), [])
        self.send(self.message("new"))
        client = self.client(herald)
        self.wait_for_total(client, "1", 1)
        self.assertEqual(self.texts(herald, "1"), ["new"])
        self.assertEqual(client.counts("1")["unread"], 1)

    def test_to_datetime_begins_with_the_first_record_of_then_or_later(self):
        herald = self.make("datetime")
        herald.start()
        client = self.client(herald)
        self.send(self.message("before 1"), self.message("before 2"))
        self.wait_for_total(client, "1", 2)
        time.sleep(0.05)  # so that a moment lies between the records' timestamps
        moment_ms = scenario.now_ms()
        time.sleep(0.05)
        self.send(self.message("after 1"), self.message("after 2"))
        self.wait_for_total(client, "1", 4)
        self.assertEqual(herald.stop()[0], 0)

        moment = datetime.datetime.fromtimestamp(moment_ms / 1000, datetime.timezone.utc)
        iso = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        by_iso = reset(herald, "--dry-run", "--to-datetime", iso)
        self.assertEqual(by_iso, reset(herald, "--dry-run", "--to-datetime", moment_ms))
        self.assertIn(f"would set {self.prefix}events[0]: 4 -> 2", by_iso[1])
        # Behind the last record there is nothing: as --to-latest.
        self.assertEqual(
            reset(herald, "--dry-run", "--to-datetime", "2999-01-01T00:00:00Z"),
            reset(herald, "--dry-run", "--to-latest"),
        )
        self.assertEqual(
            reset(herald, "--dry-run", "--to-datetime", "0"),
            reset(herald, "--dry-run", "--to-earliest"),
        )

        code, _, why = reset(herald, "--yes", "--to-datetime", iso, "--state-dir", herald.state_dir)
        self.assertEqual((code, why), (DONE, ""))
        herald.start()
        client = self.client(herald)
        self.wait_for_total(client, "1", 2)
        self.assertEqual(self.texts(herald, "1"), ["after 2", "after 1"])

    def test_a_killed_instance_is_a_member_until_its_session_is_over(self):
        herald = self.make("killed", "--session-timeout-ms", SESSION_TIMEOUT_MS)
        herald.start()
        herald.kill9()
        code, _, why = reset(herald, "--yes")
        self.assertEqual(code, REFUSED)
        self.assertIn("has members: i-", why)
        self.assertIn("--session-timeout-ms", why)
        end = time.monotonic() + WAIT_S
        while code == REFUSED and time.monotonic() < end:
            time.sleep(POLL_S)
            code, _, why = reset(herald, "--yes")
        self.assertEqual((code, why), (DONE, ""))

    def test_another_application_on_the_same_topics_is_left_alone(self):
        herald = self.make("ours")
        self.run_once_with(herald, "a message")
        name = herald.directory.name
        where = ["--brokers", scenario.kafka.brokers, "--topic-prefix", self.prefix]
        other = Herald(scenario.work / f"{name}-2", *where, "--application-id", f"{name}-2")
        self.addCleanup(other.kill9)
        other.start()
        client = self.client(other)
        self.wait_for_total(client, "1", 1)
        code, said, why = reset(herald, "--yes", "--state-dir", herald.state_dir)
        self.assertEqual((code, why), (DONE, ""))
        self.assertFalse([line for line in said if f"{name}-2" in line])
        there = topics.topic_partitions(scenario.kafka.brokers)
        self.assertIn(f"{self.prefix}{name}-2-inbox-changelog", there)
        self.send(self.message("another"))
        self.wait_for_total(client, "1", 2)
        self.assertTrue(other.running())

    def test_says_what_is_missing(self):
        herald = self.make("never")
        code, _, why = reset(herald, "--yes")
        self.assertEqual(code, REFUSED)
        self.assertIn(self.prefix, why)
        code, _, why = reset(
            herald, "--yes", "--broker-timeout-ms", "1000", brokers="127.0.0.1:1"
        )
        self.assertEqual(code, UNREACHABLE)
        self.assertIn("127.0.0.1:1", why)


if __name__ == "__main__":
    unittest.main(verbosity=2)
