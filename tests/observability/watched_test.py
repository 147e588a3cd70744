#!/usr/bin/env python3
"""Two Heralds on a real Kafka, watched by a real Prometheus with the configuration of dashboards/.

Under a load each expression of each panel, rule and alert has to mean something; then Herald is
hurt in several ways, and the alerts for it have to fire, and to end when it is well again.

    watched_test.py [Class[.test_name] ...]
"""

import contextlib
import math
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/integration"))

import expressions
import herald_process
import topics
import watched_load
from herald_process import Herald, Kafka, free_port, make_work_dir, remove_work_dir
from instances import wait_until
from prometheus_server import Prometheus

PARTITIONS = 4
PREFIX = "watched."
SESSION_TIMEOUT_MS = 6000  # the least that a broker allows by default
ACTION_TIMEOUT_MS = 1000
SOCKET_TIMEOUT_MS = 20_000
# What the rules are rewritten to, so that minutes become seconds.
WINDOW = "10s"
FOR = "2s"
LAG_SECONDS = 5
FORESIGHT_S = 40
SCRAPE = "1s"
SHOWS_WITHIN_S = 90
FIRES_WITHIN_S = 90
ENDS_WITHIN_S = 90
DISK_LEFT_SHARE = 0.04  # the alert's own limit is 0.05
HEARTBEAT_INTERVAL_MS = 1000
MIB = 1024 * 1024
POLL_S = 0.5

# Queries that show nothing while there is no trouble; what they are made of has to be there.
QUERIES_THAT_MAY_BE_EMPTY = {
    "overview.json: Dead letters, by reason (B)": "only reasons for which something was refused",
    "pipeline.json: Refused, by reason (A)": "only reasons for which something was refused",
    "http.json: Failed, by route (B)": "only routes on which something failed",
    "state.json: Block cache hits (A)": "rows that are not in a table file yet ask no cache",
    "instance:herald_rocksdb_block_cache_hits:ratio_rate5m": "the same",
}
# Names that are Prometheus' own.
OF_PROMETHEUS = {"up", "ALERTS"}

work = None
kafka = None
prometheus = None
heralds = []
load = None
cleanups = contextlib.ExitStack()


def say(text):
    print(text, file=sys.stderr, flush=True)


def make_herald(name, port, *arguments):
    """One of the two instances; made again with other arguments, it goes on where it was."""
    return Herald(
        work / name,
        *("--brokers", kafka.brokers, "--application-id", "watched", "--topic-prefix", PREFIX),
        *("--instance-id", name, "--session-timeout-ms", SESSION_TIMEOUT_MS),
        *("--action-timeout-ms", ACTION_TIMEOUT_MS, "--standby-replicas", 1),
        *("--heartbeat-interval-ms", HEARTBEAT_INTERVAL_MS),
        *("-X", f"socket.timeout.ms={SOCKET_TIMEOUT_MS}"),
        *("--partitions", PARTITIONS, "--users", work / "users.ndjson", *arguments),
        listen=f"127.0.0.1:{port}",
    )


def shorten(rules):
    """A rule file whose windows and waits are seconds. What it compares with stays as it is."""
    rules, waits = re.subn(r"\bfor: \d+m\b", f"for: {FOR}", rules)
    rules, windows = re.subn(r"\[\d+[mh]\]", f"[{WINDOW}]", rules)
    rules = re.sub(r"\boffset \d+m\b", f"offset {WINDOW}", rules)
    rules = re.sub(r"(herald_consumer_lag_seconds) > 60\b", rf"\1 > {LAG_SECONDS}", rules)
    rules = rules.replace("4 * 3600", str(FORESIGHT_S))
    if not windows and not waits:
        raise AssertionError("nothing to shorten: are these the rules?")
    return rules


