"""Asking for an inbox again and again until something is in it."""

import contextlib
import socket
import time

from harness.processes import Failed

POLL_S = 0.001
_TIMEOUT_S = 10


class Connection:
    """One kept-alive connection that asks for one path after the other."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self._host = address
        self._socket = socket.create_connection((host, int(port)), timeout=_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path):
        """(status, body)"""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, body = received.partition(b"\r\n\r\n")
        status, length, chunked = int(head.split(b" ", 2)[1]), None, False
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif name.lower() == b"transfer-encoding":
                chunked = b"chunked" in value.lower()
        if chunked:
            while not body.endswith(b"0\r\n\r\n"):
                body += self._receive()
            return status, body
        while len(body) < length:
            body += self._receive()
        return status, body

    def _receive(self):
        part = self._socket.recv(65536)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part

    def close(self):
        self._socket.close()


def shows_items(answer):
    status, body = answer
    return status == 200 and b'"items":[{' in body


def wait_for_item(program, address, path, timeout_s):
    """When the inbox at `path` first had an item; its server may not even listen yet."""
    deadline = time.monotonic() + timeout_s
    connection, answer = None, None
    try:
        while True:
            program.check()
            try:
                if connection is None:
                    connection = Connection(address)
                answer = connection.get(path)
                if shows_items(answer):
                    return time.monotonic()
            except OSError as error:
                answer = error
                if connection is not None:
                    connection.close()
                connection = None
            if time.monotonic() > deadline:
                raise Failed(f"{path} had no item after {timeout_s} s: {answer}\n{program.tail()}")
            time.sleep(POLL_S)
    finally:
        if connection is not None:
            connection.close()


def poll_probes(address, paths, interval_s, start_at, timeout_s):
    """{name: when its inbox first had an item}; probe i is sent at start_at + i * interval_s.

    From then on each is asked for in each round, at most one round a millisecond.
    """
    waiting, found, coming = {}, {}, list(paths.items())[::-1]
    sent = 0
    with contextlib.closing(Connection(address)) as connection:
        while waiting or coming:
            round_at = time.monotonic()
            while coming and start_at + sent * interval_s <= round_at:
                name, path = coming.pop()
                waiting[name] = path, round_at + timeout_s
                sent += 1
            for name, (path, deadline) in list(waiting.items()):
                if shows_items(connection.get(path)):
                    found[name] = time.monotonic()
                    del waiting[name]
                elif time.monotonic() > deadline:
                    raise Failed(f"{path} had no item after {timeout_s} s")
            if (left := round_at + POLL_S - time.monotonic()) > 0:
                time.sleep(left)
    return found
