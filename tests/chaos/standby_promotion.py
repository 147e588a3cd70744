#!/usr/bin/env python3
"""Standby replicas: the owner is killed, its warm copies answer reads meanwhile and then take over.

Two instances with --standby-replicas 1; kill -9 of one under load. The other goes on answering for all
inboxes, those of the dead one marked Herald-Stale, and is promoted without a full restore: no task
replays more than a small part of its changelog.
"""

import re
import time
import urllib.error
import urllib.request

import chaos
import topics

SESSION_MS = 6000
LOOK_S = 0.05
WITHIN_S = 60


def ask(url, user):
    """(status, changelog records behind or None, total)"""
    try:
        with urllib.request.urlopen(f"{url}/v1/users/{user}/inbox/counts", timeout=5) as answer:
            stale = answer.headers.get("Herald-Stale")
            total = int(re.search(rb'"total":(\d+)', answer.read())[1])
            return answer.status, None if stale is None else int(stale), total
    except urllib.error.HTTPError as error:
        return error.code, None, None


def play(scene):
    load = scene.load(events=30_000, seconds=30)
    options = ("--standby-replicas", "1", "--session-timeout-ms", str(SESSION_MS))
    first = scene.herald(load, "first", *options)
    second = scene.herald(load, "second", *options)
    first.start()
    second.start()
    load.start()
    load.wait_fed(0.5)
    people = [load.someone_in(partition) for partition in range(chaos.PARTITIONS)]
    before = {user: ask(second.url, user)[2] for user in people}
    first.kill9()
    killed = time.monotonic()
    answers = {200: 0, 503: 0, "stale": 0}
    most_behind, last_trouble = 0, killed
    fresh = set()
    while len(fresh) < len(people):
        if time.monotonic() - killed > WITHIN_S:
            raise chaos.Broken(f"answered by their new owner: {sorted(fresh)} of {people}")
        for user in people:
            status, behind, total = ask(second.url, user)
            answers[status] = answers.get(status, 0) + 1
            if status != 200:
                last_trouble = time.monotonic()
                continue
            if behind is None:
                # From the one who owns it now; right after the kill the group knows no other yet.
                fresh.add(user)
                continue
            fresh.discard(user)
            answers["stale"] += 1
            most_behind = max(most_behind, behind)
            scene.expect(total >= 0.5 * before[user], f"{user}: {before[user]} rows, then {total}")
        time.sleep(LOOK_S)
    # Without transactions there is no moment at which a copy is known to be whole: it answers nobody.
    if scene.guarantee == "exactly_once":
        scene.expect(answers["stale"] > 0, "no warm copy answered while the owner was gone")
    scene.expect(
        set(answers) <= {200, 503, "stale"}, f"answers other than 200 and 503: {answers}"
    )
    load.finish()
    scene.check(load, second)
    promoted = re.findall(r"a warm copy takes over task=(\S+)", second.whole_log())
    scene.expect(len(promoted) > 0, "no warm copy took over")
    changelog = load.prefix + load.group + "-inbox-changelog"
    counts = scene.replayed(second)
    records = sum(1 for _ in topics.read_topic(scene.brokers, changelog))
    # One that began with nothing would have replayed its whole share.
    scene.expect(
        max(counts) < records / chaos.PARTITIONS / 2, f"{max(counts)} of {records} records replayed"
    )
    scene.figure(
        recover_s=round(last_trouble - killed, 1),
        promoted=len(promoted),
        stale_answers=answers["stale"],
        unavailable=answers[503],
        most_behind=most_behind,
    )


if __name__ == "__main__":
    chaos.main(play, __doc__)
