"""The programs that are measured, and how each is started."""

import dataclasses

from harness.processes import ROOT, Failed, Program, free_port

KAFKA_STREAMS = ROOT / "build/peers/kafka-streams/run"
COMMIT_INTERVAL_MS = 100

HERALD, STREAMS, COPY, ROWS = "herald", "kafka-streams", "floor-copy", "floor-rows"

_STREAMS_GUARANTEES = {"exactly_once": "exactly_once_v2", "at_least_once": "at_least_once"}


@dataclasses.dataclass(frozen=True)
class Subject:
    """A program with its settings, as a column of a table."""

    name: str
    family: str
    guarantee: str = "exactly_once"
    threads: int = 2
    processes: int = 1

    @property
    def serves(self):
        """Answers over HTTP."""
        return self.family in (HERALD, STREAMS)

    @property
    def sources(self):
        """The topics whose records it reads to the end, the one that is full before first."""
        return ("events",) if self.family == COPY else ("events", "notifications")


DRAINERS = [
    Subject("herald", HERALD),
    Subject("floor-copy", COPY),
    Subject("floor-rows", ROWS),
    Subject("kafka-streams", STREAMS),
    Subject("herald-1-thread", HERALD, threads=1),
    Subject("kafka-streams-1-thread", STREAMS, threads=1),
    Subject("herald-alo", HERALD, guarantee="at_least_once"),
    Subject("kafka-streams-alo", STREAMS, guarantee="at_least_once"),
]
SERVERS = [subject for subject in DRAINERS if subject.serves]
FAMILIES = (HERALD, COPY, ROWS, STREAMS)


def program_of(build, family):
    names = {HERALD: "herald", COPY: "bare_loop", ROWS: "floor_rows"}
    return KAFKA_STREAMS if family == STREAMS else build / names[family]


def missing(build, family):
    """What to do about a program that is not there; None when it is."""
    path = program_of(build, family)
    if path.exists():
        return None
    how = "bench/peers/kafka-streams/build" if family == STREAMS else f"cmake --build {build}"
    return f"{family} is not measured: there is no {path} ({how} makes it)"


class Instance:
    """One process of a subject with its directory: it can be started more than once, as after an
    end of any kind, and is ended by `with`."""

    def __init__(self, session, cluster, subject, application_id, directory, number=0):
        self.subject, self.directory = subject, directory
        self.state = directory / f"state-{number}"
        self.log = directory / f"log-{number}"
        self._session, self._cluster = session, cluster
        self._application_id, self._number = application_id, number
        self._ready_file = directory / f"ready-{number}"
        self.program = None
        self.address = None

    def _command(self):
        subject, cluster = self.subject, self._cluster
        program = program_of(self._session.build, subject.family)
        if not subject.serves:
            return [
                *(program, "--brokers", cluster.address, "--group", self._application_id),
                *("--from", "events", "--to", self._copy_topic(), "--threads", subject.threads),
                *("--partitions", cluster.partitions),
                *("--commit-interval-ms", COMMIT_INTERVAL_MS),
                *(("--state-dir", self.state) if subject.family == ROWS else ()),
            ]
        common = [
            *("--application-id", self._application_id, "--state-dir", self.state),
            *("--listen", self.address, "--ready-file", self._ready_file),
            *("--threads", subject.threads, "--partitions", cluster.partitions),
            *("--commit-interval-ms", COMMIT_INTERVAL_MS),
            *("--instance-id", f"{self._application_id}-i{self._number}"),
        ]
        if subject.family == HERALD:
            return [
                *(program, "run", "--brokers", cluster.address, *common),
                *("--guarantee", subject.guarantee, "--log-level", "warn"),
            ]
        guarantee = _STREAMS_GUARANTEES[subject.guarantee]
        return [program, "--bootstrap", cluster.address, *common, "--guarantee", guarantee]

    def _copy_topic(self):
        return "notifications" if self.subject.family == ROWS else "copies"

    def start(self):
        if self.subject.serves:
            self.address = f"127.0.0.1:{free_port()}"
        self._ready_file.unlink(missing_ok=True)
        self.program = Program(self._command(), self.log).start()
        return self.program

    def inbox_path(self, user, limit=20):
        """Where it answers with the newest of an inbox; `user` needs no encoding."""
        inbox = f"/v1/users/{user}/inbox" if self.subject.family == HERALD else f"/inboxes/{user}"
        return f"{inbox}?limit={limit}"

    @property
    def is_ready(self):
        return self._ready_file.exists()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.program is not None:
            self.program.stop()


def check_families(names):
    for name in names:
        if name not in {*FAMILIES, *(s.name for s in DRAINERS), "floor", "nginx"}:
            raise Failed(f"--peers does not know {name}")


def chosen(session, subjects):
    """Those that --peers names, by their own name or their family's, and that have a program."""
    wanted, result = session.arguments.peers, []
    for subject in subjects:
        names = {subject.name, subject.family, subject.family.split("-")[0]}
        if wanted is not None and not names & set(wanted):
            continue
        if (reason := missing(session.build, subject.family)) is None:
            result.append(subject)
        elif session.smoke and subject.family != STREAMS:  # it belongs to the build
            raise Failed(reason)
        else:
            session.note(reason)
    if not result:
        raise Failed("nothing to measure is left")
    return result
