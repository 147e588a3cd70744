"""Debian's real Prometheus on a free port of 127.0.0.1, asked through its HTTP API."""

import atexit
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import expressions
from herald_process import free_port

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 20
ASK_TIMEOUT_S = 20
POLL_S = 0.2


def find(name):
    """The path of a program of Debian's package prometheus, as tools/setup --tests leaves it."""
    path = str(expressions.ROOT / "build/deps/bin")
    found = shutil.which(name) or shutil.which(name, path=path)
    if not found:
        raise FileNotFoundError(f"there is no {name}: run tools/setup --tests")
    return found


class QueryFailed(Exception):
    """Prometheus did not evaluate an expression; the text is its own."""


class Prometheus:
    """One server with its files in `directory`, which holds a prometheus.yml already."""

    def __init__(self, directory):
        self._directory = directory
        self._process = None
        self.url = None
        self._log_path = directory / "prometheus.log"
        atexit.register(self.stop)

    def start(self):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with open(self._log_path, "ab") as log:
            self._process = subprocess.Popen(
                [
                    find("prometheus"),
                    f"--config.file={self._directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    # Debian's package has no pages of its own outside the installed one.
                    "--log.level=warn",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env={**os.environ, "GOMAXPROCS": "1"},
            )
        end = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Prometheus did not start:\n{self.log_tail()}")
            time.sleep(POLL_S)

    def _answers(self):
        try:
            with urllib.request.urlopen(self.url + "/-/ready", timeout=ASK_TIMEOUT_S):
                return True
        except OSError:
            return False

    def stop(self):
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_tail(self, lines=30):
        return "\n".join(self._log_path.read_text(errors="replace").splitlines()[-lines:])

    def _get(self, path, **parameters):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=ASK_TIMEOUT_S) as answer:
                said = json.load(answer)
        except urllib.error.HTTPError as error:
            raise QueryFailed(error.read().decode("utf-8", "replace")) from None
        if said["status"] != "success" or said.get("warnings"):
            raise QueryFailed(json.dumps(said)[:500])
        return said["data"]

    def query(self, expr):
        """[(labels, value)] of an expression now. Raises QueryFailed with Prometheus' own words."""
        data = self._get("query", query=expr)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(item["metric"], float(item["value"][1])) for item in data["result"]]

    def metric_names(self):
        """Every name that it has stored a sample of, recording rules included."""
        return set(self._get("label/__name__/values"))

    def rules(self):
        """All rules of all groups as Prometheus read them."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def alerts(self):
        """{(alert name, state): [labels, annotations] of each}"""
        found = {}
        for alert in self._get("alerts")["alerts"]:
            key = alert["labels"]["alertname"], alert["state"]
            found.setdefault(key, []).append((alert["labels"], alert["annotations"]))
        return found
