"""latency: 2,000 events/s (100 with --workload small), and 50 probes/s, each to an inbox of its own.
From the moment that a probe is handed to the broker until a read_committed consumer of `notifications`
has it (kcat), and until GET of that inbox shows it, asked for about each millisecond.
"""

import subprocess
import threading
import time

from harness.feeding import Helper, batches_of, feed, send_probes
from harness.inbox_polling import Connection, poll_probes
from harness.processes import Failed, Program, cpu_seconds, peak_rss_bytes, scratch_directory
from harness.subjects import SERVERS, STREAMS, Instance, chosen
from harness.tables import Measure, Table

# By workload.
EVENTS_PER_S = {"base": 2_000, "small": 100}
SMOKE_EVENTS_PER_S = 400
FEED_INTERVAL_MIN_S = 0.005
PROBES_PER_S = 50
READY_TIMEOUT_S = 60
PROBE_TIMEOUT_S = 20
READER_READY_S = 1
# A broker that has just started spends most of its time in its compiler.
BROKER_WARM_UP_S = 90
HELPER_EXTRA_S = 60

MEASURES = [
    *(
        Measure(f"{to}_{point}_ms", f"{point} to {name}, ms", "{:.1f}")
        for to, name in (("committed", "notifications"), ("get", "GET"))
        for point in ("p50", "p99", "max")
    ),
    Measure("probes", "probes"),
    Measure("cpu_cores", "cores used", "{:.2f}"),
    Measure("broker_cpu_cores", "cores used by the broker", "{:.2f}"),
    Measure("peak_rss_bytes", "peak memory, MB", "{:.0f}", 1e6),
]
COMPARED = ("committed_p50_ms", "committed_p99_ms", "get_p50_ms", "get_p99_ms", "cpu_cores")


class Sizes:
    """Seconds before the probes that count, and seconds of them; the load beside them."""

    def __init__(self, smoke, workload, warm_up_s=10):
        self.warm_up_s = 1 if smoke else warm_up_s
        self.measured_s = 2 if smoke else 20
        rate = EVENTS_PER_S[workload]
        self.events_per_s = min(rate, SMOKE_EVENTS_PER_S) if smoke else rate
        self.feed_interval_s = max(FEED_INTERVAL_MIN_S, 1 / self.events_per_s)
        self.batch_events = round(self.events_per_s * self.feed_interval_s)

    @property
    def seconds(self):
        return self.warm_up_s + self.measured_s


class Reader:
    """kcat on `notifications`, read_committed, until the block ends: when it had each key first."""

    def __init__(self, cluster):
        self._command = ["kcat", "-C", "-q", "-u", "-b", cluster.address, "-t", "notifications"]
        self._command += ["-o", "end", "-f", "%k\n", "-X", "isolation.level=read_committed"]
        self._command += ["-X", "topic.auto.offset.reset=earliest"]
        self.first_seen = {}

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def _read(self):
        for line in self._process.stdout:
            if line.startswith(b"probe-"):
                self.first_seen.setdefault(line.rstrip(b"\n").decode(), time.monotonic())

    def wait_for(self, names, timeout_s):
        deadline = time.monotonic() + timeout_s
        while missing := [name for name in names if name not in self.first_seen]:
            if time.monotonic() > deadline:
                raise Failed(f"{len(missing)} probes never came to notifications: {missing[:3]}")
            time.sleep(0.01)

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._thread.join()


