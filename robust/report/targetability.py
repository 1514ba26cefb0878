"""Targeted success by pair of classes: a matrix for each model, and the easiest pairs."""

from collections.abc import Mapping
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from robust.core.declared import section
from robust.core.statistics import simultaneous
from robust.core.types import NewRow, NewTable, Row
from robust.report import wording
from robust.report.charts import NUMBERED, Chart
from robust.report.conditions import Condition, TrainedModel
from robust.report.distances import size
from robust.report.folder import Folder
from robust.report.reliability_marks import named

EASIEST = 10


@dataclass(frozen=True)
class Pairs:
    """One model under one condition."""

    title: str
    chart: Chart
    easiest: list[dict[str, str]]
    distances: bool


@section(title="Targeted attacks", after="distances")
def targetability(folder: Folder) -> dict[str, list[Pairs]]:
    """For each model its cases with `targetability`, in the order of the suite."""
    cards: dict[str, list[Pairs]] = {}
    for run in folder.runs:
        for condition in folder.conditions:
            rows = folder.values.get((run, condition))
            if rows is not None and "sent" in set(rows["metric"]):
                cards.setdefault(folder.name(run), []).append(_pairs(folder, run, condition, rows))
    return cards


def _pairs(folder: Folder, run: TrainedModel, condition: Condition, rows: pd.DataFrame) -> Pairs:
    far = {row["subset"]: row["value"] for row in rows[rows["metric"] == "median_distance"].to_dict("records")}
    cells = at_once([_cell(row, far) for row in rows[rows["metric"] == "sent"].to_dict("records")])
    easiest = sorted(cells, key=lambda cell: (-cell["share"], cell["far"]))[:EASIEST]
    return Pairs(
        named(wording.title(condition), rows),
        _chart(folder, run, condition, cells),
        [_text(cell, condition) for cell in easiest],
        bool(far),
    )


def _cell(row: Row, far: Mapping[str, float]) -> NewRow:
    label, _, target = row["subset"].partition(" -> ")
    known = {"label": label, "target": target, "share": row["value"], "n": row["n"]}
    return {**known, "far": far.get(row["subset"], 0.0)}


def at_once(cells: list[NewRow]) -> list[NewRow]:
    """The cells with intervals that hold for all of them together, as the largest are selected from them."""
    n = np.array([cell["n"] for cell in cells])
    low, high = simultaneous(np.round([cell["share"] for cell in cells] * n), n)
    ends = zip(low.tolist(), high.tolist(), strict=True)
    return [{**cell, "ci_low": a, "ci_high": b} for cell, (a, b) in zip(cells, ends, strict=True)]


def _text(cell: NewRow, condition: Condition) -> dict[str, str]:
    return {
        "pair": f"{cell['label']} → {cell['target']}",
        "share": wording.percent(cell["share"]),
        "interval": wording.interval(cell["ci_low"], cell["ci_high"], "proportion"),
        "n": wording.number(cell["n"]),
        "distance": size(cell["far"], condition),
    }


def _chart(folder: Folder, run: TrainedModel, condition: Condition, cells: list[NewRow]) -> Chart:
    shown = [
        {**{key: cell[key] for key in ("label", "target", "n")}, "share": round(cell["share"], 4),
         "percent": f"{100 * cell['share']:.0f}"}
        for cell in cells
    ]  # fmt: skip
    title = wording.title(condition)
    most = max(cells, key=lambda cell: cell["share"])
    easiest = f"most of all {most['label']} to {most['target']}, {wording.percent(most['share'])}"
    words = f"Shares of the images of a class that reach a target class, {folder.name(run)}, {title}: {easiest}."
    names = [name for name in folder.classes if any(name in (cell["label"], cell["target"]) for cell in cells)]
    return Chart(title, words, _heat_map(shown, names))


def _heat_map(cells: list[NewRow], names: list[str]) -> NewTable:
    def axis(angle: int) -> alt.Axis:
        return alt.Axis(labelAngle=angle, labelOverlap="greedy", labelLimit=90, grid=False, ticks=False)

    scale = alt.Scale(domain=names)
    height = 28 * len(names) if len(names) <= NUMBERED else 400
    base = alt.Chart(alt.InlineData(values=cells), height=height, width="container").encode(
        x=alt.X("target:N", scale=scale, axis=axis(-90), title="target class"),
        y=alt.Y("label:N", scale=scale, axis=axis(0), title="label"),
    )
    tips = ["label:N", "target:N", alt.Tooltip("share:Q", format=".1%"), alt.Tooltip("n:Q", title="images")]
    colour = alt.Color("share:Q", scale=alt.Scale(domain=[0, 1]), legend=None)
    layers = [base.mark_rect().encode(color=colour, tooltip=tips)]
    if len(names) <= NUMBERED:
        layers.append(base.mark_text(fontSize=10).encode(text="percent:N"))
    return alt.layer(*layers).to_dict()
