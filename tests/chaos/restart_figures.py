#!/usr/bin/env python3
"""How long after kill -9 the first event is processed, with much state, against a full restore.

    restart_figures.py --rows 1000000     what docs/reliability.md quotes
    restart_figures.py                    a smaller state, for the list

Killed and started again at once (the member comes back within its session and keeps its
partitions), after the session has run out, and with the state directory deleted.
"""

import contextlib
import http.client
import json
import shutil
import statistics
import time

import chaos
import topics
from inbox_client import InboxClient
from instances import partition_for_key

ROWS = 100_000
TARGETS = 200
RECIPIENTS = 2_000
REPEATS = 3
FILLED_WITHIN_S = 1500
SEEN_WITHIN_S = 300


def extend(parser):
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--repeats", type=int, default=REPEATS)


class Probes:
    """One recipient in each partition, to whom messages go whose arrival is timed."""

    def __init__(self, scene, load):
        self._scene = scene
        self._load = load
        self._sent = 0
        self.users = {}
        number = 0
        while len(self.users) < load.partitions:
            name = f"probe-{number}"
            self.users.setdefault(partition_for_key(name, load.partitions), name)
            number += 1

    def lines(self):
        self._sent += 1
        return [
            json.dumps(
                {"type": "message", "id": f"probe-{self._sent}-{user}", "actor": "1",
                 "target": user, "text": "now", "time": int(time.time() * 1000)}
            ).encode("utf-8")
            for user in self.users.values()
        ]

    def send(self):
        """One more message to each; returns how many each must have."""
        lines = self.lines()
        with open(self._load.events_path, "ab") as file:  # the comparison knows of them
            file.write(b"".join(line + b"\n" for line in lines))
        topics.produce_lines(self._scene.brokers, self._load.events_topic, lines)
        return self._sent

    def wait(self, herald, count, since):
        """Seconds from `since` until the first and until the last of them has so many rows."""
        times = {}
        end = time.monotonic() + SEEN_WITHIN_S
        while len(times) < len(self.users):
            if time.monotonic() > end:
                raise chaos.Broken(f"the probes were not processed within {SEEN_WITHIN_S} s")
            with contextlib.suppress(OSError, http.client.HTTPException):
                with contextlib.closing(InboxClient(herald.url)) as client:
                    for partition, user in self.users.items():
                        path = InboxClient.user_path(user, "inbox/counts")
                        status, _, body = client.request("GET", path)
                        if status == 200 and json.loads(body)["total"] >= count:
                            times.setdefault(partition, time.monotonic() - since)
            time.sleep(chaos.POLL_S)
        return min(times.values()), max(times.values())


def fill(scene, load, herald, rows):
    """Writes events with many targets until there are so many rows; the seconds it took."""
    lines = []
    for number in range(0, rows // TARGETS):
        first = number * TARGETS % RECIPIENTS
        targets = [f"reader-{(first + n) % RECIPIENTS}" for n in range(TARGETS)]
        lines.append(
            json.dumps(
                {"type": "message", "id": f"fill-{number}", "actor": "1", "targets": targets,
                 "text": f"number {number}", "time": 1_795_237_200_000 - number}
            ).encode("utf-8")
        )
    load.events_path.write_bytes(b"".join(line + b"\n" for line in lines))
    load.know()
    began = time.monotonic()
    load.start(seconds=0)
    load.finish()
    with contextlib.closing(InboxClient(herald.url)) as client:
        end = time.monotonic() + FILLED_WITHIN_S
        for user, total in load.totals.items():
            while client.counts(user)["total"] < total:
                if time.monotonic() > end:
                    raise chaos.Broken(f"the state was not filled within {FILLED_WITHIN_S} s")
                time.sleep(0.1)
    return time.monotonic() - began


def measure(scene, herald, probes, wait_s, forget):
    """Seconds from kill -9 (and from the start) to the first and to the last probe; replayed."""
    since = time.monotonic()
    herald.kill9()
    if forget:
        shutil.rmtree(herald.state_dir)
    count = probes.send()  # they wait in Kafka
    time.sleep(max(0.0, since + wait_s - time.monotonic()))
    started = time.monotonic()
    herald.launch()
    herald.wait_ready()
    ready = time.monotonic() - started
    first, last = probes.wait(herald, count, since)
    figures = {
        "from_kill_s": first,
        "from_start_s": first - (started - since),
        "last_partition_s": last - (started - since),
        "ready_s": ready,
        "replayed": sum(chaos.replays(herald.log())),
    }
    scene.say(", ".join(f"{name} {value:.2f}" for name, value in figures.items()))
    return figures


def play(scene):
    load = scene.load(events=100)  # the files; what is in them comes from fill()
    herald = scene.herald(load)
    herald.start()
    seconds = fill(scene, load, herald, scene.args.rows)
    rows = sum(load.totals.values())
    scene.say(f"{rows} rows after {seconds:.1f} s")
    scene.figure(rows=rows, fill_s=seconds)
    probes = Probes(scene, load)
    probes.wait(herald, probes.send(), time.monotonic())
    beyond_s = chaos.SESSION_TIMEOUT_MS / 1000 + 2
    cases = {"at_once": (0.0, False), "beyond_session": (beyond_s, False), "full_restore": (0.0, True)}
    found = {}
    for name, (wait_s, forget) in cases.items():
        scene.say(name)
        runs = [
            measure(scene, herald, probes, wait_s, forget) for _ in range(scene.args.repeats)
        ]
        found[name] = runs
        scene.figure(
            **{
                f"{name}_{figure}": statistics.median(run[figure] for run in runs)
                for figure in runs[0]
            }
        )
    scene.figure(recover_s=scene.figures["at_once_from_kill_s"])
    scene.expect(
        all(run["replayed"] < rows / 2 for name in list(cases)[:2] for run in found[name]),
        f"a restart with its state replayed as much as a restore: {found}",
    )
    load.know()
    scene.check(load, herald)
    scene.figure(replayed_all=sum(run["replayed"] for run in found["at_once"]))


if __name__ == "__main__":
    chaos.main(play, __doc__, extend=extend)
