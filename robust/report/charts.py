"""The charts as Vega-Lite specifications: accuracy curves and confusion matrices.

Colours and fonts are left to the page, which knows whether it is dark; see `templates/page.js`.
"""

from dataclasses import dataclass
from functools import cache
from math import isfinite
from typing import Any

import altair as alt
import pandas as pd

from robust.core import statistics
from robust.core.declared import section
from robust.core.types import NewRow, NewTable, grey_levels
from robust.report import wording
from robust.report.conditions import Condition, TrainedModel
from robust.report.confusion import Confusion
from robust.report.folder import Folder

NUMBERED = 20  # up to this many classes a matrix shows its counts in the cells
DRAWN = 200  # for more classes than this no matrix is drawn
LEVELS = "datum.value == 0 ? '0' : format(datum.value, '.3~g') + '/255'"
"""How Vega writes a Linf radius that is given in grey levels, as `robust.core.types.size` does."""


@dataclass(frozen=True)
class Chart:
    """A chart, its title, and its text for screen readers."""

    title: str
    alt: str
    spec: NewTable


@section(title="Curves", after="sizes")
def curves(folder: Folder) -> list[Chart]:
    """Top-1 over eps, or over severity: one chart for each case that was run at two levels or more.

    Where the clean images of the same examples were evaluated, they are at level 0.
    """
    families: dict[Condition, list[Condition]] = {}
    for condition in folder.conditions:
        families.setdefault(condition._replace(eps=None, severity=None), []).append(condition)
    models = list(dict.fromkeys(run.model for run in folder.runs))  # each keeps its colour in every chart
    drawn = [(family, _points(folder, members)) for family, members in families.items() if not family.clean]
    return [_curve(family, points, models) for family, points in drawn if len({p["level"] for p in points}) > 1]


def _points(folder: Folder, conditions: list[Condition]) -> list[NewRow]:
    points: list[NewRow] = []
    for run in folder.runs:
        measured = [c for c in conditions if (run, c) in folder.values and _level(c) is not None]
        found = _clean(folder, run, measured) + [_point(folder, run, c) for c in measured]
        points += [{"model": run.model, "seed": str(run.seed), **point} for point in found]
    return [point for point in points if "value" in point]


def _level(condition: Condition) -> float | None:
    if condition.eps is None:
        return condition.severity
    return grey_levels(condition.eps) if condition.norm == "linf" else condition.eps


def _point(folder: Folder, run: TrainedModel, condition: Condition) -> NewRow:
    rows = folder.values[run, condition]
    top1 = rows[(rows["metric"] == "top1") & (rows["subset"] == "")]
    values = next(iter(top1[["value", "ci_low", "ci_high", "n"]].to_dict("records")), {})
    known = {str(name): value for name, value in values.items() if isfinite(value)}
    return {"level": _level(condition), "at": wording.level(condition), **known}


def _clean(folder: Folder, run: TrainedModel, conditions: list[Condition]) -> list[NewRow]:
    """The clean accuracy on exactly the examples that the case was run on."""
    perturbed = next(((c, o["example"]) for c in conditions if (o := folder.outcomes.get((run, c))) is not None), None)
    if perturbed is None:
        return []
    whole = [folder.outcomes[run, c] for c in folder.clean_of_same_data(run, perturbed[0])]
    clean = next((o for o in whole if set(perturbed[1]) <= set(o["example"])), None)
    if clean is None:
        return []
    same = clean[clean["example"].isin(perturbed[1])]
    right, n = int((same["label"] == same["predicted"]).sum()), len(same)
    low, high = statistics.clopper_pearson(right, n)
    return [{"level": 0, "at": "clean", "value": right / n, "ci_low": low, "ci_high": high, "n": n}]


def _curve(family: Condition, points: list[NewRow], models: list[str]) -> Chart:
    shown = list(dict.fromkeys(point["model"] for point in points))
    scale, legend = alt.Scale(domain=models), alt.Legend(values=shown, title=None, symbolOpacity=1)
    base = alt.Chart(alt.InlineData(values=points), height=260, width="container").encode(
        x=alt.X("level:Q", axis=_level_axis(family, points), scale=alt.Scale(nice=False)),
        color=alt.Color("model:N", scale=scale, legend=legend),
        detail="seed:N",
    )
    share = alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", tickCount=5),
        title="top-1 accuracy",
    )
    band = base.mark_area(opacity=0.16).encode(y=alt.Y("ci_low:Q", title="top-1 accuracy"), y2="ci_high:Q")
    line = base.mark_line(strokeWidth=2).encode(y=share)
    dots = base.mark_point(filled=True, size=55, opacity=1).encode(
        y=share, shape=alt.Shape("model:N", scale=scale, legend=legend), tooltip=_tips()
    )
    name = wording.title(family)
    return Chart(name, _description(name, points), alt.layer(band, line, dots).to_dict())