def write_configuration(directory, targets):
    """The shipped files for Prometheus, with other targets and with seconds for minutes."""
    directory.mkdir()
    for file in expressions.RULE_FILES:
        (directory / file).write_text(shorten((expressions.DASHBOARDS / file).read_text()))
    text = (expressions.DASHBOARDS / "prometheus.yml").read_text()
    for pattern, replacement in (
        (r"targets: \[.*\]", f"targets: {targets}"),
        (r"(scrape|evaluation)_interval: \d+s", rf"\1_interval: {SCRAPE}"),
    ):
        text, count = re.subn(pattern, replacement, text)
        if not count:
            raise AssertionError(f"prometheus.yml has no {pattern}")
    (directory / "prometheus.yml").write_text(text)


def setUpModule():
    global work, kafka, prometheus, load
    with contextlib.ExitStack() as stack:
        work = make_work_dir()
        stack.callback(remove_work_dir, work)
        say(f"working directory {work}")
        kafka = stack.enter_context(Kafka(work / "kafka"))
        watched_load.users_file(work / "users.ndjson")
        ports = [free_port(), free_port()]
        heralds[:] = [make_herald(f"h{n}", port) for n, port in enumerate(ports, 1)]
        for herald in heralds:
            stack.callback(herald.kill9)
            herald.start()
        write_configuration(work / "prometheus", [f"127.0.0.1:{port}" for port in ports])
        prometheus = Prometheus(work / "prometheus")
        stack.callback(prometheus.stop)
        prometheus.start()
        load = watched_load.Load(heralds)
        stack.callback(load.close)
        cleanups.push(stack.pop_all())


def tearDownModule():
    cleanups.close()


def poison():
    topics.produce(kafka.brokers, PREFIX + "events", b"not json")


def firing():
    return {name for name, state in prometheus.alerts() if state == "firing"}


class Watched(unittest.TestCase):
    def wait_firing(self, name, **labels):
        """Waits until the alert fires with at least these labels."""

        def there():
            for found, annotations in prometheus.alerts().get((name, "firing"), []):
                if labels.items() <= found.items():
                    return found, annotations
            return None

        (found, annotations), took = wait_until(f"{name} fires", there, FIRES_WITHIN_S, POLL_S)
        say(f"{name} {labels} fires after {took:.1f} s: {annotations['summary']}")
        self.assertNotIn("<no value>", " ".join(annotations.values()))
        self.assertTrue((ROOT / annotations["runbook_url"]).is_file())
        return found

    def wait_quiet(self, *names):
        """Waits until none of these alerts fires; without names, none at all."""

        def quiet():
            return not (firing() & set(names) if names else firing())

        _, took = wait_until(f"no {names or 'alert'} fires", quiet, ENDS_WITHIN_S, POLL_S)
        say(f"quiet after {took:.1f} s: {', '.join(names) or 'all'}")

    @staticmethod
    def address(herald):
        return herald.url.removeprefix("http://")


class Expressions(Watched):
    def look(self, what, expr, labels=()):
        """What is wrong with an expression now, or None. An error is wrong for good."""
        names = expressions.metric_names(expr)
        self.assertTrue(names, f"{what}: selects no metric: {expr}")
        if unknown := names - self.known:
            return f"{what}: Herald has no {sorted(unknown)}"
        series = [labels for labels, value in prometheus.query(expr) if not math.isnan(value)]
        if not series:
            return f"{what}: is empty: {expr}"
        missing = set(labels) - set().union(*series)
        if missing:
            return f"{what}: its legend names {sorted(missing)}, its series have no such label"
        return None

    def look_at_all(self):
        """(how many expressions there are, what is wrong)"""
        wrong, count = [], 0
        # What the instances' /metrics have had since they were started, and what rules record.
        self.known = prometheus.metric_names() | OF_PROMETHEUS
        for target in expressions.targets():
            count += 1
            expr = expressions.fill_in(target.expr, WINDOW)
            if str(target) in QUERIES_THAT_MAY_BE_EMPTY:
                wrong += self.look_inside(target, expr)
            else:
                wrong.append(self.look(target, expr, expressions.legend_labels(target.legend)))
        for rule in prometheus.rules():
            count += 1
            if rule["health"] != "ok":
                wrong.append(f"{rule['name']}: {rule['health']} {rule.get('lastError')}")
            elif rule["type"] == "recording" and rule["name"] not in QUERIES_THAT_MAY_BE_EMPTY:
                wrong.append(self.look(rule["name"], rule["query"]))
            else:
                wrong += self.look_inside(rule["name"], rule["query"])
        for page, query in expressions.runbook_queries():
            count += 1
            wrong += self.look_inside(page, query)
        return count, [text for text in wrong if text]

    def look_inside(self, what, expr):
        """What asks for trouble is empty when there is none, so what it is made of must be there."""
        prometheus.query(expr)
        for selector in expressions.selectors(expr):
            yield self.look(f"{what}: {selector}", selector)

    def test_each_of_panels_rules_alerts_and_runbooks_has_something_to_show(self):
        poison()
        found = []

        def nothing_wrong():
            found[:] = self.look_at_all()
            return not found[1]

        try:
            _, took = wait_until("all have", nothing_wrong, SHOWS_WITHIN_S, POLL_S)
        except TimeoutError:
            self.fail(f"{len(found[1])} of {found[0]} expressions:\n" + "\n".join(found[1]))
        say(f"{found[0]} expressions have something to show after {took:.1f} s")

    def test_prometheus_finds_the_rules_that_we_find(self):
        self.assertEqual(
            sorted(rule["name"] for rule in prometheus.rules()),
            sorted(rule.name for rule in expressions.rules()),
        )


