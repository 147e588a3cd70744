"""restart: with rows of 1,000,000 events (--rows): process start until an event that was produced just
before shows in GET, after a clean stop, and after kill -9 while 2,000 events/s come, with static
membership.
"""

import time

from harness.feeding import Helper, batches_of, feed
from harness.processes import peak_rss_bytes, scratch_directory, tree_bytes
from harness.rows import fill, start_to_new_event, wait_a_moment
from harness.subjects import HERALD, SERVERS, STREAMS, Instance, chosen
from harness.tables import Measure, Table

FEED_INTERVAL_S = 0.005
EVENTS_PER_S = 2_000
# How long the load lasts before the process is killed, and behind its return.
FED_BEFORE_S = 3
FED_S = 8
FEEDER_TIMEOUT_S = 120
STREAMS_ROWS_MAX = 2_000_000

MEASURES = [
    Measure("clean_s", "clean stop: start to event, s", "{:.3f}"),
    Measure("clean_cpu_s", "clean stop: CPU-s", "{:.2f}"),
    Measure("kill_s", "kill -9: start to event, s", "{:.3f}"),
    Measure("kill_cpu_s", "kill -9: CPU-s", "{:.2f}"),
    Measure("peak_rss_bytes", "peak memory, MB", "{:.0f}", 1e6),
    Measure("state_bytes", "MB in the state directory", "{:.1f}", 1e6),
]
COMPARED = ("clean_s", "clean_cpu_s", "kill_s", "kill_cpu_s")


def measure_subject(session, cluster, subject, workload, batches, window):
    cluster.clear(keep=())
    cluster.load(workload)
    name, figures = session.new_name(subject.name), {}
    with scratch_directory(session.directory / name) as directory, Instance(
        session, cluster, subject, name, directory
    ) as instance:
        fill(session, cluster, instance, name)
        with window:
            figures["clean_s"], figures["clean_cpu_s"] = start_to_new_event(
                session, cluster, instance
            )
        to = cluster.address, cluster.partitions
        with Helper(feed, *to, batches, FEED_INTERVAL_S, time.monotonic()) as feeder:
            wait_a_moment(FED_BEFORE_S)
            instance.program.check()
            instance.program.kill()
            with window:
                figures["kill_s"], figures["kill_cpu_s"] = start_to_new_event(
                    session, cluster, instance
                )
            feeder.result(FEEDER_TIMEOUT_S)
        figures["peak_rss_bytes"] = peak_rss_bytes(instance.program.pid)
        instance.program.stop()
        figures["state_bytes"] = tree_bytes(instance.state)
    return figures


def subjects_for(session):
    """Two threads, exactly once; Kafka Streams is left out where it would take minutes a run."""
    subjects = [s for s in chosen(session, SERVERS) if s.name in (HERALD, STREAMS)]
    if session.arguments.rows > STREAMS_ROWS_MAX:
        session.note(f"{session.suite}: Kafka Streams is left out above {STREAMS_ROWS_MAX:,} rows")
        subjects = [s for s in subjects if s.family != STREAMS]
    return subjects


def run(session):
    subjects = subjects_for(session)
    rows, users = session.arguments.rows, session.arguments.users
    workload = session.generate(rows, users)
    events_per_s = 400 if session.smoke else EVENTS_PER_S
    count = events_per_s * FED_S
    batches = batches_of(
        session.generate(max(rows, count), users).events, count, int(events_per_s * FEED_INTERVAL_S)
    )
    with session.cluster() as cluster:
        runs = session.interleave({
            s.name: lambda window, s=s: measure_subject(
                session, cluster, s, workload, batches, window
            )
            for s in subjects
        })  # fmt: skip
    return [
        Table(
            f"restart: rows of {rows:,} events; kill -9 at {events_per_s:,} events/s",
            MEASURES,
            runs,
            {subject.name: subject.family for subject in subjects},
            STREAMS if STREAMS in runs else HERALD,
            COMPARED,
        )
    ]
