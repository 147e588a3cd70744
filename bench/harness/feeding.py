"""Producing at a steady rate from a process of its own, and single events at known moments."""

import contextlib
import itertools
import multiprocessing
import time

from harness.broker import Broker, record_batch
from harness.processes import Failed

_FORK = multiprocessing.get_context("fork")
_JOIN_TIMEOUT_S = 30
PROBE_ACTOR = "1"


def batches_of(path, events, batch_events):
    """The first lines of a file as record batches: made before anything is measured."""
    now_ms = int(time.time() * 1000)
    with open(path, "rb") as file:
        lines = [line.rstrip(b"\n") for line in itertools.islice(file, events)]
    if len(lines) < events:
        raise Failed(f"{path} has {len(lines)} events, not {events}")
    return [
        record_batch(lines[at : at + batch_events], now_ms) for at in range(0, events, batch_events)
    ]


def probe_event(recipient):
    """An event of its own for somebody whom nobody else writes to."""
    event = f'{{"type":"follow","actor":"{PROBE_ACTOR}","target":"{recipient}"}}'
    return record_batch([event.encode()], int(time.time() * 1000))


class Helper:
    """A process of ours that runs one function, whose result result() waits for."""

    def __init__(self, function, *arguments):
        self._receiver, sender = _FORK.Pipe(duplex=False)
        self._process = _FORK.Process(
            target=_report, args=(sender, function, arguments), daemon=True
        )
        self._process.start()
        sender.close()

    def result(self, timeout_s):
        if not self._receiver.poll(timeout_s):
            raise Failed(f"a helper did not end within {timeout_s} s")
        try:
            outcome = self._receiver.recv()
        except EOFError:
            raise Failed("a helper ended without a result") from None
        self._process.join(_JOIN_TIMEOUT_S)
        if isinstance(outcome, BaseException):
            raise Failed(f"a helper failed: {outcome!r}")
        return outcome

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.is_alive():
            self._process.kill()
        self._process.join(_JOIN_TIMEOUT_S)
        self._receiver.close()


def _report(sender, function, arguments):
    try:
        sender.send(function(*arguments))
    except Exception as error:  # for the parent to raise
        sender.send(error)


def feed(address, partitions, batches, interval_s, start_at):
    """Sends a batch each `interval_s` to topic events; returns when the last was answered.

    Behind its schedule (the machine was busy) it catches up as fast as the broker answers.
    """
    with contextlib.closing(Broker(address)) as broker:
        for number, batch in enumerate(batches):
            sleep_until(start_at + number * interval_s)
            broker.produce("events", number % partitions, batch)
    return time.monotonic()


def send_probes(address, partitions, names, interval_s, start_at):
    """Sends an event to each name in turn; returns when each was handed to the broker."""
    sent = {}
    with contextlib.closing(Broker(address)) as broker:
        for number, name in enumerate(names):
            batch = probe_event(name)
            sleep_until(start_at + number * interval_s)
            sent[name] = time.monotonic()
            broker.produce("events", number % partitions, batch)
    return sent


def sleep_until(moment):
    if (left := moment - time.monotonic()) > 0:
        time.sleep(left)
