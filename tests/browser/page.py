#!/usr/bin/env python3
"""Looks at Herald's page in a real Chromium. By command, for Chromium is large:

    apt-get install chromium && tests/browser/page.py OUT

Starts Herald on its embedded broker under a load, opens the page, ends Herald and starts it again;
then shows the page a server that restores, and that has names meant to break a page. Fails when
the page does not say what it should, or complains on its console. Screenshots, light and dark, go
to the directory OUT: look at them. Half a minute.
"""

import base64
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/integration"))

from herald_process import Herald, free_port, make_work_dir, remove_work_dir

CHROMIUM = os.environ.get("CHROMIUM", "chromium")
WAIT_S = 30
LOAD_S = 14
EVENTS_A_POST = 100
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --mute-audio
  --disable-background-networking --disable-component-update --disable-sync --disable-extensions
  --remote-debugging-pipe --window-size=1180,900""".split()
HOSTILE = "<img src=x onerror=\"document.title='broken into'\">"


class Browser:
    """A Chromium of our own, spoken to through its debugging pipe."""

    def __init__(self, directory):
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        # The pipe is what it expects at descriptors 3 and 4.
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={directory}", "about:blank"]
        script = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "chromium", *command],
            pass_fds=(to_read, to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._buffer = b""
        self._number = 0
        self._session = None
        self.complaints = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._buffer:
                chunk = os.read(self._from, 1 << 20)
                if not chunk:
                    raise RuntimeError("Chromium has ended")
                self._buffer += chunk
            answer, self._buffer = self._buffer.split(b"\0", 1)
            answer = json.loads(answer)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(answer["params"])

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression)["result"].get("value")

    def wait_for(self, expression, what):
        end = time.monotonic() + WAIT_S
        while not self.evaluate(expression):
            if time.monotonic() > end:
                text = self.evaluate("document.body.innerText")
                raise AssertionError(f"{what} does not come; the page says:\n{text}")
            time.sleep(0.1)

    def wait_for_text(self, text):
        self.wait_for(f"document.body.innerText.includes({json.dumps(text)})", repr(text))

    def screenshot(self, path):
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    def dark(self, on):
        feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def close(self):
        self._process.terminate()
        self._process.wait(WAIT_S)


def load(url, stop):
    """Posts events until it is told to stop; a server that is away is tried again."""
    number = 0
    while not stop.wait(0.2):
        events = []
        for _ in range(EVENTS_A_POST):
            number += 1
            events.append({"type": "follow", "actor": str(number), "target": str(number % 97)})
        request = urllib.request.Request(
            url + "/v1/events",
            json.dumps(events).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            urllib.request.urlopen(request, timeout=WAIT_S).read()
        except OSError:
            pass


def fake_server(page, script):
    """Herald's page in front of a server that restores, under hostile names."""
    left = [100_000]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            kind, body = "text/html", page
            if self.path == "/page.js":
                kind, body = "text/javascript", script
            elif self.path == "/metrics":
                kind, body = "text/plain", f'herald_records_consumed_total{{topic="{HOSTILE}"}} 1\n'
            elif self.path == "/v1/status":
                left[0] = max(1, left[0] - 10_000)
                task = {"id": HOSTILE, "state": "restoring"}
                task["restore_remaining"] = {"inbox": left[0]}
                task["inputs"] = [{"topic": HOSTILE, "partition": 0, "position": None, "lag": None}]
                share = {"id": HOSTILE, "address": "javascript:alert(1)//:80", "self": True}
                share["partitions"] = {HOSTILE: [0, 1, 3]}
                status = {"started": "2026-11-21T05:00:00Z", "instance": HOSTILE, "ready": False}
                status |= {"waiting_for": HOSTILE, "version": HOSTILE, "brokers": HOSTILE}
                status |= {"tasks": [task], "instances": [share], "standbys": [HOSTILE]}
                kind, body = "application/json", json.dumps(status)
            self.send_response(200)
            self.send_header("Content-Type", kind + "; charset=utf-8")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def look_at_herald(browser, herald, out):
    stop = threading.Event()
    loader = threading.Thread(target=load, args=(herald.url, stop))
    loader.start()
    try:
        browser.call("Page.navigate", url=herald.url + "/")
        browser.wait_for_text("Ready")
        time.sleep(LOAD_S)  # so that there is something to see in the charts
        drawn = "[...document.querySelectorAll('svg')].filter((s) => s.querySelector('polyline'))"
        browser.wait_for(drawn + ".length === 4", "a line in each chart")
        for name in ("light", "dark"):
            browser.dark(name == "dark")
            browser.screenshot(out / f"page-{name}.png")
        browser.dark(False)
        assert browser.complaints == [], browser.complaints
        herald.kill9()
        browser.wait_for_text("Not reachable since")
        browser.screenshot(out / "page-away.png")
        herald.start()
        browser.wait_for_text("Ready")
        time.sleep(6)  # a few looks at the one that is back
        browser.screenshot(out / "page-back.png")
    finally:
        stop.set()
        loader.join()


def look_at_restores(browser, herald, out):
    page, script = (
        urllib.request.urlopen(herald.url + path, timeout=WAIT_S).read().decode()
        for path in ("/", "/page.js")
    )
    server = fake_server(page, script)
    browser.complaints.clear()
    browser.call("Page.navigate", url=f"http://127.0.0.1:{server.server_port}/")
    browser.wait_for("!!document.querySelector('#restores progress')", "a restore")
    rows = "document.querySelector('#restores tbody').innerText"
    browser.wait_for(f"/\\d+ s/.test({rows})", "its time")
    browser.screenshot(out / "page-restoring.png")
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
    assert browser.evaluate("document.querySelectorAll('#instances a').length") == 0
    assert "broken" not in browser.evaluate("document.title")
    assert browser.complaints == [], browser.complaints
    server.shutdown()


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    work = make_work_dir()
    # Each start of the embedded broker is another cluster.
    arguments = ["--embedded", "--accept-new-cluster"]
    herald = Herald(work / "herald", *arguments, listen=f"127.0.0.1:{free_port()}")
    herald.start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            look_at_herald(browser, herald, out)
            look_at_restores(browser, herald, out)
        finally:
            browser.close()
            herald.kill9()
    remove_work_dir(work)
    print(f"The page says what it should; look at {out}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