def _level_axis(family: Condition, points: list[NewRow]) -> alt.Axis:
    levels = sorted({point["level"] for point in points})
    of_eps = any("ε" in point["at"] for point in points)
    if family.norm == "linf" and of_eps:
        return alt.Axis(values=levels, labelExpr=LEVELS, title="ε (L∞)", grid=False, labelFlush=False)
    title = f"ε ({wording.norm(family.norm)})" if of_eps else "severity"
    return alt.Axis(values=levels, format="~g", title=title, grid=False, labelFlush=False)


def _tips() -> list[alt.Tooltip]:
    share = [alt.Tooltip(f"{end}:Q", title=title, format=".1%") for end, title in _ENDS]
    return [alt.Tooltip("model:N"), alt.Tooltip("seed:N"), alt.Tooltip("at:N"), *share, alt.Tooltip("n:Q")]


_ENDS = [("value", "top-1"), ("ci_low", "95 % from"), ("ci_high", "95 % to")]


def _description(name: str, points: list[NewRow]) -> str:
    lines: dict[str, list[str]] = {}
    for point in points:
        value = f"{wording.percent(point['value'])} ({point['at']})"
        lines.setdefault(f"{point['model']}, seed {point['seed']}", []).append(value)
    text = "; ".join(f"{run}: {', '.join(values)}" for run, values in lines.items())
    return f"Top-1 accuracy under {name}. {text}."


def matrix(confusion: Confusion, classes: list[str]) -> Chart:
    """A confusion matrix as a heat map: labels down, predictions across, in the order of the data set.

    A cell's colour is its share of the images of that label; up to 20 classes it shows its count.
    """
    seen = pd.unique(confusion.counts[["label", "predicted"]].to_numpy().ravel())
    cells = confusion.counts.assign(share=confusion.counts["share"].round(4)).to_dict("records")
    name = wording.title(confusion.condition)
    heat_map = _heat_map(tuple(dict.fromkeys([*classes, *seen])))
    return Chart(name, _matrix_description(confusion, name), {**heat_map, "datasets": {"cells": cells}})


@cache  # checking a specification takes longer than filling it
def _heat_map(names: tuple[str, ...]) -> NewTable:
    base = alt.Chart(alt.NamedData("cells"), height=_height(len(names)), width="container").encode(
        x=_names("predicted", names, angle=-90), y=_names("label", names, angle=0)
    )
    kind = "linear" if len(names) <= NUMBERED else "sqrt"  # without its count a small share must still be seen
    share = alt.Color("share:Q", scale=alt.Scale(type=kind, domain=[0, 1]), legend=None)
    of_label = alt.Tooltip("share:Q", format=".1%")
    tips = ["label:N", "predicted:N", alt.Tooltip("times:Q", title="images"), of_label]
    layers = [base.mark_rect().encode(color=share, tooltip=tips)]
    if len(names) <= NUMBERED:
        layers.append(base.mark_text(fontSize=10).encode(text="times:Q"))
    return alt.layer(*layers).to_dict()


def _height(classes: int) -> int:
    return 28 * classes if classes <= 10 else 24 * classes if classes <= NUMBERED else 400


def _names(field: str, names: tuple[str, ...], angle: int) -> Any:
    axis = alt.Axis(labelAngle=angle, labelOverlap="greedy", labelLimit=90, grid=False, ticks=False)
    channel = alt.X if field == "predicted" else alt.Y
    return channel(f"{field}:N", scale=alt.Scale(domain=list(names)), axis=axis, title=field)


def _matrix_description(confusion: Confusion, name: str) -> str:
    worst = [f"{p.label} classified as {p.predicted} {p.times} times" for p in confusion.worst(3).itertuples()]
    most_often = f"; most often {', '.join(worst)}" if worst else ""
    return (
        f"Confusion matrix of {confusion.model}, {name}: {confusion.right} of {confusion.images} correct{most_often}."
    )
