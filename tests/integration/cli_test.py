#!/usr/bin/env python3
"""The client commands of the real program, run against `herald run --embedded`.

    cli_test.py [Class[.test_name] ...]
"""

import json
import os
import subprocess
import time
import unittest

import scenario
from herald_process import HERALD, Herald, free_port, make_work_dir, remove_work_dir
from inbox_client import InboxClient
from scenario import POLL_S, WAIT_S, event

COMMAND_TIMEOUT_S = 30
DONE, USAGE, UNREACHABLE, REFUSED = 0, 2, 3, 4
COMMANDS = (
    ("run",),
    ("send",),
    ("inbox",),
    ("mark",),
    ("users",),
    ("users", "load"),
    ("users", "get"),
    ("users", "put"),
    ("users", "delete"),
    ("status",),
    ("reset",),
    ("dead-letters",),
    ("dead-letters", "list"),
    ("dead-letters", "show"),
    ("dead-letters", "replay"),
    ("dead-letters", "drop"),
    ("topology",),
    ("completion",),
)

work = None
herald = None


def setUpModule():
    global work, herald
    work = make_work_dir()
    users = work / "users.ndjson"
    users.write_bytes(scenario.USERS)
    herald = Herald(work / "herald", "--embedded", "--users", users)
    herald.start()


def tearDownModule():
    herald.kill9()
    remove_work_dir(work)


def environment(server):
    variables = {k: v for k, v in os.environ.items() if not k.startswith("HERALD_")}
    return variables | ({"HERALD_SERVER": server} if server else {})


