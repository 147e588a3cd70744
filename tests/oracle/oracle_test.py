#!/usr/bin/env python3
"""The oracle's own tests: the examples of the design, and each rule once."""

import itertools
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from oracle import Actor, BadEvent, Oracle, Unsettled, parse_event, parse_time, read_users

USERS = {
    "1": Actor("1", "Emma"),
    "2": Actor("2", "Bruno", "bruno", "https://img/2.png"),
    "4": Actor("4", "Lena"),
}
T0 = 1_795_237_200_000  # 2026-11-21T05:00:00.000Z


def line(**fields):
    fields.setdefault("time", T0)
    return json.dumps(fields).encode()


def inbox_after(lines, recipient="1"):
    oracle = Oracle(USERS)
    for raw in lines:
        oracle.add(raw)
    return oracle.inbox(recipient)


def messages_after(lines, recipient="1"):
    return sorted(c.message for row in inbox_after(lines, recipient) for c in row.candidates)


class Texts(unittest.TestCase):
    def test_a_follow_reads_as_in_the_design(self):
        got = messages_after([line(type="follow", actor="2", target="1")])
        self.assertEqual(got, ["Bruno started following you."])

    def test_a_like_reads_as_in_the_design(self):
        thing = {"type": "post", "id": "p1", "title": "My weekend getaway!"}
        got = messages_after([line(type="like", actor="4", target="1", object=thing)])
        self.assertEqual(got, ["Lena liked your post: My weekend getaway!"])

    def test_a_like_without_title_or_object_is_of_a_post(self):
        bare = {"id": "p1"}
        got = messages_after(
            [
                line(type="like", actor="4", target="1", object=bare),
                line(type="like", actor="4", target="1"),
            ]
        )
        self.assertEqual(got, ["Lena liked your post."] * 2)

    def test_a_mention_reads_as_in_the_design(self):
        got = messages_after(
            [
                line(
                    type="mention",
                    actor="1",
                    target="2",
                    object={"type": "comment", "id": "c9"},
                    text="Great seeing you yesterday, @Bruno!",
                )
            ],
            "2",
        )
        self.assertEqual(
            got, ["Emma mentioned you in a comment: Great seeing you yesterday, @Bruno!"]
        )

    def test_an_article_is_an_article(self):
        thing = {"type": "article", "id": "a"}
        got = messages_after([line(type="mention", actor="2", target="1", object=thing)])
        self.assertEqual(got, ["Bruno mentioned you in an article."])

    def test_an_unknown_actor_is_someone(self):
        rows = inbox_after([line(type="follow", actor="99", target="1")])
        self.assertEqual(rows[0].candidates[0].message, "Someone started following you.")
        self.assertEqual(rows[0].candidates[0].actor, Actor("99"))


class Recipients(unittest.TestCase):
    def test_nobody_is_notified_of_their_own_follow_but_of_their_own_message(self):
        own = [line(type="follow", actor="1", targets=["1"])]
        self.assertEqual(messages_after(own), [])
        own.append(line(type="message", id="m", actor="1", target=1, text="note"))
        self.assertEqual(messages_after(own), ["note"])

    def test_a_target_named_twice_counts_once(self):
        event = parse_event(line(type="follow", actor="2", targets=["1", 1, "3", "1"]))
        self.assertEqual(event.recipients, ("1", "3"))

    def test_each_event_tells_each_of_them_once_and_so_does_an_undo(self):
        oracle = Oracle({})
        oracle.add(line(type="follow", actor="2", targets=["1", "3"], time=T0))
        oracle.add(line(type="follow", actor="2", target="1", time=T0 + 1))
        oracle.add(line(type="unfollow", actor="2", target="1", time=T0 + 2))
        self.assertEqual(oracle.notifications(), {"1": 3, "3": 1})


class Standing(unittest.TestCase):
    def test_the_latest_time_decides_in_every_order(self):
        thing = {"type": "post", "id": "p"}
        story = [
            line(type=t, actor="2", target="1", object=thing, time=T0 + at)
            for t, at in (("like", 1), ("unlike", 2), ("like", 3))
        ]
        for order in itertools.permutations(story):
            rows = inbox_after(order)
            self.assertEqual([c.time for c in rows[0].candidates], ["2026-11-21T05:00:00.003Z"])
        for order in itertools.permutations(story[:2]):
            self.assertEqual(inbox_after(order), [])

    def test_at_equal_time_the_undo_wins(self):
        story = [line(type=t, actor="2", target="1") for t in ("follow", "unfollow")]
        for order in itertools.permutations(story):
            self.assertEqual(inbox_after(order), [])

    def test_repeats_leave_one_row_with_the_time_of_either(self):
        rows = inbox_after([line(type="follow", actor="2", target="1", time=T0 + at) for at in (0, 9)])
        self.assertEqual(len(rows), 1)
        self.assertEqual(len(rows[0].candidates), 2)

    def test_a_repeat_before_an_undo_is_no_candidate(self):
        story = (("follow", 1), ("follow", 5), ("unfollow", 3))
        rows = inbox_after([line(type=t, actor="2", target="1", time=T0 + at) for t, at in story])
        self.assertEqual([c.time[-4:] for c in rows[0].candidates], ["005Z"])

    def test_messages_are_told_apart_by_event_and_actor(self):
        rows = inbox_after(
            [
                line(type="message", id="m1", actor="2", target="1", text="a"),
                line(type="message", id="m1", actor="2", target="1", text="a"),
                line(type="message", id="m1", actor="4", target="1", text="a"),
                line(type="message", id="m2", actor="2", target="1", text="a"),
            ]
        )
        self.assertEqual(len(rows), 3)

    def test_a_plain_mention_is_taken_back_by_undo_of(self):
        story = [line(type="mention", id=m, actor="2", target="1", text=m) for m in ("m1", "m2")]
        story.append(line(type="unmention", undo_of="m1", actor="2", target="1", time=T0 + 1))
        self.assertEqual(messages_after(story), ["Bruno mentioned you: m2"])

    def test_an_undo_takes_back_only_for_those_it_names(self):
        story = [
            line(type="follow", actor="2", targets=["1", "4"]),
            line(type="unfollow", actor="2", target="4", time=T0 + 1),
        ]
        self.assertEqual(len(inbox_after(story, "1")), 1)
        self.assertEqual(len(inbox_after(story, "4")), 0)

    def test_a_like_and_a_mention_of_one_object_are_two(self):
        thing = {"type": "post", "id": "p"}
        story = [line(type=t, actor="2", target="1", object=thing) for t in ("like", "mention")]
        self.assertEqual(len(inbox_after(story)), 2)


