#!/usr/bin/env python3
"""Trouble at start and at the end, the real program on a real Kafka: one test for each sentence.

    trouble_test.py [Class[.test_name] ...]
"""

import os
import signal
import socket
import time
import unittest

import scenario
import topics
from herald_process import STOP_TIMEOUT_S, Kafka, free_port
from inbox_client import InboxClient
from scenario import POLL_S, WAIT_S, event, lag_by_partition, make_herald, serial

REFUSED_WITHIN_S = 30


def setUpModule():
    scenario.start_kafka()


def tearDownModule():
    scenario.end_kafka()


class Refused(unittest.TestCase):
    """What must not start: it ends non-zero, says why, and was never ready."""

    def refuse(self, herald, *words, within_s=REFUSED_WITHIN_S):
        self.addCleanup(herald.kill9)
        herald.launch()
        code = herald.wait(within_s)
        log = herald.log()
        self.assertGreater(code, 0, log)
        self.assertFalse(herald.ready_file.exists())
        for word in words:
            self.assertIn(str(word).lower(), log.lower())
        return log

    def test_a_broker_that_is_not_there(self):
        address = f"127.0.0.1:{free_port()}"
        herald = make_herald("nobroker", "--broker-timeout-ms", "3000", brokers=address)
        began = time.monotonic()
        self.refuse(herald, address)
        self.assertGreaterEqual(time.monotonic() - began, 2.9, "it did not try again")

    def test_a_state_directory_in_use(self):
        first = make_herald("first")
        self.addCleanup(first.kill9)
        first.start()
        second = make_herald("second", "--state-dir", first.state_dir)
        self.refuse(second, first.state_dir, "use")
        self.assertTrue(first.running())

    def test_a_state_directory_that_cannot_be_made(self):
        in_the_way = scenario.work / f"file-{next(serial)}"
        in_the_way.write_text("not a directory")
        herald = make_herald("nodir", "--state-dir", in_the_way / "state")
        self.refuse(herald, in_the_way)

    def test_a_state_directory_that_is_not_writable(self):
        nobody = 65534 if os.geteuid() == 0 else None  # root may write anywhere
        herald = make_herald("readonly", user=nobody)
        herald.state_dir.mkdir()
        herald.state_dir.chmod(0o555)
        self.addCleanup(herald.state_dir.chmod, 0o755)
        self.refuse(herald, herald.state_dir)

    def test_a_state_directory_of_another_cluster(self):
        herald = make_herald("moved")
        self.addCleanup(herald.kill9)
        herald.start()
        self.assertEqual(herald.stop()[0], 0)
        with Kafka(scenario.work / "other-kafka") as other:
            second = make_herald("elsewhere", "--state-dir", herald.state_dir, brokers=other.brokers)
            self.refuse(second, scenario.kafka.cluster_id(), other.cluster_id())

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.refuse(make_herald("port", listen=address), address, "use")

    def test_topics_with_a_wrong_clean_up_policy(self):
        for topic, policy in (
            ("users", "delete"),
            ("notifications", "compact"),
            ("events", "compact"),
            ("dead-letters", "compact"),
        ):
            with self.subTest(topic=topic):
                prefix = f"policy-{next(serial)}."
                scenario.kafka.create_topic(prefix + topic, 4, cleanup_policy=policy)
                self.refuse(make_herald("policy", prefix=prefix), prefix + topic, "policy")

    def test_a_changelog_with_a_wrong_clean_up_policy(self):
        herald = make_herald("changelog")
        name = herald.directory.name
        scenario.kafka.create_topic(f"{name}.{name}-inbox-changelog", 4, cleanup_policy="delete")
        self.refuse(herald, f"{name}-inbox-changelog", "policy")

    def test_unequal_counts_of_notifications_and_inbox_actions(self):
        prefix = f"unequal-{next(serial)}."
        scenario.kafka.create_topic(prefix + "notifications", 3)
        scenario.kafka.create_topic(prefix + "inbox-actions", 5)
        self.refuse(
            make_herald("unequal", prefix=prefix),
            prefix + "notifications",
            prefix + "inbox-actions",
            "3",
            "5",
        )


