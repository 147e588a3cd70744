"""Does what a Dockerfile says in directories, without an engine; tools/try-image calls it.

Understands as much of the format as ours uses, and refuses the rest by name and line.
"""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

READY_TIMEOUT_S = 60
INBOX_TIMEOUT_S = 20
STOP_TIMEOUT_S = 15
POLL_S = 0.1
# What an image's processes find in their environment.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSED_ON = ("CMAKE_BUILD_PARALLEL_LEVEL",)


class DockerfileError(Exception):
    """The text names the line and what is wrong with it."""


@dataclasses.dataclass
class Stage:
    name: str
    base: str
    steps: list = dataclasses.field(default_factory=list)  # (instruction, arguments, line number)

    def last(self, instruction, otherwise=None):
        """The arguments of the last such step: what the image is left with."""
        found = [arguments for name, arguments, _ in self.steps if name == instruction]
        return found[-1] if found else otherwise


# --- Reading -------------------------------------------------------------------------------------


def logical_lines(text):
    """(number of the first line, instruction with its continuations) without comments."""
    parts, first = [], 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not line.strip() and not parts:
            continue
        first = first or number
        more = line.rstrip().endswith("\\")
        parts.append(line.rstrip().removesuffix("\\") if more else line)
        if not more:
            yield first, "\n".join(parts)
            parts, first = [], 0
    if parts:
        raise DockerfileError(f"line {first}: the last line continues")


def parse(text):
    """[Stage] of a Dockerfile."""
    stages = []
    for number, line in logical_lines(text):
        instruction, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        where = f"line {number}: {instruction}"
        if instruction == "FROM":
            match = re.fullmatch(r"(\S+)(?: AS (\S+))?", rest)
            if not match or rest.startswith("-"):
                raise DockerfileError(f"{where}: expected IMAGE [AS NAME], not {rest!r}")
            stages.append(Stage(match[2] or str(len(stages)), match[1]))
            continue
        if not stages:
            raise DockerfileError(f"{where}: comes before FROM")
        stages[-1].steps.append((instruction, read_arguments(where, instruction, rest), number))
    return stages


def read_arguments(where, instruction, rest):
    if instruction == "RUN":
        if rest.startswith(("-", "[")) or "<<" in rest:
            raise DockerfileError(f"{where}: only a shell command, without options")
        # The shell is given one line, as Docker gives it.
        return " ".join(rest.split("\n"))
    if instruction in ("ENTRYPOINT", "CMD"):
        try:
            return [str(word) for word in json.loads(rest)]
        except ValueError:
            raise DockerfileError(f"{where}: only in the form of a JSON list") from None
    if instruction == "COPY":
        words = rest.split()
        source_stage = None
        if words[0].startswith("--"):
            option, _, source_stage = words.pop(0).partition("=")
            if option != "--from":
                raise DockerfileError(f"{where}: option {option}")
        if len(words) < 2 or any(set("*?[") & set(word) for word in words):
            raise DockerfileError(f"{where}: expected SOURCE... TARGET without patterns")
        return source_stage, words[:-1], words[-1]
    if instruction in ("WORKDIR", "USER", "VOLUME", "EXPOSE"):
        if len(rest.split()) != 1 or rest.startswith("["):
            raise DockerfileError(f"{where}: expected one word")
        return rest
    raise DockerfileError(f"{where}: not known here")


# --- Doing ---------------------------------------------------------------------------------------


def say(text):
    print(f"try-image: {text}", file=sys.stderr, flush=True)


