#!/usr/bin/env python3
"""An ingest and a process instance of one application on a real Kafka, told by one shared file.

    roles_test.py [Class[.test_name] ...]
"""

import json
import subprocess
import time
import unittest

import scenario
import topics
from herald_process import HERALD, STOP_TIMEOUT_S, Herald
from inbox_client import InboxClient
from scenario import POLL_S, WAIT_S, event

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def setUpModule():
    scenario.start_kafka()


def tearDownModule():
    scenario.end_kafka()


class Roles(unittest.TestCase):
    def start(self, role):
        herald = Herald(
            scenario.work / role, "--config", self.file, "--role", role, "--instance-id", role
        )
        self.addCleanup(herald.kill9)
        herald.start()
        client = InboxClient(herald.url)
        self.addCleanup(client.close)
        return herald, client

    def wait_for(self, what, look):
        end = time.monotonic() + WAIT_S
        while not (found := look()):
            self.assertLess(time.monotonic(), end, what)
            time.sleep(POLL_S)
        return found

    def answer(self, client, method, path, body=None, headers=None):
        status, headers, body = client.request(method, path, body, headers)
        return status, json.loads(body)

    def test_ingest_takes_events_and_process_keeps_the_inboxes(self):
        users = scenario.work / "users.ndjson"
        users.write_bytes(scenario.USERS)
        self.file = scenario.work / "herald.yaml"
        self.file.write_text(
            f"brokers: [{scenario.kafka.brokers}]\n"
            "application_id: roles\n"
            "topic_prefix: roles.\n"
            "topic: notes\n"
            "partitions: 2\n"
            f"users: {users}\n"
        )

        # Ingest alone: ready, takes events, and cannot be asked for an inbox yet.
        ingest, at_ingest = self.start("ingest")
        follow = event(type="follow", actor="2", target="1")
        self.assertEqual(self.answer(at_ingest, "POST", "/v1/events", follow)[0], 202)
        status, headers, _ = at_ingest.request("GET", "/v1/users/1/inbox")
        self.assertEqual((status, headers.get("Retry-After")), (503, "1"))
        status = at_ingest.json("/v1/status")
        self.assertEqual(
            (status["role"], status["ready"], status["tasks"], status["instances"]),
            ("ingest", True, [], []),
        )

        process, at_process = self.start("process")
        both = (at_ingest, at_process)
        self.wait_for(
            "what was taken before is processed",
            lambda: at_process.counts("1")["total"] == 1,
        )
        self.assertEqual(at_ingest.inbox("1"), at_process.inbox("1"))

        # New events go to one of them, everything else to either.
        status, problem = self.answer(at_process, "POST", "/v1/events", follow)
        self.assertEqual((status, problem["title"]), (421, "Misdirected Request"))
        self.assertIn("--role process", problem["detail"])
        send = "fromID=2&toID=1&message=Lunch?"
        self.assertEqual(self.answer(at_process, "POST", "/send", send, FORM)[0], 421)
        self.assertEqual(self.answer(at_ingest, "POST", "/send", send, FORM)[0], 200)
        self.wait_for("both have come", lambda: at_ingest.counts("1")["total"] == 2)
        for client in both:
            self.assertEqual(
                self.answer(client, "GET", "/notifications/1")[1]["notifications"][1]["message"],
                "Lunch?",
            )
        status, counts = self.answer(at_ingest, "POST", "/v1/users/1/inbox/read-all")
        self.assertEqual((status, counts["unread"]), (200, 0))
        self.assertEqual(at_process.counts("1"), counts)
        for client, name in zip(both, ("Ann", "Beth")):
            put = self.answer(client, "PUT", "/v1/users/9", json.dumps({"name": name}))
            self.assertEqual((put[0], put[1]["name"]), (200, name))
        notes = topics.read_topic(scenario.kafka.brokers, "roles.notes")
        self.assertEqual([record.key for record in notes], [b"1", b"1"])

        # Who is who.
        for client, role in ((at_ingest, "ingest"), (at_process, "process")):
            status = self.wait_for(
                "the group is known", lambda: client.json("/v1/status")["instances"]
            )
            self.assertEqual([instance["id"] for instance in status], ["process"])
            self.assertEqual(client.json("/v1/status")["role"], role)
            self.assertEqual(client.request("GET", "/health/ready")[0], 200)
        self.assertEqual(scenario.lag_by_partition(at_ingest), {})
        self.assertEqual(len(scenario.lag_by_partition(at_process)), 6)
        said = subprocess.run(
            [HERALD, "status", "--server", ingest.ready["http"][0]], capture_output=True, text=True
        ).stdout
        self.assertIn("role       ingest", said)
        self.assertIn("hands everything else on", said)

        for herald in (process, ingest):
            code, seconds = herald.stop()
            self.assertEqual(code, 0, herald.log_tail())
            self.assertLess(seconds, STOP_TIMEOUT_S / 2)
            self.assertNotIn("means nothing", herald.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