def spread(figures, prefix, seconds):
    ordered = sorted(seconds)
    figures[f"{prefix}_p50_ms"] = 1000 * ordered[len(ordered) // 2]
    figures[f"{prefix}_p99_ms"] = 1000 * ordered[int(len(ordered) * 0.99)]
    figures[f"{prefix}_max_ms"] = 1000 * ordered[-1]


def wait_until_ready(instance):
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not instance.is_ready:
        instance.program.check()
        if time.monotonic() > deadline:
            raise Failed(f"not ready after {READY_TIMEOUT_S} s\n{instance.program.tail()}")
        time.sleep(0.01)


def measure_subject(session, cluster, subject, sizes, workload, batches, window):
    cluster.clear(keep=())
    cluster.load(workload)
    name = session.new_name(subject.name)
    interval_s = 1 / PROBES_PER_S
    with scratch_directory(session.directory / name) as directory, Instance(
        session, cluster, subject, name, directory
    ) as instance, Reader(cluster) as reader:
        program = instance.start()
        wait_until_ready(instance)
        names = [f"probe-{n}" for n in range(sizes.seconds * PROBES_PER_S)]
        paths = {probe: instance.inbox_path(probe, 1) for probe in names}
        Connection(instance.address).close()
        at = time.monotonic() + READER_READY_S
        to = cluster.address, cluster.partitions
        # The probes fall on all phases of a commit interval and of the feed.
        with Helper(feed, *to, batches, sizes.feed_interval_s, at) as feeder, Helper(
            send_probes, *to, names, interval_s, at
        ) as prober, Helper(
            poll_probes, instance.address, paths, interval_s, at, PROBE_TIMEOUT_S
        ) as poller:
            time.sleep(max(0.0, at + sizes.warm_up_s - time.monotonic()))
            with window:
                began, cpu, broker_cpu = look(program, cluster)
                time.sleep(sizes.measured_s)
                ended, cpu_end, broker_cpu_end = look(program, cluster)
            program.check()
            sent = prober.result(HELPER_EXTRA_S)
            found = poller.result(HELPER_EXTRA_S)
            feeder.result(HELPER_EXTRA_S)
            reader.wait_for(names, PROBE_TIMEOUT_S)
        measured = names[sizes.warm_up_s * PROBES_PER_S :]
        figures = {
            "probes": len(measured),
            "cpu_cores": (cpu_end - cpu) / (ended - began),
            "broker_cpu_cores": (broker_cpu_end - broker_cpu) / (ended - began),
            "peak_rss_bytes": peak_rss_bytes(program.pid),
        }
    spread(figures, "committed", [reader.first_seen[n] - sent[n] for n in measured])
    spread(figures, "get", [found[n] - sent[n] for n in measured])
    return figures


def look(program: Program, cluster):
    return time.monotonic(), cpu_seconds(program.pid), cpu_seconds(cluster.pid)


def run(session):
    names = [name for name in session.arguments.workload if name in EVENTS_PER_S] or ["base"]
    return [run_workload(session, name) for name in names]


def run_workload(session, workload_name):
    subjects = [s for s in chosen(session, SERVERS) if s.threads == 2]
    sizes = Sizes(session.smoke, workload_name)
    users = session.arguments.users
    warm_up = Sizes(session.smoke, workload_name, BROKER_WARM_UP_S)
    events = sizes.events_per_s * sizes.seconds
    fed = session.generate(warm_up.events_per_s * warm_up.seconds, users)
    session.say("encoding the events")
    batches = batches_of(fed.events, events, sizes.batch_events)
    workload = session.without_events(fed)
    with session.cluster() as cluster:
        if not session.smoke:
            session.say("warming the broker up")
            measure_subject(
                *(session, cluster, subjects[0], warm_up, workload),
                batches_of(fed.events, warm_up.events_per_s * warm_up.seconds, sizes.batch_events),
                session.window(),
            )
        runs = session.interleave({
            s.name: lambda window, s=s: measure_subject(
                session, cluster, s, sizes, workload, batches, window
            )
            for s in subjects
        })  # fmt: skip
    title = (
        f"latency: {sizes.events_per_s:,} events/s, beside them {PROBES_PER_S} probes/s for "
        f"{sizes.measured_s} s"
    )
    families = {subject.name: subject.family for subject in subjects}
    compare_to = next((n for n in ("kafka-streams", "herald") if n in runs), None)
    note = "Kafka Streams answers GET with rows that are not committed yet, Herald does not."
    notes = [note] if STREAMS in families.values() else []
    return Table(title, MEASURES, runs, families, compare_to, COMPARED, notes)
