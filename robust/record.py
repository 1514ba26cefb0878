"""The columns of both tables, reading and writing them, and finding one value again.

`results.csv` has one row a value; `outcomes.parquet` one row for each example of each case. Both are
plain `pandas.DataFrame`s in Python.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robust import cells, files
from robust.errors import ReportError, suggest
from robust.quantities import Eps
from robust.schema import convert

RESULTS = {
    "suite": "str", "data": "str", "split": "str", "model": "str", "seed": "int64", "case": "str",
    "perturbation": "str", "norm": "str", "eps": "float64", "severity": "Int64",
    "metric": "str", "group": "str", "value": "float64", "unit": "str", "n": "int64", "choice": "str",
    "low": "float64", "high": "float64", "interval": "str", "bound": "str", "passed": "boolean",
    "trust": "str", "forward": "float64", "backward": "float64", "seconds": "float64", "weights": "str",
}  # fmt: skip
"""Columns of results.csv and their types. `forward` and `backward` are passes an image, on average.

`choice` says which test images they were: "all", "in proportion" to the classes, or "balanced", as many of each class.
"""

OUTCOMES = {
    "model": "str", "seed": "int64", "case": "str", "perturbation": "str", "norm": "str", "eps": "float64",
    "severity": "Int64", "example": "str", "label": "str", "superclass": "str", "target": "str",
    "predicted": "str", "in_top5": "bool", "confidence": "float64", "margin": "float32", "nll": "float32",
    "fooled_by": "str", "linf": "float32", "l2": "float32", "forward": "int32", "backward": "int32",
}  # fmt: skip
"""Columns of outcomes.parquet and their types; `label`, `target` and `predicted` are class names.

Of a sure model single precision would make many confidences alike, and calibration errors could not be told again.
"""


# what tells two values of a metric apart
_TELLING = ("suite", "data", "model", "seed", "case", "perturbation", "eps", "severity")


def table(rows: list[dict[str, Any]] | pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """Rows as a table with exactly these columns and types."""
    frame = pd.DataFrame(rows).reindex(columns=list(columns))
    words = [name for name, kind in columns.items() if kind == "str"]
    return frame.assign(**{name: frame[name].astype(object).fillna("") for name in words}).astype(columns)


def write_results(results: pd.DataFrame, path: Path) -> Path:
    """Write results.csv, whole or not at all; numbers keep every digit."""
    return files.write(path, cells.csv(results))


def read_results(path: Path) -> pd.DataFrame:
    """Read results.csv as it was written; an empty word is "", never NaN."""
    try:
        frame = cells.read(path, dtype=str, keep_default_na=False)
        if missing := [name for name in RESULTS if name not in frame]:
            raise ReportError(f"{path}: lacks the column {missing[0]}; was it written by `robust run`?")
        return pd.DataFrame({name: _parsed(frame[name], kind) for name, kind in RESULTS.items()})
    except (OSError, ValueError, KeyError, TypeError) as error:  # TypeError: a row that is too short
        raise ReportError(f"{path}: cannot be read ({str(error)[:300]})") from error


def _parsed(words: pd.Series, kind: str) -> pd.Series:
    """Words as numbers, each digit of which counts: Python reads them, not the CSV reader."""
    if kind == "str":
        return words.astype("str")
    read = {"float64": float, "int64": int, "Int64": int, "boolean": {"True": True, "False": False}.__getitem__}[kind]
    empty = float("nan") if kind == "float64" else pd.NA
    return pd.Series([read(word) if word else empty for word in words], dtype=kind)


def write_outcomes(outcomes: pd.DataFrame, path: Path) -> Path:
    """Write outcomes.parquet, whole or not at all."""
    return files.write(path, lambda temporary: outcomes.to_parquet(temporary, index=False))


def read_outcomes(path: Path) -> pd.DataFrame:
    """Read outcomes.parquet; raises ReportError where it is missing, damaged or lacks a column."""
    from robust import columnar

    try:
        frame = columnar.read(path, OUTCOMES)
    except KeyError as error:
        raise ReportError(f"{path}: lacks the column {error.args[0]}; was it written by `robust run`?") from None
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise ReportError(f"{path}: cannot be read ({error})") from error
    return table(frame, OUTCOMES)


def value(results: pd.DataFrame, metric: str, *, group: str = "", **where: Any) -> Any:
    """The one row of the table that has this metric; it has `.value`, `.low`, `.high` and all other columns.

    Args:
        results: a table as `robust.run` and `robust.evaluate` give it.
        metric: "top1", "nll", "recall" ...
        group: the class, superclass or pair it speaks of; "" for all images.
        where: other columns, as in `case="pgd", model="resnet20", eps="8/255"`.

    Raises LookupError where no row or more than one fits, naming the columns that would tell them apart.
    """
    found = results[(results["metric"] == metric) & (results["group"] == group)]
    if found.empty:
        groups = set(results.loc[results["metric"] == metric, "group"])
        meant = suggest(group, sorted(groups)) if groups else suggest(metric, sorted(set(results["metric"])))
        raise LookupError(f"no value {metric!r} with group {group!r}{meant}")
    for column, wanted in where.items():
        found = found[_equals(_column(found, column), wanted)]
    if len(found) == 1:
        return next(found.itertuples(index=False))
    differ = [c for c in _TELLING if found[c].nunique(dropna=False) > 1]
    telling = [c for c in differ if c != "perturbation" or "case" not in differ]  # mostly, the case says it
    raise LookupError(
        f"{len(found)} values {metric!r} fit {where}"
        + (f"; say which {' and '.join(telling)}: " if telling else "; there are ")
        + _tell(results if not telling else found, metric, telling or where)
    )


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame:
        raise LookupError(f"no column {name!r}{suggest(name, frame.columns)}")
    return frame[name]


def _equals(column: pd.Series, wanted: Any) -> pd.Series:
    if wanted is None:
        return column.isna()
    if column.name == "eps":
        return pd.Series(np.isclose(column, convert(wanted, Eps, "eps"), rtol=1e-9), column.index)
    return (column == wanted).fillna(False)


def _tell(results: pd.DataFrame, metric: str, columns: Iterable[str]) -> str:
    rows = results[results["metric"] == metric]
    return ", ".join(f"{c} = {_listed(rows[c].dropna())}" for c in columns)


def _listed(column: pd.Series) -> str:
    there = sorted(set(column.tolist()))
    return ", ".join(f"{v * 255:.4g}/255" if column.name == "eps" else repr(v) for v in there)
