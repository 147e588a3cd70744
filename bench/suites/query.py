"""query: wrk with 32 connections on inboxes, 20 items a reply: of 20 rows, of 100,000 rows, and of 20
rows while 20,000 events/s are processed. Beside it nginx with a static file of 4 KB.
"""

import json
import os
import random
import shutil
import subprocess
import time

from harness.feeding import Helper, batches_of, feed
from harness.inbox_polling import Connection
from harness.processes import Failed, Program, cpu_seconds, free_port, scratch_directory
from harness.session import Workload
from harness.subjects import HERALD, SERVERS, STREAMS, Instance, chosen
from harness.tables import Measure, Table
from harness.watching import watch

NGINX = "nginx"
CONNECTIONS = 32
PAGE = 20
STATIC_BYTES = 4096
BUSY_EVENTS_PER_S = 20_000
BUSY_INTERVAL_S = 0.005
BUSY_WARM_UP_S = 2
LOAD_TIMEOUT_S = 600
NGINX_TIMEOUT_S = 10

SERVES = (HERALD, STREAMS)
MEASURES = [
    Measure("small_per_s", "GET/s, inboxes of 20 rows"),
    Measure("small_p50_ms", "p50 of these, ms", "{:.2f}"),
    Measure("small_p99_ms", "p99 of these, ms", "{:.2f}"),
    Measure("small_cpu_s", "server's CPU-s per 100,000", "{:.2f}"),
    Measure("large_per_s", "GET/s, inboxes of many rows", families=SERVES),
    Measure("large_p99_ms", "p99 of these, ms", "{:.2f}", families=SERVES),
    Measure("busy_per_s", "GET/s while processing", families=SERVES),
    Measure("busy_p99_ms", "p99 of these, ms", "{:.2f}", families=SERVES),
    Measure("busy_events_per_s", "events/s processed meanwhile", families=SERVES),
    Measure("reply_bytes", "bytes of a reply's body"),
]

WRK_SCRIPT = """
local requests, at = {}, 0
function init(arguments)
  for line in io.lines(arguments[1]) do requests[#requests + 1] = wrk.format("GET", line) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"us":%d,"errors":%d,"p50_us":%d,"p99_us":%d}\\n', summary.requests,
    summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


class Sizes:
    """How many inboxes of how many rows, and how long wrk asks."""

    def __init__(self, smoke):
        self.small_inboxes = 50 if smoke else 2_000
        self.large_inboxes = 1 if smoke else 4
        self.large_rows = 1_000 if smoke else 100_000
        self.wrk_s = 1 if smoke else 10
        self.busy_events_per_s = 2_000 if smoke else BUSY_EVENTS_PER_S

    def small_names(self):
        return [f"small-{n}" for n in range(self.small_inboxes)]

    def large_names(self):
        return [f"large-{n}" for n in range(self.large_inboxes)]


def write_events(path, sizes):
    """The likes that fill the inboxes, mixed; how many."""
    recipients = sizes.small_names() * PAGE + sizes.large_names() * sizes.large_rows
    random.Random(1).shuffle(recipients)
    start_ms = (int(time.time()) - len(recipients)) * 1000
    with path.open("w") as out:
        for number, recipient in enumerate(recipients):
            out.write(
                f'{{"type":"like","actor":"{number % 1000 + 1}","target":"{recipient}","object":'
                f'{{"type":"post","id":"p{number}","title":"My weekend getaway!"}},'
                f'"time":{start_ms + number * 10}}}\n'
            )
    return len(recipients)


def wrk(address, paths, seconds, directory):
    """What wrk found; raises when any request failed."""
    script, list_file = directory / "wrk.lua", directory / "paths"
    script.write_text(WRK_SCRIPT)
    list_file.write_text("".join(path + "\n" for path in paths))
    command = ["wrk", "-t", "1", "-c", CONNECTIONS, "-d", f"{seconds}s", "-s", script]
    said = subprocess.run(
        [str(part) for part in [*command, f"http://{address}", "--", list_file]],
        stdout=subprocess.PIPE,
        text=True,
        timeout=seconds + 60,
        check=True,
    ).stdout
    found = json.loads(said.strip().splitlines()[-1])
    if found["errors"] or not found["requests"]:
        raise Failed(f"wrk on {paths[0]}: {said}")
    return {
        "per_s": found["requests"] * 1e6 / found["us"],
        "p50_ms": found["p50_us"] / 1000,
        "p99_ms": found["p99_us"] / 1000,
        "requests": found["requests"],
    }


def take(figures, prefix, found, *names):
    for name in names:
        figures[f"{prefix}_{name}"] = found[name]


def check_inbox(address, path, rows):
    """The reply's size; raises unless it is a full page of an inbox of `rows` rows."""
    connection = Connection(address)
    status, body = connection.get(path)
    connection.close()
    answer = json.loads(body) if status == 200 else {}
    total = answer.get("counts", answer).get("total")
    if len(answer.get("items", [])) != PAGE or total != rows:
        raise Failed(f"{path}: {status}, {len(answer.get('items', []))} items, total {total}")
    return len(body)


