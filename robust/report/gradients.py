"""Gradient flow: for each case a chart over the layers, and the state of each model."""

from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

import altair as alt
import pandas as pd

from robust.core.declared import section
from robust.core.types import NewRow, NewTable, Row
from robust.report import wording
from robust.report.charts import Chart
from robust.report.conditions import Condition, TrainedModel
from robust.report.folder import Folder
from robust.report.reliability_marks import named

NORMS = {"output_gradient": "by its output, dL/dh", "weight_gradient": "by its weights, dL/dW"}
OF_LAYERS = (*NORMS, "activation_std", "dead", "saturated", "update_ratio")
"""The metrics that `gradient_flow` gives for each layer."""
DRAWN = (1e-15, 1e15)  # values beyond are drawn at the edge, or they would flatten everything else
COLOURS = 8  # the number that the page can distinguish

_COLUMNS = ("output_gradient_ratio", "weight_gradient_ratio", "weight_gradient", "update_ratio")


@dataclass(frozen=True)
class Profile:
    """One case: its chart, and for each model the state and the numbers that it is based on."""

    chart: Chart
    rows: list[dict[str, str]]


@section(title="Gradients", after="targetability")
def gradients(folder: Folder) -> list[Profile]:
    """One for each case with gradient_flow, in the order of the suite."""
    found = []
    for condition in folder.conditions:
        runs = {run: rows for run in folder.runs if len(rows := _profiled(folder, run, condition))}
        if runs:
            states = [state(folder.name(run), rows) for run, rows in runs.items()]
            found.append(Profile(_chart(folder, condition, runs, states), states))
    return found


def _profiled(folder: Folder, run: TrainedModel, condition: Condition) -> pd.DataFrame:
    rows = folder.values.get((run, condition))
    if rows is None or "output_gradient" not in set(rows["metric"]):
        return pd.DataFrame()
    return rows


def state(name: str, rows: pd.DataFrame) -> dict[str, str]:
    """A row of the table: the state of a model and its numbers, as text."""
    of_all = {str(row["metric"]): row["value"] for row in rows[rows["subset"] == ""].to_dict("records")}
    of_weights = rows.loc[(rows["metric"] == "weight_gradient") & (rows["subset"] != ""), "value"]
    words = [word for word in ("healthy", "vanishing", "exploding") if of_all.get(word) == 1]
    shares = {metric: wording.percent(of_all.get(metric, float("nan"))) for metric in ("dead", "saturated")}
    numbers = {metric: wording.scientific(of_all.get(metric, float("nan"))) for metric in _COLUMNS}
    numbers["probe_loss"] = wording.number(of_all.get("probe_loss", float("nan")))
    numbers["smallest"] = wording.scientific(of_weights.min())
    return {"model": named(name, rows), "state": ", ".join(words), **numbers, **shares}


def _chart(
    folder: Folder, condition: Condition, runs: dict[TrainedModel, pd.DataFrame], states: list[dict[str, str]]
) -> Chart:
    points = [point for run, rows in runs.items() for point in _points(folder.name(run), rows)]
    title = wording.title(condition)
    text = "; ".join(f"{row['model']}: {row['state']}" for row in states)
    models, shown = [folder.name(run) for run in folder.runs], [folder.name(run) for run in runs]
    colours = models if len(models) <= COLOURS else shown
    return Chart(title, f"Norms of the gradients by layer, {title}. {text}.", _specification(points, colours, shown))


def _points(model: str, rows: pd.DataFrame) -> list[NewRow]:
    points = []
    for metric, words in NORMS.items():
        of_layers = rows[(rows["metric"] == metric) & (rows["subset"] != "")].to_dict("records")
        points += [_point(model, words, *placed) for placed in enumerate(of_layers, 1) if isfinite(placed[1]["value"])]
    return points


def _point(model: str, words: str, place: int, row: Row) -> NewRow:
    drawn = min(max(row["value"], DRAWN[0]), DRAWN[1])
    return {
        "model": model, "gradient": words, "layer": row["subset"], "place": place,
        "norm": float(f"{drawn:.4g}"), "exactly": f"{row['value']:.3g}",
    }  # fmt: skip


def _specification(points: list[NewRow], colours: list[str], shown: list[str]) -> NewTable:
    colour = alt.Color("model:N", scale=alt.Scale(domain=colours), legend=alt.Legend(values=shown, title=None))
    dash = alt.StrokeDash("gradient:N", scale=alt.Scale(domain=list(NORMS.values())), legend=alt.Legend(title=None))
    axis = alt.Axis(format=".0e", values=decades([point["norm"] for point in points]))
    base = alt.Chart(alt.InlineData(values=points), height=260, width="container").encode(
        x=alt.X(
            "place:Q",
            axis=alt.Axis(title="layer, from the input on", grid=False, tickMinStep=1),
            scale=alt.Scale(nice=False, zero=False),
        ),
        y=alt.Y("norm:Q", scale=alt.Scale(type="log"), axis=axis, title="norm of the gradient"),
        color=colour,
    )
    tips = ["model:N", "layer:N", "gradient:N", alt.Tooltip("exactly:N", title="norm")]
    line = base.mark_line(strokeWidth=2).encode(strokeDash=dash)
    dots = base.mark_point(filled=True, size=30, opacity=0).encode(tooltip=tips)
    return alt.layer(line, dots).to_dict()


def decades(norms: list[float]) -> list[float]:
    """The powers of ten around these, thinned to eight at most."""
    low, high = floor(log10(min(norms, default=1.0))), ceil(log10(max(norms, default=1.0)))
    return [10.0**power for power in range(low, high + 1, max(1, ceil((high - low) / 7)))]
