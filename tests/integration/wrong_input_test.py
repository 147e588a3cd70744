#!/usr/bin/env python3
"""Wrong input, against the real program on a real Kafka: one test for each sentence.

    wrong_input_test.py [Class[.test_name] ...]
"""

import itertools
import json
import os
import signal
import subprocess
import time
import unittest

import metrics_page
import scenario
import topics
from herald_process import HERALD
from oracle import format_time
from scenario import MIB, POLL_S, WAIT_S, WithHerald, event, lag_by_partition, now_ms, serial

DAY_MS = 24 * 3600 * 1000


def setUpModule():
    scenario.start_kafka()


def tearDownModule():
    scenario.end_kafka()


class WrongRecords(WithHerald):
    arguments = ("--log-format", "json")

    def test_the_log_is_json_and_names_the_record_and_its_trace(self):
        value = event(type="poke", actor="2", target="1")
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        topic = self.prefix + "events"
        headers = [f"traceparent={parent}"]
        topics.produce(scenario.kafka.brokers, topic, value, partition=0, headers=headers)
        self.settle(self.someone())
        letter = self.dead_letters(value)[0]
        self.assertEqual(letter.headers["traceparent"], parent)
        lines = [json.loads(line) for line in self.herald.log().splitlines()]
        for line in lines:
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(line["level"], ("info", "warn", "error"))
            self.assertTrue(line["component"] and line["message"], line)
        of_the_record = {
            "level": "warn",
            "message": "record refused: unknown-type",
            "task": "0_0",
            "topic": topic,
            "partition": 0,
            "offset": int(letter.headers["offset"]),
            "trace_id": parent.split("-")[1],
        }
        self.assertTrue(
            any(of_the_record.items() <= line.items() for line in lines), self.herald.log_tail()
        )

    def test_what_is_not_json_is_a_dead_letter(self):
        good = event(type="follow", actor="2", target="1")
        self.expect_refused(b"this is not json", b"{", good[:-1], good + b"x", b"   ")

    def test_json_of_the_wrong_shape_is_a_dead_letter(self):
        self.expect_refused(
            b"[]",
            b"42",
            b'"text"',
            b"null",
            b"{}",
            event(actor="2", target="1"),
            event(type="follow", target="1"),
            event(type="follow", actor="2"),
            event(type="follow", actor="", target="1"),
            event(type="follow", actor=True, target="1"),
            event(type="follow", actor="2", target={"id": "1"}),
            event(type="follow", actor="2", targets=[]),
            event(type="follow", actor="2", target="1", time="yesterday"),
        )

    def test_broken_json_behind_the_known_fields_is_a_dead_letter(self):
        start = b'{"type":"follow","actor":"2","target":"1","extra":'
        self.expect_refused(start + b"nope}", start + b"[1,}", start + b'{"a"}}', start + b'"\t"}')

    def test_a_null_value_is_one_dead_letter_with_its_key(self):
        key = self.someone("key")
        topics.produce_null(scenario.kafka.brokers, self.prefix + "events", key=key, partition=0)
        self.settle(self.someone())
        letters = [
            record
            for record in topics.read_topic(scenario.kafka.brokers, self.prefix + "dead-letters")
            if record.key == key.encode()
        ]
        self.assertEqual(len(letters), 1)
        self.assertFalse(letters[0].value)
        self.check_headers(letters[0])

    def dead_letters_command(self, name, *arguments, code=0):
        where = ["--brokers", scenario.kafka.brokers, "--topic-prefix", self.prefix]
        finished = subprocess.run(
            [HERALD, "dead-letters", name, *where, *arguments],
            capture_output=True,
            timeout=WAIT_S,
        )
        self.assertEqual(finished.returncode, code, finished.stderr)
        return finished.stdout

    def test_dead_letters_are_listed_shown_replayed_once_and_dropped(self):
        line = event(type="poke", actor="2", target="1", id=self.someone())
        self.expect_refused(line)
        (letter,) = self.dead_letters(line)
        name = f"{letter.partition}/{letter.offset}"

        def listed(*more):
            offset = ["--offset", letter.headers["offset"], "--partition", "0"]
            answer = self.dead_letters_command("list", "--json", *offset, *more)
            return [(row["letter"], row["handled"]) for row in json.loads(answer)["dead_letters"]]

        self.assertEqual(listed("--reason", "unknown-type"), [(name, None)])
        self.assertEqual(self.dead_letters_command("show", name, "--raw"), line)
        self.assertIn(b"would replay 1 ", self.dead_letters_command("replay", name, "--dry-run"))
        for said in (b"replayed 1 dead letters\n", b"replayed 0 dead letters\n"):
            self.assertEqual(self.dead_letters_command("replay", name, "--yes"), said)
        self.settle(self.someone())
        self.assertEqual(listed("--handled"), [(name, "replayed")])
        # Refused again, it is another dead letter, which knows where it was first.
        first, again = self.dead_letters(line)
        self.assertEqual(first, letter)
        place = "/".join(letter.headers[part] for part in ("partition", "offset", "timestamp"))
        self.assertEqual(again.headers["herald-replayed"], place)
        name = f"{again.partition}/{again.offset}"
        self.assertEqual(
            self.dead_letters_command("drop", name, "--yes"), b"dropped 1 dead letters\n"
        )
        self.dead_letters_command("show", f"{again.partition}/{10**9}", code=4)

    def test_the_original_key_stays_with_a_dead_letter(self):
        value, key = b"not json but with a key", self.someone("key")
        topics.produce(scenario.kafka.brokers, self.prefix + "events", value, key=key, partition=0)
        self.settle(self.someone())
        self.assertEqual([r.key for r in self.dead_letters(value)], [key.encode()])

    def test_invalid_utf8_is_a_dead_letter_with_its_bytes(self):
        start = b'{"type":"message","id":"x","actor":"2","target":"1","text":"'
        self.expect_refused(
            start + b'\xff"}', start + b'\xc0\x80"}', start + b'\xed\xa0\x80"}', b"\xfe\xff\x00x"
        )

    def test_any_bytes_at_all_come_back_as_they_were(self):
        value = bytes(range(256)) * 2
        topics.produce(scenario.kafka.brokers, self.prefix + "events", value, partition=0)
        self.settle(self.someone())
        self.assertEqual(len(self.dead_letters(value)), 1)

    def test_a_record_of_2_mb_is_a_dead_letter_of_its_first_512_kib(self):
        head = b'{"type":"message","id":"big","actor":"2","target":"1","text":"'
        value = head + str(next(serial)).encode() + b"x" * (2 * MIB) + b'"}'
        topics.produce(
            scenario.kafka.brokers,
            self.prefix + "events",
            value,
            partition=0,
            properties=["message.max.bytes=4000000"],
        )
        self.settle(self.someone())
        letters = self.dead_letters(value[: 512 * 1024])
        self.assertEqual(len(letters), 1)
        self.check_headers(letters[0])
        self.assertEqual(letters[0].headers.get("truncated"), str(len(value)))

    def test_an_unknown_type_is_a_dead_letter(self):
        self.expect_refused(
            event(type="poke", actor="2", target="1"), event(type="Follow", actor="2", target="1")
        )

    def test_10001_targets_are_refused_and_10000_are_all_reached(self):
        last = self.someone("target")
        names = [f"{last}-{n}" for n in range(10_000)]
        self.expect_refused(event(type="follow", actor="2", targets=[*names, last]))
        self.send(event(type="follow", actor="2", targets=names))
        for name in (names[0], names[4_999], names[9_999]):
            self.assertEqual(
                [item["message"] for item in self.settle(name)], ["Bruno started following you."]
            )

    def test_more_than_16_mib_of_output_is_a_dead_letter_and_nobody_gets_a_part_of_it(self):
        first = self.someone("target")
        names = [f"{first}-{n}" for n in range(10_000)]
        self.expect_refused(
            event(type="message", id=first, actor="2", targets=names, text="x" * 4096)
        )
        for name in (names[0], names[9_999]):
            self.assertEqual(self.settle(name), [])

    def test_a_time_a_year_ahead_is_a_dead_letter(self):
        self.expect_refused(
            event(type="follow", actor="2", target="1", time=now_ms() + 365 * DAY_MS)
        )

    def test_a_time_13_months_ago_is_delivered_and_stays(self):
        user = self.someone()
        old_ms = now_ms() - 396 * DAY_MS
        line = event(type="follow", actor="2", target=user, time=old_ms)
        self.expect_as_oracle(user, [line])
        stamps = [
            record.timestamp_ms
            for record in topics.read_topic(scenario.kafka.brokers, self.prefix + "notifications")
            if record.key == user.encode() and b'"follow"' in record.value
        ]
        self.assertEqual(len(stamps), 1)
        self.assertLess(abs(stamps[0] - now_ms()), 120_000, "Kafka's timestamp is the wall clock")

    def test_dead_letters_are_counted_by_reason(self):
        before = self.metric_sum("herald_dead_letters_total", "reason=")
        self.expect_refused(b"neither json nor counted yet")
        self.assertEqual(self.metric_sum("herald_dead_letters_total", "reason="), before + 1)


