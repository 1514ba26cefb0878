"""The plain table of all values."""

from typing import Any, NamedTuple

import pandas as pd

from robust.core.types import Row
from robust.report import gradients, wording

ROWS = 3000  # more than these are left to results.csv, or the page would open slowly

_COLUMNS = [
    "model", "seed", "case", "perturbation", "norm", "eps", "severity", "metric", "subset", "value", "ci_low",
    "ci_high", "unit", "ci_method", "n", "choice", "bound", "passed", "reliability", "n_forward", "n_backward",
    "seconds", "occupancy", "weights_sha",
]  # fmt: skip


class Entry(NamedTuple):
    """One cell: its text, and for numbers the key to sort by."""

    text: str
    key: str = ""


def listed(results: pd.DataFrame) -> pd.DataFrame:
    """The rows the page lists: all but those of single layers, or of a long table the values over all images only."""
    results = results[~(results["metric"].isin(gradients.OF_LAYERS) & (results["subset"] != ""))]
    return results if len(results) <= ROWS else results[results["subset"] == ""].head(ROWS)


def columns(results: pd.DataFrame) -> list[str]:
    """The columns that are not empty."""
    return [name for name in _COLUMNS if (results[name].notna() & (results[name].astype(str) != "")).any()]


def rows(results: pd.DataFrame) -> list[list[Entry]]:
    """The table as text."""
    names = columns(results)
    return [[_entry(name, row[name], row) for name in names] for row in results.to_dict("records")]


def _entry(name: str, value: Any, row: Row) -> Entry:
    if pd.isna(value):
        return Entry("")
    if name == "eps":
        return Entry(wording.radius(value, row["norm"]), repr(float(value)))
    if name in ("value", "ci_low", "ci_high") and row["unit"] == "proportion":
        return Entry(wording.percent(value), repr(float(value)))
    if name == "passed":
        return Entry("passed" if value else "not passed")
    if isinstance(value, str):
        return Entry(value)
    if name in ("value", "ci_low", "ci_high"):
        return Entry(wording.amount(value, row["unit"]), repr(float(value)))
    return Entry(wording.number(value), repr(float(value)))
