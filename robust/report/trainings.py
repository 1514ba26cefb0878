"""The spread between trainings of one model from several seeds, beside the sampling interval."""

from math import isinf

from robust.core.declared import section
from robust.report import wording
from robust.report.conditions import Condition
from robust.report.doubt import named
from robust.report.folder import Folder
from robust.results.summaries.spread import spread

ROWS = 60  # more than these stand in results.csv alone


@section(title="Trainings", after="outliers")
def trainings(folder: Folder) -> list[tuple[str, ...]]:
    """Model, case, metric, trainings, mean, deviation, least to most, half a sampling interval; over all images."""
    found = spread(folder.results[folder.results["subset"] == ""])
    found = found[found["metric"].isin(_TOLD)]
    return [_row(folder, row) for row in found.head(ROWS).to_dict("records")]


_TOLD = (
    "top1", "nll", "worst_class", "worst_pair", "worst_cluster", "recall_std", "superclass_accuracy",
    "mistake_severity", "fisher_ratio", "nc1", "ece", "brier", "aurc", "temperature", "median_distance",
)  # fmt: skip


def _row(folder: Folder, row: dict) -> tuple[str, ...]:
    unit = "proportion" if row["unit"] == "proportion" else ""
    eps, severity = (None if row[key] != row[key] else row[key] for key in ("eps", "severity"))
    condition = Condition(
        row["case"], row["perturbation"], row["norm"], eps, None if severity is None else int(severity)
    )
    unit = "distance" if row["unit"] == "distance" and isinf(row["most"]) else unit
    spread = [wording.quantity(row[key], unit).replace("%", "pp") for key in ("deviation", "sampling")]
    behind = [rows for (run, where), rows in folder.values.items() if (run.model, where) == (row["model"], condition)]
    return (
        named(row["model"], *behind), wording.title(condition), wording.metric(row["metric"]), str(row["trainings"]),
        wording.quantity(row["mean"], unit), spread[0], wording.interval(row["least"], row["most"], unit), spread[1],
    )  # fmt: skip