class BadLines(unittest.TestCase):
    def refuse(self, raw):
        with self.assertRaises(BadEvent, msg=repr(raw)):
            parse_event(raw)

    def test_what_is_no_json_object_is_refused(self):
        good = line(type="follow", actor="2", target="1")
        for raw in (b"", b" ", b"x", b"[]", b"1", b"null", b"[" + good + b"]", good[:-1], good + b"x"):
            self.refuse(raw)
        self.refuse(b'{"type":"follow","actor":"2","target":"1","time":NaN}')

    def test_invalid_utf8_is_refused_wherever_it_stands(self):
        for text in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\\ud83d"):
            self.refuse(b'{"type":"follow","actor":"2","target":"1","time":1,"x":"' + text + b'"}')

    def test_missing_and_wrong_fields_are_refused(self):
        good = {"type": "follow", "actor": "2", "target": "1"}
        for name in good:
            for value in (None, "", True, 1.5, {}, ["x", []]):
                self.refuse(line(**{**good, name: value}))
        self.refuse(line(type="poke", actor="2", target="1"))
        self.refuse(line(type="follow", actor="2", targets=[]))
        self.refuse(line(type="unmention", actor="2", target="1"))

    def test_limits_are_in_bytes_and_inclusive(self):
        good = {"type": "follow", "actor": "2", "target": "1"}
        for name, unit_bytes_max in (("id", 256), ("actor", 256), ("target", 256), ("text", 4096)):
            parse_event(line(**{**good, name: "é" * (unit_bytes_max // 2)}))
            self.refuse(line(**{**good, name: "é" * (unit_bytes_max // 2) + "x"}))
        parse_event(line(**good, object={"id": "p", "title": "t" * 1024}))
        self.refuse(line(**good, object={"id": "p", "title": "t" * 1025}))
        del good["target"]
        parse_event(line(**good, targets=list(range(1, 10_001))))
        self.refuse(line(**good, targets=list(range(1, 10_002))))

    def test_time_is_refused_when_it_is_no_time_or_a_day_ahead(self):
        good = {"type": "follow", "actor": "2", "target": "1"}
        for value in ("yesterday", "", "2026-13-01T00:00:00Z", {}, True, 1.5):
            self.refuse(line(**{**good, "time": value}))
        day_ms = 24 * 3600 * 1000
        parse_event(line(**{**good, "time": T0 + day_ms}), T0)
        with self.assertRaises(BadEvent):
            parse_event(line(**{**good, "time": T0 + day_ms + 1}), T0)
        parse_event(line(**{**good, "time": T0 - 400 * day_ms}), T0)

    def test_what_the_rules_leave_open_is_said_to_be_open(self):
        with self.assertRaises(Unsettled):
            parse_event(b'{"type":"follow","actor":"2","target":"1"}')
        with self.assertRaises(Unsettled):
            parse_event(line(type="follow", actor="2", target="1", targets=["3"]))


class Reading(unittest.TestCase):
    def test_times_of_all_forms_are_the_same_moment(self):
        for text in (
            "2026-11-21T05:00:00Z",
            "2026-11-21T05:00:00.000Z",
            "2026-11-21T07:00:00.000+02:00",
            "2026-11-21T04:30:00-00:30",
        ):
            self.assertEqual(parse_time(text), T0, text)

    def test_ids_may_be_integers(self):
        self.assertEqual(
            parse_event(line(type="follow", actor=2, target=1)),
            parse_event(line(type="follow", actor="2", target="1")),
        )

    def test_the_last_line_of_a_user_counts(self):
        users = read_users([b'{"id":1,"name":"Em"}\n', b'{"id":"1","name":"Emma","handle":"e"}\n'])
        self.assertEqual(users, {"1": Actor("1", "Emma", "e")})


if __name__ == "__main__":
    unittest.main()
