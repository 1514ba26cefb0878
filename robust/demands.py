"""What a case demands of its data: are the images, targets and groups there that it speaks of?"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from robust import targets
from robust.datasets import choice
from robust.datasets.dataset import Dataset
from robust.errors import DataError, SuiteError, suggest
from robust.schema import metrics
from robust.suite import Case, Suite
from robust.summaries.corruption_error import COMMON
from robust.trial import Answers, Trial

_SPLITS = {"structure": "train", "clusters": "train", "outliers": "train", "temperature": "validation"}
_FOUND = ("cluster_recall", "bin_accuracy", "bin_confidence")  # only the answers tell of which groups they speak


def check(suite: Suite, case: Case, data: Dataset, asked: Dataset) -> None:
    """Raise SuiteError or DataError, with file and line, for what the data has not and bounds nothing could meet.

    Args:
        suite, case: the case and the suite it stands in.
        data: what the case runs on. asked: the suite's, whose other splits measures ask for.
    """
    where = f"{suite.path}:{case.line}: " if suite.path else ""
    if case.images is not None and case.images > data.size("test"):
        raise SuiteError(f"{where}images = {case.images}: the test split of {data.name} has {data.size('test')}")
    try:
        if case.images is not None and case.balanced:
            choice.check_balanced(data.labels("test"), case.images, data.classes)
        if case.target is not None:
            targets.check(case.target, data.classes)
        _check_measures(case, data, asked)
        if case.expect:
            _check_bounds(case, data)
    except (SuiteError, DataError) as error:
        raise type(error)(f"{where}{error}") from None


def asks(cases: Iterable[Case], split: str) -> bool:
    """Does a case measure on this split of the data?"""
    return any(_SPLITS.get(measure.name) == split for case in cases for measure in case.measures)


def distinct(suite: Suite, data: Mapping[str, Dataset]) -> None:
    """Raise SuiteError where the sets of two cases differ and bear one name: tables tell data by its name."""
    seen: dict[str, tuple[str, str]] = {}
    for case, each in data.items():
        first, known = seen.setdefault(each.name, (case, each.content))
        if known != each.content:
            where = f"{suite.path}: " if suite.path else ""
            what = f"the data of case.{first} and of case.{case} differ, and both are called {each.name!r}"
            raise SuiteError(f"{where}{what}; rename one, as tables tell data by its name", "data")


def _check_measures(case: Case, data: Dataset, asked: Dataset) -> None:
    """Are the splits there that measures ask for, and has every class its place in the hierarchy?"""
    for measure in case.measures:
        if (split := _SPLITS.get(measure.name)) and split not in asked.sizes:
            what = f"{measure.name} asks for the split {split!r}, which {asked.name} has not"
            raise DataError(f"{what}; it has {', '.join(asked.sizes)}. Give it one, or leave the measure out")
        if measure.name == "hierarchy":
            next(iter(measure(_perfect(case, data))))


def _check_bounds(case: Case, data: Dataset) -> None:
    """Would a model that is always right give the values that are bounded, and could they ever meet the bounds?"""
    given = {(v.metric, v.group): v.unit for m in case.measures for v in m(_perfect(case, data))}
    given |= {("trust", ""): ""} if case.attacked else {}
    corruptions = [call.name for call in case.calls if call.kind == "corruptions"]
    given |= {("corruption_error", name): "proportion" for name in corruptions}
    given |= {("mean_corruption_error", ""): "proportion"} if {*corruptions} & {*COMMON} else {}
    units = {metric: unit for (metric, _), unit in given.items()}
    inspected = {metric for call in case.inspections for metric in metrics(call)}
    for key, bound in case.expect.items():
        metric, _, group = key.removesuffix("]").partition("[")
        known = (metric, group) in given or (metric in _FOUND and metric in units and group)
        pair = [] if known else group.split(" -> ")
        classes = {*data.classes} | ({*data.superclasses} if len(pair) < 2 else set())
        groups = [g for m, g in given if m == metric and g]
        if unknown := [part for part in pair if part and part not in classes]:
            others = [g for g in groups if g.partition(" -> ")[0] not in classes]  # an eps, say
            what, there_are = ("group", others) if others else ("class", data.classes)
            raise SuiteError(f"expect: there is no {what} {unknown[0]!r}{suggest(unknown[0], there_are)}")
        if not known and len(pair) != 2 and metric not in inspected:
            raise SuiteError(f"expect: {key!r} is not a value of this case; {_instead(metric, group, groups, data)}")
        if units.get(metric) == "proportion" and not bound.possible(0, 1):
            raise SuiteError(f"expect: {key} {bound.text}: a proportion lies in [0, 1]; 80 % is 0.80")


def _instead(metric: str, group: str, groups: list[str], data: Dataset) -> str:
    if groups:
        return f'say of which class: "{metric}[{groups[0]}]"'
    if group:
        return f"{metric} is one value, of all images"
    six = f"top-5 needs six classes, and {data.name} has {len(data.classes)}"
    return six if metric.startswith("top5") else "it gives none of this name"


def _perfect(case: Case, data: Dataset) -> Trial:
    """The trial of a model that is always right, on one image of each class."""
    labels = np.arange(len(data.classes))
    aims = None if case.target is None else np.roll(labels, 1)
    trial = Trial(data.classes, labels.astype(str), labels, np.eye(len(labels)), dict(data.superclasses), aims)
    features = labels[:, None].astype(float)
    trial = replace(trial, look=lambda: features, ask=lambda _: Answers(labels, trial.logits, features))
    if case.distance is None:
        return trial
    never, given = np.full(len(labels), np.inf, np.float32), case.distance.arguments
    return replace(trial, distance=never, limit=given["eps"], norm=given["norm"])
