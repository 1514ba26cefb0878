"""The bounds of a report folder, recomputed: results.csv is not trusted where the other files give its values.

Anyone who can write results.csv can write any number there, and any `reliability`, `bound` and `passed`. A number that
can be recounted from the outcomes must equal the recount (see `recount`), its reliability follows from the rows of the
reliability checks (see `reliable`), the bound from suite.toml, the verdict on the bound from all three. A number that
cannot be recounted is taken as recorded, and its bound is marked so.
"""

from collections.abc import Iterator
from math import isclose, isnan
from typing import NamedTuple

import pandas as pd

from robust.core import catalogue
from robust.core.errors import ReportError
from robust.core.types import Row, Table
from robust.report.conditions import Cells, strength
from robust.report.recount import Key, Recounted, Recounts
from robust.report.reliability_levels import reliability
from robust.results.flags import LEVELS
from robust.suite import bounds
from robust.suite.bounds import Bound, NoWorse

_CASE = ["model", "seed", "case"]
_SUMS = {"corruption_error", "mean_corruption_error"}  # shares, too
_ROUNDING = 1e-9


class Expected(NamedTuple):
    """A bound of suite.toml on one trained model; `name` is the name of its rows."""

    model: str
    seed: int
    case: str
    name: str
    limit: Bound | NoWorse


def expected(suite: Table) -> Iterator[Expected]:
    """Every bound of a parsed suite; raises SuiteError for one that cannot be read."""
    models, seed = suite.get("model", {}), suite.get("seed", 0)
    for case, table in suite.get("case", {}).items():
        limited = table.get("models", list(models))
        for key, limit in _limits(table):
            for model in (name for name in models if name in limited):
                name = f"difference[{key} vs {limit.than}]" if isinstance(limit, NoWorse) else key
                if not isinstance(limit, NoWorse) or limit.than != model:
                    for one in models[model].get("seeds", [seed]):
                        yield Expected(model, one, case, name, limit)


def _limits(case: Table) -> list[tuple[str, Bound | NoWorse]]:
    given = {key: text for key, text in (case.get("expect") or {}).items() if key != "allow_invalid"}
    return [(key, bounds.parse(text)) for key, text in given.items()]


def verified(results: pd.DataFrame, suite: Table, recounted: Recounts, outcomes: Cells) -> pd.DataFrame:
    """A results.csv whose `reliability`, `bound` and `passed` follow from its other columns, and from the suite.

    Args:
        results: as it was read; suite: suite.toml, parsed; empty where there is none.
        recounted: the numbers computed from the outcomes. outcomes: by model and condition.

    Raises ReportError for a share outside [0, 1], and for a number, or an interval, that the outcomes contradict.
    """
    for row in results.to_dict("records"):
        _check(row, recounted)
    trusted = results.assign(reliability=reliability(results, suite, recounted, outcomes))
    levels = trusted["reliability"].map(lambda word: LEVELS.get(word, 0.0))
    is_summary = (trusted["metric"] == "reliability") & (trusted["subset"] == "")
    trusted = trusted.assign(value=trusted["value"].where(~is_summary, levels), bound=_bounds(results, suite))
    return trusted.assign(passed=pd.Series(_passed(trusted, suite), index=results.index, dtype="boolean"))


def recorded(row: Row, recounted: Recounts) -> bool:
    """Does the verdict on a bounded row depend on results.csv alone, as its number cannot be recounted?"""
    limit, known = row["bound"], recounted.get(_key(row))
    return known is None or (isinstance(limit, Bound) and known.end(limit.of) is None)


def _key(row: Row) -> Key:
    return (*(row[name] for name in _CASE), *strength(row), bounds.name(row))


