"""Tables of what measures of class structure and of calibration found: a row for each model and condition."""

from dataclasses import dataclass

import pandas as pd

from robust.core.declared import section
from robust.report import wording
from robust.report.charts import Chart
from robust.report.doubt import Named, named
from robust.report.folder import Folder
from robust.report.reliability import reliability

STRUCTURE = {
    "worst_class": "worst class", "worst_pair": "worst pair", "worst_cluster": "worst cluster",
    "recall_std": "spread of recalls", "superclass_accuracy": "superclass right",
    "within_superclass_error_share": "errors inside superclass", "mistake_severity": "severity of mistakes",
    "fisher_ratio": "Fisher ratio", "nc1": "NC1", "ncc_agreement": "agrees with nearest mean",
}  # fmt: skip
CALIBRATION = {
    "ece": "ECE", "ece_adaptive": "ECE, equal mass", "ece_classwise": "class-wise", "ace": "adaptive",
    "brier": "Brier", "nll": "NLL", "aurc": "AURC", "temperature": "temperature", "ece_scaled": "ECE, scaled",
    "nll_scaled": "NLL, scaled",
}  # fmt: skip
_OWN = {**STRUCTURE, **CALIBRATION}.keys() - {"nll"}  # which every case has
_SELECTED = {"worst_class": "recall", "worst_pair": "confused", "worst_cluster": "cluster_recall"}


@dataclass(frozen=True)
class TableCell:
    """A value, its interval or why it has none, and the class, pair or cluster that it is about."""

    value: str = ""
    interval: str = ""
    whose: str = ""


@dataclass(frozen=True)
class Table:
    """Heads, and rows of model, condition and cells."""

    heads: list[str]
    rows: list[tuple[Named, str, list[TableCell]]]


def table(folder: Folder, metrics: dict[str, str]) -> Table | None:
    """These metrics of all images, of every cell that has one of them but `nll`; None where none has."""
    found = {cell: rows for cell, rows in folder.values.items() if {*rows["metric"]} & metrics.keys() & _OWN}
    known = [name for name in metrics if any(name in set(rows["metric"]) for rows in found.values())]
    lines = [
        (named(folder.name(run), rows), wording.title(condition), [_cell(rows, name) for name in known])
        for (run, condition), rows in found.items()
    ]
    return Table([metrics[name] for name in known], lines) if found else None


@section(title="Classes", after="confusion")
def structure(folder: Folder) -> Table | None:
    """How classes are told apart, and how their images keep together."""
    return table(folder, STRUCTURE)


@section(title="Calibration", after="clusters")
def calibration(folder: Folder) -> tuple[Table, list[Chart]] | None:
    """How sure the models are, and how sure they may be: a table, and a reliability diagram of each cell."""
    found = table(folder, CALIBRATION)
    return (found, reliability(folder)) if found else None


@section(title="Outliers", after="calibration")
def outliers(folder: Folder) -> list[tuple[Named, str, str, TableCell, TableCell]]:
    """Model, condition, score, AUROC and false positives at 95 % of every score that looked for images from outside."""
    found = []
    for (run, condition), rows in folder.values.items():
        for score in rows.loc[rows["metric"] == "ood_auroc", "subset"]:
            area, let_in = _cell(rows, "ood_auroc", score), _cell(rows, "ood_fpr95", score)
            found.append((named(folder.name(run), rows), wording.title(condition), score, area, let_in))
    return found


def _cell(rows: pd.DataFrame, metric: str, group: str = "") -> TableCell:
    own = rows[(rows["metric"] == metric) & (rows["subset"] == group)]
    if own.empty:
        return TableCell()
    row = own.iloc[0]
    unit = row["unit"] if row["unit"] == "proportion" else ""
    value, low, high = (row[key] if unit else float(f"{row[key]:.3g}") for key in ("value", "ci_low", "ci_high"))
    whose = _whose(rows, metric, row["value"], row["n"])
    why = row["ci_method"] if str(row["ci_method"]).startswith("none: ") else ""
    return TableCell(wording.quantity(value, unit), wording.interval(low, high, unit) or why, whose)


def _whose(rows: pd.DataFrame, metric: str, value: float, n: int) -> str:
    """The group whose value was selected."""
    among = rows[(rows["metric"] == _SELECTED.get(metric)) & (rows["n"] == n)]
    return next(iter(among.loc[(among["value"] - value).abs() < 1e-12, "subset"]), "")
