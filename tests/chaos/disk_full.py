#!/usr/bin/env python3
"""The disk under the state directory is full: a clear stop; with room again all is right.

The directory is on a small tmpfs. Where mounting is not allowed, nothing is shown and the result
says so.
"""

import contextlib
import os
import shutil
import subprocess

import chaos

DISK_MIB = 512
# Herald stops when less than 64 MiB are left.
LEFT_MIB = 40
STOPS_WITHIN_S = 90


class SmallDisk:
    """A tmpfs that goes away with the scenario."""

    def __init__(self, path):
        self._path = path
        path.mkdir(parents=True)

    def mount(self, options):
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", self._path], capture_output=True
        )

    def __enter__(self):
        finished = self.mount(f"size={DISK_MIB}m")
        self.allowed = finished.returncode == 0
        return self

    @property
    def _filler(self):
        return self._path / "somebody-elses-file"

    def fill(self):
        """Somebody else writes until next to nothing is left."""
        room = shutil.disk_usage(self._path).free - LEFT_MIB * 1024 * 1024
        with open(self._filler, "wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, room)

    def make_room(self):
        self._filler.unlink()

    def __exit__(self, *_):
        if self.allowed:
            subprocess.run(["umount", "-l", self._path], check=False)


def play(scene):
    load = scene.load(events=60_000, seconds=30)
    with contextlib.ExitStack() as stack:
        herald = scene.herald(load)
        disk = stack.enter_context(SmallDisk(herald.state_dir))
        if not disk.allowed:
            scene.say("mounting is not allowed here")
            scene.figure(skipped="mounting is not allowed here")
            return
        stack.callback(herald.kill9)
        herald.start()
        scene.watch(load, herald)
        load.start()
        load.wait_fed(0.3)
        disk.fill()
        code = herald.wait(STOPS_WITHIN_S + load.seconds)
        tail = herald.log_tail(5)
        scene.say(f"exit code {code}, its last lines:\n{tail}")
        scene.expect(code == 1, f"exit code {code} when the disk was full")
        last = tail.splitlines()[-1] if tail else ""
        scene.expect(str(herald.state_dir) in last, f"the last line names no directory: {last}")
        scene.expect(
            "no space" in tail.lower() or "disk" in tail.lower(),
            f"the last lines do not say that the disk is full: {tail}",
        )
        # Still full: it has to say so again, not to come up and answer from what there is.
        herald.launch()
        code = herald.wait(STOPS_WITHIN_S)
        scene.expect(code == 1, f"exit code {code} at a start with a full disk")
        disk.make_room()
        scene.figure(recover_s=scene.restart(load, herald, lambda: None))
        scene.check(load, herald)
        scene.replayed(herald)


if __name__ == "__main__":
    chaos.main(play, __doc__)
