#!/usr/bin/env python3
"""Random actions of several readers through random instances against a model, with kill -9 between.

    actions_property_test.py                             three instances, exactly_once
    actions_property_test.py --guarantee at_least_once   kills in the middle of flushes, too
    actions_property_test.py --seconds 600 --seed 7

Each user belongs to one reader, who knows what it did; new messages come all the while. Every inbox
that is served, by whichever instance, has to be one that the model allows: no acknowledged action
is lost, counts are those of the rows, versions only grow, and one version shows one content. At the
end all instances start again, then one of them without its state directory, and every inbox has to
be just as the model says from each of them.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import sys
import threading
import time
import urllib.parse

import check_inboxes
from feeding import Feeder
from herald_process import (
    GENERATOR,
    HERALD,
    HeraldFailed,
    Kafka,
    generate,
    make_work_dir,
    remove_work_dir,
)
from inbox_client import InboxClient
from inbox_model import Action, InboxModel, Page
from instances import Asker, Instance, NoAnswer, WrongAnswer, read_answer, settled, wait_until

PARTITIONS = 6
SESSION_TIMEOUT_MS = 6000
ANSWERED_WITHIN_S = 40  # a session time-out, a rebalance, a restore, and patience
STARTED_WITHIN_S = 60
READERS = 4
USERS_A_READER = 6
MESSAGES_A_SECOND = 60
LOAD_A_SECOND = 400  # for others, so that commits have something in them
LOAD_USERS = 200
TO_ALL_PERCENT = 3  # messages that have all the users as targets
KILL_PAUSE_S = (1.5, 4.0)
SECOND_KILL_PERCENT = 25
PAGE_LIMITS = (100, 100, 20, 7)
READ_ALL_PERCENT = 4  # more, and there is little left to tell apart
DELETE_PERCENT = 25
UP_TO_PERCENT = 70
OLDER_PAGES = 5  # up_to names one of the last so many
RETRY_PAUSE_S = 0.05


class Messages:
    """Makes the events of the feeder and tells the models of them before they are on their way."""

    def __init__(self, models, seed):
        self._models = models
        self._random = random.Random(seed)
        self._number = 0
        self._time_ms = int(time.time() * 1000) - 3_600_000

    def next_line(self):
        self._number += 1
        self._time_ms += self._random.choice((0, 1, 1, 5))  # equal times have an order, too
        text = f"m{self._number}"
        if self._random.random() * 100 < TO_ALL_PERCENT:
            users = list(self._models)
        else:
            users = [self._random.choice(list(self._models))]
        for user in users:
            self._models[user].arrives(text)
        event = {"id": text, "type": "message", "actor": "writer", "targets": users, "text": text}
        event["time"] = self._time_ms
        return json.dumps(event).encode("utf-8")


class Reader(threading.Thread):
    """Acts on its users' inboxes through random instances, and checks all that it is shown."""

    def __init__(self, instances, models, seed):
        super().__init__(daemon=True)
        self._instances = instances
        self.models = models
        self._random = random.Random(seed)
        self.answers = collections.Counter()
        self._ends = threading.Event()
        self._asker = Asker()
        self.wrong = None

    def run(self):
        try:
            while not self._ends.is_set():
                model = self._random.choice(self.models)
                self.act(model)
                self.look(model)
        except Exception as error:  # told by the main thread, which ends the test
            self.wrong = "\n".join([*model.history, f"{type(error).__name__}: {error}"])
        finally:
            self._asker.close()

    def finish(self):
        self._ends.set()
        self.join(2 * ANSWERED_WITHIN_S)
        if self.is_alive():
            self.wrong = self.wrong or "a reader hangs"

    # --- Reading ---------------------------------------------------------------------------------

    def look(self, model):
        """Shows the model the whole inbox as a random instance has it."""
        end = time.monotonic() + ANSWERED_WITHIN_S
        while True:
            instance = self._random.choice(self._instances)
            page = self.whole_inbox(instance, model.user)
            if page is not None:
                break
            if time.monotonic() > end:
                raise WrongAnswer(f"{model.user}: not shown for {ANSWERED_WITHIN_S} s")
            time.sleep(RETRY_PAUSE_S)
        model.shows(instance.name, page)
        if self._random.random() < 0.2:
            self.look_at_filtered(instance, model)

    def get(self, instance, path):
        """The JSON, or None when the instance cannot have it now."""
        try:
            status, _, body = self._asker.request(instance, "GET", path)
        except NoAnswer:
            self.answers["GET while down"] += 1
            return None
        self.answers[f"GET {status}"] += 1
        return read_answer(f"{instance.name}: {path}", status, body)

    def whole_inbox(self, instance, user, query=""):
        """All pages of one version; None when there is none to be had now."""
        limit = self._random.choice(PAGE_LIMITS)
        items, first, cursor = [], None, ""
        while True:
            path = InboxClient.user_path(user, f"inbox?limit={limit}{query}{cursor}")
            page = self.get(instance, path)
            if page is None or (first and page["version"] != first["version"]):
                return None
            first = first or page
            if page["counts"] != first["counts"]:
                raise WrongAnswer(f"{path}: version {page['version']} has two counts")
            items += page["items"]
            if page["next"] is None:
                return Page(items, first["counts"], first["version"])
            cursor = "&cursor=" + page["next"]

    def look_at_filtered(self, instance, model):
        """The pages of what is unread, or read, are the whole page without the rest."""
        status = self._random.choice(("unread", "read"))
        page = self.whole_inbox(instance, model.user, f"&status={status}")
        if page is None or page.version != model.page.version:
            return
        wanted = [item for item in model.page.items if item["read"] == (status == "read")]
        if page.items != wanted:
            raise WrongAnswer(
                f"{model.user}: {instance.name}: {len(page.items)} rows are {status}, on the whole "
                f"page of version {page.version} {len(wanted)}"
            )

    # --- Acting ----------------------------------------------------------------------------------

    def act(self, model):
        """One random action; the model knows afterwards what may have come of it."""
        if self._random.random() * 100 < READ_ALL_PERCENT or not model.page.items:
            self.act_on_all(model, self._random.choice(("read-all", "seen-all")))
            return
        if self._random.random() * 100 < DELETE_PERCENT:
            name = "delete"
        else:
            name = self._random.choice(("read", "unread", "seen"))
        self.act_on_one(model, name, self._random.choice(model.page.items))

    def act_on_one(self, model, name, item):
        rest = "inbox/" + urllib.parse.quote(item["id"], safe="")
        method = "DELETE" if name == "delete" else "POST"
        path = InboxClient.user_path(model.user, rest if name == "delete" else f"{rest}/{name}")
        action = Action(name, frozenset([item["text"]]))
        if self.send(model, action, method, path, None, allowed=(200, 404, 503)) == 404:
            model.is_gone(item["text"], by_us=name == "delete")

    def act_on_all(self, model, name):
        action, body = Action(name), None
        if self._random.random() * 100 < UP_TO_PERCENT:
            version = self._random.choice(list(model.pages)[-OLDER_PAGES:])
            action = model.up_to(name, version)
            body = json.dumps({"up_to": version}).encode("utf-8")
        self.send(model, action, "POST", InboxClient.user_path(model.user, f"inbox/{name}"), body)

    def send(self, model, action, method, path, body, allowed=(200, 503)):
        """The status of the answer, None when there was none."""
        instance = self._random.choice(self._instances)
        sent = time.monotonic()
        model.sends(action)
        try:
            status, _, answer = self._asker.request(instance, method, path, body)
        except NoAnswer:
            self.answers["action while down"] += 1
            model.may_be_applied(action)
            return None
        self.answers[f"action {status}"] += 1
        counts = read_answer(f"{instance.name}: {method} {path}", status, answer, allowed)
        if status == 200:
            model.is_applied(action, sent, counts)
        elif status == 503:
            model.may_be_applied(action)
        return status

    # --- The end ---------------------------------------------------------------------------------

    def settle(self, model):
        """Leaves nothing in doubt: all messages there, no action under way."""
        end = time.monotonic() + ANSWERED_WITHIN_S
        nothing = Action("seen-all", frozenset())
        path = InboxClient.user_path(model.user, "inbox/seen-all")
        while not model.is_sure or model.waiting():
            if time.monotonic() > end:
                raise WrongAnswer(f"{model.user}: never came: {model.waiting()[:5]}")
            time.sleep(max(RETRY_PAUSE_S, model.settle_at() - time.monotonic()))
            if not model.is_sure:
                self.send(model, nothing, "POST", path, b'{"up_to":0}')
            self.look(model)
        self.look(model)

    def compare(self, instance, model):
        """What the instance shows is what the model knows for sure."""
        end = time.monotonic() + ANSWERED_WITHIN_S
        while (page := self.whole_inbox(instance, model.user)) is None:
            if time.monotonic() > end:
                raise WrongAnswer(f"{model.user}: {instance.name} does not show it")
            time.sleep(RETRY_PAUSE_S)
        model.shows(f"at the end, {instance.name}", page)


