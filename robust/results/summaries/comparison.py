"""One model compared with another, or with itself in an earlier report: paired differences, image by image."""

import functools
import warnings
from collections.abc import Iterator
from math import isclose, isnan, nan
from pathlib import Path

import pandas as pd

from robust.core.catalogue import mapping
from robust.core.errors import ReportError, suggest
from robust.core.types import NewRow, Row
from robust.results.flags import worse
from robust.results.summaries import earlier
from robust.results.summaries.earlier import Report
from robust.results.summaries.pairing import STRENGTH, Superclasses, by_strength, difference, rows_at
from robust.suite.bounds import NoWorse

ONE_SIDED, TWO_SIDED = 0.05, 0.025  # the tail probability for a bound, or an interval, of 95 %
_COLUMNS = [
    "model", "seed", "case", *STRENGTH, "metric", "subset",
    "a", "b", "difference", "ci_low", "ci_high", "mcnemar", "n", "unit", "reliability_a", "reliability_b",
]  # fmt: skip


def judged(
    key: str,
    bound: NoWorse,
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    superclasses: Superclasses,
    *,
    same: bool,
) -> Iterator[NewRow]:
    """The rows of results.csv for a bound against another model, at each strength of the perturbation.

    - difference: ours minus theirs, with the one end that is judged, a bound of 95 %: `ci_low` where higher is
      better, `ci_high` where lower is. The subset names the metric, and what it is compared with.
    - mcnemar: its exact p-value, for proportions.

    Args:
        key: a metric of `robust.core.catalogue.mapping("paired")`, with a class where it has one.
        ours, theirs: rows of outcomes of one case on one model; `theirs` may have more images.
        superclasses: of the data, name -> its classes.
        same: is it one model, of the same weights and layers? Where the predictions are also equal, the difference is
            0 for certain: it does not depend on the sample of images.

    Raises ReportError where they cannot be paired.
    """
    group, unit, rises = f"{key} vs {bound.than}", _unit(key), mapping("paired")[key.partition("[")[0]] == "higher"
    for where, part in by_strength(ours):
        other = rows_at(theirs, where)
        if other.empty:
            raise ReportError(f"{bound.than} has no outcomes at {_strength_text(where)}")
        found = difference(part, other, key, superclasses, name=bound.than, tail=ONE_SIDED)
        found = found.certain() if same else found
        row = {**where, "metric": "difference", "subset": group, "value": found.value, "unit": unit, "n": found.n}
        row |= (
            {"ci_low": found.low, "ci_high": float("nan")} if rises else {"ci_low": float("nan"), "ci_high": found.high}
        )
        yield {**row, "ci_method": "paired, one-sided 95 %", "bound": bound, "passed": bound.judge(row)}
        if not isnan(found.mcnemar):
            test = {
                "metric": "mcnemar",
                "value": found.mcnemar,
                "unit": "p",
                "ci_low": float("nan"),
                "ci_high": float("nan"),
            }
            yield {**where, **test, "subset": group, "n": found.n, "bound": None, "passed": None}


def not_judged(key: str, bound: NoWorse, ours: pd.DataFrame) -> Iterator[NewRow]:
    """The rows of a bound whose other side is missing."""
    columns = {"metric": "difference", "subset": f"{key} vs {bound.than}", "unit": _unit(key), "n": 0, "bound": bound}
    nothing = dict.fromkeys(("value", "ci_low", "ci_high"), float("nan"))
    for where, _ in by_strength(ours):
        yield {**where, **columns, **nothing, "passed": None}


def compare(a: str | Path, b: str | Path, *, case: str = "", metric: str = "top1") -> pd.DataFrame:
    """Two reports of one suite: for each model and case, how much higher the metric is in `b` than in `a`.

    Args:
        a, b: report folders that `robust run` has written, the earlier one first. For each model, seed and case in
            both, the images of `b` are compared; `a` must have all of them.
        case: only this one; by default all of them.
        metric: one of `robust.core.catalogue.mapping("paired")`, with a class where it has one: "recall[Shirt]".

    Returns a DataFrame with the columns model, seed, case, perturbation, norm, eps, severity, metric, subset; the
    values `a` and `b`; `difference` = b - a with its paired 95 % interval `ci_low`, `ci_high`; the p-value of
    McNemar's exact test, NaN for what is not a proportion; n, the images; unit; `reliability_a` and `reliability_b`,
    the reliability level of either value, "" where there is none.

    Raises ReportError where a folder is not a report, where the two are of different suites, data, images or attacks,
    and where they have no case or metric in common. Warns where files of a folder were changed since it was written.
    """
    one, other = earlier.read(Path(a)), earlier.read(Path(b))
    earlier.comparable(one, other.name, other.data, other.fingerprint)
    if metric.partition("[")[0] not in (known := mapping("paired")):
        raise ReportError(f"{metric!r} cannot be compared image by image{suggest(metric, known)}")
    found = [row for run in shared(one, other, case) for row in _compared(one, other, run, metric)]
    if not found:
        raise ReportError(f"{one.path} and {other.path}: no case has {metric} in both")
    for report in (one, other):
        if words := str(report.changes):
            warnings.warn(f"{report.path}: {words}", stacklevel=2)
    return pd.DataFrame(found)[_COLUMNS].astype({"eps": "float64", "severity": "Int64"})


