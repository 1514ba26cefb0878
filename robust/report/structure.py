"""Tables of the metrics of class structure and of calibration: a row for each model and condition."""

from dataclasses import dataclass

import pandas as pd

from robust.core.catalogue import headings, mapping
from robust.core.declared import section, yields
from robust.report import wording
from robust.report.charts import Chart
from robust.report.folder import Folder
from robust.report.reliability_diagrams import reliability
from robust.report.reliability_marks import Named, named


@dataclass(frozen=True)
class TableCell:
    """A value, its interval or why it has none, and the class, pair or cluster that it is of."""

    value: str = ""
    interval: str = ""
    subset: str = ""


@dataclass(frozen=True)
class Table:
    """Heads, and rows of model, condition and cells."""

    heads: list[str]
    rows: list[tuple[Named, str, list[TableCell]]]


def table(folder: Folder, name: str) -> Table | None:
    """A table of the page: a row for each evaluation that has more of its metrics than every evaluation has."""
    metrics, common = headings(name), {*yields("metrics", "accuracy").names}
    found = {cell: rows for cell, rows in folder.values.items() if {*rows["metric"]} & (metrics.keys() - common)}
    known = [metric for metric in metrics if any(metric in set(rows["metric"]) for rows in found.values())]
    lines = [
        (named(folder.name(run), rows), wording.title(condition), [_cell(rows, metric) for metric in known])
        for (run, condition), rows in found.items()
    ]
    return Table([metrics[metric] for metric in known], lines) if found else None


@section(title="Classes", after="confusion")
def structure(folder: Folder) -> Table | None:
    """How well classes are separated, and how compact they are."""
    return table(folder, "structure")


@section(title="Calibration", after="clusters")
def calibration(folder: Folder) -> tuple[Table, list[Chart]] | None:
    """The confidence of the models and its calibration: a table, and a reliability diagram of each cell."""
    found = table(folder, "calibration")
    return (found, reliability(folder)) if found else None


@section(title="Outliers", after="calibration")
def outliers(folder: Folder) -> list[tuple[Named, str, str, TableCell, TableCell]]:
    """Model, condition, score, AUROC and false positives at 95 % of every out-of-distribution score."""
    found = []
    for (run, condition), rows in folder.values.items():
        for score in rows.loc[rows["metric"] == "ood_auroc", "subset"]:
            area, accepted = _cell(rows, "ood_auroc", score), _cell(rows, "ood_fpr95", score)
            found.append((named(folder.name(run), rows), wording.title(condition), score, area, accepted))
    return found


def _cell(rows: pd.DataFrame, metric: str, group: str = "") -> TableCell:
    own = rows[(rows["metric"] == metric) & (rows["subset"] == group)]
    if own.empty:
        return TableCell()
    row = own.iloc[0]
    unit = row["unit"] if row["unit"] == "proportion" else ""
    value, low, high = (row[key] if unit else float(f"{row[key]:.3g}") for key in ("value", "ci_low", "ci_high"))
    subset = _selected(rows, metric, row["value"], row["n"])
    why = row["ci_method"] if str(row["ci_method"]).startswith("none: ") else ""
    return TableCell(wording.quantity(value, unit), wording.interval(low, high, unit) or why, subset)


def _selected(rows: pd.DataFrame, metric: str, value: float, n: int) -> str:
    """The subset whose value was selected."""
    among = rows[(rows["metric"] == mapping("extreme_of").get(metric)) & (rows["n"] == n)]
    return next(iter(among.loc[(among["value"] - value).abs() < 1e-12, "subset"]), "")