class Meaning(WithHerald):
    def test_an_unknown_actor_is_delivered_as_someone_and_counted(self):
        user = self.someone()
        before = self.metric_sum("herald_unknown_actors_total")
        items = self.expect_as_oracle(
            user, [event(type="follow", actor=self.someone("ghost"), target=user)]
        )
        self.assertIsNone(items[0]["actor"]["name"])
        self.assertEqual(items[0]["message"], "Someone started following you.")
        self.assertEqual(self.metric_sum("herald_unknown_actors_total"), before + 1)

    def test_nobody_is_notified_of_what_they_do_themselves(self):
        user = self.someone()
        thing = {"type": "post", "id": "p", "title": "Mine"}
        lines = [
            event(type="follow", actor=user, target=user),
            event(type="like", actor=user, target=user, object=thing),
            event(type="mention", actor=user, targets=[user], object=thing),
        ]
        self.assertEqual(self.expect_as_oracle(user, lines), [])
        for line in lines:
            self.assertEqual(self.dead_letters(line), [])

    def test_a_message_to_oneself_is_delivered(self):
        user = self.someone()
        line = event(type="message", id=user, actor=user, target=user, text="do not forget")
        self.assertEqual(len(self.expect_as_oracle(user, [line])), 1)

    def test_an_exact_repeat_changes_nothing_that_is_visible(self):
        user = self.someone()
        lines = [
            event(type="follow", actor="2", target=user),
            event(type="like", actor="2", target=user, object={"id": "p1"}),
            event(type="message", id=user, actor="2", target=user, text="once"),
            event(type="mention", id=user, actor="2", target=user, text="once"),
        ]
        first = self.expect_as_oracle(user, lines)
        version = self.client.counts(user)["version"]
        self.send(*lines)
        self.assertEqual(self.settle(user), first)
        # The one change is the message that settle() sends.
        self.assertEqual(self.client.counts(user)["version"], version + 1)

    def test_an_undo_of_nothing_changes_neither_counts_nor_version(self):
        user = self.someone()
        self.settle(user)
        before = self.client.counts(user)
        self.send(
            event(type="unfollow", actor="2", target=user),
            event(type="unlike", actor="2", target=user, object={"id": "p"}),
            event(type="unmention", actor="2", target=user, undo_of="never"),
        )
        self.assertEqual(self.settle(user), [])
        after = self.client.counts(user)
        self.assertEqual(after["total"], before["total"] + 1)  # settle()'s message
        self.assertEqual(after["version"], before["version"] + 1)

    def test_the_latest_time_decides_in_every_order(self):
        user = self.someone()
        at = now_ms() - 3_600_000
        lines = []
        for chain in (("like", "unlike"), ("like", "unlike", "like"), ("unlike", "like", "unlike")):
            for order in itertools.permutations(enumerate(chain)):
                thing = {"type": "post", "id": f"p{next(serial)}", "title": "T"}
                lines += [
                    event(type=kind, actor="4", target=user, object=thing, time=at + step)
                    for step, kind in order
                ]
        self.assertEqual(len(self.expect_as_oracle(user, lines)), 6)

    def test_at_equal_time_the_undo_wins_in_both_orders(self):
        user = self.someone()
        at = now_ms() - 3_600_000
        lines = []
        for order in (("like", "unlike"), ("unlike", "like"), ("like", "unlike", "like")):
            thing = {"type": "post", "id": f"p{next(serial)}"}
            lines += [event(type=t, actor="4", target=user, object=thing, time=at) for t in order]
        self.assertEqual(self.expect_as_oracle(user, lines), [])

    def test_an_undo_between_two_repeats_leaves_the_later_one(self):
        user = self.someone()
        at = now_ms() - 3_600_000
        lines = []
        for order in itertools.permutations((("like", 1), ("like", 3), ("unlike", 2))):
            thing = {"type": "post", "id": f"p{next(serial)}"}
            lines += [
                event(type=kind, actor="4", target=user, object=thing, time=at + step)
                for kind, step in order
            ]
        self.assertEqual(len(self.expect_as_oracle(user, lines)), 6)

    def test_liked_again_is_a_new_row_with_a_new_id(self):
        user = self.someone()
        at = now_ms() - 3_600_000
        like = {"type": "like", "actor": "4", "target": user, "object": {"id": "p"}}
        first = self.expect_as_oracle(user, [event(**like, time=at)])
        self.send(event(**{**like, "type": "unlike"}, time=at + 1))
        self.assertEqual(self.settle(user), [])
        self.send(event(**like, time=at + 2))
        again = self.settle(user)
        self.assertEqual(len(again), 1)
        self.assertNotEqual(again[0]["id"], first[0]["id"])

    def test_a_mention_without_object_is_taken_back_by_its_event_id(self):
        user = self.someone()
        at = now_ms() - 3_600_000
        mention = {"type": "mention", "actor": "2", "target": user}
        lines = [
            event(**mention, id=f"{user}-a", text="a", time=at),
            event(**mention, id=f"{user}-b", text="b", time=at),
            event(type="unmention", actor="2", target=user, undo_of=f"{user}-a", time=at + 1),
        ]
        items = self.expect_as_oracle(user, lines)
        self.assertEqual([item["text"] for item in items], ["b"])

    def test_ids_of_all_kinds_find_their_inbox(self):
        for name in ("x/y", "a b", "100%", "?q=1&r#s", "ü", "用户", '"q"\\', "i" * 200, "..", "0"):
            user = f"{name}{next(serial)}"
            with self.subTest(user=user):
                items = self.expect_as_oracle(user, [event(type="follow", actor="2", target=user)])
                self.assertEqual(len(items), 1)

    def test_an_event_without_time_or_id_takes_the_records(self):
        user = self.someone()
        line = json.dumps({"type": "message", "actor": "2", "target": user, "text": "same"})
        before = now_ms()
        self.send(line.encode(), line.encode())
        items = self.settle(user)
        self.assertEqual(len(items), 2, "two records are two events")
        for item in items:
            self.assertGreaterEqual(item["time"], format_time(before))
            self.assertLessEqual(item["time"], format_time(now_ms()))


