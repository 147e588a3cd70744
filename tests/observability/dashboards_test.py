#!/usr/bin/env python3
"""What the files under dashboards/ and docs/runbooks/ promise: panels, rules, pages. No server needed.

That every expression means something to a running Herald is watched_test.py's to show.
"""

import itertools
import pathlib
import re
import subprocess
import sys
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

import expressions
import prometheus_server
from expressions import DASHBOARDS, RUNBOOKS

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GRID_COLUMNS = 24
DESCRIPTION_CHARACTERS_MIN = 30
SEVERITIES = {"critical", "warning"}
PAGE_HEADINGS = ["What it means", "How to confirm", "What to do"]
PROMTOOL_TIMEOUT_S = 60


def drawn_panels():
    """("file: title", panel) of each that shows queries, as rows and texts do not."""
    for name, dashboard in expressions.dashboards().items():
        for panel in expressions.panels(dashboard):
            if panel["type"] not in ("row", "text"):
                yield f"{name}: {panel['title']}", panel


def overlap(one, other):
    a, b = one["gridPos"], other["gridPos"]
    return (
        a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    )


class Dashboards(unittest.TestCase):
    def test_there_are_the_four(self):
        self.assertEqual(
            set(expressions.dashboards()),
            {"overview.json", "pipeline.json", "state.json", "http.json"},
        )

    def test_each_has_a_title_and_a_uid_of_its_own(self):
        found = list(expressions.dashboards().values())
        for key in ("uid", "title"):
            values = [dashboard[key] for dashboard in found]
            self.assertEqual(len(set(values)), len(values), values)
            self.assertTrue(all(values), values)

    def test_each_has_the_variables_datasource_and_instance(self):
        for name, dashboard in expressions.dashboards().items():
            with self.subTest(name):
                variables = {item["name"]: item for item in dashboard["templating"]["list"]}
                self.assertEqual(variables["datasource"]["type"], "datasource")
                self.assertEqual(variables["datasource"]["query"], "prometheus")
                self.assertEqual(variables["instance"]["datasource"], DATASOURCE)

    def test_each_links_to_the_others(self):
        uids = {dashboard["uid"] for dashboard in expressions.dashboards().values()}
        for name, dashboard in expressions.dashboards().items():
            with self.subTest(name):
                linked = {link["url"].removeprefix("/d/") for link in dashboard["links"]}
                self.assertEqual(linked, uids - {dashboard["uid"]})

    def test_each_says_at_its_top_what_to_look_at_first(self):
        for name, dashboard in expressions.dashboards().items():
            with self.subTest(name):
                first = min(
                    expressions.panels(dashboard), key=lambda panel: panel["gridPos"]["y"]
                )
                self.assertEqual((first["type"], first["title"]), ("text", "Look here first"))
                self.assertGreater(len(first["options"]["content"]), 100)

    def test_ids_of_panels_are_unique(self):
        for name, dashboard in expressions.dashboards().items():
            with self.subTest(name):
                ids = [panel["id"] for panel in expressions.panels(dashboard)]
                self.assertEqual(sorted(ids), sorted(set(ids)))

    def test_titles_of_panels_are_unique(self):
        for name, dashboard in expressions.dashboards().items():
            with self.subTest(name):
                titles = [panel["title"] for panel in expressions.panels(dashboard)]
                self.assertEqual(sorted(titles), sorted(set(titles)))

    def test_no_panel_lies_on_another_or_off_the_grid(self):
        for name, dashboard in expressions.dashboards().items():
            with self.subTest(name):
                for panel in expressions.panels(dashboard):
                    at = panel["gridPos"]
                    self.assertTrue(at["x"] >= 0 and at["y"] >= 0, panel["title"])
                    self.assertTrue(at["w"] > 0 and at["h"] > 0, panel["title"])
                    self.assertLessEqual(at["x"] + at["w"], GRID_COLUMNS, panel["title"])
                for one, other in itertools.combinations(expressions.panels(dashboard), 2):
                    self.assertFalse(overlap(one, other), f"{one['title']} and {other['title']}")

    def test_each_panel_has_title_description_unit_and_the_datasource_variable(self):
        for name, panel in drawn_panels():
            with self.subTest(name):
                self.assertTrue(panel["title"])
                self.assertGreaterEqual(len(panel["description"]), DESCRIPTION_CHARACTERS_MIN)
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertEqual(panel["datasource"], DATASOURCE)
                self.assertTrue(panel["targets"])
                for target in panel["targets"]:
                    self.assertEqual(target["datasource"], DATASOURCE)

    def test_queries_of_a_panel_have_names_of_their_own(self):
        for name, panel in drawn_panels():
            with self.subTest(name):
                refs = [target["refId"] for target in panel["targets"]]
                self.assertEqual(len(set(refs)), len(refs))
                if len(refs) > 1:
                    legends = [target["legendFormat"] for target in panel["targets"]]
                    self.assertEqual(len(set(legends)), len(legends))
                    self.assertTrue(all(legends))

    def test_each_query_heeds_the_chosen_instances(self):
        for target in expressions.targets():
            for selector in expressions.selectors(target.expr):
                with self.subTest(target=str(target), selector=selector):
                    self.assertIn('instance=~"$instance"', selector)

    def test_rates_are_over_grafanas_own_interval(self):
        """A window in figures is too short for one scrape interval or too long for a zoom."""
        for target in expressions.targets():
            with self.subTest(target=str(target)):
                for window in re.findall(r"\brate\([^()]*\}\[([^\]]*)\]", target.expr):
                    self.assertEqual(window, "$__rate_interval")