def shared(one: Report, other: Report, case: str) -> Iterator[tuple[str, int, str]]:
    """Each model, seed and case that both have, in the order of the second."""
    columns = ["model", "seed", "case"]
    there = set(one.outcomes[columns].itertuples(index=False, name=None))
    here = list(other.outcomes[columns].drop_duplicates().itertuples(index=False, name=None))
    both = [run for run in here if run in there]
    if not both:
        raise ReportError(f"{one.path} and {other.path}: have no model and case in common")
    if case and case not in {run[2] for run in both}:
        raise ReportError(
            f"{case!r}: is not a case of both{suggest(case, list(dict.fromkeys(run[2] for run in both)))}"
        )
    return (run for run in both if case in ("", run[2]))


def _compared(one: Report, other: Report, run: tuple[str, int, str], metric: str) -> Iterator[NewRow]:
    run_columns = dict(zip(("model", "seed", "case"), run, strict=True))
    earlier.same_case(one, run[2], *other.case(run[2]))
    earlier.same_source(one.path, run[2], one.source(*run), other.source(*run))
    name, _, group = metric.removesuffix("]").partition("[")
    groups = other.superclasses_of(run[2])
    earlier.same_superclasses(one.path, metric, run[2], one.superclasses_of(run[2]), groups)
    a, b = (rows_at(report.outcomes, run_columns) for report in (one, other))
    same = one.model(*run[:2]) == other.model(*run[:2]) != ""  # unknown for a black box
    theirs, ours = (rows_at(report.results, run_columns) for report in (one, other))
    measured = rows_at(ours, {"metric": name, "subset": group})
    for where, part in by_strength(b):
        there = rows_at(a, where)
        own = rows_at(measured, where)
        if there.empty or (own["value"].isna() & (own["n"] == 0)).all():  # not measured, or of no image
            continue
        try:
            found = difference(part, there, metric, groups, name=str(one.path), tail=TWO_SIDED)
        except ReportError as error:
            raise ReportError(f"{run[2]}[{run[0]}]: {error}") from error
        as_written(one.path, theirs, where, (name, group), found.theirs if len(there) == len(part) else nan)
        as_written(other.path, ours, where, (name, group), found.ours)
        found = found.certain() if same else found
        values = {
            "a": found.theirs,
            "b": found.ours,
            "difference": found.value,
            "ci_low": found.low,
            "ci_high": found.high,
        }
        columns = {"metric": name, "subset": group, "mcnemar": found.mcnemar, "n": found.n, "unit": _unit(metric)}
        levels = {"reliability_a": level(theirs, where, name), "reliability_b": level(ours, where, name)}
        yield {**run_columns, **where, **values, **columns, **levels}


def as_written(path: Path, results: pd.DataFrame, where: Row, of: tuple[str, str], value: float) -> None:
    """Raise ReportError where the outcomes of a report give another value than its results.csv; NaN: unknown."""
    for stored in rows_at(results, {**where, "metric": of[0], "subset": of[1]})["value"]:
        if not isclose(stored, value, abs_tol=1e-5) and not isnan(stored) and not isnan(value):
            raise ReportError(f"{path}: its outcomes give {of[0]} = {value:.6g}, its results.csv {stored:.6g}")


def level(results: pd.DataFrame | None, where: Row, metric: str) -> str:
    """The worst reliability level of a metric at a strength, by rows of results.csv; "" where there are none."""
    if results is None:
        return ""
    rows = rows_at(results, {key: where[key] for key in STRENGTH})
    return functools.reduce(worse, rows.loc[rows["metric"] == metric, "reliability"], "")


def _unit(key: str) -> str:
    return mapping("units").get(key.partition("[")[0], "proportion")


def _strength_text(where: Row) -> str:
    return ", ".join(f"{key} {value}" for key, value in where.items() if value not in (None, "")) or "that strength"