class Killer(threading.Thread):
    """kill -9 of random instances at random moments; each starts again at once."""

    def __init__(self, instances, seed):
        super().__init__(daemon=True)
        self._instances = instances
        self._random = random.Random(seed)
        self._ends = threading.Event()
        self.kills = 0
        self.wrong = None

    def run(self):
        try:
            while not self._ends.wait(self._random.uniform(*KILL_PAUSE_S)):
                count = 2 if self._random.random() * 100 < SECOND_KILL_PERCENT else 1
                victims = self._random.sample(self._instances, count)
                for victim in victims:
                    victim.kill9()
                    self.kills += 1
                for victim in victims:
                    victim.launch()
                for victim in victims:
                    victim.wait_ready()
        except Exception as error:  # told by the main thread, which ends the test
            self.wrong = f"{type(error).__name__}: {error}"

    def finish(self):
        self._ends.set()
        if self.ident is not None:
            self.join(2 * STARTED_WITHIN_S)


class Failed(Exception):
    """A thread of the test found something wrong."""


class Scene:
    def __init__(self, args, directory, brokers):
        self.args = args
        self.prefix = f"actions-{os.getpid()}."
        flags = ["--brokers", brokers, "--application-id", f"actions-{os.getpid()}"]
        flags += ["--topic-prefix", self.prefix, "--partitions", PARTITIONS]
        flags += ["--session-timeout-ms", SESSION_TIMEOUT_MS, "--guarantee", args.guarantee]
        names = [f"i{number}" for number in range(args.instances)]
        self.instances = [
            Instance(name, directory, *flags, *args.herald_arg, binary=args.herald)
            for name in names
        ]
        self.models = {
            f"reader{r}-user{u}": InboxModel(f"reader{r}-user{u}")
            for r in range(READERS)
            for u in range(USERS_A_READER)
        }
        owned = list(self.models.values())
        self.readers = [
            Reader(
                self.instances,
                owned[r * USERS_A_READER : (r + 1) * USERS_A_READER],
                args.seed * 1000 + r,
            )
            for r in range(READERS)
        ]
        self.killer = Killer(self.instances, args.seed * 1000 + 500)
        messages = Messages(self.models, args.seed)
        count = int(LOAD_A_SECOND * args.seconds)
        events = generate(directory, args.seed, count, LOAD_USERS, None, args.generator)[0]
        load = iter(check_inboxes.read_lines(events))
        self._brokers = brokers
        self._sources = [
            (MESSAGES_A_SECOND, messages.next_line),
            (LOAD_A_SECOND, lambda: next(load, None)),
        ]

    def start_all(self):
        for instance in self.instances:
            instance.launch()
        for instance in self.instances:
            instance.wait_ready()
        asker = Asker()
        wait_until(
            "all instances share all partitions",
            lambda: settled(asker, self.instances, PARTITIONS, self.prefix + "notifications"),
            STARTED_WITHIN_S,
        )
        asker.close()

    def stop_all(self):
        for instance in self.instances:
            code, seconds = instance.stop()
            if code != 0:
                raise Failed(f"{instance.name}: SIGTERM: exit code {code} after {seconds:.1f} s")

    def check_threads(self):
        for thread in (*self.readers, self.killer):
            if thread.wrong:
                raise Failed(thread.wrong)

    def run(self):
        self.start_all()
        feeders = [
            Feeder(self._brokers, self.prefix + "events", rate, next_line)
            for rate, next_line in self._sources
        ]
        for thread in (*feeders, *self.readers, self.killer):
            thread.start()
        end = time.monotonic() + self.args.seconds
        while time.monotonic() < end:
            time.sleep(0.2)
            self.check_threads()
        for thread in (*feeders, self.killer, *self.readers):
            thread.finish()
        self.check_threads()
        for reader in self.readers:
            for model in reader.models:
                reader.settle(model)
        self.say("as the model says while they run")
        self.compare("from each instance")
        self.stop_all()
        self.start_all()
        self.compare("from each after all were stopped and started")
        self.stop_all()
        random.Random(self.args.seed).choice(self.instances).forget_state()
        self.start_all()
        self.compare("from each after one lost its state directory")
        self.stop_all()

    def compare(self, what):
        reader = self.readers[0]
        for instance in self.instances:
            for model in self.models.values():
                reader.compare(instance, model)
        self.say(what)

    def say(self, what):
        rows = sum(len(model.page.items) for model in self.models.values())
        print(f"{time.strftime('%H:%M:%S')} equal {what}: {rows} rows", flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--herald", default=HERALD)
    parser.add_argument("--generator", default=GENERATOR)
    parser.add_argument("--seconds", type=float, default=35, help="of actions and kills")
    parser.add_argument("--instances", type=int, default=3)
    parser.add_argument("--seed", type=int, default=None, help="default: another one each time")
    parser.add_argument(
        "--guarantee", choices=["exactly_once", "at_least_once"], default="exactly_once"
    )
    parser.add_argument("--keep", action="store_true", help="keep the working directory")
    parser.add_argument("--herald-arg", action="append", default=[], help="passed to herald run")
    args = parser.parse_args()
    if args.seed is None:
        args.seed = random.SystemRandom().randrange(1_000_000)
    return args


def main():
    args = parse_arguments()
    directory = make_work_dir()
    print(f"seed {args.seed}, {args.guarantee}, in {directory}", flush=True)
    failure = None
    with contextlib.ExitStack() as stack:
        brokers = stack.enter_context(Kafka(directory / "kafka")).brokers
        scene = Scene(args, directory, brokers)
        try:
            scene.run()
        except (Failed, HeraldFailed, OSError, RuntimeError, WrongAnswer) as error:
            failure = error
        finally:
            scene.killer.finish()
            for instance in scene.instances:
                instance.kill9()
    answers = sum((reader.answers for reader in scene.readers), collections.Counter())
    said = ", ".join(f"{count} × {what}" for what, count in sorted(answers.items()))
    print(f"{scene.killer.kills} kills; {said}")
    if failure is not None:
        print(f"WRONG (seed {args.seed}): {failure}\nlogs in {directory}")
        return 1
    if not args.keep:
        remove_work_dir(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
