"""The classes to which the images of each class move once they are perturbed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from robust.core.declared import section
from robust.report import wording
from robust.report.folder import Folder
from robust.report.reliability_marks import named
from robust.results.summaries.flow import CELL, flow

CLASSES = 10  # those that lose the most images
NAMED = 3  # classes to which each loses the most


@dataclass(frozen=True)
class Flow:
    """One model under one condition: a sentence, and a row for each class that lost images.

    rows: class, correct before, correct after, and how many images moved to which classes.
    leaving: how many images moved from which superclass to which, most first; "" where there are none.
    """

    model: str
    title: str
    summary: str
    rows: list[tuple[str, str, str, str]]
    leaving: str


@section(title="Class changes", after="structure")
def flows(folder: Folder) -> list[Flow]:
    """One for every perturbed cell of a model that was also evaluated on the clean images, class by class."""
    cells = {cell: rows for cell, rows in folder.outcomes.items() if cell in folder.values}
    wanted = {cell[0]: True for cell in cells if "worst_class" in set(folder.values[cell]["metric"])}
    tables = {cell: _named(folder, *cell) for cell in cells if cell[0] in wanted and _counts(folder, *cell)}
    clean = [table for (_, condition), table in tables.items() if condition.clean]
    found = []
    for case in dict.fromkeys(condition.case for _, condition in tables if not condition.clean):
        own = [table for (_, condition), table in tables.items() if condition.case == case]
        groups = folder.superclasses(case)
        lost = flow(pd.concat([*clean, *own]), groups)
        lost = lost[lost["case"] == case]
        found += [_flow(folder, rows, groups) for _, rows in lost.groupby(CELL, dropna=False, sort=False)]
    return found


def _counts(folder: Folder, run, condition) -> bool:
    return condition.clean or "recall" in set(folder.values[run, condition]["metric"])


def _named(folder: Folder, run, condition) -> pd.DataFrame:
    data = folder.values[run, condition]["data"].iloc[0]
    return folder.outcomes[run, condition].assign(**run._asdict(), **condition._asdict(), data=data)


def _flow(folder: Folder, rows: pd.DataFrame, groups: Mapping[str, Sequence[str]]) -> Flow:
    first = rows.iloc[0]
    cell = next(
        (run, c) for run, c in folder.outcomes
        if run == (first["model"], first["seed"])
        and (c.case, c.perturbation, c.norm) == (first["case"], first["perturbation"], first["norm"])
        and all(_same(getattr(c, key), first[key]) for key in ("eps", "severity"))
    )  # fmt: skip
    gone = rows[rows["label"] != rows["taken_for"]]
    n, inside = int(gone["images"].sum()), int(gone.loc[gone["inside"], "images"].sum())
    summary = f"{n:,} of {int(rows['images'].sum()):,} images that were correct are misclassified"
    if groups and n:
        summary += f", {inside:,} of them ({wording.percent(inside / n)}) to a class of the same superclass"
    sums = gone.groupby("label")["images"].sum().sort_values(ascending=False, kind="stable").head(CLASSES)
    listed = [_row(rows, str(label)) for label in sums.index]
    model = named(folder.name(cell[0]), folder.values.get(cell))
    return Flow(model, wording.title(cell[1]), summary, listed, _leaving(groups, gone))


def _leaving(groups: Mapping[str, Sequence[str]], gone: pd.DataFrame) -> str:
    above = {name: group for group, members in groups.items() for name in members}
    ends = gone.assign(start=gone["label"].map(above), end=gone["taken_for"].map(above)).dropna(subset="end")
    sums = ends[~ends["inside"]].groupby(["start", "end"])["images"].sum()
    rows = sums.sort_values(ascending=False, kind="stable").head(CLASSES).reset_index()
    return ", ".join(f"{a} → {b} {n}" for a, b, n in zip(rows["start"], rows["end"], rows["images"], strict=True))


def _same(one: float | None, other: float) -> bool:
    return pd.isna(other) if one is None else bool(one == other)


def _row(rows: pd.DataFrame, label: str) -> tuple[str, str, str, str]:
    own = rows[rows["label"] == label]
    of, before = int(own["of"].iloc[0]), int(own["images"].sum())
    after = int(own.loc[own["taken_for"] == label, "images"].sum())
    gone = own[own["taken_for"] != label].sort_values("images", ascending=False, kind="stable").head(NAMED)
    to = ", ".join(f"{name} {n}" for name, n in zip(gone["taken_for"], gone["images"], strict=True))
    return label, wording.percent(before / of), wording.percent(after / of), to
