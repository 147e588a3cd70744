"""restore: the state directory is deleted, and everything comes back from the changelog: process start
until an event that was produced just before shows in GET; beside it a clean start with the rows in
place, so that the difference is the restore itself.
"""

import shutil

from harness.processes import peak_rss_bytes, scratch_directory, tree_bytes
from harness.rows import changelog_records, fill, start_to_new_event
from harness.subjects import HERALD, STREAMS, Instance
from harness.tables import Measure, Table
from suites.restart import subjects_for

MEASURES = [
    Measure("clean_s", "rows in place: start to event, s", "{:.3f}"),
    Measure("restore_s", "restored: start to event, s", "{:.3f}"),
    Measure("beyond_s", "seconds beyond the clean start", "{:.3f}", zero=True),
    Measure("restore_cpu_s", "restored: CPU-s", "{:.2f}"),
    Measure("beyond_cpu_s", "CPU-s beyond the clean start", "{:.2f}", zero=True),
    Measure("records", "records on the changelogs"),
    Measure("records_per_s", "records/s beyond the start", zero=True),
    Measure("peak_rss_bytes", "peak memory, MB", "{:.0f}", 1e6),
    Measure("state_bytes", "MB in the state directory", "{:.1f}", 1e6),
]
COMPARED = ("restore_s", "beyond_s", "restore_cpu_s", "beyond_cpu_s", "peak_rss_bytes")


def measure_subject(session, cluster, subject, workload, window):
    cluster.clear(keep=())
    cluster.load(workload)
    name = session.new_name(subject.name)
    with scratch_directory(session.directory / name) as directory, Instance(
        session, cluster, subject, name, directory
    ) as instance:
        fill(session, cluster, instance, name)
        with window:
            clean_s, clean_cpu_s = start_to_new_event(session, cluster, instance)
        instance.program.stop()
        shutil.rmtree(instance.state)
        records = changelog_records(cluster, name)
        with window:
            restore_s, restore_cpu_s = start_to_new_event(session, cluster, instance)
        peak = peak_rss_bytes(instance.program.pid)
        instance.program.stop()
        # In a tiny run the difference is noise, and may be below zero.
        beyond_s = max(0.0, restore_s - clean_s)
        return {
            "clean_s": clean_s,
            "restore_s": restore_s,
            "beyond_s": beyond_s,
            "restore_cpu_s": restore_cpu_s,
            "beyond_cpu_s": max(0.0, restore_cpu_s - clean_cpu_s),
            "records": records,
            "records_per_s": records / beyond_s if beyond_s else 0.0,
            "peak_rss_bytes": peak,
            "state_bytes": tree_bytes(instance.state),
        }


def run(session):
    subjects = subjects_for(session)
    rows = session.arguments.rows
    workload = session.generate(rows, session.arguments.users)
    with session.cluster() as cluster:
        runs = session.interleave({
            s.name: lambda window, s=s: measure_subject(session, cluster, s, workload, window)
            for s in subjects
        })  # fmt: skip
    return [
        Table(
            f"restore: rows of {rows:,} events",
            MEASURES,
            runs,
            {subject.name: subject.family for subject in subjects},
            STREAMS if STREAMS in runs else HERALD,
            COMPARED,
        )
    ]
