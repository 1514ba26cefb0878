"""Look up one value in a table of results; an invalid one raises an error, a suspect one warns."""

import warnings
from collections.abc import Iterable
from math import isclose
from typing import Any

import numpy as np
import pandas as pd

from robust.core.errors import ModelError, suggest
from robust.core.signature import convert
from robust.core.types import Eps, exact, radius
from robust.report.diagnostics import reasons
from robust.results.flags import doubted

_ALIKE = 1e-9  # relative difference of two floats of one radius
_KEYS = ("suite", "data", "model", "seed", "case", "perturbation", "eps", "severity")
"""The columns that identify a value of a metric."""


def value(results: pd.DataFrame, metric: str, *, subset: str = "", allow_invalid: bool = False, **where: object) -> Any:
    """The one row of the table that has this metric; it has `.value`, `.ci_low`, `.ci_high` and all other columns.

    Args:
        results: a table as `robust.run` and `robust.evaluate` give it.
        metric: "top1", "nll", "recall" ...
        subset: the class, superclass or pair it is of; "" for all images.
        allow_invalid: return a number that the reliability checks call invalid, and a suspect one without a warning.
        where: other columns, as in `case="pgd", model="resnet20", eps="8/255"`.

    Raises LookupError where no row or more than one fits, naming the columns that distinguish them, and
    ModelError where the number is invalid, with the reasons. Warns, with the reasons, where it is suspect.
    """
    found = results[(results["metric"] == metric) & (results["subset"] == subset)]
    if found.empty:
        groups = set(results.loc[results["metric"] == metric, "subset"])
        meant = suggest(subset, sorted(groups)) if groups else suggest(metric, sorted(set(results["metric"])))
        raise LookupError(f"no value {metric!r} with subset {subset!r}{meant}")
    for column, wanted in where.items():
        found = found[_equals(_column(found, column), wanted)]
    if len(found) == 1:
        return checked(next(found.itertuples(index=False)), results, allow_invalid)
    differ = [c for c in _KEYS if found[c].nunique(dropna=False) > 1]
    columns = [c for c in differ if c != "perturbation" or "case" not in differ]  # mostly implied by the case
    raise LookupError(
        f"{len(found)} values {metric!r} fit {where}"
        + (f"; say which {' and '.join(columns)}: " if columns else "; there are ")
        + _present(results if not columns else found, metric, columns or where)
    )


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame:
        raise LookupError(f"no column {name!r}{suggest(name, frame.columns)}")
    return frame[name]


def _equals(column: pd.Series, wanted: object) -> pd.Series:
    if wanted is None:
        return column.isna()
    if column.name == "eps":
        return pd.Series(np.isclose(column, convert(wanted, Eps, "eps"), rtol=_ALIKE), column.index)
    return (column == wanted).fillna(False)


def _present(results: pd.DataFrame, metric: str, columns: Iterable[str]) -> str:
    rows = results[results["metric"] == metric]
    return ", ".join(f"{c} = {_listed(rows, c)}" for c in columns)


def _listed(rows: pd.DataFrame, column: str) -> str:
    known = rows[rows[column].notna()]
    if column == "eps":
        there = sorted(set(zip(known["eps"], known["norm"], strict=True)))
        return ", ".join(dict.fromkeys(_eps(*each) for each in there))
    return ", ".join(map(repr, sorted(set(known[column].tolist()))))


def _eps(eps: float, norm: str) -> str:
    """A radius as text that `value` accepts."""
    text = radius(eps, norm)
    return text if isclose(exact(text), eps, rel_tol=_ALIKE) else repr(eps)


def checked(row: Any, results: pd.DataFrame, allow_invalid: bool) -> Any:
    """The row; an error where it is invalid, a warning where it is suspect, neither where that is allowed."""
    if row.metric == "reliability" or allow_invalid or not doubted(row.reliability):
        return row
    why = "".join(f"\n  {doubt.words}: {doubt.remedy}" for doubt in reasons(row._asdict(), results))
    message = f"{row.metric} of the case {row.case!r} on {row.model!r} is {row.reliability}:{why}"
    if row.reliability == "invalid":
        raise ModelError(f"{message}\n  or use it nevertheless: allow_invalid=True")
    warnings.warn(message, stacklevel=3)
    return row
