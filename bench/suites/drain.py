"""drain: events that are there before, from process start until the last row is committed.

The second half is that of all records read: of Herald and Kafka Streams mostly notifications, since
the events are there from the start and each leads to some.
"""

from harness.processes import log_bytes, peak_rss_bytes, scratch_directory, tree_bytes
from harness.subjects import (
    COPY,
    DRAINERS,
    HERALD,
    ROWS,
    STREAMS,
    Instance,
    Subject,
    chosen,
    missing,
)
from harness.tables import Measure, Table
from harness.watching import speed_and_cost, watch

TIMEOUT_S = 600
SKEWED_PERCENT = 50
MANY_PARTITIONS = 64
PARTITIONS = 4

MEASURES = [
    Measure("seconds", "seconds, start to drained", "{:.2f}"),
    Measure("events_per_s", "events/s from start"),
    Measure("warm_events_per_s", "events/s, second half"),
    Measure("cpu_s_per_million", "CPU-s per million events", "{:.2f}"),
    Measure("warm_cpu_s_per_million", "CPU-s/M, second half", "{:.2f}", zero=True),
    Measure("broker_cpu_s_per_million", "broker's CPU-s/M", "{:.2f}"),
    Measure("peak_rss_bytes", "peak memory, MB", "{:.0f}", 1e6),
    Measure("notifications", "records on notifications", zero=True),
    Measure("topic_bytes", "MB written to topics", "{:.0f}", 1e6),
    Measure("state_bytes", "MB in state directories", "{:.1f}", 1e6, True),
]
COMPARED = (
    "events_per_s",
    "warm_events_per_s",
    "cpu_s_per_million",
    "warm_cpu_s_per_million",
    "broker_cpu_s_per_million",
    "peak_rss_bytes",
)


def workload_of(session, name):
    """(files, partitions) of a workload by its name."""
    events, users = session.arguments.events, session.arguments.users
    if name == "base":
        return session.generate(events, users), PARTITIONS
    if name == "skewed":
        return session.generate(events, users, SKEWED_PERCENT), PARTITIONS
    if name == "wide":
        return session.generate(events, 100 * users), PARTITIONS
    return session.generate(events, users), MANY_PARTITIONS  # partitions64


WORKLOADS = ("base", "skewed", "wide", "partitions64")


def drain_once(session, cluster, subject, events, window):
    """One run from an empty start; its figures."""
    cluster.clear()
    name = session.new_name(subject.name)
    if subject.family == COPY:
        cluster.requests.create_topic("copies", cluster.partitions)
    if subject.family == ROWS:  # the others make theirs
        cluster.requests.create_topic(
            f"{name}-inbox-changelog", cluster.partitions, cleanup_policy="compact"
        )
    with scratch_directory(session.directory / name) as directory:
        instances = [
            Instance(session, cluster, subject, name, directory, n)
            for n in range(subject.processes)
        ]
        try:
            with window:
                programs = [instance.start() for instance in instances]
                samples = watch(programs, cluster, name, subject.sources, TIMEOUT_S, session.say)
            figures = speed_and_cost(samples, programs[0].started, events)
            figures["peak_rss_bytes"] = sum(peak_rss_bytes(p.pid) for p in programs)
        finally:
            for instance in instances:
                instance.__exit__()
        figures["notifications"] = cluster.ends_sum("notifications")
        figures["topic_bytes"] = log_bytes(cluster.data, f"notifications|copies|{name}-.*")
        figures["state_bytes"] = sum(tree_bytes(instance.state) for instance in instances)
        return figures


def warm_up(session, cluster, events):
    """The broker's code is compiled while it works: its first load is nobody's measure."""
    session.say("a first run that does not count warms the broker up")
    subject = Subject("warm-up", COPY if missing(session.build, COPY) is None else HERALD)
    drain_once(session, cluster, subject, events, session.window())


def measure(session, cluster, subjects, workload):
    cluster.load(workload)
    warm_up(session, cluster, workload.events_count)
    return session.interleave({
        subject.name: lambda window, subject=subject: drain_once(
            session, cluster, subject, workload.events_count, window
        )
        for subject in subjects
    })  # fmt: skip


def run(session):
    # A smoke asks whether the programs take their flags: one number of threads is enough.
    subjects = chosen(session, [s for s in DRAINERS if s.threads == 2 or not session.smoke])
    tables = []
    for name in [n for n in session.arguments.workload if n in WORKLOADS] or ["base"]:
        workload, partitions = workload_of(session, name)
        with session.cluster(partitions) as cluster:
            runs = measure(session, cluster, subjects, workload)
        tables.append(
            Table(
                f"drain, workload {name}: {workload.events_count:,} events, "
                f"{partitions} partitions",
                MEASURES,
                runs,
                {subject.name: subject.family for subject in subjects},
                STREAMS if STREAMS in runs else HERALD,
                COMPARED,
            )
        )
    return tables
