"""A subject that has read a workload: what restart and restore begin with."""

import time

from harness.feeding import probe_event
from harness.inbox_polling import wait_for_item
from harness.processes import cpu_seconds
from harness.watching import watch

FILL_TIMEOUT_S = 1_800
START_TIMEOUT_S = 600


def fill(session, cluster, instance, group):
    """Starts the instance and lets it read all there is; then it is stopped cleanly."""
    program = instance.start()
    watch([program], cluster, group, instance.subject.sources, FILL_TIMEOUT_S, session.say)
    program.stop()


def start_to_new_event(session, cluster, instance):
    """Produces one event, starts the instance, and waits until GET shows the event.

    Returns (seconds from process start, CPU-seconds of the process until then).
    """
    probe = session.new_name("probe")
    cluster.requests.produce("events", 0, probe_event(probe))
    program = instance.start()
    seen = wait_for_item(program, instance.address, instance.inbox_path(probe, 1), START_TIMEOUT_S)
    return seen - program.started, cpu_seconds(program.pid)


def wait_a_moment(seconds):
    """For what the subject does behind its answer: it is not what the next step measures."""
    time.sleep(seconds)


def changelog_records(cluster, group):
    """What the changelogs of a group have been given, markers of transactions included."""
    return sum(
        cluster.ends_sum(topic)
        for topic in cluster.requests.topics()
        if topic.startswith(f"{group}-") and topic.endswith("-changelog")
    )
