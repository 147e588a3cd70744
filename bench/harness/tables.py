"""What a suite hands back: runs of several subjects, side by side."""

import dataclasses
import math
import statistics

_LABEL_COLUMNS = 34
_CELL_COLUMNS_MIN = 12


class Implausible(RuntimeError):
    """A measure is missing, or no number that it can have."""


@dataclasses.dataclass(frozen=True)
class Measure:
    """One row of a table: the entry `key` of each run's figures."""

    key: str
    label: str
    form: str = "{:,.0f}"
    unit: float = 1
    # Zero is a figure that may be.
    zero: bool = False
    # Whose runs have it; None: all.
    families: tuple | None = None

    def of(self, run):
        return run["figures"].get(self.key)

    def show(self, value):
        return self.form.format(value / self.unit)


@dataclasses.dataclass
class Table:
    """The runs by subject. A run is {"figures": {key: number}, "disturbed": ..., …}."""

    title: str
    measures: list
    runs: dict
    # Whose runs are whose: {subject: family}.
    families: dict
    # Rows of medians over this subject's median are appended, when it is among the runs.
    compare_to: str | None = None
    compared: tuple = ()
    notes: list = dataclasses.field(default_factory=list)

    def _applies(self, measure, subject):
        return measure.families is None or self.families[subject] in measure.families

    def check(self):
        """Each measure is there in each run, and is a number that it can be."""
        if not self.runs:
            raise Implausible(f"{self.title}: nothing was measured")
        for subject, runs in self.runs.items():
            if not runs:
                raise Implausible(f"{self.title}: {subject} was not measured")
            for measure in self.measures:
                if not self._applies(measure, subject):
                    continue
                for run in runs:
                    value = measure.of(run)
                    if value is None or not math.isfinite(value) or value < 0:
                        raise Implausible(f"{self.title}: {subject}: {measure.label}: {value}")
                    if value == 0 and not measure.zero:
                        raise Implausible(f"{self.title}: {subject}: {measure.label} is 0")

    def summary(self):
        """{subject: {key: {"median":, "min":, "max":}}}"""
        result = {}
        for subject, runs in self.runs.items():
            result[subject] = {}
            for measure in self.measures:
                values = [v for v in map(measure.of, runs) if v is not None]
                if values:
                    result[subject][measure.key] = {
                        "median": statistics.median(values),
                        "min": min(values),
                        "max": max(values),
                    }
        return result

    def _cell(self, measure, spread):
        if spread is None:
            return "-"
        low, middle, high = (measure.show(spread[name]) for name in ("min", "median", "max"))
        return middle if low == high else f"{middle} ({low}–{high})"

    def text(self):
        summary = self.summary()
        rows = [
            (measure.label, [self._cell(measure, s.get(measure.key)) for s in summary.values()])
            for measure in self.measures
        ]
        if self.compare_to in summary and len(summary) > 1:
            base = summary[self.compare_to]
            for measure in self.measures:
                if measure.key in self.compared and measure.key in base:
                    rows.append((f"{measure.label} ÷ {self.compare_to}", self._ratios(measure)))
        rows.append(("cores that others used", [self._others(runs) for runs in self.runs.values()]))
        if any(run["disturbed"] for runs in self.runs.values() for run in runs):
            rows.append(("runs that stayed disturbed", [self._disturbed(r) for r in self.runs.values()]))
        names = list(summary)
        label = max(_LABEL_COLUMNS, *(len(row[0]) + 2 for row in rows))
        widths = [
            max(_CELL_COLUMNS_MIN, len(name), *(len(cells[i]) for _, cells in rows)) + 2
            for i, name in enumerate(names)
        ]
        lines = [self.title, ""]
        lines.append(" " * label + "".join(f"{n:>{w}}" for n, w in zip(names, widths)))
        for name, cells in rows:
            lines.append(f"{name:{label}}" + "".join(f"{c:>{w}}" for c, w in zip(cells, widths)))
        return "\n".join(lines + [""] * bool(self.notes) + self.notes)

    def _ratios(self, measure):
        summary = self.summary()
        base = summary[self.compare_to][measure.key]["median"]
        return [
            f"{s[measure.key]['median'] / base:.2f}" if measure.key in s and base else "-"
            for s in summary.values()
        ]

    @staticmethod
    def _others(runs):
        shares = [run["other_cores"] for run in runs]
        return f"{statistics.median(shares):.2f} ({min(shares):.2f}–{max(shares):.2f})"

    @staticmethod
    def _disturbed(runs):
        count = sum(run["disturbed"] for run in runs)
        return f"{count} of {len(runs)}" if count else "-"

    def as_json(self):
        return {
            "title": self.title,
            "measures": {m.key: m.label for m in self.measures},
            "summary": self.summary(),
            "runs": self.runs,
            "notes": self.notes,
        }