class Serving(WithHerald):
    def test_a_user_nobody_wrote_to_has_an_empty_inbox(self):
        items, page = self.client.inbox(self.someone("stranger"))
        self.assertEqual(items, [])
        self.assertEqual(page["counts"], {"total": 0, "unread": 0, "unseen": 0})
        self.assertIsNone(page["next"])

    def test_a_signal_makes_the_log_say_more_and_another_undoes_it(self):
        for number, says in (
            (signal.SIGUSR1, "from=info to=debug"),
            (signal.SIGUSR2, "from=debug to=info"),
        ):
            os.kill(self.herald.pid, number)
            end = time.monotonic() + WAIT_S
            while says not in self.herald.log():
                self.assertLess(time.monotonic(), end, self.herald.log_tail())
                time.sleep(POLL_S)

    def test_the_metrics_are_those_of_their_page_and_promtool_finds_them_clean(self):
        self.settle(self.someone())
        self.send(b"not json")
        self.settle(self.someone())
        # The Kafka clients tell of themselves every 5 seconds.
        end = time.monotonic() + WAIT_S
        while self.metric_sum("herald_kafka_broker_round_trip_seconds", 'client="consumer"') == 0:
            self.assertLess(time.monotonic(), end, "no statistics of librdkafka")
            time.sleep(POLL_S)
        told = metrics_page.read_scrape(self.client.text("/metrics"))
        promised, optional = metrics_page.read_page()
        self.assertEqual(set(told) - set(promised), set(), "not in docs/metrics.md")
        self.assertEqual(set(promised) - set(told) - optional, set(), "only in docs/metrics.md")
        for name, family in told.items():
            with self.subTest(name=name):
                self.assertEqual(family, promised[name])
        finished = subprocess.run(
            ["promtool", "check", "metrics"],
            input=self.client.text("/metrics"),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )
        self.assertEqual((finished.returncode, finished.stdout + finished.stderr), (0, ""))

    def test_the_lag_of_every_assigned_partition_goes_to_zero(self):
        self.settle(self.someone())
        end = time.monotonic() + WAIT_S
        expected = {
            (self.prefix + topic, partition)
            for topic, count in (("events", 4), ("notifications", 4), ("inbox-actions", 4))
            for partition in range(count)
        }
        while time.monotonic() < end:
            lags = lag_by_partition(self.client)
            self.assertEqual(lags.keys(), expected)
            if not any(lags.values()):
                return
            time.sleep(POLL_S)
        self.fail(f"lag stays: {lags}")

    def test_health_is_good_while_it_runs(self):
        for path in ("/health/live", "/health/ready"):
            self.assertEqual(self.client.request("GET", path)[0], 200, path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