def run(*arguments, server=None, stdin=""):
    """(exit code, standard output, standard error) of `herald ARGUMENTS`."""
    finished = subprocess.run(
        [HERALD, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        env=environment(server or herald.ready["http"][0]),
    )
    return finished.returncode, finished.stdout, finished.stderr


class Command(unittest.TestCase):
    def done(self, *arguments, stdin=""):
        """What a command prints that goes well."""
        code, out, err = run(*arguments, stdin=stdin)
        self.assertEqual((code, err), (DONE, ""), out)
        return out

    def json(self, *arguments, stdin=""):
        return json.loads(self.done(*arguments, "--json", stdin=stdin))

    def fails(self, code, *arguments, stdin="", server=None, words=()):
        """It ends with `code` and says why on standard error; returns what it printed."""
        found, out, err = run(*arguments, stdin=stdin, server=server)
        self.assertEqual(found, code, out + err)
        self.assertTrue(err.startswith("herald"), err)
        for word in words:
            self.assertIn(word, err)
        return out

    def inbox_of(self, user, total):
        """`herald inbox --all --json` once it has so many rows."""
        end = time.monotonic() + WAIT_S
        while True:
            inbox = self.json("inbox", user, "--all")
            if inbox["counts"]["total"] == total:
                return inbox
            self.assertLess(time.monotonic(), end, f"{inbox}\n{herald.log_tail()}")
            time.sleep(POLL_S)


class Send(Command):
    def test_an_event_by_flags_arrives(self):
        out = self.done(
            *("send", "--type", "like", "--actor", 4, "--target", "flags"),
            *("--object-type", "post", "--object-id", "p1", "--object-title", "My weekend!"),
        )
        self.assertRegex(out, r"^[0-9a-f-]{36}\n$")
        item = self.inbox_of("flags", 1)["items"][0]
        self.assertEqual(item["message"], "Lena liked your post: My weekend!")

    def test_all_targets_are_told_and_the_id_is_kept(self):
        sent = self.json(
            *("send", "--type", "message", "--actor", 3, "--text", "Lunch?", "--id", "e-1"),
            *("--target", "lunch-1", "--target", "lunch-2", "--time", "2026-01-02T03:04:05Z"),
        )
        self.assertEqual(sent, {"ids": ["e-1"]})
        for user in ("lunch-1", "lunch-2"):
            item = self.inbox_of(user, 1)["items"][0]
            self.assertEqual(item["message"], "Lunch?")
            self.assertEqual(item["time"], "2026-01-02T03:04:05.000Z")

    def test_a_file_and_standard_input(self):
        lines = [event(type="follow", actor=n, target="many") for n in range(100, 1300)]
        path = work / "many.ndjson"
        path.write_bytes(b"\n".join(lines) + b"\n")
        self.assertEqual(len(self.done("send", path).splitlines()), len(lines))
        more = "".join(
            event(type="follow", actor=n, target="many").decode() + "\n" for n in (1, 2, 3)
        )
        self.assertEqual(len(self.json("send", "-", stdin=more)["ids"]), 3)
        inbox = self.inbox_of("many", len(lines) + 3)
        self.assertEqual(len(inbox["items"]), len(lines) + 3)

    def test_a_wrong_event_is_refused_and_its_line_named(self):
        self.fails(REFUSED, "send", "--type", "poke", "--actor", 1, "--target", 2, words=["type"])
        lines = '{"type":"follow","actor":"1","target":"2"}\n{"type":"follow","actor":"1"}\n'
        self.fails(REFUSED, "send", "-", stdin=lines, words=["2", "target"])

    def test_too_few_flags_or_a_file_that_is_not_there(self):
        self.fails(USAGE, "send", "--type", "follow", "--actor", 2, words=["--target", "--help"])
        found, _, err = run("send", work / "absent.ndjson")
        self.assertNotEqual(found, DONE)
        self.assertIn("absent.ndjson", err)


class Inbox(Command):
    def fill(self, user, count):
        lines = [
            event(type="message", id=f"{user}-{n}", actor=2, target=user, text=f"text {n}")
            for n in range(count)
        ]
        self.done("send", "-", stdin="".join(line.decode() + "\n" for line in lines))
        return self.inbox_of(user, count)["items"]

    def test_people_see_their_inbox_as_lines(self):
        self.fill("people", 3)
        lines = self.done("inbox", "people").splitlines()
        self.assertEqual(len(lines), 4)
        self.assertIn("3 unread", lines[0])
        self.assertTrue(all(line.startswith("* ") for line in lines[1:]), lines)
        self.assertNotIn("\x1b", "".join(lines), "colours, and no terminal")
        self.assertEqual(self.done("inbox", "nobody").splitlines()[0][:15], "Inbox of nobody")

    def test_limits_and_filters(self):
        items = self.fill("filters", 5)
        self.assertEqual(self.json("inbox", "filters", "--limit", 2)["items"], items[:2])
        self.done("mark", "filters", "read", items[1]["id"])
        read = self.json("inbox", "filters", "--status", "read")["items"]
        self.assertEqual([item["id"] for item in read], [items[1]["id"]])
        unread = self.json("inbox", "filters", "--status", "unread")["items"]
        self.assertEqual(len(unread), 4)
        self.assertEqual(self.json("inbox", "filters", "--type", "follow,like")["items"], [])
        self.assertEqual(len(self.json("inbox", "filters", "--type", "message")["items"]), 5)
        self.fails(REFUSED, "inbox", "filters", "--type", "poke", words=["type"])
        self.fails(USAGE, "inbox", "filters", "--status", "old", words=["--status"])

    def test_mark_prints_the_counts_afterwards(self):
        items = self.fill("marks", 4)

        def counts(*arguments):
            answer = self.json("mark", "marks", *arguments)
            return answer["total"], answer["unread"], answer["unseen"]

        self.assertEqual(counts("read", items[0]["id"]), (4, 3, 3))
        self.assertEqual(counts("unread", items[0]["id"]), (4, 4, 3))
        self.assertEqual(counts("seen", items[1]["id"]), (4, 4, 2))
        self.assertEqual(counts("delete", items[2]["id"]), (3, 3, 1))
        self.assertEqual(counts("seen-all"), (3, 3, 0))
        version = self.json("inbox", "marks")["version"]
        self.done("send", "--type", "follow", "--actor", 3, "--target", "marks")
        self.inbox_of("marks", 4)
        self.assertEqual(counts("read-all", "--up-to", version), (4, 1, 1))
        self.assertEqual(counts("read-all"), (4, 0, 0))
        self.assertIn("0 unread", self.done("mark", "marks", "read-all"))
        self.fails(REFUSED, "mark", "marks", "read", items[2]["id"])
        self.fails(REFUSED, "mark", "marks", "read", "no-such-id")
        self.fails(USAGE, "mark", "marks", "fold", words=["fold"])
        self.fails(USAGE, "mark", "marks", "read")

    def test_an_id_from_the_list_can_be_marked(self):
        self.fill("ids", 1)
        line = self.done("inbox", "ids", "--ids").splitlines()[1]
        self.done("mark", "ids", "read", line.split()[-1])
        self.assertFalse(self.done("inbox", "ids").splitlines()[1].startswith("*"))

    def test_follow_prints_what_comes_until_it_is_interrupted(self):
        follower = subprocess.Popen(
            [HERALD, "inbox", "follower", "--follow", "--json"],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(herald.ready["http"][0]),
        )
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        self.addCleanup(follower.stdout.close)
        for number in range(3):  # each is sent when the one before has been shown
            text = f"number {number}"
            self.done(
                "send", "--type", "message", "--actor", 2, "--target", "follower", "--text", text
            )
            line = follower.stdout.readline()  # hangs at worst until the test's own time-out
            self.assertEqual(json.loads(line)["text"], text)
        follower.terminate()
        follower.wait(COMMAND_TIMEOUT_S)


class Users(Command):
    def test_put_get_delete(self):
        ada = {"id": "5", "name": "Ada", "handle": "ada", "avatar_url": None}
        self.assertEqual(self.json("users", "put", 5, "--name", "Ada", "--handle", "ada"), ada)
        self.assertEqual(self.json("users", "get", 5), ada)
        self.assertRegex(self.done("users", "get", 5), r"(?m)^5 +Ada +ada")
        self.done("users", "delete", 5)
        self.fails(REFUSED, "users", "get", 5)
        self.done("users", "delete", 5)  # also when there is none

    def test_get_and_delete_with_json_always_print_json(self):
        self.assertIsInstance(self.json("users", "delete", 6), dict)
        problem = json.loads(self.fails(REFUSED, "users", "get", 6, "--json"))
        self.assertEqual(problem["status"], 404)

    def test_load_from_a_file_and_standard_input(self):
        path = work / "more.ndjson"
        path.write_text('{"id":"20","name":"Noor"}\n{"id":21,"name":"Kim"}\n')
        self.assertEqual(self.json("users", "load", path), {"loaded": 2, "refused": []})
        self.assertEqual(self.json("users", "get", 21)["name"], "Kim")
        self.done("users", "load", "-", stdin='{"id":"22","name":"Bo"}\n')
        self.assertEqual(self.json("users", "get", 22)["name"], "Bo")

    def test_load_names_wrong_lines_and_goes_on(self):
        lines = '{"id":"23"\n{"id":"24","name":"Ida"}\n{"name":"nobody"}\n'
        self.fails(REFUSED, "users", "load", "-", stdin=lines, words=["line 1", "line 3"])
        self.assertEqual(self.json("users", "get", 24)["name"], "Ida")


class Program(Command):
    def test_status(self):
        status = self.json("status")
        self.assertTrue(status["ready"])
        self.assertEqual(status["guarantee"], "at_least_once")
        out = self.done("status")
        self.assertIn(status["instance"], out)
        for task in status["tasks"]:
            self.assertRegex(out, rf"(?m)^{task['id']} .*running")

    def test_topology_needs_no_server(self):
        nowhere = f"127.0.0.1:{free_port()}"
        code, out, err = run("topology", server=nowhere)
        self.assertEqual((code, err), (DONE, ""))
        for stage in ("decode-event", "enrich-actor", "route-to-recipients", "write-inbox"):
            self.assertIn(stage, out)
        self.assertIn("apply-action", out)
        code, out, _ = run("topology", "--dot", server=nowhere)
        self.assertEqual(code, DONE)
        self.assertRegex(out, r"(?s)^digraph .*apply-action.*\}\n$")

    def test_completion_is_a_script_that_its_shell_takes(self):
        script = self.done("completion", "bash")
        checked = subprocess.run(
            ["bash", "-n"], input=script, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S
        )
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        for command in COMMANDS:
            self.assertIn(command[-1], script)
        self.assertIn("#compdef herald", self.done("completion", "zsh"))
        self.fails(USAGE, "completion", "fish", words=["fish"])

    def test_bash_completes_commands_and_flags(self):
        script = work / "completion.bash"
        script.write_text(self.done("completion", "bash"))

        def completed(*words):
            line = " ".join(words)
            ask = f"""source {script}
              COMP_WORDS=({line}) COMP_CWORD={len(words) - 1} COMP_LINE='{line}'
              COMP_POINT=${{#COMP_LINE}}
              name=$(complete -p herald | sed -E 's/.*-F ([^ ]+).*/\\1/')
              $name herald "{words[-1]}" "{words[-2]}"; printf '%s\\n' "${{COMPREPLY[@]}}" """
            finished = subprocess.run(
                ["bash", "-c", ask], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S
            )
            return [word.strip() for word in finished.stdout.splitlines()]

        self.assertEqual(completed("herald", "stat"), ["status"])
        self.assertIn("--target", completed("herald", "send", "--"))
        self.assertIn("load", completed("herald", "users", "l"))

    def test_every_command_has_help_with_an_example(self):
        for command in ((), *COMMANDS):
            with self.subTest(command=command):
                code, out, _ = run(*command, "--help")
                self.assertEqual(code, DONE)
                self.assertRegex(out, r"Examples?:\n  \S")
                self.assertRegex(out, rf"(?m)^Usage: {' '.join(('herald', *command))} \[")
        code, out, _ = run("--version")
        self.assertEqual(code, DONE)
        self.assertRegex(out, r"\d+\.\d+\.\d+")

    def test_a_wrong_command_line(self):
        self.fails(USAGE, "frobnicate", words=["frobnicate", "--help"])
        self.fails(USAGE, "inbox", words=["user", "--help"])
        self.fails(USAGE, "users", "get", words=["id", "--help"])
        self.fails(USAGE, "status", "--colour", words=["--colour"])
        self.assertEqual(run()[0], USAGE)

    def test_a_server_that_is_not_there(self):
        nowhere = f"127.0.0.1:{free_port()}"
        for command in (
            ("status",),
            ("status", "--json"),
            ("inbox", 1),
            ("send", "--type", "follow", "--actor", 1, "--target", 2),
            ("mark", 1, "read-all"),
            ("users", "get", 1),
        ):
            with self.subTest(command=command):
                self.fails(UNREACHABLE, *command, server=nowhere, words=[nowhere, "herald run"])

    def test_the_flag_goes_before_the_variable(self):
        nowhere, here = f"127.0.0.1:{free_port()}", herald.ready["http"][0]
        self.assertEqual(run("status", "--server", here, server=nowhere)[0], DONE)
        self.assertEqual(run("status", "--server", f"http://{here}", server=nowhere)[0], DONE)
        self.fails(UNREACHABLE, "status", "--server", nowhere, words=[nowhere])

    def test_what_it_prints_is_what_http_says(self):
        client = InboxClient(herald.url)
        self.addCleanup(client.close)
        self.done("send", "--type", "follow", "--actor", 2, "--target", "same")
        self.inbox_of("same", 1)
        self.assertEqual(
            self.json("inbox", "same"), client.json(client.user_path("same", "inbox?limit=20"))
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
