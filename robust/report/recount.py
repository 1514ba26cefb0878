"""The numbers of results.csv, recounted from outcomes.parquet and suite.toml with the same metrics.

Numbers that depend on more than the outcomes, such as a Brier score on all probabilities, are not recounted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from robust.core.declared import yields
from robust.core.errors import ReportError
from robust.core.types import Table
from robust.metrics.accuracy import shares
from robust.metrics.calibration import by_confidence
from robust.metrics.confusion import confusion
from robust.metrics.distance import distance
from robust.metrics.hierarchy import hierarchy
from robust.metrics.targetability import targetability
from robust.report.conditions import Cells, Condition, strength
from robust.results.attack_result import fooled
from robust.results.evaluation import EvaluationResult, Value, by_image, mean, proportion, with_valid_intervals

Key = tuple
"""Of a number: model, seed, case, the strength (see `strength`), and its name in a bound."""
_BINS = 15
_SIZES = ("linf", "l2")  # norms in which the outcomes keep the size of the change


class Recounted(NamedTuple):
    """A number recounted from the outcomes; an end of its interval is None where it is not, NaN where there is none."""

    value: float
    n: int
    low: float | None = float("nan")
    high: float | None = float("nan")

    def end(self, of: str) -> float | None:
        """The number that a bound on `of` (value, low or high) is on; None where it is not recounted."""
        return {"value": self.value, "ci_low": self.low, "ci_high": self.high}[of]


Recounts = Mapping[Key, Recounted]


@dataclass(frozen=True)
class Recorded(EvaluationResult):
    """A result as outcomes.parquet stores it, without its logits. recorded: int64 [N], the predicted classes."""

    recorded: np.ndarray = field(default_factory=lambda: np.empty(0, int))

    @cached_property
    def predicted(self) -> np.ndarray:
        """As it was recorded."""
        return self.recorded


class Cell(NamedTuple):
    """One case on one model at one strength, and its contents of the folder.

    rows: of the outcomes; results: of results.csv. case: its table of the suite, None where there is none.
    groups: superclass -> classes. own: are these of the tree of the case?
    """

    condition: Condition
    rows: pd.DataFrame
    results: pd.DataFrame
    case: Table | None
    classes: Sequence[str]
    groups: Mapping[str, Sequence[str]]
    own: bool

    def given(self, metric: str) -> Table | None:
        """The arguments that the suite gives a metric of this case; None where there is no suite."""
        if self.case is None:
            return None
        listed = self.case.get("metrics", [])
        named = [one for one in (listed if isinstance(listed, list) else [listed]) if isinstance(one, Mapping)]
        return next((one for one in named if one.get("name") == metric), {})


def measured(outcomes: Cells, results: Cells, environment: Table, suite: Table) -> dict[Key, Recounted]:
    """The numbers of each case at each strength, from the predictions for its images.

    Args:
        outcomes, results: of both tables, by model and condition. environment, suite: as they were read.

    Raises ReportError for a prediction or a label that is no class.
    """
    found: dict[Key, Recounted] = {}
    for (run, condition), rows in outcomes.items():
        if (there := results.get((run, condition))) is not None:
            for value in values(_cell(condition, rows, there, environment, suite)):
                name = f"{value.metric}[{value.subset}]" if value.subset else value.metric
                found.setdefault((*run, condition.case, *strength(condition._asdict()), name), _recounted(value))
    return found


def _recounted(value: Value) -> Recounted:
    """The high end of a likelihood depends on all probabilities; that of a spread on NumPy's random draws."""
    low = None if value.metric == "recall_std" else value.ci_low
    high = None if value.metric in ("recall_std", "nll") else value.ci_high
    if value.metric == "confused" and not value.ci_method:
        low, high = None, None
    return Recounted(value.value, value.n, low, high)


def _cell(condition: Condition, rows: pd.DataFrame, there: pd.DataFrame, environment: Table, suite: Table) -> Cell:
    case = suite.get("case", {}).get(condition.case)
    classes = environment.get("classes", {}).get(condition.case) or environment["data"]["classes"]
    own, data = environment.get("groups", {}).get(condition.case), environment["data"]
    shared = data.get("superclasses", {}) if set(there["data"]) == {data["name"]} else {}
    kept = {name: [c for c in members if c in set(classes)] for name, members in (own or shared).items()}
    groups = {name: members for name, members in kept.items() if members}
    return Cell(condition, rows, there, case, classes, groups, bool(own))


