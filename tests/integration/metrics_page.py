"""What docs/metrics.md promises, and what a running Herald's /metrics says, in the same form."""

import collections
import pathlib
import re

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/metrics.md"
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([\w, –]+) \| (.+) \| ([^|]+) \|$")
SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? \S+$')
# Rows with one of these need more than one instance, or a flag.
NOT_ALWAYS = ("while a warm copy is here", "with `--standby-replicas`", "with `--heartbeat-interval-ms`")

Family = collections.namedtuple("Family", "type labels meaning")


def read_page():
    """({name: Family}, the names that a single plain instance may lack) of the page."""
    families, optional = {}, set()
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        row = ROW.match(line)
        if not row:
            if line.startswith("| `"):
                raise ValueError(f"{PAGE}: not a row of a table of metrics: {line}")
            continue
        name, kind, labels, meaning, when = row.groups()
        if name in families:
            raise ValueError(f"{PAGE}: {name} is there twice")
        names = frozenset() if labels == "–" else frozenset(labels.split(", "))
        families[name] = Family(kind, names, meaning)
        if when in NOT_ALWAYS:
            optional.add(name)
    return families, optional


def read_scrape(text):
    """{name: Family} of an exposition; the labels are those of all series together."""
    types, meanings, labels = {}, {}, collections.defaultdict(set)
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, meaning = line.split(" ", 3)
            meanings[name] = meaning
        elif line.startswith("# TYPE "):
            _, _, name, types[name] = line.split(" ", 3)
        else:
            sample = SAMPLE.match(line)
            if not sample:
                raise ValueError(f"not a sample: {line}")
            name, inside = sample.groups()
            if name not in types:
                name = re.sub(r"_(bucket|sum|count)$", "", name)
            labels[name] |= set(re.findall(r'(\w+)="', inside or "")) - {"le"}
    return {
        name: Family(kind, frozenset(labels[name]), meanings.get(name))
        for name, kind in types.items()
        if name in labels
    }