class Alerts(Watched):
    """Each test begins and ends with two instances that are well."""

    def setUp(self):
        self.wait_quiet()

    def test_a_killed_instance(self):
        _, second = heralds
        second.kill9()
        self.wait_firing("HeraldDown", instance=self.address(second), severity="critical")
        second.start()
        self.wait_quiet("HeraldDown")

    def test_a_poisoned_topic(self):
        poison()
        self.wait_firing("HeraldDeadLetters", severity="warning")
        self.wait_quiet("HeraldDeadLetters")

    def starve_consumers(self, starve):
        """A quota of a byte a second: the broker leaves whoever has fetched more without answers, so
        that no records arrive, while heartbeats and everything else go on. A connection that was
        left without is given up after SOCKET_TIMEOUT_MS, and the next one is answered."""
        change = ["--add-config" if starve else "--delete-config"]
        change += ["consumer_byte_rate=1" if starve else "consumer_byte_rate"]
        java = ["java", "-Xmx128m", "-cp", f"{herald_process.KAFKA_LIBS}/*"]
        java += ["kafka.admin.ConfigCommand", "--bootstrap-server", kafka.brokers, "--alter"]
        java += ["--entity-type", "clients", "--entity-default"]
        timeout_s = herald_process.KAFKA_TIMEOUT_S
        subprocess.run([*java, *change], check=True, capture_output=True, timeout=timeout_s)

    def test_a_stalled_consumer(self):
        self.starve_consumers(True)
        try:
            self.wait_firing("HeraldNotConsuming", topic=PREFIX + "events", severity="critical")
            self.wait_firing("HeraldLagGrows", topic=PREFIX + "events", severity="critical")
            # Changes of inboxes wait for a commit, in vain.
            self.wait_firing("HeraldHttpErrors", severity="critical")
        finally:
            self.starve_consumers(False)
        # What has waited was late when it came.
        self.wait_firing("HeraldLatencyHigh", severity="critical")
        self.wait_quiet()

    def test_a_disk_that_is_nearly_used_up(self):
        _, second = heralds
        port = int(self.address(second).rsplit(":", 1)[1])
        self.assertEqual(second.stop()[0], 0)
        disk = shutil.disk_usage(second.state_dir)
        reserve = int((disk.free - DISK_LEFT_SHARE * disk.total) / MIB)
        self.assertGreater(reserve, 0, "this machine's disk is nearly full")
        full = make_herald(second.directory.name, port, "--disk-reserve-mib", reserve)
        self.addCleanup(full.kill9)
        full.start()
        self.wait_firing("HeraldDiskFilling", instance=self.address(full), severity="critical")
        self.assertEqual(full.stop()[0], 0)
        second.start()
        self.wait_quiet("HeraldDiskFilling")


if __name__ == "__main__":
    unittest.main(verbosity=2)