class Rules(unittest.TestCase):
    rules = expressions.rules()
    alerts = [rule for rule in rules if rule.kind == "alert"]

    def promtool(self, *arguments):
        finished = subprocess.run(
            [prometheus_server.find("promtool"), *arguments],
            capture_output=True,
            text=True,
            timeout=PROMTOOL_TIMEOUT_S,
            cwd=DASHBOARDS,
        )
        said = finished.stdout + finished.stderr
        self.assertEqual(finished.returncode, 0, said)
        return said

    def test_promtool_accepts_the_configuration(self):
        said = self.promtool("check", "config", "prometheus.yml")
        for file in expressions.RULE_FILES:
            self.assertIn(file, said)

    def test_the_rules_own_tests_pass(self):
        self.promtool("test", "rules", "rules_test.yml")

    def test_each_rule_has_such_a_test(self):
        """An alert needs a moment at which it fires and one at which it stays quiet."""
        tests = yaml.safe_load((DASHBOARDS / "rules_test.yml").read_text())["tests"]
        recorded = {each["expr"] for test in tests for each in test.get("promql_expr_test", [])}
        moments = [each for test in tests for each in test.get("alert_rule_test", [])]
        fired = {each["alertname"] for each in moments if each.get("exp_alerts")}
        quiet = {each["alertname"] for each in moments if not each.get("exp_alerts")}
        alerts = {alert.name for alert in self.alerts}
        self.assertEqual((fired, quiet), (alerts, alerts))
        self.assertEqual(recorded, {rule.name for rule in self.rules if rule.kind == "record"})

    def test_names_are_unique(self):
        names = [rule.name for rule in self.rules]
        self.assertEqual(sorted(names), sorted(set(names)))

    def test_each_alert_has_severity_summary_and_description(self):
        for alert in self.alerts:
            with self.subTest(alert.name):
                self.assertIn(alert.labels["severity"], SEVERITIES)
                self.assertTrue(alert.annotations["summary"])
                description = alert.annotations["description"]
                self.assertGreater(len(description), DESCRIPTION_CHARACTERS_MIN)

    def test_each_alert_has_its_page_and_each_page_its_alert(self):
        self.assertEqual(
            [alert.annotations["runbook_url"] for alert in self.alerts],
            [f"docs/runbooks/{alert.name}.md" for alert in self.alerts],
        )
        pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
        self.assertEqual(pages, {alert.name for alert in self.alerts})

    def test_each_page_says_what_it_means_how_to_confirm_and_what_to_do(self):
        for alert in self.alerts:
            with self.subTest(alert.name):
                page = (RUNBOOKS / f"{alert.name}.md").read_text()
                self.assertTrue(page.startswith(f"# {alert.name}\n"))
                headings = re.findall(r"^## (.+)$", page, re.M)
                self.assertEqual(headings, PAGE_HEADINGS)
                confirm = page.split("## How to confirm\n")[1].split("\n## ")[0]
                self.assertRegex(confirm, r"(?m)^    \S", "no command to confirm it with")

    def test_the_list_of_pages_and_the_operators_guide_name_every_alert(self):
        listed = (RUNBOOKS / "README.md").read_text()
        for alert in self.alerts:
            with self.subTest(alert.name):
                line = f"| [{alert.name}]({alert.name}.md) | {alert.labels['severity']} |"
                self.assertIn(line, listed)
        self.assertIn("(runbooks/README.md)", (RUNBOOKS.parent / "operations.md").read_text())


if __name__ == "__main__":
    unittest.main()
