"""The keys of the rows of a table: trained models, and what was done to the images."""

from math import isnan
from typing import NamedTuple

import pandas as pd

from robust.core.types import Row


class TrainedModel(NamedTuple):
    """One trained model: a row of the page's tables."""

    model: str
    seed: int


class Condition(NamedTuple):
    """What was done to the images: a case at one eps or one severity, a column of the page's tables."""

    case: str
    perturbation: str
    norm: str
    eps: float | None
    severity: int | None

    @property
    def clean(self) -> bool:
        """Were the images left unperturbed?"""
        return self.perturbation == "clean"


Cells = dict[tuple[TrainedModel, Condition], pd.DataFrame]

COLUMNS = [*TrainedModel._fields, *Condition._fields]


def cells(table: pd.DataFrame) -> Cells:
    """The rows by model and condition, in the order of the table."""
    groups = table.groupby(COLUMNS, sort=False, dropna=False)
    return {_cell(dict(zip(COLUMNS, key, strict=True))): rows for key, rows in groups}


def _cell(where: Row) -> tuple[TrainedModel, Condition]:
    return TrainedModel(where["model"], int(where["seed"])), Condition(where["case"], *strength(where))


def strength(row: Row) -> tuple[str, str, float | None, int | None]:
    """The strength of a perturbation as it can be compared: without NaN.

    Radii have nine digits, so that a number read from text equals the same number read from binary.
    """
    eps, severity = row["eps"], row["severity"]
    radius = None if eps is None or isnan(eps) else float(f"{eps:.9g}")
    return row["perturbation"], row["norm"], radius, None if pd.isna(severity) else int(severity)
