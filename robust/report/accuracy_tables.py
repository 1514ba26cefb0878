"""The tables of models by conditions: how accurate each is, and the cost of the queries."""

from dataclasses import dataclass

import pandas as pd

from robust.core.catalogue import headings
from robust.core.declared import section
from robust.core.types import NewRow, Row
from robust.report import wording
from robust.report.bound_states import Judgement
from robust.report.conditions import Condition, TrainedModel
from robust.report.folder import Folder
from robust.report.reliability_marks import Named, named


@dataclass(frozen=True)
class GridCell:
    """One model under one condition. `state` is "measured", or why there is no number; `why`: it failed."""

    state: str
    value: str = ""
    interval: str = ""
    n: str = ""
    track: dict[str, float] | None = None
    targeted_success_rate: str = ""
    reliability: str = ""
    judgements: tuple[Judgement, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Grid:
    """Rows of cells; `heads` has the case and the details that its name omits, one for each column."""

    heads: list[tuple[str, str]]
    rows: list[tuple[str, list[GridCell]]]

    @property
    def missing(self) -> int:
        """How many cells were requested and not run yet."""
        return sum(cell.state == "not run" for _, row in self.rows for cell in row)


def accuracy(folder: Folder, judgements: list[Judgement]) -> Grid:
    """Top-1 of every model under every condition that has one, and the bounds on each."""
    measured = {condition for (_, condition), rows in folder.values.items() if _row(rows, "top1")}
    columns: list[Condition | str] = [c for c in folder.conditions if c in measured]
    seen = {condition.case for _, condition in folder.values}
    columns += [case for case in folder.cases if case not in seen]  # not run yet, or failed on every model
    heads = [(c, "") if isinstance(c, str) else (c.case, wording.details(c)) for c in columns]
    rows = [(folder.name(run), [_cell(folder, run, c, judgements) for c in columns]) for run in folder.runs]
    return Grid(heads, rows)


def _cell(folder: Folder, run: TrainedModel, condition: Condition | str, judgements: list[Judgement]) -> GridCell:
    rows = None if isinstance(condition, str) else folder.values.get((run, condition))
    if rows is None:
        case = condition if isinstance(condition, str) else condition.case
        if (run, case) in folder.failed:
            return GridCell("failed", why=folder.failed[run, case])
        return GridCell(_absence(folder, run, case))
    bounds = tuple(one for one in judgements if (one.run, one.condition) == (run, condition))
    top1 = _row(rows, "top1")
    if top1 is None:
        return GridCell("no top-1", judgements=bounds)
    reached = _row(rows, "targeted_success_rate")
    return GridCell(
        "measured",
        wording.percent(top1["value"]),
        wording.interval(top1["ci_low"], top1["ci_high"], "proportion"),
        wording.images(top1),
        _track(top1),
        wording.percent(reached["value"]) if reached else "",
        top1["reliability"],
        bounds,
    )


def _absence(folder: Folder, run: TrainedModel, case: str) -> str:
    limited_to = folder.cases.get(case)
    return "not run" if limited_to is None or run.model in limited_to else "not requested"


def _row(rows: pd.DataFrame, metric: str) -> NewRow | None:
    found = rows[(rows["metric"] == metric) & (rows["subset"] == "")]
    return found.iloc[0].to_dict() if len(found) else None


def _track(row: NewRow) -> dict[str, float] | None:
    """The positions of the value and its interval on a line from 0 to 100 %."""
    if not 0 <= row["ci_low"] <= row["value"] <= row["ci_high"] <= 1:
        return None
    return {name: round(100 * row[name], 2) for name in ("ci_low", "value", "ci_high")}


def costs(folder: Folder) -> list[dict[str, str]]:
    """The cost of each condition on each model: passes an image, seconds, and how full its batches were."""
    return [
        {
            "model": folder.name(run),
            "condition": wording.title(condition),
            "n_forward": wording.number(rows["n_forward"].iloc[0]),
            "n_backward": wording.number(rows["n_backward"].iloc[0]),
            "seconds": wording.number(round(rows["seconds"].iloc[0], 1)),
            "occupancy": "" if pd.isna(share := rows["occupancy"].iloc[0]) else wording.percent(share),
        }
        for (run, condition), rows in folder.values.items()
        if rows["seconds"].notna().any()
    ]


_IN_THE_HEAD = {"parameters", "MACs", "layers", "images/s"}  # units that a cell need not repeat


@section(title="Size and speed", after="published")
def sizes(folder: Folder) -> tuple[list[str], list[tuple[Named, list[tuple[str, str]]]]] | None:
    """The costs of each model from profiles: heads, and for each model values with their intervals."""
    heads = headings("cost")
    costs = folder.results[folder.results["metric"].isin(heads) & (folder.results["subset"] == "")]
    metrics = [metric for metric in heads if metric in set(costs["metric"])]
    found = {(TrainedModel(row["model"], row["seed"]), row["metric"]): row for row in costs.to_dict("records")}
    runs = [run for run in folder.runs if any((run, metric) in found for metric in metrics)]
    shown = {TrainedModel(*key): of for key, of in costs.groupby(["model", "seed"])}
    rows = [
        (named(folder.name(run), shown[run]), [_size(found.get((run, metric))) for metric in metrics]) for run in runs
    ]
    return ([heads[metric] for metric in metrics], rows) if rows else None


def _size(row: Row | None) -> tuple[str, str]:
    if row is None:
        return "", ""
    text = wording.amount if row["unit"] in _IN_THE_HEAD else wording.quantity
    return text(row["value"], row["unit"]), wording.interval(row["ci_low"], row["ci_high"], row["unit"])
