"""The images on which each part of a composed attack succeeded, counted from the outcomes."""

from dataclasses import dataclass

import altair as alt

from robust.core.declared import section
from robust.core.types import NewRow
from robust.report import wording
from robust.report.charts import Chart
from robust.report.conditions import Condition, TrainedModel
from robust.report.folder import Folder
from robust.report.reliability_marks import Named, named

BEFORE, NONE = "misclassified before", "still correct"


@dataclass(frozen=True)
class SuccessBy:
    """One chart, and its numbers: heads, and a row of counts for each model and condition."""

    chart: Chart
    heads: list[str]
    rows: list[tuple[Named, str, list[str]]]


@section(title="Which attack succeeded", after="corruptions")
def success_by(folder: Folder) -> SuccessBy | None:
    """The shares of every attack that consists of parts; None where no attack does."""
    counts = {cell: _counts(folder, cell) for cell in folder.outcomes if _is_composed(folder, cell)}
    if not counts:
        return None
    sums: dict[str, int] = {}
    for each in counts.values():
        for part, n in each.items():
            sums[part] = sums.get(part, 0) + n
    parts = sorted(sums.keys() - {BEFORE, NONE}, key=lambda part: -sums[part])
    order = [BEFORE, *parts, NONE]
    rows = [
        (
            named(folder.name(run), folder.values[run, condition]),
            wording.title(condition),
            [wording.number(each.get(part, 0)) for part in order],
        )
        for (run, condition), each in counts.items()
    ]
    return SuccessBy(_chart(folder, counts, order), order, rows)


def _is_composed(folder: Folder, cell: tuple[TrainedModel, Condition]) -> bool:
    names = {*folder.outcomes[cell]["success_by"].unique()} - {"", "clean", cell[1].perturbation}
    return bool(names) and cell in folder.values and "top1" in set(folder.values[cell]["metric"])


def _counts(folder: Folder, cell: tuple[TrainedModel, Condition]) -> dict[str, int]:
    names = folder.outcomes[cell]["success_by"].replace({"clean": BEFORE, "": NONE})
    return {str(name): int(n) for name, n in names.value_counts().items()}


def _chart(folder: Folder, counts: dict[tuple[TrainedModel, Condition], dict[str, int]], order: list[str]) -> Chart:
    bars: list[NewRow] = []
    for (run, condition), each in counts.items():
        bar, n = f"{folder.name(run)}, {wording.title(condition)}", sum(each.values())
        bars += [
            {"bar": bar, "part": part, "place": place, "images": each[part], "share": each[part] / n}
            for place, part in enumerate(order)
            if part in each
        ]
    names = list(dict.fromkeys(bar["bar"] for bar in bars))
    drawn = alt.Chart(alt.InlineData(values=bars), height=alt.Step(28), width="container").mark_bar().encode(
        x=alt.X("share:Q", stack="normalize", axis=alt.Axis(format="%", tickCount=5), title="share of all images"),
        y=alt.Y("bar:N", sort=names, title=None, axis=alt.Axis(labelLimit=320)),
        color=alt.Color("part:N", scale=alt.Scale(domain=order), legend=alt.Legend(title=None, columns=4)),
        order="place:Q",
        tooltip=["bar:N", "part:N", "images:Q", alt.Tooltip("share:Q", format=".1%")],
    )  # fmt: skip
    shares = "; ".join(f"{b['bar']}: {b['part']} {wording.percent(b['share'])}" for b in bars)
    return Chart(
        "Which attack succeeded", f"Shares of all images by the attack that succeeded. {shares}.", drawn.to_dict()
    )
