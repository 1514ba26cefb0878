"""What outcomes.parquet and suite.toml give for the numbers of results.csv: the same measures, asked again.

What hangs on more than the outcomes hold, as a Brier score on all probabilities, is not told.
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
from robust.results.evaluation import EvaluationResult, Value, by_image, mean, proportion, with_honest_intervals

Key = tuple
"""Of a number: model, seed, case, the strength (see `strength`), and the name by which a bound speaks of it."""
_BINS = 15
_SIZES = ("linf", "l2")  # norms in which the outcomes keep the size of the change


class Told(NamedTuple):
    """A number as the rest of the folder gives it; an end of its interval that nothing gives is None, NaN is none."""

    value: float
    n: int
    low: float | None = float("nan")
    high: float | None = float("nan")

    def end(self, of: str) -> float | None:
        """What a bound on `of` (value, low or high) hangs on; None where that is not told."""
        return {"value": self.value, "ci_low": self.low, "ci_high": self.high}[of]


Telling = Mapping[Key, Told]


@dataclass(frozen=True)
class Recorded(EvaluationResult):
    """A result as outcomes.parquet keeps it, without its logits. said: int64 [N], the classes that were answered."""

    said: np.ndarray = field(default_factory=lambda: np.empty(0, int))

    @cached_property
    def predicted(self) -> np.ndarray:
        """As it was recorded."""
        return self.said


class Asked(NamedTuple):
    """One case on one model at one strength, and what the folder knows of it.

    rows: of the outcomes; results: of results.csv. case: its table of the suite, None where there is none.
    groups: superclass -> classes. own: are these of the case's own tree?
    """

    condition: Condition
    rows: pd.DataFrame
    results: pd.DataFrame
    case: Table | None
    classes: Sequence[str]
    groups: Mapping[str, Sequence[str]]
    own: bool

    def given(self, measure: str) -> Table | None:
        """What the suite gives a measure of this case; None where there is no suite."""
        if self.case is None:
            return None
        listed = self.case.get("metrics", [])
        named = [one for one in (listed if isinstance(listed, list) else [listed]) if isinstance(one, Mapping)]
        return next((one for one in named if one.get("name") == measure), {})


def measured(outcomes: Cells, results: Cells, environment: Table, suite: Table) -> dict[Key, Told]:
    """What the answers to the images of each case, at each strength, tell of that strength.

    Args:
        outcomes, results: of both tables, by model and condition. environment, suite: as they were read.

    Raises ReportError for an answer or a label that is no class.
    """
    found: dict[Key, Told] = {}
    for (run, condition), rows in outcomes.items():
        if (there := results.get((run, condition))) is not None:
            for value in values(_asked(condition, rows, there, environment, suite)):
                name = f"{value.metric}[{value.subset}]" if value.subset else value.metric
                found.setdefault((*run, condition.case, *strength(condition._asdict()), name), _told(value))
    return found


def _told(value: Value) -> Told:
    """The high end of a likelihood hangs on all probabilities; that of a spread is drawn, and so of NumPy's version."""
    low = None if value.metric == "recall_std" else value.ci_low
    high = None if value.metric in ("recall_std", "nll") else value.ci_high
    if value.metric == "confused" and not value.ci_method:
        low, high = None, None
    return Told(value.value, value.n, low, high)


def _asked(condition: Condition, rows: pd.DataFrame, there: pd.DataFrame, environment: Table, suite: Table) -> Asked:
    case = suite.get("case", {}).get(condition.case)
    classes = environment.get("classes", {}).get(condition.case) or environment["data"]["classes"]
    own, data = environment.get("groups", {}).get(condition.case), environment["data"]
    shared = data.get("superclasses", {}) if set(there["data"]) == {data["name"]} else {}
    kept = {name: [c for c in members if c in set(classes)] for name, members in (own or shared).items()}
    groups = {name: members for name, members in kept.items() if members}
    return Asked(condition, rows, there, case, classes, groups, bool(own))


