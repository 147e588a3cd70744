"""Looking at a subject that works, a few times a second, until it has read all."""

import dataclasses
import time

from harness.processes import Failed, cpu_seconds

SAMPLE_S = 0.05
PROGRESS_S = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    time: float
    cpu_s: float
    broker_cpu_s: float
    # Committed input records: of the first topic, and of all.
    events: int
    records: int


def watch(programs, cluster, group, topics, timeout_s, say):
    """Samples until all records of `topics` are committed; returns the samples, oldest first.

    The first topic is full before; records of the others come as those before them are read.
    """
    samples, requests, partitions = [], cluster.requests, cluster.partitions
    deadline, told = time.monotonic() + timeout_s, time.monotonic()
    while True:
        for program in programs:
            program.check()
        committed = [requests.committed(group, topic, partitions) for topic in topics]
        sums = [sum(positions) for positions in committed]
        sample = Sample(
            time.monotonic(),
            sum(cpu_seconds(program.pid) for program in programs),
            cpu_seconds(cluster.pid),
            sums[0],
            sum(sums),
        )
        samples.append(sample)
        if sample.time - told > PROGRESS_S:
            told = sample.time
            say(f"  {' + '.join(f'{s:,}' for s in sums)} records of {' + '.join(topics)} are done")
        # In this order, and up to the end that open transactions have: what a topic's records lead
        # to is on the next topic by the time that their positions are committed, readable or not.
        if all(p == requests.ends(t, partitions) for p, t in zip(committed, topics)):
            return samples
        if sample.time > deadline:
            raise Failed(
                f"not drained after {timeout_s} s: {sums} of {topics}\n{programs[0].tail()}"
            )
        time.sleep(SAMPLE_S)


def _half_way(samples):
    """(time, CPU-seconds, broker's) when half of all records were committed, between two samples."""
    half = samples[-1].records / 2
    at = next(i for i, sample in enumerate(samples) if sample.records >= half)
    after, before = samples[at], samples[max(0, at - 1)]
    gained = after.records - before.records
    share = (half - before.records) / gained if gained else 1
    return [
        getattr(before, name) + share * (getattr(after, name) - getattr(before, name))
        for name in ("time", "cpu_s", "broker_cpu_s")
    ]


def speed_and_cost(samples, started, events):
    """What a list of samples says of the speed and the cost."""
    first, end = samples[0], samples[-1]
    # The second half of the work: no start, no joining the group, caches warm.
    half_time, half_cpu_s, half_broker_cpu_s = _half_way(samples)
    millions = events / 1e6
    return {
        "seconds": end.time - started,
        "events_per_s": events / (end.time - started),
        "cpu_s_per_million": end.cpu_s / millions,
        "broker_cpu_s_per_million": (end.broker_cpu_s - first.broker_cpu_s) / millions,
        "warm_events_per_s": events / 2 / (end.time - half_time),
        "warm_cpu_s_per_million": (end.cpu_s - half_cpu_s) / (millions / 2),
        "warm_broker_cpu_s_per_million": (end.broker_cpu_s - half_broker_cpu_s) / (millions / 2),
    }
