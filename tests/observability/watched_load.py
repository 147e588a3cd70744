"""A load that makes every panel show something: events, reads, changes, wrong requests.

It goes on while instances are killed and stalled; what fails is not asked again.
"""

import http.client
import json
import random
import threading
import urllib.parse

from inbox_client import InboxClient

USERS = 40
EVENTS_A_REQUEST = 10
PAUSE_S = 0.05
ASK_TIMEOUT_S = 5


def user_id(number):
    return f"u-{number}"


def users_file(path):
    """Users for --users; the odd ones are left out, so that some actors are unknown."""
    lines = (
        json.dumps({"id": user_id(number), "name": f"User {number}"})
        for number in range(0, USERS, 2)
    )
    path.write_text("\n".join(lines) + "\n")


class Load:
    """Threads that ask these Heralds, until close(). A Herald that comes back keeps its port."""

    def __init__(self, heralds):
        self._closing = threading.Event()
        parts = [(self._send, herald) for herald in heralds]
        parts += [(self._ask, herald) for herald in heralds]
        self._threads = [
            threading.Thread(target=self._run, args=part, daemon=True) for part in parts
        ]
        for thread in self._threads:
            thread.start()

    def close(self):
        self._closing.set()
        for thread in self._threads:
            thread.join(2 * ASK_TIMEOUT_S)

    def _run(self, step, herald):
        numbers = random.Random(f"{step.__name__} {herald.directory.name}")
        client = InboxClient(herald.url, timeout_s=ASK_TIMEOUT_S)
        while not self._closing.wait(PAUSE_S):
            try:
                step(client, numbers)
            except (http.client.HTTPException, OSError):  # it is down on purpose
                client.close()
        client.close()

    def _send(self, client, numbers):
        events = []
        for _ in range(EVENTS_A_REQUEST):
            event = {
                "type": numbers.choice(["follow", "like", "unlike", "message"]),
                "actor": user_id(numbers.randrange(USERS)),
                "target": user_id(numbers.randrange(USERS)),
                "object": {"type": "post", "id": f"p{numbers.randrange(1000)}"},
            }
            if event["type"] == "message":
                event["text"] = "Lunch?"
            events.append(event)
        client.request("POST", "/v1/events", json.dumps(events))
        client.request("POST", "/v1/events", '{"type":"no such kind"}')

    def _ask(self, client, numbers):
        user = urllib.parse.quote(user_id(numbers.randrange(USERS)))
        inbox = f"/v1/users/{user}/inbox"
        status, _, body = client.request("GET", inbox)
        client.request("GET", inbox + "/counts")
        client.request("GET", f"/v1/users/{user}")
        client.request("GET", "/health/ready")
        if status == 200 and (items := json.loads(body)["items"]):
            item = urllib.parse.quote(items[0]["id"])
            client.request("POST", f"{inbox}/{item}/read")
            client.request("DELETE", f"{inbox}/{item}")
