#!/usr/bin/env python3
"""docker-compose.yml is valid and keeps what it promises; its load balancer's file is valid, too.

No Docker engine is needed. HERALD_BINARY names the program, HERALD_DEPS where tools/setup has put
docker-compose and haproxy.
"""

import copy
import os
import pathlib
import re
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERALD = os.environ.get("HERALD_BINARY", str(ROOT / "build/release/herald"))
DEPS = pathlib.Path(os.environ.get("HERALD_DEPS", ROOT / "build/deps"))
COMPOSE = ROOT / "docker-compose.yml"
BALANCER = ROOT / "examples/haproxy.cfg"
TIMEOUT_S = 30

EXACT_VERSION = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+(-[a-z0-9]+)?")
LIMITS = ("mem_limit", "cpus", "pids_limit", "stop_grace_period")
# Of these the default, 10 s, is enough: they keep nothing.
NOTHING_TO_STOP = {"users", "feeder", "grafana"}
ENDS_BY_ITSELF = {"users"}


def run(*command, **options):
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:{DEPS}/bin"}
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=environment,
        **options,
    )


def flags_of(*command):
    """The long flags that a program's help names."""
    finished = run(*command, "--help", check=True)
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", finished.stdout))


def mounts(service):
    """(source, target, whether it is read-only) of each mount that is a path of ours."""
    for text in service.get("volumes", []):
        source, target, *mode = text.split(":")
        if source.startswith("."):
            yield ROOT / source, target, mode == ["ro"]


def differences(compose):
    """Lines that say where a compose file breaks what is promised of ours."""
    found = []
    for name, service in compose["services"].items():
        if "build" in service:
            build = service["build"]
            context = build if isinstance(build, str) else build["context"]
            if not (ROOT / context / "Dockerfile").exists():
                found.append(f"{name}: no Dockerfile in {context}")
        elif not EXACT_VERSION.fullmatch(service["image"]):
            found.append(f"{name}: image {service['image']} is not pinned to a version")
        if not service.get("healthcheck", {}).get("test"):
            found.append(f"{name}: no health check")
        for limit in LIMITS:
            if limit not in service and not (
                limit == "stop_grace_period" and name in NOTHING_TO_STOP
            ):
                found.append(f"{name}: no {limit}")
        restart = "on-failure" if name in ENDS_BY_ITSELF else "unless-stopped"
        if service.get("restart") != restart:
            found.append(f"{name}: restart is {service.get('restart')}")
        if service.get("read_only") is not True or service.get("cap_drop") != ["ALL"]:
            found.append(f"{name}: its root file system or its capabilities are not restricted")
        for source, _, read_only in mounts(service):
            if not source.exists():
                found.append(f"{name}: {source.relative_to(ROOT)} does not exist")
            if not read_only:
                found.append(f"{name}: {source.relative_to(ROOT)} can be written to")
        for text in service.get("volumes", []):
            source = text.split(":")[0]
            if not source.startswith(".") and source not in compose["volumes"]:
                found.append(f"{name}: volume {source} is not declared")
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                found.append(f"{name}: port {port} is open to other machines")
        for other in service.get("depends_on", {}):
            if other not in compose["services"]:
                found.append(f"{name}: depends on {other}, which is not there")
    return found


