"""The spread between trainings of one model from several seeds, compared with the sampling interval."""

from math import isinf

from robust.core import catalogue
from robust.core.declared import section
from robust.report import wording
from robust.report.conditions import Condition
from robust.report.folder import Folder
from robust.report.reliability_marks import named
from robust.results.summaries.spread import spread

ROWS = 60  # further ones are in results.csv only


@section(title="Trainings", after="outliers")
def trainings(folder: Folder) -> list[tuple[str, ...]]:
    """Model, case, metric, trainings, mean, deviation, least to most, half a sampling interval; over all images."""
    found = spread(folder.results[folder.results["subset"] == ""])
    found = found[found["metric"].isin(catalogue.names("spread"))]
    return [_row(folder, row) for row in found.head(ROWS).to_dict("records")]


def _row(folder: Folder, row: dict) -> tuple[str, ...]:
    unit = "proportion" if row["unit"] == "proportion" else ""
    eps, severity = (None if row[key] != row[key] else row[key] for key in ("eps", "severity"))
    condition = Condition(
        row["case"], row["perturbation"], row["norm"], eps, None if severity is None else int(severity)
    )
    unit = "distance" if row["unit"] == "distance" and isinf(row["most"]) else unit
    spread = [wording.quantity(row[key], unit).replace("%", "pp") for key in ("deviation", "sampling")]
    values = [rows for (run, where), rows in folder.values.items() if (run.model, where) == (row["model"], condition)]
    return (
        named(row["model"], *values), wording.title(condition), wording.metric(row["metric"]), str(row["trainings"]),
        wording.quantity(row["mean"], unit), spread[0], wording.interval(row["least"], row["most"], unit), spread[1],
    )  # fmt: skip