class Accepted(unittest.TestCase):
    def start(self, herald):
        self.addCleanup(herald.kill9)
        herald.start()
        return herald

    def test_a_missing_one_of_the_two_topics_gets_the_others_count(self):
        prefix = f"missing-{next(serial)}."
        scenario.kafka.create_topic(prefix + "inbox-actions", 3)
        self.start(make_herald("missing", prefix=prefix))
        self.assertEqual(topics.topic_partitions(scenario.kafka.brokers)[prefix + "notifications"], 3)

    def test_events_may_have_any_count(self):
        prefix = f"events-{next(serial)}."
        scenario.kafka.create_topic(prefix + "events", 7)
        herald = self.start(make_herald("events", prefix=prefix))
        counts = topics.topic_partitions(scenario.kafka.brokers)
        self.assertEqual((counts[prefix + "events"], counts[prefix + "notifications"]), (7, 4))
        client = InboxClient(herald.url)
        self.addCleanup(client.close)
        lags = lag_by_partition(client)  # there for every assigned partition before ready
        self.assertEqual(sum(topic == prefix + "events" for topic, _ in lags), 7)
        self.assertEqual(sum(topic == prefix + "notifications" for topic, _ in lags), 4)

    def test_a_broker_that_comes_late_is_waited_for(self):
        late = Kafka(scenario.work / "late-kafka")
        late.start()
        self.addCleanup(late.__exit__)
        late.stop()
        herald = make_herald("late", "--broker-timeout-ms", "60000", brokers=late.brokers)
        self.addCleanup(herald.kill9)
        herald.launch()
        end = time.monotonic() + WAIT_S
        while late.brokers not in herald.log():  # it says what it waits for
            self.assertTrue(herald.running(), herald.log_tail())
            self.assertLess(time.monotonic(), end, herald.log_tail())
            time.sleep(POLL_S)
        late.start()
        herald.wait_ready()

    def test_a_ready_file_left_by_kill_9_is_removed_at_start(self):
        herald = self.start(make_herald("stale"))
        herald.kill9()
        self.assertTrue(herald.ready_file.exists())
        absent = make_herald("absent", "--broker-timeout-ms", "2000", brokers="127.0.0.1:1")
        herald.ready_file.rename(absent.ready_file)
        self.addCleanup(absent.kill9)
        absent.launch(keep_ready_file=True)
        self.assertGreater(absent.wait(REFUSED_WITHIN_S), 0)
        self.assertFalse(absent.ready_file.exists())


class Stopping(unittest.TestCase):
    def stop_in_time(self, herald, sig):
        code, seconds = herald.stop(sig)
        self.assertEqual(code, 0, herald.log_tail())
        self.assertLess(seconds, STOP_TIMEOUT_S)

    def test_sigterm_and_sigint_end_it_with_0_in_time(self):
        herald = make_herald("stop")
        self.addCleanup(herald.kill9)
        for sig in (signal.SIGTERM, signal.SIGINT):
            herald.start()
            self.stop_in_time(herald, sig)

    def test_sigterm_ends_it_with_0_in_time_also_when_the_broker_is_gone(self):
        with Kafka(scenario.work / f"gone-kafka-{next(serial)}") as gone:
            herald = make_herald("gone", brokers=gone.brokers)
            self.addCleanup(herald.kill9)
            herald.start()
            lines = [event(type="follow", actor=n, target="1") for n in range(2, 1000)]
            topics.produce_lines(gone.brokers, f"{herald.directory.name}.events", lines)
            gone.stop()
            self.stop_in_time(herald, signal.SIGTERM)


class Outage(unittest.TestCase):
    """Kafka goes while Herald runs, and comes back."""

    OUTAGES = 3

    def wait_for(self, herald, client, path, status):
        end = time.monotonic() + WAIT_S
        while client.request("GET", path)[0] != status:
            self.assertTrue(herald.running(), herald.log_tail())
            self.assertLess(time.monotonic(), end, herald.log_tail())
            time.sleep(POLL_S)

    def test_herald_goes_on_when_kafka_is_back(self):
        with Kafka(scenario.work / f"outage-kafka-{next(serial)}") as kafka:
            herald = make_herald("outage", "--session-timeout-ms", "6000", brokers=kafka.brokers)
            self.addCleanup(herald.kill9)
            herald.start()
            client = InboxClient(herald.url)
            self.addCleanup(client.close)
            for outage in range(1, self.OUTAGES + 1):
                kafka.stop()
                # Longer than the session, so that what it had is given up and found again.
                self.wait_for(herald, client, "/health/ready", 503)
                kafka.start()
                self.wait_for(herald, client, "/health/ready", 200)
                topics.produce_lines(
                    kafka.brokers,
                    f"{herald.directory.name}.events",
                    [event(type="follow", actor=outage + 1, target="1")],
                )
                end = time.monotonic() + WAIT_S
                while client.counts("1")["total"] != outage:
                    self.assertTrue(herald.running(), herald.log_tail())
                    self.assertLess(time.monotonic(), end, herald.log_tail())
                    time.sleep(POLL_S)
            self.assertEqual(herald.stop()[0], 0, herald.log_tail())


if __name__ == "__main__":
    unittest.main(verbosity=2)
