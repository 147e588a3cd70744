"""micro: single steps, by google-benchmark (micro_bench): nanoseconds of CPU an item each."""

import json
import subprocess

from harness.processes import Failed
from harness.subjects import HERALD
from harness.tables import Measure, Table

PROGRAM = "micro_bench"
SMOKE_SECONDS = "0.01"
TIMEOUT_S = 900
NS_PER_S = 1e9


def measure_all(session, window):
    """{name of a step: nanoseconds of CPU an item}"""
    command = [session.build / PROGRAM, "--benchmark_format=json"]
    if session.smoke:
        command.append(f"--benchmark_min_time={SMOKE_SECONDS}")
    with window:
        done = subprocess.run(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    if done.returncode:
        raise Failed(f"{PROGRAM} ended with {done.returncode}:\n{done.stderr}")
    figures = {}
    for step in json.loads(done.stdout)["benchmarks"]:
        if step.get("error_occurred"):
            raise Failed(f"{PROGRAM}: {step['name']}: {step['error_message']}")
        if step.get("run_type", "iteration") == "iteration":
            # Of CPU time; a step may take many items at once.
            figures[step["name"]] = NS_PER_S / step["items_per_second"]
    return figures


def run(session):
    if not (session.build / PROGRAM).exists():
        reason = f"micro is not measured: there is no {session.build / PROGRAM}"
        if session.smoke:
            raise Failed(reason)
        session.note(reason)
        return []
    runs = session.interleave({HERALD: lambda window: measure_all(session, window)})
    names = dict.fromkeys(name for run in runs[HERALD] for name in run["figures"])
    measures = [Measure(name, name, "{:,.1f}") for name in names]
    return [Table("micro: nanoseconds of CPU an item", measures, runs, {HERALD: HERALD})]
