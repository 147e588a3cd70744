"""Reads the dashboards and rules under dashboards/, and PromQL as far as their checks need it."""

import dataclasses
import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DASHBOARDS = ROOT / "dashboards"
RUNBOOKS = ROOT / "docs/runbooks"
RULE_FILES = ("recording.yml", "alerts.yml")


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """One query of one panel."""

    dashboard: str
    panel: str
    ref: str
    expr: str
    legend: str

    def __str__(self):
        return f"{self.dashboard}: {self.panel} ({self.ref})"


def dashboards():
    """{file name: the dashboard}"""
    return {path.name: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def panels(dashboard):
    """All panels of a dashboard, also those inside collapsed rows."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def targets():
    """The Target of every query of every panel."""
    for name, dashboard in dashboards().items():
        for panel in panels(dashboard):
            for target in panel.get("targets", []):
                yield Target(
                    name,
                    panel["title"],
                    target["refId"],
                    target["expr"],
                    target.get("legendFormat", ""),
                )


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """An alert or a recording rule as its file has it."""

    kind: str  # alert, record
    name: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]


def rules():
    """Every Rule, in order."""
    found = []
    for file in RULE_FILES:
        for group in yaml.safe_load((DASHBOARDS / file).read_text())["groups"]:
            for rule in group["rules"]:
                kind = "alert" if "alert" in rule else "record"
                labels, annotations = rule.get("labels", {}), rule.get("annotations", {})
                found.append(Rule(kind, rule[kind], rule["expr"], labels, annotations))
    return found


def runbook_queries():
    """[(page, query)] of every query that a page under docs/runbooks/ asks Prometheus."""
    asked = re.compile(r"promtool query instant \$PROMETHEUS '([^']+)'")
    return [
        (path.name, query)
        for path in sorted(RUNBOOKS.glob("*.md"))
        for query in asked.findall(path.read_text())
    ]


def fill_in(expr, window):
    """The expression with Grafana's own variables given values, as for all instances."""
    for name, value in (
        ("$__rate_interval", window),
        ("$__interval", window),
        ("$__range", window),
        ("$instance", ".*"),
    ):
        expr = expr.replace(name, value)
    return expr


_WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan", "start", "end"}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*(\([^)]*\))?")
_NAME = re.compile(r"(?<![\w:.$])[a-zA-Z_:][\w:]*(?!\s*\()(?![\w:])")
_COMMENT = re.compile(r"#[^\n]*")


def metric_names(expr):
    """The names of the metrics that an expression selects."""
    bare = _COMMENT.sub("", _STRING.sub('""', expr))
    bare = re.sub(r"\{[^}]*\}", " ", bare)
    bare = re.sub(r"\[[^\]]*\]", " ", bare)
    bare = _GROUPING.sub(" ", bare)
    return {name for name in _NAME.findall(bare) if name.lower() not in _WORDS}


def selectors(expr):
    """The instant selectors in an expression, `name{matchers}`, without ranges and offsets."""
    names = metric_names(expr)
    strings = []

    def keep(match):
        strings.append(match[0])
        return f'"{len(strings) - 1}"'

    bare = _COMMENT.sub("", _STRING.sub(keep, expr))
    found = set()
    for match in re.finditer(r"(?<![\w:.$])([a-zA-Z_:][\w:]*)(\{[^}]*\})?", bare):
        if match[1] in names and bare[match.end() :].lstrip()[:1] != "(":
            text = match[1] + (match[2] or "")
            found.add(re.sub(r'"(\d+)"', lambda number: strings[int(number[1])], text))
    return found


def legend_labels(legend):
    return set(re.findall(r"\{\{\s*(\w+)\s*\}\}", legend))