class ComposeFile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.compose = yaml.safe_load(COMPOSE.read_text())
        cls.services = cls.compose["services"]
        cls.heralds = {n: s for n, s in cls.services.items() if s.get("image") == "herald:local"}

    def test_docker_compose_takes_it(self):
        finished = run("docker-compose", "-f", COMPOSE, "--profile", "demo", "config", "-q")
        self.assertEqual((finished.returncode, finished.stderr), (0, ""))

    def test_every_service_keeps_what_is_promised(self):
        self.assertEqual(differences(self.compose), [])

    def test_a_broken_promise_is_found(self):
        def spoil(service, **fields):
            spoiled = copy.deepcopy(self.compose)
            spoiled["services"][service].update(fields)
            return "\n".join(differences(spoiled))

        for service, fields, word in (
            ("kafka", {"image": "apache/kafka:latest"}, "not pinned"),
            ("prometheus", {"image": "prom/prometheus"}, "not pinned"),
            ("herald-2", {"healthcheck": {}}, "no health check"),
            ("grafana", {"mem_limit": None, "restart": "no"}, "restart is no"),
            ("herald-1", {"read_only": False}, "not restricted"),
            ("herald-1", {"volumes": ["herald:/var/lib/herald"]}, "volume herald is not declared"),
            ("load-balancer", {"volumes": ["./gone.cfg:/x:ro"]}, "gone.cfg does not exist"),
            ("load-balancer", {"ports": ["8080:8080"]}, "open to other machines"),
            ("feeder", {"depends_on": {"herald": {}}}, "which is not there"),
        ):
            with self.subTest(service=service, fields=fields):
                self.assertIn(f"{service}: ", spoil(service, **fields))
                self.assertIn(word, spoil(service, **fields))

    def test_only_the_demo_profile_brings_sample_data(self):
        in_profile = {n for n, s in self.services.items() if s.get("profiles") == ["demo"]}
        self.assertEqual(in_profile, {"users", "feeder"})

    def test_herald_knows_every_flag(self):
        known = flags_of(HERALD, "run")
        self.assertGreater(len(known), 20)
        for name, service in self.heralds.items():
            command = service["command"]
            self.assertEqual(command[0], "run")
            for argument in command[1:]:
                self.assertIn(argument.split("=")[0], known, name)

    def test_the_feeder_knows_every_flag(self):
        known = flags_of(ROOT / "examples/feed")
        command = self.services["feeder"]["command"]
        used = [argument for argument in command if argument.startswith("--")]
        self.assertTrue(used)
        self.assertLessEqual(set(used), known)

    def test_the_command_that_loads_the_users_keys_each_by_its_id(self):
        shell, *options, line = self.services["users"]["command"]
        self.assertEqual((shell, options), ("bash", ["-euo", "pipefail", "-c"]))
        make, _ = line.split("| kcat")
        said = run("bash", "-c", make, cwd=ROOT / "examples", check=True).stdout.splitlines()
        users = (ROOT / "examples/users.ndjson").read_text().splitlines()
        self.assertEqual(said, [f"{yaml.safe_load(user)['id']}|{user}" for user in users])

    def test_each_herald_is_itself(self):
        self.assertEqual(len(self.heralds), 2)
        for name, service in self.heralds.items():
            flags = dict(a.lstrip("-").split("=", 1) for a in service["command"][1:])
            self.assertEqual(flags["advertise"], f"{name}:8080")
            self.assertEqual(flags["instance-id"], name)
            self.assertEqual(service["volumes"], [f"{name}:{flags['state-dir']}"])
            asked = service["healthcheck"]["test"][-1]
            self.assertEqual(asked, "http://127.0.0.1:8080/health/live")
            self.assertTrue(flags["listen"].endswith(":8080"))

    def test_grafana_starts_on_a_dashboard_that_is_there(self):
        grafana = self.services["grafana"]
        home = pathlib.PurePath(
            grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        )
        folder = next(s for s, target, _ in mounts(grafana) if target == str(home.parent))
        self.assertTrue((folder / home.name).exists(), home)
        provider = yaml.safe_load((ROOT / "dashboards/grafana/provider.yml").read_text())
        self.assertEqual(provider["providers"][0]["options"]["path"], str(home.parent))

    def test_prometheus_asks_every_herald(self):
        folder = next(s for s, t, _ in mounts(self.services["prometheus"]) if "prometheus" in t)
        config = yaml.safe_load((folder / "prometheus.yml").read_text())
        job = next(job for job in config["scrape_configs"] if job["job_name"] == "herald")
        targets = [target for group in job["static_configs"] for target in group["targets"]]
        self.assertEqual(sorted(targets), sorted(f"{name}:8080" for name in self.heralds))
        for file in config["rule_files"]:
            self.assertTrue((folder / file).exists(), file)

    def test_the_load_balancer_takes_its_file(self):
        finished = run("haproxy", "-c", "-f", BALANCER)
        self.assertEqual(finished.returncode, 0, finished.stderr)

    def test_the_load_balancer_has_every_herald(self):
        servers = re.findall(r"^\s*server (\S+) (\S+)$", BALANCER.read_text(), re.MULTILINE)
        self.assertEqual(servers, [(name, f"{name}:8080") for name in sorted(self.heralds)])


if __name__ == "__main__":
    unittest.main()