class Trees:
    """A directory for each stage below `tree`, which has `base` and `context` in it."""

    def __init__(self, tree, base_image):
        self._tree = tree
        self._base_image = base_image
        self._users = {}
        self.ignored = [
            line.strip()
            for line in (tree / "context/.dockerignore").read_text().splitlines()
            if line.strip()
        ]

    def root(self, name):
        return self._tree / f"stage-{name}"

    def build(self, stage):
        if stage.base != self._base_image:
            raise DockerfileError(f"FROM {stage.base}: there is a tree of {self._base_image} only")
        root = self.root(stage.name)
        subprocess.run(["cp", "-a", self._tree / "base", root], check=True)
        mounted(root / "proc", "-t", "proc", "proc")
        directory, user = "/", "root"
        for instruction, arguments, number in stage.steps:
            began = time.monotonic()
            if instruction == "WORKDIR":
                directory = os.path.join(directory, arguments)
                inside(root, directory).mkdir(parents=True, exist_ok=True)
            elif instruction == "USER":
                user = arguments
            elif instruction == "COPY":
                self._copy(root, directory, *arguments)
            elif instruction == "RUN":
                say(f"{stage.name}: RUN {arguments[:90]}")
                run_inside(root, ["/bin/sh", "-c", arguments], user, directory, check=True,
                           stdout=sys.stderr)
            else:
                continue
            say(f"{stage.name}: line {number} {instruction}: {time.monotonic() - began:.0f} s")
        subprocess.run(["umount", root / "proc"], check=True)

    def _copy(self, root, directory, source_stage, sources, target):
        origin = self.root(source_stage) if source_stage else self._tree / "context"
        to = inside(root, os.path.join(directory, target))
        if target.endswith("/") or len(sources) > 1:
            to.mkdir(parents=True, exist_ok=True)
        to.parent.mkdir(parents=True, exist_ok=True)
        for source in sources:
            path = inside(origin, source)
            if path.is_dir():
                command = ["tar", "-C", path, "-cf", "-", "--owner=0", "--group=0"]
                if not source_stage and path == origin:
                    command += [f"--exclude=./{name}" for name in self.ignored]
                packed = subprocess.run([*command, "."], check=True, stdout=subprocess.PIPE)
                to.mkdir(parents=True, exist_ok=True)
                subprocess.run(["tar", "-C", to, "-xf", "-"], check=True, input=packed.stdout)
            else:
                command = ["cp", "--preserve=mode,timestamps", path, to]
                subprocess.run(command, check=True)


def inside(root, path):
    return pathlib.Path(os.path.normpath(f"{root}/{path}"))


def mounted(target, *arguments):
    subprocess.run(["mount", *arguments, target], check=True)


def environment(home):
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {"PATH": PATH, "HOME": home, **passed}


def command_inside(root, command, user, directory):
    """A command line for what Docker would start: nothing of ours but the name of the user."""
    line = f"cd {shlex.quote(directory)} && exec {shlex.join(command)}"
    start = ["setpriv", "--no-new-privs", "chroot", f"--userspec={user}:{user}", root]
    return [*start, "/bin/sh", "-c", line]


def run_inside(root, command, user="root", directory="/", **options):
    home = "/root" if user == "root" else directory
    return subprocess.run(
        command_inside(root, command, user, directory),
        env=environment(home),
        stdin=subprocess.DEVNULL,
        text=True,
        **options,
    )


# --- Trying what came of it ----------------------------------------------------------------------


def wait_for(what, ask, timeout_s):
    end = time.monotonic() + timeout_s
    while not (answer := ask()):
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {timeout_s} s")
        time.sleep(POLL_S)
    return answer


