"""Bounds against another model or an earlier report: what they need, what they gave, and how verdicts are said."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf, isfinite, isnan
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from robust.core.errors import ReportError, located
from robust.core.types import NewRow, Row, radius
from robust.results.flags import doubted
from robust.results.summaries import comparison, earlier
from robust.results.summaries.corruption_error import ABSENT
from robust.results.summaries.pairing import Superclasses, at
from robust.suite import Evaluation, Suite, bounds
from robust.suite.bounds import Bound, NoWorse


class CaseOutcomes(NamedTuple):
    """What a model said in a case: rows of outcomes, which model it is, see
    `robust.results.summaries.earlier.one_model`, which one made the images, and,
    of an earlier report, the rows of results.csv and the superclasses of the case."""

    outcomes: pd.DataFrame
    model: str
    source: str = ""
    results: pd.DataFrame | None = None
    superclasses: Superclasses | None = None


def rivals(suite: Suite, cell: Evaluation) -> Iterator[Evaluation]:
    """The cells of other models of the suite that the bounds of a cell compare it with.

    A model is not compared with itself. Of a rival with several seeds it is the cell's own seed, else its first.
    """
    for _, limit in limits(cell):
        for model in suite.models:
            if limit.than == model.name:
                yield Evaluation(cell.case, model, cell.seed if cell.seed in model.seeds else model.seeds[0])


def check(
    suite: Suite, cells: Iterable[Evaluation], out: Path, data: str, fingerprint: str, contents: Mapping[str, str]
) -> None:
    """Raise ReportError, with file and line, where an earlier report that a bound names cannot be compared with.

    Args:
        suite: the suite, and those of its cells that are to be judged. out: where the report goes: one that is
            itself the earlier one is made anew, and no bound is judged against it.
        data, fingerprint: of the suite's data. contents: the fingerprint of the images of each case.
    """
    for cell in cells:
        for key, limit in limits(cell):
            if limit.of_report and not _itself(limit, out):
                with located(suite.path, cell.case.line, f"expect.{key}"):
                    report = earlier.read(Path(limit.than))
                    earlier.comparable(report, suite.name, data, fingerprint)
                    _there(report, cell)
                    here = earlier.settings(cell.case.definition)
                    earlier.same_case(report, cell.case.name, here, contents[cell.case.name])


def _there(report: earlier.Report, cell: Evaluation) -> None:
    if _earlier(report, cell) is None:
        known = report.outcomes[["model", "seed", "case"]].drop_duplicates().itertuples(index=False)
        listed = ", ".join(f"{one.case}[{one.model}] at seed {one.seed}" for one in known)
        wanted = f"{cell.case.name}[{cell.model.name}] at seed {cell.seed}"
        raise ReportError(f"{report.path}: has no {wanted}; it has {listed}")


def compared(
    cell: Evaluation,
    ours: CaseOutcomes,
    rival: Callable[[Evaluation], CaseOutcomes | None],
    suite: Suite,
    superclasses: Superclasses,
    out: Path,
) -> Iterator[NewRow]:
    """The rows that the bounds of a cell against others give; see `robust.results.summaries.comparison.judged`.

    Args:
        ours: of the cell. rival: gives those of another cell, None while it has not run.
        superclasses: of the cell's data. out: the folder of the report.

    Raises ReportError where the images cannot be paired.
    """
    for key, limit in limits(cell):
        theirs = _theirs(cell, limit, rival, suite, out)
        if theirs is None:
            yield from comparison.not_judged(key, limit, ours.outcomes)
            continue
        if theirs.results is not None:
            earlier.same_source(limit.than, cell.case.name, theirs.source, ours.source)
            earlier.same_superclasses(limit.than, key, cell.case.name, theirs.superclasses or {}, superclasses)
        same = ours.model == theirs.model != ""
        for row in comparison.judged(key, limit, ours.outcomes, theirs.outcomes, superclasses, same=same):
            yield {**row, "reliability": comparison.verdict(theirs.results, row, key.partition("[")[0])}


def _theirs(
    cell: Evaluation, limit: NoWorse, rival: Callable[[Evaluation], CaseOutcomes | None], suite: Suite, out: Path
) -> CaseOutcomes | None:
    if limit.of_report:
        return None if _itself(limit, out) else _earlier(earlier.read(Path(limit.than)), cell)
    return rival(next(other for other in rivals(suite, cell) if other.model.name == limit.than))


def _earlier(report: earlier.Report, cell: Evaluation) -> CaseOutcomes | None:
    who = {"model": cell.model.name, "seed": cell.seed, "case": cell.case.name}
    rows = at(report.outcomes, who)
    if rows.empty:
        return None
    source = report.source(cell.model.name, cell.seed, cell.case.name)
    groups = report.superclasses_of(cell.case.name)
    return CaseOutcomes(rows, report.model(cell.model.name, cell.seed), source, at(report.results, who), groups)


def limits(cell: Evaluation) -> Iterator[tuple[str, NoWorse]]:
    """The bounds of a cell against others, with their keys; none of a model against itself."""
    for key, limit in cell.case.expect.items():
        if isinstance(limit, NoWorse) and limit.than != cell.model.name:
            yield key, limit


def _itself(limit: NoWorse, out: Path) -> bool:
    return Path(limit.than).resolve() == out.resolve()


def say(row: Row) -> str:
    """A value with its interval: `0.251 [0.225, 0.279]`, or with the one end that it has.

    >>> say({"value": 0.5, "ci_low": 0.4, "ci_high": 0.6})
    '0.500 [0.400, 0.600]'
    >>> say({"value": -0.5, "ci_low": -0.6, "ci_high": float("nan")})
    '-0.500 [-0.600, ...]'
    >>> say({"value": inf, "ci_low": 0.02, "ci_high": inf, "unit": "distance", "eps": 0.05})
    'not found up to 0.05 (low: 0.020)'
    >>> say({"value": float("nan"), "ci_low": 0.02, "ci_high": inf, "unit": "distance", "eps": 0.05})
    'not known, as just half of the images have one up to 0.05 (low: 0.020)'
    >>> say({"value": 0.79951, "ci_low": 0.7, "ci_high": 0.9, "bound": bounds.parse(">= 0.80")})  # so it is missed
    '0.7995 [0.7000, 0.9000]'
    """
    if row.get("unit") == "distance" and not isfinite(row["value"]):
        low = f" (low: {row['ci_low']:.3f})" if row["ci_low"] < inf else ""
        half = "not known, as just half of the images have one" if isnan(row["value"]) else "not found"
        return f"{half} up to {radius(row['eps'], row.get('norm', ''))}{low}"
    if isnan(row["ci_low"]) and isnan(row["ci_high"]):
        return f"{row['value']:.6g}"
    limit = row.get("bound")
    n = limit.digits(row, 3) if limit else 3
    low, high = ("..." if isnan(end) else f"{end:.{n}f}" for end in (row["ci_low"], row["ci_high"]))
    return f"{row['value']:.{n}f} [{low}, {high}]"


def strength(row: Row) -> str:
    """How strong the perturbation was, with a space before it; "" where there is none.

    >>> strength({"severity": None, "eps": 8 / 255, "norm": "linf"})
    ' at eps 8/255'
    """
    severity, eps = row.get("severity"), row.get("eps")
    if severity is not None and not pd.isna(severity):
        return f" at severity {severity}"
    if eps is None or pd.isna(eps):
        return ""
    return f" at eps {radius(eps, row['norm'])}"


def missed(row: Row) -> str:
    """A missed bound in words; the row has it as an object, see `robust.suite.bounds.read`.

    >>> limit = bounds.parse(">= 0.80")
    >>> missed({"metric": "top1", "subset": "", "value": 0.78, "ci_low": 0.75, "ci_high": 0.81, "bound": limit})
    'top1 0.780 [0.750, 0.810] is not >= 0.80, but undecided: the interval holds the bound'
    >>> missed({"metric": "recall", "subset": "horse", "value": float("nan"), "bound": limit})
    'recall[horse] cannot be given (there is no image for it), so that it is not >= 0.80'
    """
    limit = row["bound"]
    if isinstance(limit, Bound) and limit.untold(row):
        return f"{bounds.name(row)} {say(row)} leaves {row['bound']} undecided; search farther, with a larger eps"
    if isinstance(limit, Bound) and isnan(row["value"]) and isnan(row[limit.of]):
        why = row.get("ci_method", "").removeprefix("none: ").removeprefix(ABSENT) or "there is no image for it"
        return f"{bounds.name(row)} cannot be given ({why}), so that it is not {row['bound']}"
    if limit.judge(row):
        kind = (
            "is an invalid number"
            if row["reliability"] == "invalid"
            else "has no verdict of the reliability checks on record"
        )
        return f"{bounds.name(row)} {say(row)} {kind}, so that {row['bound']} is unsupported"
    if isinstance(limit, NoWorse) and limit.open(row):
        return f"{bounds.name(row)} {say(row)} leaves {row['bound']} undecided: the sample cannot tell; more images can"
    if isinstance(limit, Bound) and limit.lacks_its_end(row):
        return (
            f"{bounds.name(row)} {say(row)} has no interval, and {row['bound']} asks for one; hold the value against it"
        )
    verb = "is not" if str(limit)[0] in "<>i" else "misses"
    doubt = ", but undecided: the interval holds the bound" if undecided(row) else ""
    return f"{bounds.name(row)} {say(row)} {verb} {row['bound']}{doubt}"


def undecided(row: Row) -> bool:
    """Does the interval of a judged row straddle its bound, so that another sample could turn the verdict?"""
    return row["bound"] is not None and row["bound"].undecided(row["ci_low"], row["ci_high"])


def in_doubt(row: Row) -> str:
    """What the reliability checks say against a number, in brackets; "" for nothing.

    >>> in_doubt({"reliability": "suspect"}), in_doubt({"reliability": "reliable"})
    (' (suspect)', '')
    """
    return f" ({row['reliability']})" if doubted(row["reliability"]) else ""


def open_questions(results: pd.DataFrame) -> list[str]:
    """The verdicts of a table that are not settled, in a line each: undecided, passed in doubt, and not judged ones."""
    rows = [*map(bounds.read, results[results["bound"] != ""].to_dict("records"))]
    kinds = {
        "passed, on a number in doubt": [row for row in rows if row["passed"] is True and in_doubt(row)],
        "undecided, the interval holds the bound": [row for row in rows if undecided(row)],
        "not judged, what it is compared with is this report or has not run": [r for r in rows if pd.isna(r["passed"])],
    }
    models = several(results)
    places = {what: [place(row, models) + in_doubt(row) for row in found] for what, found in kinds.items()}
    return [f"{what}: {', '.join(found)}" for what, found in places.items() if found] + absent(results)


def absent(results: pd.DataFrame) -> list[str]:
    """The numbers that were asked for and could not be given, with the reason, a line for each.

    >>> row = {"model": "net", "seed": 0, "case": "weather", "metric": "corruption_error_ratio", "subset": "fog"}
    >>> absent(pd.DataFrame([{**row, "ci_method": "not given: lenet5 makes no error under fog"}]))
    ['weather[net] corruption_error_ratio[fog] is not given: lenet5 makes no error under fog']
    """
    rows = results[results["ci_method"].str.startswith(ABSENT)].to_dict("records")
    models = several(results)
    return [f"{place(row, models)} is {row['ci_method']}" for row in rows]


def place(row: Row, several: set[str]) -> str:
    """Case, model and metric of a row, as messages name them."""
    return f"{cell(row, several)} {bounds.name(row)}{strength(row)}"


def several(results: pd.DataFrame) -> set[str]:
    """The models of a table that were trained with several seeds.

    >>> several(pd.DataFrame({"model": ["a", "a", "b", "b"], "seed": [0, 1, 0, 0]}))
    {'a'}
    """
    seeds = results.groupby("model")["seed"].nunique()
    return {*seeds.index[seeds > 1]}


def cell(row: Row, several: set[str]) -> str:
    """The case and the model of a row, with the seed of a model that was trained with several.

    >>> cell({"case": "pgd", "model": "net", "seed": 3}, several={"net"})
    'pgd[net-3]'
    """
    seed = f"-{row['seed']}" if row["model"] in several else ""
    return f"{row['case']}[{row['model']}{seed}]"