def values(asked: Asked) -> Iterator[Value]:
    """What is told of the metrics that results.csv has of this strength."""
    wanted, result = set(asked.results["metric"]), _result(asked)
    ways = {
        "accuracy": _accuracy, "calibration": _calibration, "confusion": _confusion, "hierarchy": _hierarchy,
        "distance": _distance, "targetability": lambda result, _: targetability(result),
    }  # fmt: skip
    for name, way in ways.items():
        if wanted & {*yields("metrics", name).all_names} and len(asked.rows):
            yield from with_honest_intervals(name, way(result, asked), result)


def _result(asked: Asked) -> Recorded:
    rows = asked.rows
    aims = None if (rows["target"] == "").all() else _places(rows["target"], asked.classes)
    labels, said = (_places(rows[name], asked.classes) for name in ("label", "predicted"))
    ids, groups = rows["example"].to_numpy(), {name: tuple(members) for name, members in asked.groups.items()}
    return Recorded(tuple(asked.classes), ids, labels, np.empty((len(rows), 0)), groups, aims, said=said)


def _places(names: pd.Series, classes: Sequence[str]) -> np.ndarray:
    places = pd.Index(classes).get_indexer(pd.Index(names))
    if (places < 0).any():
        raise ReportError(f"outcomes.parquet: {names.iloc[int(np.argmin(places))]!r} is none of the classes")
    return places


def _accuracy(result: Recorded, asked: Asked) -> Iterator[Value]:
    right, near = result.predicted == result.labels, asked.rows["in_top5"].to_numpy()
    yield from shares(result, right, near)
    costs = by_image(result.ids, asked.rows["nll"].to_numpy(float))
    yield mean("nll", costs, 0, float(costs.max()), unit="nats")


def _calibration(result: Recorded, asked: Asked) -> Iterator[Value]:
    given = asked.given("calibration")
    bins = int((given or {}).get("bins", _BINS))
    found = [*by_confidence(asked.rows["confidence"].to_numpy(float), result.predicted == result.labels, bins)]
    groups = {value.subset for value in found if value.metric == "bin_accuracy"}
    of_bins = asked.results["metric"] == "bin_accuracy"
    if given is not None or groups == set(asked.results.loc[of_bins, "subset"]):
        yield from found


def _confusion(result: Recorded, asked: Asked) -> Iterator[Value]:
    """All that `confusion` gives; of a pair that it does not, the share, whose interval is exact (see `recording`)."""
    given = asked.given("confusion")
    yield from confusion(result, **{k: int(v) for k, v in (given or {}).items() if k == "pairs"})
    pairs = asked.results.loc[asked.results["metric"] == "confused", "subset"]
    for pair in pairs:
        label, _, other = pair.partition(" -> ")
        hits = asked.rows.loc[asked.rows["label"] == label, "predicted"] == other
        share = proportion("confused", hits.to_numpy(), pair)
        yield share if given is not None else share._replace(ci_method="")


def _hierarchy(result: Recorded, asked: Asked) -> Iterator[Value]:
    """The severity of a mistake hangs on the whole tree, of which the folder keeps the superclasses only."""
    if asked.groups:
        yield from (each for each in hierarchy(result) if not (asked.own and each.metric == "mistake_severity"))


def _distance(result: Recorded, asked: Asked) -> Iterator[Value]:
    if (norm := asked.condition.norm) not in _SIZES:
        return
    fell = fooled(result.predicted, result.labels, result.targets)
    sizes = np.where(fell, asked.rows[norm].to_numpy(), np.inf).astype(np.float32)
    limit, told = float(asked.rows["eps"].iloc[0]), (asked.results["metric"] == "top1_by_distance").sum()
    found = Recorded(
        result.classes, result.ids, result.labels, result.logits, targets=result.targets, distance=sizes, limit=limit,
        norm=norm, said=result.said,
    )  # fmt: skip
    points = (asked.given("minimal") or {}).get("points", max(int(told) - 1, 1))
    yield from distance(found, points=int(points))