def measure_server(session, cluster, subject, inputs, window):
    sizes, workload, batches = inputs
    cluster.clear(keep=())
    cluster.load(workload)
    name, figures = session.new_name(subject.name), {}
    with scratch_directory(session.directory / name) as directory, Instance(
        session, cluster, subject, name, directory
    ) as server:
        program = server.start()
        watch([program], cluster, name, subject.sources, LOAD_TIMEOUT_S, session.say)
        small = [server.inbox_path(user) for user in sizes.small_names()]
        large = [server.inbox_path(user) for user in sizes.large_names()]
        random.Random(2).shuffle(small)
        figures["reply_bytes"] = check_inbox(server.address, small[0], PAGE)
        check_inbox(server.address, large[0], sizes.large_rows)
        # What is compiled at run time is compiled by this, and caches are as warm as they get.
        wrk(server.address, small, max(1, sizes.wrk_s // 3), directory)
        with window:
            cpu_before = cpu_seconds(program.pid)
            found = wrk(server.address, small, sizes.wrk_s, directory)
            cpu_s = cpu_seconds(program.pid) - cpu_before
        take(figures, "small", found, "per_s", "p50_ms", "p99_ms")
        figures["small_cpu_s"] = cpu_s * 1e5 / found["requests"]
        with window:
            found = wrk(server.address, large, sizes.wrk_s, directory)
        take(figures, "large", found, "per_s", "p99_ms")

        fed = (cluster.address, cluster.partitions, batches, BUSY_INTERVAL_S, time.monotonic())
        with Helper(feed, *fed) as feeder:
            time.sleep(BUSY_WARM_UP_S)
            with window:
                started, before = time.monotonic(), processed(cluster, name)
                found = wrk(server.address, small, sizes.wrk_s, directory)
                figures["busy_events_per_s"] = (processed(cluster, name) - before) / (
                    time.monotonic() - started
                )
            feeder.result(LOAD_TIMEOUT_S)
        take(figures, "busy", found, "per_s", "p99_ms")
    return figures


def processed(cluster, group):
    return sum(cluster.requests.committed(group, "events", cluster.partitions))


NGINX_CONFIG = """
daemon off;
pid {directory}/nginx.pid;
error_log stderr warn;
worker_processes {workers};
events {{ worker_connections 512; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=100;
  default_type application/json;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{ listen 127.0.0.1:{port}; root {directory}; }}
}}
"""


def measure_nginx(session, size, sizes, window):
    with scratch_directory(session.directory / session.new_name(NGINX)) as directory:
        directory.chmod(0o755)
        (directory / "reply.json").write_bytes(b"x" * size)
        port = free_port()
        (directory / "nginx.conf").write_text(
            ("" if os.getuid() else "user root;")
            + NGINX_CONFIG.format(directory=directory, port=port, workers=2)
        )
        command = [NGINX, "-p", directory, "-e", "stderr", "-c", directory / "nginx.conf"]
        address, paths = f"127.0.0.1:{port}", ["/reply.json"] * 100
        with Program(command, directory / "log") as nginx:
            wait_for_listener(nginx, address)
            wrk(address, paths, max(1, sizes.wrk_s // 3), directory)
            with window:
                before = children_cpu_seconds(nginx.pid)
                found = wrk(address, paths, sizes.wrk_s, directory)
                cpu_s = children_cpu_seconds(nginx.pid) - before
    figures = {"reply_bytes": size, "small_cpu_s": cpu_s * 1e5 / found["requests"]}
    take(figures, "small", found, "per_s", "p50_ms", "p99_ms")
    return figures


def wait_for_listener(program, address):
    deadline = time.monotonic() + NGINX_TIMEOUT_S
    while True:
        program.check()
        try:
            return Connection(address).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise Failed(f"nobody listens on {address}\n{program.tail()}") from None
            time.sleep(0.01)


def children_cpu_seconds(pid):
    task = f"/proc/{pid}/task/{pid}/children"
    with open(task, encoding="ascii") as children:
        return sum(cpu_seconds(child) for child in children.read().split())


def run(session):
    if shutil.which("wrk") is None:
        session.note("query is not measured: there is no wrk (apt-get install wrk)")
        return []
    subjects = [s for s in chosen(session, SERVERS) if s.name in SERVES]
    sizes = Sizes(session.smoke)
    path = session.directory / "query.events"
    users = session.generate(session.arguments.events, session.arguments.users)
    workload = Workload(path, users.users, write_events(path, sizes), "")
    session.say("encoding the events that are processed meanwhile")
    seconds = BUSY_WARM_UP_S + sizes.wrk_s + 1
    busy_events = sizes.busy_events_per_s * seconds
    busy = session.generate(max(busy_events, session.arguments.events), session.arguments.users)
    batches = batches_of(busy.events, busy_events, int(sizes.busy_events_per_s * BUSY_INTERVAL_S))
    with session.cluster() as cluster:
        inputs = sizes, workload, batches
        columns = {
            s.name: lambda window, s=s: measure_server(session, cluster, s, inputs, window)
            for s in subjects
        }
        families = {subject.name: subject.family for subject in subjects}
        peers = session.arguments.peers
        if shutil.which(NGINX) is None:
            session.note("nginx is not measured: there is none (apt-get install nginx-light)")
        elif peers is None or NGINX in peers:
            columns["nginx"] = lambda window: measure_nginx(session, STATIC_BYTES, sizes, window)
            families["nginx"] = NGINX
        runs = session.interleave(columns)
    title = (
        f"query: wrk -t1 -c{CONNECTIONS}, {sizes.small_inboxes:,} inboxes of {PAGE} rows, "
        f"{sizes.large_inboxes} of {sizes.large_rows:,}, {sizes.busy_events_per_s:,} events/s"
    )
    compared = ("small_per_s", "small_cpu_s", "large_per_s", "busy_per_s")
    compare_to = NGINX if NGINX in runs else HERALD
    return [Table(title, MEASURES, runs, families, compare_to, compared)]