def values(cell: Cell) -> Iterator[Value]:
    """The recounted values of the metrics that results.csv has at this strength."""
    metrics, result = set(cell.results["metric"]), _result(cell)
    ways = {
        "accuracy": _accuracy, "calibration": _calibration, "confusion": _confusion, "hierarchy": _hierarchy,
        "distance": _distance, "targetability": lambda result, _: targetability(result),
    }  # fmt: skip
    for name, way in ways.items():
        if metrics & {*yields("metrics", name).all_names} and len(cell.rows):
            yield from with_valid_intervals(name, way(result, cell), result)


def _result(cell: Cell) -> Recorded:
    rows = cell.rows
    targets = None if (rows["target"] == "").all() else _places(rows["target"], cell.classes)
    labels, predicted = (_places(rows[name], cell.classes) for name in ("label", "predicted"))
    ids, groups = rows["example"].to_numpy(), {name: tuple(members) for name, members in cell.groups.items()}
    return Recorded(tuple(cell.classes), ids, labels, np.empty((len(rows), 0)), groups, targets, recorded=predicted)


def _places(names: pd.Series, classes: Sequence[str]) -> np.ndarray:
    places = pd.Index(classes).get_indexer(pd.Index(names))
    if (places < 0).any():
        raise ReportError(f"outcomes.parquet: {names.iloc[int(np.argmin(places))]!r} is none of the classes")
    return places


def _accuracy(result: Recorded, cell: Cell) -> Iterator[Value]:
    right, near = result.predicted == result.labels, cell.rows["in_top5"].to_numpy()
    yield from shares(result, right, near)
    losses = by_image(result.ids, cell.rows["nll"].to_numpy(float))
    yield mean("nll", losses, 0, float(losses.max()), unit="nats")


def _calibration(result: Recorded, cell: Cell) -> Iterator[Value]:
    given = cell.given("calibration")
    bins = int((given or {}).get("bins", _BINS))
    found = [*by_confidence(cell.rows["confidence"].to_numpy(float), result.predicted == result.labels, bins)]
    groups = {value.subset for value in found if value.metric == "bin_accuracy"}
    of_bins = cell.results["metric"] == "bin_accuracy"
    if given is not None or groups == set(cell.results.loc[of_bins, "subset"]):
        yield from found


def _confusion(result: Recorded, cell: Cell) -> Iterator[Value]:
    """All values of `confusion`; for a further pair its share, whose interval is exact (see `recording`)."""
    given = cell.given("confusion")
    yield from confusion(result, **{k: int(v) for k, v in (given or {}).items() if k == "pairs"})
    pairs = cell.results.loc[cell.results["metric"] == "confused", "subset"]
    for pair in pairs:
        label, _, other = pair.partition(" -> ")
        hits = cell.rows.loc[cell.rows["label"] == label, "predicted"] == other
        share = proportion("confused", hits.to_numpy(), pair)
        yield share if given is not None else share._replace(ci_method="")


def _hierarchy(result: Recorded, cell: Cell) -> Iterator[Value]:
    """The severity of a mistake depends on the whole tree, of which the folder stores the superclasses only."""
    if cell.groups:
        yield from (each for each in hierarchy(result) if not (cell.own and each.metric == "mistake_severity"))


def _distance(result: Recorded, cell: Cell) -> Iterator[Value]:
    if (norm := cell.condition.norm) not in _SIZES:
        return
    success = fooled(result.predicted, result.labels, result.targets)
    sizes = np.where(success, cell.rows[norm].to_numpy(), np.inf).astype(np.float32)
    limit, steps = float(cell.rows["eps"].iloc[0]), (cell.results["metric"] == "top1_by_distance").sum()
    found = Recorded(
        result.classes, result.ids, result.labels, result.logits, targets=result.targets, distance=sizes, limit=limit,
        norm=norm, recorded=result.recorded,
    )  # fmt: skip
    points = (cell.given("minimal") or {}).get("points", max(int(steps) - 1, 1))
    yield from distance(found, points=int(points))