def try_herald(root, stage):
    """Starts the last stage's program as its user on a read-only root file system, and uses it."""
    user, directory = stage.last("USER"), stage.last("WORKDIR")
    volume = inside(root, stage.last("VOLUME"))
    mounted(root, "--bind", root)
    mounted(root, "-o", "remount,bind,ro")
    owner = volume.stat()
    mounted(volume, "-t", "tmpfs", "-o", f"uid={owner.st_uid},gid={owner.st_gid}", "tmpfs")
    mounted(root / "tmp", "-t", "tmpfs", "tmpfs")
    mounted(root / "proc", "-t", "proc", "proc")
    try:
        (root / "written").touch()
    except OSError:
        pass
    else:
        raise RuntimeError("the root file system can be written to")

    def herald(*arguments):
        command = [*stage.last("ENTRYPOINT"), *arguments]
        finished = run_inside(root, command, user, directory, capture_output=True)
        if finished.returncode != 0:
            raise RuntimeError(f"{command}: code {finished.returncode}: {finished.stderr}")
        return finished.stdout

    if "--brokers" not in herald(*stage.last("CMD")):
        raise RuntimeError("what the image does by default does not show its flags")
    state = stage.last("VOLUME")
    arguments = ["run", "--embedded", "--listen", "127.0.0.1:0", "--state-dir", f"{state}/state"]
    arguments += ["--users", "/usr/local/share/herald/users.ndjson"]
    arguments += ["--ready-file", f"{state}/ready.json"]
    command = command_inside(root, [*stage.last("ENTRYPOINT"), *arguments], user, directory)
    process = subprocess.Popen(
        command, env=environment(directory), stdin=subprocess.DEVNULL, stdout=sys.stderr
    )
    try:
        ready_file = inside(root, f"{state}/ready.json")

        def ready():
            if process.poll() is not None:
                raise RuntimeError(f"herald ended with {process.returncode}")
            return ready_file.exists()

        wait_for("ready", ready, READY_TIMEOUT_S)
        server = json.loads(ready_file.read_text())["http"][0]
        status = (root / f"proc/{process.pid}/status").read_text()  # of our namespace
        say(f"herald runs as {re.search(r'Uid:.*', status)[0].split()[1:]}, on {server}")
        if re.search(r"Uid:\s+0\b", status) or int(re.search(r"CapEff:\s+(\w+)", status)[1], 16):
            raise RuntimeError("herald is root, or has capabilities")

        def curl(path):
            command = ["curl", "-fsS", f"http://{server}{path}"]
            return run_inside(root, command, user, directory, capture_output=True, check=True).stdout

        curl("/health/live")
        herald("send", "--server", server, "--type", "follow", "--actor", "2", "--target", "1")
        inbox = wait_for(
            "the notification",
            lambda: "Bruno started following you." in (text := curl("/v1/users/1/inbox")) and text,
            INBOX_TIMEOUT_S,
        )
        say(f"the inbox: {inbox}")
        process.send_signal(signal.SIGTERM)
        if process.wait(STOP_TIMEOUT_S) != 0:
            raise RuntimeError(f"code {process.returncode} after SIGTERM")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def try_feeder(root, stage):
    """The demo's stage has what its service needs."""
    user, directory = stage.last("USER"), stage.last("WORKDIR")
    command = ["./feed", "--print", "--count", "3", "--rate", "1000"]
    said = run_inside(root, command, user, directory, capture_output=True, check=True).stdout
    if len(said.splitlines()) != 3:
        raise RuntimeError(f"the feeder wrote {said!r}")
    run_inside(root, ["kcat", "-V"], user, directory, capture_output=True, check=True)


def mebibytes(path):
    said = subprocess.run(["du", "-sxm", path], check=True, capture_output=True, text=True).stdout
    return int(said.split()[0])


def packages(root):
    listed = inside(root, "/var/lib/dpkg/info").glob("*.list")
    return {path.stem.split(":")[0] for path in listed}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--suite", required=True)
    parser.add_argument("tree", type=pathlib.Path)
    args = parser.parse_args()
    stages = parse((args.tree / "context/Dockerfile").read_text())
    trees = Trees(args.tree, f"debian:{args.suite}-slim")
    for stage in stages:
        trees.build(stage)
    last = stages[-1]
    root = trees.root(last.name)
    added = packages(root) - packages(args.tree / "base")
    size, base_size = mebibytes(root), mebibytes(args.tree / "base")
    binary = mebibytes(inside(root, "/usr/local/bin/herald"))
    # Documentation and the like, which Debian's slim images leave out.
    slim = sum(mebibytes(root / "usr/share" / name) for name in ("doc", "man", "locale", "info"))
    try_feeder(trees.root("demo"), next(stage for stage in stages if stage.name == "demo"))
    try_herald(root, last)
    print(f"date:          {datetime.date.today().isoformat()}")
    print(f"runtime tree:  {size} MiB, of which the base is {base_size}, herald {binary},")
    print(f"               documentation that slim images leave out {slim}")
    print(f"packages:      {len(added)} beside the base: {' '.join(sorted(added))}")
    shutil.rmtree(trees.root("build"), ignore_errors=True)


if __name__ == "__main__":
    main()
