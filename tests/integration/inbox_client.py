"""Asks a running Herald over HTTP, over one connection that stays open."""

import http.client
import json
import time
import urllib.parse

ATTEMPT_TIMEOUT_S = 30


class HttpProblem(Exception):
    """An answer that a test did not ask for."""


class InboxClient:
    """Not for several threads at once."""

    def __init__(self, url, timeout_s=ATTEMPT_TIMEOUT_S):
        parts = urllib.parse.urlsplit(url if "//" in url else "http://" + url)
        self._address = (parts.hostname, parts.port)
        self._timeout_s = timeout_s
        self._connection = None

    def close(self):
        if self._connection:
            self._connection.close()
            self._connection = None

    def request(self, method, path, body=None, headers=None):
        """(status, headers, body bytes). A connection that was closed under us is opened again."""
        for attempt in (1, 2):
            fresh = self._connection is None
            if fresh:
                self._connection = http.client.HTTPConnection(
                    *self._address, timeout=self._timeout_s
                )
            try:
                self._connection.request(method, path, body, headers or {})
                response = self._connection.getresponse()
                return response.status, response.headers, response.read()
            except (http.client.HTTPException, OSError):
                self.close()
                if fresh or attempt == 2:
                    raise
        raise AssertionError("not reached")

    def json(self, path, deadline_s=ATTEMPT_TIMEOUT_S):
        """The 200 answer to GET `path`; waits as told while it is 503 (a partition restores)."""
        end = time.monotonic() + deadline_s
        while True:
            status, headers, body = self.request("GET", path)
            if status == 200:
                return json.loads(body)
            if status != 503 or time.monotonic() > end:
                raise HttpProblem(f"GET {path}: {status} {body[:300]!r}")
            if not headers.get("Retry-After"):
                raise HttpProblem(f"GET {path}: 503 without Retry-After")
            time.sleep(min(float(headers["Retry-After"]), 0.2))

    def text(self, path):
        status, _, body = self.request("GET", path)
        if status != 200:
            raise HttpProblem(f"GET {path}: {status} {body[:300]!r}")
        return body.decode("utf-8")

    @staticmethod
    def user_path(user, rest):
        return f"/v1/users/{urllib.parse.quote(user, safe='')}/{rest}"

    def counts(self, user):
        return self.json(self.user_path(user, "inbox/counts"))

    def inbox(self, user, limit=100):
        """(all items by cursor pages, counts of the first page). Checks the paging itself."""
        items, first, cursor = [], None, None
        while True:
            query = f"inbox?limit={limit}"
            if cursor is not None:
                if cursor != urllib.parse.quote(cursor, safe=""):
                    raise HttpProblem(f"cursor {cursor!r} has characters that need quoting")
                query += "&cursor=" + cursor
            page = self.json(self.user_path(user, query))
            first = first or page
            if len(page["items"]) > limit:
                raise HttpProblem(f"{user!r}: {len(page['items'])} items in a page of {limit}")
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items, first
            if not page["items"]:
                raise HttpProblem(f"{user!r}: an empty page that has a next one")
