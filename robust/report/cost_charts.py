"""The charts of the architectures: errors over the years, and against parameters, MACs and memory."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import altair as alt
import pandas as pd

from robust.core.types import Row
from robust.report import wording
from robust.report.charts import Chart


@dataclass(frozen=True)
class Axis:
    """An axis against which the errors are plotted: a column of the counts, its unit and its title."""

    column: str
    unit: str
    title: str

    def text(self, value: float) -> str:
        """A value of this axis, formatted."""
        return wording.size(value) if self.unit == "bytes" else wording.scaled(value)


def years(winners: pd.DataFrame) -> Chart:
    """Top-5 error of each year's winner as bars, with the human level as a line."""
    human = winners[winners["kind"] == "human"].iloc[0]
    won = winners[winners["kind"] != "human"]
    values = [{str(name): value for name, value in row.items()} for row in won.to_dict("records")]
    base = alt.Chart(alt.InlineData(values=values), height=300, width="container").encode(
        x=alt.X("year:O", title=None, axis=alt.Axis(labelAngle=0)),
        y=alt.Y("top5_error:Q", title="top-5 error, %", scale=alt.Scale(domain=[0, 30])),
    )
    tips = ["year:O", "entry:N", alt.Tooltip("top5_error:Q", title="top-5 error, %"), "source:N"]
    bars = base.mark_bar().encode(color=alt.Color("kind:N", title=None), tooltip=tips)
    numbers = base.mark_text(dy=-7).encode(text="top5_error:Q")
    level = alt.Chart(alt.InlineData(values=[{"top5_error": human["top5_error"], "source": human["source"]}]))
    line = level.mark_rule(strokeDash=[6, 4], color="#888").encode(
        y="top5_error:Q", tooltip=["top5_error:Q", "source:N"]
    )
    label = level.mark_text(align="right", dy=-7, x="width", dx=-4).encode(
        y="top5_error:Q", text=alt.value(f"human {human['top5_error']:g}")
    )
    winners_text = "; ".join(f"{row.year}: {row.entry}, {row.top5_error:g} %" for row in won.itertuples())
    text = f"Top-5 error of the winners of ILSVRC. {winners_text}; a human: {human['top5_error']:g} %."
    return Chart("Top-5 error of the winners of ILSVRC", text, alt.layer(bars, numbers, line, label).to_dict())


def against(axis: Axis, points: Sequence[Row]) -> Chart:
    """Top-1 error against one of the costs, on a logarithmic axis; each family has its colour."""
    apart = _apart([(log10(point[axis.column]), point["top1_error"]) for point in points])
    drawn = [
        {**point, "family": family(name := point["architecture"]), "member": member(name) if free else ""}
        for point, free in zip(points, apart, strict=True)
    ]
    families = list(dict.fromkeys(point["family"] for point in drawn))
    costs = [float(point[axis.column]) for point in drawn]
    decades = [10**power for power in range(floor(log10(min(costs))), ceil(log10(max(costs))) + 1)]
    base = alt.Chart(alt.InlineData(values=drawn), height=340, width="container").encode(
        x=alt.X(
            f"{axis.column}:Q",
            title=axis.title,
            scale=alt.Scale(type="log", domain=[decades[0], decades[-1]]),
            axis=alt.Axis(values=decades, labelExpr="format(datum.value, '~s')" + " + 'B'" * (axis.unit == "bytes")),
        ),
        y=alt.Y("top1_error:Q", title="top-1 error, %", scale=alt.Scale(zero=False)),
        color=alt.Color("family:N", title=None, scale=alt.Scale(domain=families), legend=alt.Legend(columns=4)),
        tooltip=_tips(axis),
    )
    names = base.mark_text(align="left", dx=7, fontSize=10).encode(text="member:N")
    text = "; ".join(f"{p['architecture']}: {p[f'{axis.column}_text']}, {p['top1_error']:g} %" for p in drawn)
    spec = alt.layer(base.mark_point(filled=True, size=60, opacity=1), names).to_dict()
    return Chart(f"Top-1 error against {axis.title}", f"Top-1 error against {axis.title}. {text}.", spec)


def family(architecture: str) -> str:
    """The family of a network: its name up to the first digit or underscore.

    >>> family("resnet50"), family("mobilenet_v2")
    ('resnet', 'mobilenet')
    """
    return re.split(r"[\d_]", architecture, maxsplit=1)[0]


def member(architecture: str) -> str:
    """What distinguishes a network from others of its family, short enough for a label next to a point.

    >>> member("resnet50"), member("mobilenet_v3_large"), member("alexnet")
    ('50', 'v3 large', '')
    """
    return architecture.removeprefix(family(architecture)).replace("_", " ").strip()


def _apart(places: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points have room for a name: none is named that is close to one that already is.

    Points are (log10 of the cost, error in percent); a name is about half a decade wide and 1.2 % high.
    """
    named: list[tuple[float, float]] = []
    room = []
    for x, y in places:
        room.append(all(abs(x - other) >= 0.5 or abs(y - error) >= 1.2 for other, error in named))
        named += [(x, y)] if room[-1] else []
    return room


def _tips(axis: Axis) -> list[alt.Tooltip]:
    columns = {
        "architecture:N": "network", "year:O": "year", "top1_error:Q": "top-1 error, %",
        "top5_error:Q": "top-5 error, %", f"{axis.column}_text:N": axis.title, "protocol:N": "measured with",
        "source:N": "source",
    }  # fmt: skip
    return [alt.Tooltip(column, title=title) for column, title in columns.items()]
