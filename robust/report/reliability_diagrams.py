"""Reliability diagrams: accuracy over confidence."""

import altair as alt
import pandas as pd

from robust.core.types import NewRow, NewTable
from robust.report import wording
from robust.report.charts import Chart
from robust.report.folder import Folder


def reliability(folder: Folder) -> list[Chart]:
    """One chart for each condition whose bins were measured, of all models."""
    models = [folder.name(run) for run in folder.runs]
    found = []
    for condition in folder.conditions:
        points = [
            {"model": folder.name(run), **point}
            for run in folder.runs
            if (rows := folder.values.get((run, condition))) is not None
            for point in _points(rows)
        ]
        if points:
            title = wording.title(condition)
            found.append(Chart(title, _description(title, points), _specification(points, models)))
    return found


def _points(rows: pd.DataFrame) -> list[NewRow]:
    """A point a bin: mean confidence, accuracy with its interval, and how many images it holds."""
    confidences = dict(
        rows.loc[rows["metric"] == "bin_confidence", ["subset", "value"]].itertuples(index=False, name=None)
    )
    return [
        {"bin": row["subset"], "confidence": round(confidences[row["subset"]], 4), "images": row["n"],
         **{key: round(row[key], 4) for key in ("value", "ci_low", "ci_high")}}
        for row in rows[rows["metric"] == "bin_accuracy"].to_dict("records")
    ]  # fmt: skip


def _specification(points: list[NewRow], models: list[str]) -> NewTable:
    share = alt.Scale(domain=[0, 1])
    shown = list(dict.fromkeys(point["model"] for point in points))
    colour = alt.Color(
        "model:N", scale=alt.Scale(domain=models), legend=alt.Legend(values=shown, title=None, columns=3)
    )
    base = alt.Chart(alt.InlineData(values=points), height=300, width="container").encode(
        x=alt.X("confidence:Q", scale=share, axis=alt.Axis(format="%"), title="mean confidence in the bin"),
        color=colour,
    )
    accuracy = alt.Y("value:Q", scale=share, axis=alt.Axis(format="%"), title="accuracy in the bin")
    tips = ["model:N", "bin:N", alt.Tooltip("value:Q", title="accuracy", format=".1%"),
            alt.Tooltip("confidence:Q", format=".1%"), "images:Q"]  # fmt: skip
    ideal = alt.Chart(alt.InlineData(values=[{"at": 0}, {"at": 1}])).mark_line(strokeDash=[4, 4], strokeWidth=1)
    rules = base.mark_rule(opacity=0.4).encode(y=alt.Y("ci_low:Q", title="accuracy in the bin"), y2="ci_high:Q")
    line = base.mark_line(strokeWidth=1.5).encode(y=accuracy)
    dots = base.mark_point(filled=True, opacity=1).encode(
        y=accuracy, size=alt.Size("images:Q", legend=None, scale=alt.Scale(range=[15, 250])), tooltip=tips
    )
    diagonal = ideal.encode(x="at:Q", y="at:Q", color=alt.value("#888888"))
    return alt.layer(diagonal, rules, line, dots).to_dict()


def _description(title: str, points: list[NewRow]) -> str:
    lines: dict[str, list[str]] = {}
    for point in points:
        text = f"{wording.percent(point['value'])} correct at a confidence of {wording.percent(point['confidence'])}"
        lines.setdefault(point["model"], []).append(text)
    return f"Reliability, {title}. " + "; ".join(f"{name}: {', '.join(texts)}" for name, texts in lines.items()) + "."