def _check(row: Row, recounted: Recounts) -> None:
    where = f"results.csv: {row['case']}[{row['model']}] {bounds.name(row)}"
    least = -1 if row["metric"] == "difference" and row["unit"] == "proportion" else 0
    if row["metric"] in catalogue.names("shares") | _SUMS or least < 0:
        for end in ("ci_low", "value", "ci_high"):
            if not (pd.isna(row[end]) or least - _ROUNDING <= row[end] <= 1 + _ROUNDING):
                raise ReportError(f"{where}: {end} is {row[end]:g}, and must be in [{least}, 1]")
    if row["ci_low"] > row["ci_high"]:
        raise ReportError(f"{where}: its interval ends at {row['ci_high']:g}, before it begins at {row['ci_low']:g}")
    if (known := recounted.get(_key(row))) is not None:
        recount(where, row, known)


def recount(where: str, row: Row, known: Recounted) -> None:
    """Raise ReportError where a number, its images or its interval differ from the recount of the outcomes."""
    if not same(row["value"], known.value) or row["n"] != known.n:
        recounted = f"{known.value:g} of {known.n}"
        raise ReportError(f"{where} is {row['value']:g} of {row['n']} images, and {recounted} by outcomes.parquet")
    for name in ("ci_low", "ci_high"):
        if (end := known.end(name)) is not None and not same(row[name], end):
            raise ReportError(f"{where}: {name} is {row[name]:g}, and {end:g} by outcomes.parquet")


def same(one: float, other: float) -> bool:
    """Equal up to the rounding of the outcomes, which have seven digits.

    >>> from math import inf, nan
    >>> same(0.1234567, 0.12345671), same(0.123, 0.124), same(inf, inf), same(nan, nan), same(0.0, nan)
    (True, False, True, True, False)
    """
    return isclose(one, other, rel_tol=1e-5, abs_tol=1e-6) or (isnan(one) and isnan(other))


def _bounds(results: pd.DataFrame, suite: Table) -> list[str]:
    given = {tuple(each[:4]): each.limit.text for each in expected(suite)}
    known, names = set(suite.get("case", {})), zip(results["case"], results["bound"], strict=True)
    keys = [(*(row[n] for n in _CASE), bounds.name(row)) for row in results.to_dict("records")]
    return [given.get(key, "") if case in known else text for key, (case, text) in zip(keys, names, strict=True)]


def _passed(results: pd.DataFrame, suite: Table) -> list[bool | None]:
    allowed = allows(suite)
    states = [
        "not judged" if row["bound"] is None else bounds.state(row, allow_invalid=row["case"] in allowed)
        for row in map(bounds.read, results.to_dict("records"))
    ]
    return [None if state == "not judged" else state == "passed" for state in states]


def allows(suite: Table) -> set[str]:
    """The cases of a suite whose bounds may pass on invalid numbers."""
    return {name for name, case in suite.get("case", {}).items() if (case.get("expect") or {}).get("allow_invalid")}


def absent(results: pd.DataFrame, suite: Table, outcomes: Cells, recounted: Recounts) -> list[Expected]:
    """The bounds of the suite without a row in the (verified) table, at all or where the outcomes give a value.

    recounted: the numbers computed from the outcomes.
    """
    rows = results[results["bound"] != ""].to_dict("records")
    there = {(*(row[n] for n in _CASE), bounds.name(row), *strength(row)) for row in rows}
    measured = [(*run, condition.case, *strength(condition._asdict())) for run, condition in outcomes]
    some, missing = {row[:4] for row in there}, []
    for each in expected(suite):
        key = (each.model, each.seed, each.case)
        own = [cell[3:] for cell in measured if cell[:3] == key]
        places = [place for place in own if everywhere(each) or (*key, *place, each.name) in recounted]
        if (*key, each.name) not in some or any((*key, each.name, *place) not in there for place in places):
            missing.append(each)
    return missing


def everywhere(one: Expected) -> bool:
    """Is the value given at every strength?"""
    return isinstance(one.limit, NoWorse) or one.name in ("top1", "top1_error", "nll", "reliability")
