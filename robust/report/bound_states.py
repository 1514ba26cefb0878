"""The bounds of the suite and their states."""

from collections.abc import Iterator
from dataclasses import dataclass

from robust.core.types import Row
from robust.report import wording
from robust.report.conditions import Condition, TrainedModel
from robust.report.folder import Folder
from robust.report.recomputed_bounds import recorded
from robust.results.flags import doubted
from robust.suite import bounds

ABSENT = "absent"
"""The state of a bound without a value."""


@dataclass(frozen=True)
class Judgement:
    """One bound and the value that it was compared with."""

    run: TrainedModel
    condition: Condition
    model: str
    metric: str
    value: str
    interval: str
    n: str
    bound: str
    state: str
    undecided: bool
    reliability: str
    as_recorded: bool = False

    @property
    def words(self) -> str:
        """The whole judgement as a sentence, without its mark."""
        if self.state == ABSENT:
            return f"the suite requires {self.metric} {self.bound}, and results.csv does not have this value everywhere"
        interval = f"95 % interval {self.interval}, {self.n} images" if self.interval else f"{self.n} images"
        return f"{self.metric} is {self.value} ({interval}); the suite requires {self.bound}"

    @property
    def doubted(self) -> str:
        """The reliability, in brackets, where the value is not reliable; else ""."""
        return f" ({self.reliability})" if doubted(self.reliability) else ""

    @property
    def taken(self) -> str:
        """Whether the value is taken as recorded, in brackets; "" where it is recounted from the outcomes."""
        return " (as recorded)" if self.as_recorded else ""

    @property
    def place(self) -> str:
        """The model and what was done to the images."""
        return f"{self.model} on {wording.title(self.condition)}"


def judgements(folder: Folder) -> list[Judgement]:
    """Every bound that was judged, in the order of the table, and those without a value."""
    return [*_judgements(folder), *_absent(folder)]


def _absent(folder: Folder) -> Iterator[Judgement]:
    for one in folder.absent:
        run, condition = TrainedModel(one.model, one.seed), Condition(one.case, "", "", None, None)
        limit = wording.bound(one.limit, "")
        yield Judgement(run, condition, folder.name(run), one.name, "not there", "", "0", limit, ABSENT, False, "")


def _judgements(folder: Folder) -> Iterator[Judgement]:
    for (run, condition), rows in folder.values.items():
        for row in map(bounds.read, rows[rows["bound"] != ""].to_dict("records")):
            limits = row["bound"]
            yield Judgement(
                run,
                condition,
                folder.name(run),
                wording.metric(row["metric"], row["subset"]),
                *texts(row),
                wording.images(row),
                wording.bound(limits, row["unit"]),
                state(folder, row),
                bool(limits.undecided(row["ci_low"], row["ci_high"])),
                row["reliability"],
                recorded(row, folder.recounted),
            )


def texts(row: Row) -> tuple[str, str]:
    """The value and its interval, with as many digits as show on which side of the bound they are."""
    value, ends, unit, limits = row["value"], (row["ci_low"], row["ci_high"]), row["unit"], row["bound"]
    digits = limits.digits(row, 3) - 2
    if row["metric"] == "difference":
        return wording.change(value, unit, digits), wording.changes(*ends, unit, digits)
    if unit == "proportion":
        return wording.percent(value, digits), wording.interval(*ends, unit, digits)
    if isinstance(limits, bounds.Bound) and (found := limits.figures(row)) > bounds.FIGURES:
        return f"{wording.number(value, found)} {unit}".rstrip(), wording.interval(*ends, unit)
    return wording.quantity(value, unit), wording.interval(*ends, unit)


def state(folder: Folder, row: Row) -> str:
    """The state of a bound: recomputed from the row, see `robust.suite.bounds.state`, never read from `passed`."""
    return bounds.state(row, allow_invalid=row["case"] in folder.allow_invalid)


def taken(found: list[Judgement]) -> str:
    """How many bounds depend on numbers that only results.csv contains, in a sentence; "" for none.

    >>> taken([])
    ''
    """
    n = sum(one.as_recorded for one in found)
    if not n:
        return ""
    of = "1 bound depends on a number" if n == 1 else f"{n} bounds depend on numbers"
    return f"as recorded: {of} of results.csv that cannot be recounted from the other files"


def headline(found: list[Judgement]) -> str:
    """The verdict in one line.

    >>> headline([])
    'Measured without bounds'
    """
    missed = sum(one.state in ("missed", "undecided") for one in found)
    unsupported = sum(one.state == "unsupported" for one in found)
    if not found:
        return "Measured without bounds"
    if unsupported:
        return f"{f'{missed} missed and ' if missed else ''}{unsupported} unsupported of {len(found)} bounds"
    if missed:
        return f"{missed} of {len(found)} bounds missed"
    if any(one.state in ("not judged", ABSENT) for one in found):
        return "Not every bound was judged"
    return "The one bound passed" if len(found) == 1 else f"All {len(found)} bounds passed"
