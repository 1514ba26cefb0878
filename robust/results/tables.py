"""The columns of both tables, reading and writing them.

`results.csv` has one row per value; `outcomes.parquet` one row for each example of each case. Both are
plain `pandas.DataFrame`s in Python.
"""

from pathlib import Path

import pandas as pd

from robust.core import csv_files, files
from robust.core.errors import ReportError
from robust.core.types import NewRow

FAILED = "failed"
"""The metric of the row of results.csv for an evaluation that could not be run: the share of its images.

Its `subset` is the type of the error, its `ci_method` begins with `NO_VALUE` and has the message with its place.
"""
NO_VALUE = "not measured: "

RESULTS = {
    "suite": "str", "data": "str", "split": "str", "model": "str", "seed": "int64", "case": "str",
    "perturbation": "str", "norm": "str", "eps": "float64", "severity": "Int64",
    "metric": "str", "subset": "str", "value": "float64", "unit": "str", "n": "int64", "choice": "str",
    "ci_low": "float64", "ci_high": "float64", "ci_method": "str", "bound": "str", "passed": "boolean",
    "reliability": "str", "n_forward": "float64", "n_backward": "float64", "seconds": "float64",
    "occupancy": "float64", "weights_sha": "str",
}  # fmt: skip
"""Columns of results.csv and their types. `n_forward` and `n_backward` are passes per image, on average.

`occupancy` is the share of the forward passes of an attack that an image needed: the others filled up batches.

`choice` is the sample of test images: "all", "in proportion" to the classes, or "balanced", equally many per class.
"""

OUTCOMES = {
    "model": "str", "seed": "int64", "case": "str", "perturbation": "str", "norm": "str", "eps": "float64",
    "severity": "Int64", "example": "str", "label": "str", "superclass": "str", "target": "str",
    "predicted": "str", "in_top5": "bool", "confidence": "float64", "margin": "float32", "nll": "float32",
    "success_by": "str", "linf": "float32", "l2": "float32", "n_forward": "int32", "n_backward": "int32",
}  # fmt: skip
"""Columns of outcomes.parquet and their types; `label`, `target` and `predicted` are class names.

`confidence` is float64: in single precision many confidences of a confident model would be equal, and calibration
errors could not be recomputed.
"""


def table(rows: list[NewRow] | pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """Rows as a table with exactly these columns and types."""
    frame = pd.DataFrame(rows).reindex(columns=list(columns))
    text = [name for name, kind in columns.items() if kind == "str"]
    return frame.assign(**{name: _words(frame[name]) for name in text}).astype(columns)


def _words(column: pd.Series) -> pd.Series:
    """With "" for missing ones; a column of strings is not converted to Python's, of which there may be millions."""
    return (column if column.dtype == "str" else column.astype(object)).fillna("")


def write_results(results: pd.DataFrame, path: Path) -> Path:
    """Write results.csv atomically; numbers keep every digit."""
    return files.write(path, csv_files.csv(results))


def read_results(path: Path) -> pd.DataFrame:
    """Read results.csv as it was written; empty text is "", never NaN."""
    try:
        frame = csv_files.read(path, dtype=str, keep_default_na=False)
        if missing := [name for name in RESULTS if name not in frame]:
            raise ReportError(f"{path}: lacks the column {missing[0]}; was it written by `robust run`?")
        return pd.DataFrame({name: parsed(frame[name], kind) for name, kind in RESULTS.items()})
    except (OSError, ValueError, KeyError, TypeError) as error:  # TypeError: a row that is too short
        raise ReportError(f"{path}: cannot be read ({str(error)[:300]})") from error


def parsed(text: pd.Series, kind: str) -> pd.Series:
    """Text as numbers with all digits: parsed by Python, not by the CSV reader."""
    if kind == "str":
        return text.astype("str")
    read = {"float64": float, "int64": int, "Int64": int, "boolean": {"True": True, "False": False}.__getitem__}[kind]
    empty = float("nan") if kind == "float64" else pd.NA
    return pd.Series([read(each) if each else empty for each in text.tolist()], dtype=kind)


def write_outcomes(outcomes: pd.DataFrame, path: Path) -> Path:
    """Write outcomes.parquet atomically."""
    return files.write(path, lambda temporary: outcomes.to_parquet(temporary, index=False))


def read_outcomes(path: Path) -> pd.DataFrame:
    """Read outcomes.parquet; raises ReportError where it is missing, damaged or lacks a column."""
    from robust.core import parquet_files

    try:
        frame = parquet_files.read(path, OUTCOMES)
    except KeyError as error:
        raise ReportError(f"{path}: lacks the column {error.args[0]}; was it written by `robust run`?") from None
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise ReportError(f"{path}: cannot be read ({error})") from error
    return table(frame, OUTCOMES)
