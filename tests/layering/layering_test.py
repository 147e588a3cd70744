"""Reads the product's sources and fails on an include or a call in the wrong folder.

    layering_test.py ROOT           checks the tree under ROOT
    layering_test.py --self-check   shows that each rule fails on a line that breaks it

The folders form a line, base <- state <- pipeline <- stages <- serving <- app: a folder includes
and links itself and what stands to its left. Some libraries and calls have one home.
"""

import pathlib
import re
import sys

LAYERS = ["base", "state", "pipeline", "stages", "serving", "app"]

# A library's headers: what the include begins with, the files that may, as a regular expression.
HEADER_HOMES = [
    ("prometheus/", r"base/"),
    ("rocksdb/", r"state/"),
    ("librdkafka/", r"pipeline/(librdkafka_[^/]*|embedded_broker\.[^/]*)$"),
    ("boost/beast", r"serving/"),
    ("boost/asio", r"serving/"),
]

# Calls: a name for messages, what the code looks like, the files that may.
CALL_HOMES = [
    ("the environment", r"\b(secure_)?getenv\b", r"app/"),
    ("exit", r"(?<![.>\w])(_exit|_Exit|quick_exit|exit)\s*\(", r"app/"),
    ("the clock", r"\b(system|steady|high_resolution|utc)_clock\s*::\s*now\b", r"base/clock\.cc$"),
    ("the clock", r"\b(clock_gettime|gettimeofday)\b|\bstd::time\s*\(", r"base/clock\.cc$"),
    ("sleeping", r"\bsleep_(for|until)\b|\b(u|nano)?sleep\s*\(", r"base/clock\.cc$"),
]

LITERAL = (
    r'R"(?P<mark>[^()\\\s]*)\([\s\S]*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'"
)
COMMENT = r"//[^\n]*|/\*[\s\S]*?\*/"
COMMENT_OR_LITERAL = re.compile(f"(?P<comment>{COMMENT})|{LITERAL}")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?P<open>[<"])(?P<path>[^>"\n]+)')


def blank(text):
    """Only the line ends of `text`, so that line numbers stay."""
    return "\n" * text.count("\n")


def without_comments(source):
    return COMMENT_OR_LITERAL.sub(
        lambda match: blank(match[0]) + " " if match["comment"] is not None else match[0], source
    )


def without_literals(source):
    return COMMENT_OR_LITERAL.sub(lambda match: '""' + blank(match[0]), source)


def check_include(path, opening, included):
    folder = path.split("/")[0]
    for prefix, home in HEADER_HOMES:
        if included.startswith(prefix) and not re.match(home, path):
            yield f"<{prefix}...> is not for this file"
    if opening != '"':
        return
    target = included.split("/")[0]
    if target not in LAYERS or "/" not in included:
        yield f'"{included}" does not start with one of {", ".join(LAYERS)}'
    elif LAYERS.index(target) > LAYERS.index(folder):
        yield f'"{included}" is right of {folder}'


def check_source(path, source):
    """Messages on one source file; `path` is relative to the root."""
    source = without_comments(source)
    messages = []
    for number, line in enumerate(source.split("\n"), 1):
        include = INCLUDE.match(line)
        if include:
            for message in check_include(path, include["open"], include["path"]):
                messages.append(f"{path}:{number}: {message}")
    for number, line in enumerate(without_literals(source).split("\n"), 1):
        for name, pattern, home in CALL_HOMES:
            if re.search(pattern, line) and not re.match(home, path):
                messages.append(f"{path}:{number}: {name} is not for this file")
    return messages


def check_links(path, text):
    """Messages on one folder's CMakeLists.txt: a library names only what is left of it."""
    folder = path.split("/")[0]
    messages = []
    for number, line in enumerate(text.split("\n"), 1):
        for target in re.findall(r"\bherald_(\w+)", line.split("#")[0]):
            if target in LAYERS and LAYERS.index(target) > LAYERS.index(folder):
                messages.append(f"{path}:{number}: herald_{target} is right of {folder}")
    return messages


def check_tree(root):
    messages = []
    for folder in LAYERS:
        sources = [p for p in sorted((root / folder).rglob("*")) if p.suffix in (".h", ".cc")]
        if not sources:
            messages.append(f"{folder}/: no sources; does this test know the folders?")
        for file in sources:
            path = file.relative_to(root).as_posix()
            messages += check_source(path, file.read_text(encoding="utf-8"))
        for file in sorted((root / folder).rglob("CMakeLists.txt")):
            path = file.relative_to(root).as_posix()
            messages += check_links(path, file.read_text(encoding="utf-8"))
    return messages


