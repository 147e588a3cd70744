"""scale: Herald alone, drain as above: 1, 2, 4 threads, 1, 2, 3 processes of one thread, and other
workloads at 2 threads. CPU-seconds per million events over those of "base" say where a cliff is.
"""

from harness.subjects import HERALD, Subject, chosen
from harness.tables import Table
from suites.drain import COMPARED, MEASURES, drain_once, warm_up, workload_of

BASE = "base"
COLUMNS = {
    BASE: (Subject(BASE, HERALD), "base"),
    "1-thread": (Subject("1-thread", HERALD, threads=1), "base"),
    "4-threads": (Subject("4-threads", HERALD, threads=4), "base"),
    "2-processes": (Subject("2-processes", HERALD, threads=1, processes=2), "base"),
    "3-processes": (Subject("3-processes", HERALD, threads=1, processes=3), "base"),
    "skewed": (Subject("skewed", HERALD), "skewed"),
    "wide": (Subject("wide", HERALD), "wide"),
    "64-partitions": (Subject("64-partitions", HERALD), "partitions64"),
}


def measure_column(session, cluster, subject, workload_name, window):
    workload, cluster.partitions = workload_of(session, workload_name)
    cluster.clear(keep=())
    cluster.load(workload)
    return drain_once(session, cluster, subject, workload.events_count, window)


def run(session):
    chosen(session, [Subject(HERALD, HERALD)])
    for _, workload_name in COLUMNS.values():
        workload_of(session, workload_name)
    with session.cluster() as cluster:
        cluster.load(workload_of(session, "base")[0])
        warm_up(session, cluster, session.arguments.events)
        runs = session.interleave({
            name: lambda window, s=subject, w=workload: measure_column(
                session, cluster, s, w, window
            )
            for name, (subject, workload) in COLUMNS.items()
        })  # fmt: skip
    title = f"scale: Herald drains {session.arguments.events:,} events; base: 2 threads, 4 partitions"
    families = dict.fromkeys(COLUMNS, HERALD)
    return [Table(title, MEASURES, runs, families, BASE, COMPARED)]
