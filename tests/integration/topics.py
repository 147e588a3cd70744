"""Writes to and reads from Kafka topics through kcat, safe for any bytes."""

import dataclasses
import json
import subprocess
import tempfile

KCAT_TIMEOUT_S = 300
# Lengths first, then the bytes; the headers end the record with a byte that no header here has.
_FORMAT = "%p %o %T %K %S\\n%k%s%h\\x1e\\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]


def _parse_headers(text):
    """'a=1,b=x, y' -> {'a': '1', 'b': 'x, y'}: a part without '=' belongs to the one before."""
    headers = {}
    name = None
    for part in text.split(",") if text else []:
        if "=" in part and (name is None or part.split("=")[0].replace("-", "").isidentifier()):
            name, value = part.split("=", 1)
            headers[name] = value
        elif name is not None:
            headers[name] += "," + part
    return headers


def read_topic(brokers, topic, isolation="read_committed"):
    """Yields every Record of `topic` up to its present end, partition by partition in order."""
    command = ["kcat", "-C", "-b", brokers, "-t", topic, "-o", "beginning", "-e", "-q"]
    command += ["-X", f"isolation.level={isolation}", "-X", "fetch.wait.max.ms=50", "-f", _FORMAT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as kcat:
        while head := kcat.stdout.readline():
            partition, offset, timestamp, key_bytes, value_bytes = (int(n) for n in head.split())
            key = kcat.stdout.read(key_bytes) if key_bytes >= 0 else None
            value = kcat.stdout.read(value_bytes) if value_bytes >= 0 else None
            tail = kcat.stdout.readline()
            while not tail.endswith(b"\x1e\n"):
                more = kcat.stdout.readline()
                if not more:
                    raise RuntimeError(f"kcat stopped inside a record of {topic}")
                tail += more
            headers = _parse_headers(tail[:-2].decode("utf-8", "replace"))
            yield Record(partition, offset, timestamp, key, value, headers)
        errors = kcat.stderr.read().decode("utf-8", "replace")
        if kcat.wait() != 0:
            raise RuntimeError(f"kcat cannot read {topic}: {errors}")


def start_feeding(brokers, topic, path, properties=()):
    """Starts a kcat that produces each line of the file as one record; returns the process."""
    command = ["kcat", "-P", "-b", brokers, "-t", topic, "-X", "enable.idempotence=true"]
    for item in properties:
        command += ["-X", item]
    return subprocess.Popen([*command, "-l", path], stderr=subprocess.PIPE)


def finish_feeding(kcat):
    _, errors = kcat.communicate(timeout=KCAT_TIMEOUT_S)
    if kcat.returncode != 0:
        raise RuntimeError(f"kcat cannot produce: {errors.decode('utf-8', 'replace')}")


def feed(brokers, topic, path):
    """Produces each line of the file as one record, and waits until Kafka has them."""
    finish_feeding(start_feeding(brokers, topic, path))


def _produce_with(brokers, topic, arguments, partition, properties, stdin=None):
    command = ["kcat", "-P", "-b", brokers, "-t", topic, "-X", "enable.idempotence=true"]
    for item in properties:
        command += ["-X", item]
    if partition is not None:
        command += ["-p", str(partition)]
    finished = subprocess.run(
        [*command, *arguments], input=stdin, capture_output=True, timeout=KCAT_TIMEOUT_S
    )
    if finished.returncode != 0:
        raise RuntimeError(f"kcat cannot produce: {finished.stderr.decode('utf-8', 'replace')}")


def produce(brokers, topic, value, key=None, partition=None, properties=(), headers=()):
    """Produces one record of exactly these bytes; headers as "name=value"."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(value)
        file.flush()
        arguments = ["-k", key] if key is not None else []
        for header in headers:
            arguments += ["-H", header]
        arguments.append(file.name)
        _produce_with(brokers, topic, arguments, partition, properties)


def produce_null(brokers, topic, key=None, partition=None):
    """Produces one record with a null value."""
    line = (key or "").encode("utf-8") + b"\x1f\n"  # -Z makes nulls of what is empty
    _produce_with(brokers, topic, ["-Z", "-K", "\x1f"], partition, (), stdin=line)


def produce_lines(brokers, topic, lines, partition=None):
    """Produces one record a line; with a partition they also arrive in this order."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()
        _produce_with(brokers, topic, ["-l", file.name], partition, ())


def topic_partitions(brokers):
    """{topic: number of partitions} of the cluster."""
    finished = subprocess.run(
        ["kcat", "-L", "-J", "-b", brokers], capture_output=True, timeout=60, check=True
    )
    topics = json.loads(finished.stdout)["topics"]
    return {topic["topic"]: len(topic["partitions"]) for topic in topics}