BAD = [
    ("base/status.cc", '#include "state/task_state.h"'),
    ("state/task_state.h", '  #  include "pipeline/record.h"'),
    ("pipeline/task.cc", '#include "stages/write_inbox.h"'),
    ("stages/write_inbox.cc", '#include "serving/http_server.h"'),
    ("serving/http_server.cc", '#include "app/config.h"'),
    ("serving/deep/down.cc", '#include "app/config.h"'),
    ("app/main.cc", '#include "tests/support/driver.h"'),
    ("app/main.cc", '#include "config.h"'),
    ("state/task_state.cc", "#include <prometheus/counter.h>"),
    ("pipeline/task.cc", "#include <rocksdb/db.h>"),
    ("pipeline/task.cc", '#include "rocksdb/db.h"'),
    ("pipeline/kafka_client.h", "#include <librdkafka/rdkafka.h>"),
    ("pipeline/embedded_brokers.cc", "#include <librdkafka/rdkafka.h>"),
    ("serving/librdkafka_x.cc", "#include <librdkafka/rdkafka.h>"),
    ("app/main.cc", "#include <boost/beast.hpp>"),
    ("pipeline/stream_thread.cc", "#include <boost/asio/io_context.hpp>"),
    ("base/log.cc", 'const char* level = std::getenv("LEVEL");'),
    ("pipeline/engine.cc", "  if (fatal) std::exit(1);"),
    ("pipeline/engine.cc", "  _exit (1);"),
    ("pipeline/engine.cc", "now = std::chrono::steady_clock::now();"),
    ("base/log.cc", "using std::chrono::system_clock; auto t = system_clock::now();"),
    ("stages/codec.cc", "clock_gettime(CLOCK_REALTIME, &now);"),
    ("stages/codec.cc", "const auto seed = std::time(nullptr);"),
    ("serving/http_server.cc", "std::this_thread::sleep_for(1ms);"),
    ("serving/http_server.cc", "usleep(100);"),
    ("serving/http_server.cc", "const int a = 1'000; exit(a); const int b = 2'000;"),
    ("serving/http_server.cc", "/* one */ exit(1);"),
    ("serving/http_server.cc", 'Log("// not a comment"); exit(1);'),
]

GOOD = [
    ("base/metrics.cc", "#include <prometheus/counter.h>"),
    ("state/rocksdb_reader.cc", "#include <rocksdb/db.h>"),
    ("pipeline/librdkafka_client.cc", "#include <librdkafka/rdkafka.h>"),
    ("pipeline/embedded_broker.cc", "#include <librdkafka/rdkafka_mock.h>"),
    ("serving/http_server.cc", "#include <boost/beast/http.hpp>"),
    ("app/main.cc", 'if (std::getenv("HOME") == nullptr) std::exit(1);'),
    ("app/main.cc", '#include "base/status.h"\n#include "serving/http_server.h"'),
    ("base/clock.cc", "return std::chrono::system_clock::now();"),
    ("stages/codec.cc", '// exit(1); std::getenv\n/* #include "app/config.h"\n exit(1) */'),
    ("stages/codec.cc", 'Log("exit(1)"); Log(R"x(getenv " exit(2))x");'),
    ("stages/codec.cc", "timer.exit(); timer->exit(); on_exit(1); process_exit(2);"),
    ("stages/codec.cc", "std::chrono::steady_clock::time_point deadline; #define sleepy(x) x"),
]

BAD_LINKS = [
    ("base/CMakeLists.txt", "target_link_libraries(herald_base PUBLIC herald_state)"),
    ("stages/CMakeLists.txt", "target_link_libraries(x\n  PRIVATE herald_serving)"),
]
GOOD_LINKS = [
    ("state/CMakeLists.txt", "target_link_libraries(herald_state PUBLIC herald_base herald_flags)"),
    ("base/CMakeLists.txt", "# herald_state links this"),
]


def self_check():
    messages = []
    for check, bad, good in ((check_source, BAD, GOOD), (check_links, BAD_LINKS, GOOD_LINKS)):
        for path, text in bad:
            if len(check(path, text)) < 1:
                messages.append(f"{path}: not found to be wrong: {text}")
        for path, text in good:
            messages += [f"found to be wrong: {message}: {text}" for message in check(path, text)]
    lines = check_source("base/a.cc", "/* a\n b */\nint x;\nexit(1);\n")
    if lines != ["base/a.cc:4: exit is not for this file"]:
        messages.append(f"wrong line: {lines}")
    return messages


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    argument = sys.argv[1]
    messages = self_check() if argument == "--self-check" else check_tree(pathlib.Path(argument))
    print("\n".join(messages) if messages else "the layers hold")
    sys.exit(1 if messages else 0)


if __name__ == "__main__":
    main()
