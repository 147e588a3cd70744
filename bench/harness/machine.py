"""What the machine is, and what else uses its CPU while something is measured."""

import contextlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import time

from harness.processes import ROOT, stat_fields

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_OTHERS_NAMED = 3
_OTHER_NAMED_MIN_S = 0.1


def _busy_seconds():
    """Of all cores since boot: what is neither idle nor waiting for a disk; stolen time counts."""
    first = pathlib.Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, _, _, irq, softirq, stolen = map(int, first.split()[1:9])
    return (user + nice + system + irq + softirq + stolen) / _TICKS_PER_S


def _processes():
    """{pid: (parent, name, own CPU-seconds, those of its ended and awaited children)}."""
    found = {}
    for path in pathlib.Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                stat = (path / "stat").read_text()
                fields = stat_fields(stat)
                own, children = (
                    (int(fields[at]) + int(fields[at + 1])) / _TICKS_PER_S for at in (11, 13)
                )
                name = stat[stat.index("(") + 1 : stat.rindex(")")]
                found[int(path.name)] = int(fields[1]), name, own, children
    return found


def _is_ours(pid, processes, roots):
    while pid in processes:
        if pid in roots:
            return True
        pid = processes[pid][0]
    return False


class Window:
    """Measures what others use of the CPU while its `with` blocks last, summed over several.

    Ours are this process, all that it started and still has, what it has waited for, and `roots`:
    processes that were started for it and are nobody's child any more (the broker).
    """

    def __init__(self, roots):
        self._roots = {os.getpid(), *roots}
        self._wall_s = self._other_s = 0.0
        self._named = {}

    def __enter__(self):
        self._start = self._look()
        return self

    def __exit__(self, *_):
        (time0, busy0, ours0, others0), (time1, busy1, ours1, others1) = self._start, self._look()
        self._wall_s += time1 - time0
        self._other_s += max(0.0, busy1 - busy0 - (ours1 - ours0))
        for pid, (name, seconds) in others1.items():
            used = seconds - others0.get(pid, (name, 0.0))[1]
            self._named[name] = self._named.get(name, 0.0) + used

    def _look(self):
        processes = _processes()
        ours, others = 0.0, {}
        for pid, (_, name, own, children) in processes.items():
            if _is_ours(pid, processes, self._roots):
                # The broker's children are none that we count on; ours are in our own sum.
                ours += own + children
            else:
                others[pid] = name, own
        return time.monotonic(), _busy_seconds(), ours, others

    @property
    def other_cores(self):
        """How many cores others kept busy."""
        return self._other_s / self._wall_s if self._wall_s else 0.0

    @property
    def others(self):
        """The busiest of them by name, CPU-seconds."""
        busiest = sorted(self._named.items(), key=lambda item: -item[1])[:_OTHERS_NAMED]
        return {name: round(s, 1) for name, s in busiest if s >= _OTHER_NAMED_MIN_S}


def _said(*command):
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip()


def _first(pattern, path):
    with contextlib.suppress(OSError):
        if found := re.search(pattern, pathlib.Path(path).read_text(), re.MULTILINE):
            return found.group(1)
    return None


def _kafka_version():
    for jar in sorted((ROOT / "build/deps/kafka/libs").glob("kafka_2.*-*.jar")):
        if found := re.fullmatch(r"kafka_[\d.]+-([\d.]+)\.jar", jar.name):
            return found.group(1)
    return None


def _rdkafka_version():
    ours = ROOT / "build/deps/librdkafka/lib/pkgconfig/rdkafka.pc"
    return _first(r"^Version: (\S+)", ours) or _said("pkg-config", "--modversion", "rdkafka")


def describe():
    memory_kib = int(_first(r"^MemTotal:\s+(\d+) kB", "/proc/meminfo"))
    return {
        "cpu": _first(r"^model name\s*: (.*)$", "/proc/cpuinfo") or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory_kib / 2**20, 1),
        "system": _first(r'^PRETTY_NAME="(.*)"', "/etc/os-release"),
        "kernel": platform.release(),
    }


def versions(build):
    """What was measured; None for what is not there."""
    java = _said("java", "-version") if shutil.which("java") else None
    nginx = _said("nginx", "-v") if shutil.which("nginx") else None
    return {
        "herald": _said(build / "herald", "--version"),
        "commit": _said("git", "-C", ROOT, "describe", "--always", "--dirty"),
        "librdkafka": _rdkafka_version(),
        "kafka": _kafka_version(),
        "java": java.splitlines()[0] if java else None,
        "nginx": nginx.partition("/")[2] if nginx else None,
    }
