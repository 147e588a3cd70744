#!/usr/bin/env python3
"""The comparison must find what is wrong: each test spoils a right inbox in one way."""

import http.server
import json
import pathlib
import sys
import threading
import unittest
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import check_inboxes
import compare
from inbox_client import HttpProblem, InboxClient
from oracle import Actor, Oracle

T0 = 1_795_237_200_000


def line(**fields):
    return json.dumps(fields).encode()


def make_oracle():
    oracle = Oracle({"2": Actor("2", "Bruno"), "9": Actor("9", "Nobody")})
    for number in range(250):
        oracle.add(
            line(type="message", id=f"m{number}", actor="2", target="1", text="hi", time=T0 + number)
        )
    oracle.add(line(type="follow", actor="2", targets=["1", "a/b ü"], time=T0 + 1000))
    oracle.add(line(type="follow", actor="2", target="1", time=T0 + 2000))
    return oracle


def serve_item(number, content):
    """A row as Herald serves it."""
    thing = content.object
    return {
        "v": 1,
        "id": f"n{number}",
        "type": content.type,
        "recipient": content.recipient,
        "actor": {"id": content.actor.id, "name": content.actor.name, "avatar_url": None},
        "object": thing and {"type": thing.type, "id": thing.id, "title": thing.title},
        "text": content.text,
        "message": content.message,
        "time": content.time,
        "source": {"topic": "events", "partition": 0, "offset": number},
        "read": False,
        "seen": False,
    }


def serve_inbox(oracle, recipient):
    """(items, counts) as a right Herald serves them."""
    contents = [standing.candidates[0] for standing in oracle.inbox(recipient)]
    contents.sort(key=lambda content: content.time, reverse=True)
    items = [serve_item(number, content) for number, content in enumerate(contents)]
    total = len(items)
    return items, {"total": total, "unread": total, "unseen": total, "version": total + 1}


class SpoiledInbox(unittest.TestCase):
    def setUp(self):
        self.oracle = make_oracle()
        self.items, self.counts = serve_inbox(self.oracle, "1")

    def differences(self):
        return compare.inbox_differences("1", self.oracle.inbox("1"), self.items, self.counts)

    def expect(self, *parts):
        found = "\n".join(self.differences())
        for part in parts:
            self.assertIn(part, found)

    def test_a_right_inbox_has_no_differences(self):
        self.assertEqual(self.differences(), [])

    def test_the_other_of_two_equal_follows_is_right_too(self):
        self.items[0]["time"] = "2026-11-21T05:00:01.000Z"
        self.assertEqual(self.differences(), [])

    def test_a_missing_row_is_found(self):
        del self.items[7]
        self.expect("row missing")

    def test_a_row_too_many_is_found(self):
        self.items.append({**self.items[-1], "id": "other"})
        self.expect("row too many")

    def test_an_id_that_is_there_twice_is_found(self):
        self.items[3]["id"] = self.items[4]["id"]
        self.expect("is there twice")

    def test_a_wrong_order_is_found(self):
        self.items.reverse()
        self.expect("stands after")

    def test_a_wrong_text_name_or_time_is_found(self):
        self.items[5]["text"] = "ho"
        self.items[0]["actor"]["name"] = "Brunhilde"
        self.expect("text: expected 'hi', found 'ho'", "Brunhilde")
        self.items[0]["time"] = "2026-11-21T05:00:01.500Z"
        self.expect("01.500Z")

    def test_a_wrong_counter_is_found(self):
        self.counts["unread"] -= 1
        self.expect("counts.unread: expected 251, found 250")

    def test_a_row_that_is_read_or_retracted_or_without_source_is_found(self):
        self.items[1]["read"] = True
        self.items[2]["retracted"] = True
        del self.items[3]["source"]
        del self.items[4]["actor"]
        self.expect("read is True", "a retraction stands", "source is None", "has no 'actor'")


class InboxHandler(http.server.BaseHTTPRequestHandler):
    """A Herald of three routes over a dictionary; the server's `spoil` may change an answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        user = urllib.parse.unquote(path.split("/")[3])
        items, counts = serve_inbox(self.server.oracle, user)
        if path.endswith("/counts"):
            answer = counts
        else:
            fields = dict(urllib.parse.parse_qsl(query))
            start, limit = int(fields.get("cursor", 0)), int(fields["limit"])
            end = start + limit
            answer = {
                "items": items[start:end],
                "next": str(end) if end < len(items) else None,
                "counts": {name: counts[name] for name in ("total", "unread", "unseen")},
                "version": counts["version"],
            }
        self.server.spoil(answer)
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class OverHttp(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), InboxHandler)
        self.server.oracle = make_oracle()
        self.server.spoil = lambda answer: None
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        self.client = InboxClient(f"http://127.0.0.1:{self.server.server_port}")
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.addCleanup(self.client.close)

    def check(self):
        return check_inboxes.check_inboxes(self.client, self.server.oracle, stall_s=0.3)

    def test_equal_inboxes_are_equal_over_several_pages(self):
        self.assertEqual(self.check(), [])

    def test_a_wrong_total_is_found_after_the_wait(self):
        def spoil(answer):
            answer.get("counts", answer)["total"] += 1

        self.server.spoil = spoil
        self.assertIn("counts.total: expected 251, found 252", "\n".join(self.check()))

    def test_a_row_that_two_pages_show_is_found(self):
        def spoil(answer):
            if answer.get("next") == "200":
                answer["items"][0] = serve_inbox(self.server.oracle, "1")[0][99]

        self.server.spoil = spoil
        self.assertIn("is there twice", "\n".join(self.check()))

    def test_an_inbox_of_somebody_nobody_wrote_to_must_be_empty(self):
        right = self.server.oracle
        self.server.oracle = make_oracle()
        self.server.oracle.add(line(type="follow", actor="2", target="9", time=T0))
        found = check_inboxes.check_inboxes(self.client, right, stall_s=0.3)
        self.assertIn("'9': row too many", "\n".join(found))

    def test_a_cursor_that_needs_quoting_is_refused(self):
        def spoil(answer):
            if answer.get("next"):
                answer["next"] += "+="

        self.server.spoil = spoil
        with self.assertRaises(HttpProblem):
            self.check()


if __name__ == "__main__":
    unittest.main()
