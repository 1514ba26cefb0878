"""Distances to the nearest misclassification: the curve that they give, and their medians."""

from dataclasses import dataclass
from math import isfinite, isnan

import altair as alt
import pandas as pd

from robust.core.declared import section
from robust.core.types import NewRow, NewTable, Row, exact, grey_levels, radius
from robust.core.types import size as measured
from robust.report import wording
from robust.report.charts import LEVELS, Chart
from robust.report.conditions import Condition, TrainedModel
from robust.report.folder import Folder
from robust.report.reliability_marks import named


@dataclass(frozen=True)
class Distances:
    """One case: its curve (None with targets), and a row of numbers for each model."""

    title: str
    chart: Chart | None
    rows: list[dict[str, str]]


@section(title="Distances", after="success_by")
def distances(folder: Folder) -> list[Distances]:
    """One for each case that searched for the smallest changes, in the order of the suite."""
    found = []
    for condition in folder.conditions:
        runs = {run: rows for run in folder.runs if (rows := _searched(folder, run, condition)) is not None}
        if runs:
            table = [_row(folder.name(run), condition, rows) for run, rows in runs.items()]
            found.append(Distances(wording.title(condition), _chart(folder, condition, runs), table))
    return found


def _searched(folder: Folder, run: TrainedModel, condition: Condition) -> pd.DataFrame | None:
    rows = folder.values.get((run, condition))
    return None if rows is None or "median_distance" not in set(rows["metric"]) else rows


def _row(model: str, condition: Condition, rows: pd.DataFrame) -> dict[str, str]:
    of = {(row["metric"], row["subset"]): row for row in rows.to_dict("records")}
    median, censored = of["median_distance", ""], of["censored", ""]
    ends = [size(median[end], condition) for end in ("ci_low", "ci_high")]
    return {
        "model": named(model, rows),
        "median": size(median["value"], condition),
        "interval": f"[{ends[0]}, {ends[1]}]" if not isnan(median["ci_low"]) else "",
        "lower": size(of["distance_quartile", "lower"]["value"], condition),
        "upper": size(of["distance_quartile", "upper"]["value"], condition),
        "censored": wording.percent(censored["value"]),
        "n": wording.images(median),
    }


def size(value: float, condition: Condition) -> str:
    """A distance in the unit of its norm; an infinite one was not found up to that eps, and may still exist.

    >>> size(0.01, Condition("far", "fab", "linf", 16 / 255, None)), size(0.5, Condition("far", "fab", "l2", 2.0, None))
    ('2.55/255', '0.5')
    >>> size(float("inf"), Condition("far", "fab", "l2", 2.0, None))
    'not found up to 2'
    """
    if not isfinite(value):
        if value != value or condition.eps is None:
            return "–"
        return f"not found up to {radius(condition.eps, condition.norm)}"
    return measured(value, condition.norm)


def _chart(folder: Folder, condition: Condition, runs: dict[TrainedModel, pd.DataFrame]) -> Chart | None:
    points = [
        _point(run, condition, row)
        for run, rows in runs.items()
        for row in rows[rows["metric"] == "top1_by_distance"].to_dict("records")
    ]
    if not points:
        return None
    title = f"{condition.case}: images with no misclassification found within ε"
    models = list(dict.fromkeys(run.model for run in folder.runs))
    values = "; ".join(f"{p['model']}, seed {p['seed']}: {wording.percent(p['value'])} ({p['at']})" for p in points)
    return Chart(title, f"{title}. {values}.", _curve(points, models, condition.norm))


def _point(run: TrainedModel, condition: Condition, row: Row) -> NewRow:
    eps = exact(row["subset"])
    level = grey_levels(eps) if condition.norm == "linf" else eps
    known = {name: row[name] for name in ("value", "ci_low", "ci_high", "n") if isfinite(row[name])}
    return {"model": run.model, "seed": str(run.seed), "level": level, "at": row["subset"], **known}


def _curve(points: list[NewRow], models: list[str], norm: str) -> NewTable:
    shown = list(dict.fromkeys(point["model"] for point in points))
    label = LEVELS if norm == "linf" else "datum.label"
    axis = alt.Axis(title=f"ε ({wording.norm(norm)})", grid=False, labelExpr=label)
    share, legend = alt.Axis(format="%", tickCount=5), alt.Legend(values=shown, title=None, symbolOpacity=1)
    base = alt.Chart(alt.InlineData(values=points), height=260, width="container").encode(
        x=alt.X("level:Q", axis=axis, scale=alt.Scale(nice=False)),
        color=alt.Color("model:N", scale=alt.Scale(domain=models), legend=legend),
        detail="seed:N",
    )
    title = "share with a distance above ε"
    band = base.mark_area(opacity=0.16).encode(y=alt.Y("ci_low:Q", title=title), y2="ci_high:Q")
    line = base.mark_line(strokeWidth=2, strokeDash=[6, 3]).encode(
        y=alt.Y("value:Q", scale=alt.Scale(domain=[0, 1]), axis=share, title=title)
    )
    tips = ["model:N", "seed:N", "at:N", alt.Tooltip("value:Q", format=".1%"), "n:Q"]
    dots = base.mark_point(filled=True, size=45, opacity=1).encode(y="value:Q", tooltip=tips)
    return alt.layer(band, line, dots).to_dict()
