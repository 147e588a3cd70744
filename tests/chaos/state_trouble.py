#!/usr/bin/env python3
"""The state directory deleted, truncated and with bytes flipped, while Herald is away, under load.

It comes back right, or ends and says why; then, as an operator would, the directory is deleted, and
it has to come back right. Nothing wrong is answered in between.
"""

import shutil
import time

import chaos
from herald_process import HeraldFailed

FLIPS = 20
STAY_S = 2.0
READY_WITHIN_S = 60
# Rows go into table files when they fill the memory for writes, which is half of this.
MEMORY_MIB = 16
EVENTS_A_CASE = 5_000
TABLE_FILES_WITHIN_S = 60


def files(root, pattern):
    return sorted(path for path in root.rglob(pattern) if path.is_file())


def largest(paths):
    return max(paths, key=lambda path: path.stat().st_size, default=None)


def newest(paths):
    return max(paths, key=lambda path: path.name, default=None)


def truncate(path, fraction):
    with open(path, "r+b") as file:
        file.truncate(int(path.stat().st_size * fraction))


def flip(random, path, count=FLIPS):
    data = bytearray(path.read_bytes())
    for _ in range(min(count, len(data))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.write_bytes(data)


def each_task(root):
    return sorted(path for path in (root / "tasks").iterdir() if path.is_dir())


def to_files(pattern, harm, choose=None):
    """A way to harm files of this name: of each task one, or all of it."""

    def do(scene, root):
        harmed = []
        for task in each_task(root):
            found = [path for path in files(task, pattern) if path.stat().st_size > 0]
            chosen = [choose(found)] if choose and found else found
            for path in chosen:
                harm(scene.random, path)
                harmed.append(path.name)
        return harmed

    return do


def wait_for_table_files(root):
    end = time.monotonic() + TABLE_FILES_WITHIN_S
    while not any(files(task, "*.sst") for task in each_task(root)):
        if time.monotonic() > end:
            raise AssertionError(f"no table file within {TABLE_FILES_WITHIN_S} s")
        time.sleep(0.1)


def delete_all(_, root):
    shutil.rmtree(root)
    return ["all"]


def delete_one_task(scene, root):
    path = scene.random.choice(each_task(root))
    shutil.rmtree(path)
    return [path.name]


def delete_global(_, root):
    shutil.rmtree(root / "global")
    return ["global"]


def flip_global(scene, root):
    found = [p for pattern in ("*.sst", "*.log", "MANIFEST*") for p in files(root / "global", pattern)]
    for path in found:
        flip(scene.random, path)
    return [path.name for path in found]


def empty_identity(_, root):
    (root / "INSTANCE").write_bytes(b"")
    return ["INSTANCE"]


CASES = {
    "all deleted": delete_all,
    "one task deleted": delete_one_task,
    "users table deleted": delete_global,
    "log cut in half": to_files("*.log", lambda _, path: truncate(path, 0.5), largest),
    "logs empty": to_files("*.log", lambda _, path: truncate(path, 0)),
    "logs deleted": to_files("*.log", lambda _, path: path.unlink()),
    "bytes of logs flipped": to_files("*.log", flip, largest),
    "one byte of a log flipped": to_files("*.log", lambda r, path: flip(r, path, 1), largest),
    "table file cut in half": to_files("*.sst", lambda _, path: truncate(path, 0.5), largest),
    "table file empty": to_files("*.sst", lambda _, path: truncate(path, 0), largest),
    "table file deleted": to_files("*.sst", lambda _, path: path.unlink(), largest),
    "bytes of table files flipped": to_files("*.sst", flip),
    "one byte of a table file flipped": to_files("*.sst", lambda r, p: flip(r, p, 1), largest),
    "manifest cut in half": to_files("MANIFEST-*", lambda _, path: truncate(path, 0.5), newest),
    "bytes of the manifest flipped": to_files("MANIFEST-*", flip, newest),
    "CURRENT deleted": to_files("CURRENT", lambda _, path: path.unlink()),
    "CURRENT empty": to_files("CURRENT", lambda _, path: truncate(path, 0)),
    "bytes of the users table flipped": flip_global,
    "INSTANCE empty": empty_identity,
}


def come_back(scene, load, herald, case):
    """Starts it on what is left; 'right' or 'refused'."""
    began = time.monotonic()
    try:
        herald.start(READY_WITHIN_S)
        scene.served(load, herald)
    except (HeraldFailed, TimeoutError) as failed:
        if herald.running():  # neither up nor out: that is no clear refusal
            scene.add_wrong(f"{case}: neither serves nor ends: {failed}")
            herald.kill9()
        code = herald.wait(1)
        if code == 0 or str(herald.state_dir) not in herald.log_tail(3):
            scene.add_wrong(f"{case}: exit code {code}, no clear word: {herald.log_tail(3)}")
        shutil.rmtree(herald.state_dir, ignore_errors=True)
        herald.start()
        scene.served(load, herald)
        return "refused", time.monotonic() - began
    return "right", time.monotonic() - began


def play(scene):
    names = [name for name in CASES if not scene.args.case or scene.args.case in name]
    load = scene.load(
        events=EVENTS_A_CASE * len(names) + 3_000, users=800, seconds=25.0 * len(names) + 10
    )
    herald = scene.herald(load, "herald", "--memory-mib", MEMORY_MIB)
    herald.start()
    scene.watch(load, herald)
    load.start()
    load.wait_fed(min(0.4, 6.0 / load.seconds))
    refused = []
    for number, name in enumerate(names):
        scene.restart(load, herald, herald.kill9)
        time.sleep(STAY_S)
        if "table file" in name:
            wait_for_table_files(herald.state_dir)
        if number % 2:
            herald.kill9()
        else:
            scene.stop(herald)
        harmed = CASES[name](scene, herald.state_dir)
        if not harmed:
            scene.add_wrong(f"{name}: there was nothing to harm")
        outcome, seconds = come_back(scene, load, herald, name)
        wiped = sum("wip" in line for line in herald.log().splitlines())
        scene.say(
            f"{name} ({len(harmed)} files): {outcome} after {seconds:.2f} s, "
            f"{sum(chaos.replays(herald.log()))} records replayed, {wiped} tasks wiped"
        )
        if outcome == "refused":
            refused.append(name)
        scene.figure_max(recover_s=seconds)
        time.sleep(STAY_S)
    scene.expect(load.fed < 1.0, "the load was over before the last trouble")
    scene.figure(troubles=len(names), refused_by_name=refused)
    scene.check(load, herald)
    scene.replayed(herald)


def extend(parser):
    parser.add_argument("--case", help="only those with this in their name")


if __name__ == "__main__":
    chaos.main(play, __doc__, extend=extend)
