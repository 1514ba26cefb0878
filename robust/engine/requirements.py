"""What a case requires of its data: are the images, targets and groups that it names there?"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from robust.attacks import targets
from robust.core.catalogue import common_corruptions
from robust.core.declared import SPLITS, Metric, yields
from robust.core.errors import DataError, SuiteError, located, suggest
from robust.core.signature import Call
from robust.core.types import radius
from robust.datasets import choice
from robust.datasets.dataset import Dataset
from robust.datasets.taxonomy import trees
from robust.suite import Case, Suite

_FIVE = 5  # with five classes every label is in the top 5


def check(suite: Suite, case: Case, data: Dataset, suite_data: Dataset) -> None:
    """Raise SuiteError or DataError, with file and line, for missing data and for bounds that no value could meet.

    Args:
        suite, case: the case and its suite.
        data: the data of the case. suite_data: the suite's, whose other splits metrics may need.
    """
    with located(suite.path, case.line):
        if case.max_images is not None and case.max_images > (size := data.size("test")):
            raise SuiteError(f"max_images = {case.max_images}: the test split of {data.name} has {size}")
        if case.max_images is not None and case.balanced:
            choice.check_balanced(data.labels("test"), case.max_images, data.classes)
        if case.target is not None:
            targets.check(case.target, data.classes)
        check_metrics(case, data, suite_data)
        if case.expect:
            check_bounds(case, data)


def needs_split(cases: Iterable[Case], split: str) -> bool:
    """Does a metric of a case need this split of the data?"""
    return any(split in declared(call).needs for case in cases for call in case.metrics)


def distinct(suite: Suite, data: Mapping[str, Dataset]) -> None:
    """Raise SuiteError where the data of two cases differ but have the same name: tables identify data by its name."""
    seen: dict[str, tuple[str, str]] = {}
    for case, each in data.items():
        first, known = seen.setdefault(each.name, (case, each.content))
        if known != each.content:
            where = f"{suite.path}: " if suite.path else ""
            what = f"the data of case.{first} and of case.{case} differ, and both are called {each.name!r}"
            raise SuiteError(f"{where}{what}; rename one, as tables identify data by its name", "data")


def check_metrics(case: Case, data: Dataset, suite_data: Dataset) -> None:
    """Does the data have the splits that metrics need, and is every class in the hierarchy?"""
    for call in case.metrics:
        needs = declared(call).needs
        for split in (each for each in SPLITS if each in needs and each not in suite_data.sizes):
            what = f"{call.name} needs the split {split!r}, which {suite_data.name} does not have"
            raise DataError(f"{what}; it has {', '.join(suite_data.sizes)}. Add the split, or leave the metric out")
        if "superclasses" in needs:
            tree, level = (call.arguments.get(key) for key in ("tree", "level"))
            trees.superclasses(tree, trees.above(tree, data.superclasses, data.classes), data.classes, level)


def check_bounds(case: Case, data: Dataset) -> None:
    """Does the case yield the values that are bounded, and can they meet the bounds?"""
    calls = (*case.metrics, *case.profile)
    given = {name: (about, call) for call in calls for about in [declared(call)] for name in about.all_names}
    given |= {name: (about, None) for about in further_values(case) for name in about.all_names}
    for key, bound in case.expect.items():
        metric, _, subset = key.removesuffix("]").partition("[")
        about, call = given.get(metric, (Metric(), None))
        if not is_given(about, metric, case, data):
            why = _absent(about.only_if.get(metric, ""), data)
            raise SuiteError(f"expect: {key!r} is not a value of this case; {why}")
        if not (subset and known_after_a_run(about, metric, call)):
            check_subset(metric, subset, with_radii(about, metric, call, case), data)
        if metric in about.shares and not bound.possible(0, 1):
            raise SuiteError(f"expect: {key} {bound.text}: a proportion is in [0, 1]; 80 % is 0.80")


def declared(call: Call) -> Metric:
    """What a metric or a profile of a case yields."""
    return yields(call.kind, call.name)


def further_values(case: Case) -> Iterator[Metric]:
    """The values of a case besides its metrics: of the checks of its attack, and over several corruptions."""
    yield Metric(("reliability",))
    corruptions = tuple(dict.fromkeys(call.name for call in case.calls if call.kind == "corruptions"))
    mean = ("mean_corruption_error",) if {*corruptions} & {*common_corruptions()} else ()
    yield Metric(mean, subsets={"corruption_error": corruptions}, shares=("corruption_error", *mean))


def known_after_a_run(about: Metric, metric: str, call: Call | None) -> bool:
    """Are the subsets of the metric known only after a run? So are superclasses of a tree given to the metric."""
    own = call is not None and call.arguments.get("tree") is not None
    return metric in about.dynamic or (own and metric in about.per_superclass)


def with_radii(about: Metric, metric: str, call: Call | None, case: Case) -> Metric:
    """The same, with the radii of a metric among its subsets."""
    if metric not in about.radii or call is None or case.minimal is None:
        return about
    steps, given = call.arguments[about.radii[metric]], case.minimal.arguments
    radii = [radius(given["eps"] * step / steps, given.get("norm", "linf")) for step in range(steps + 1)]
    return replace(about, subsets={**about.subsets, metric: tuple(radii)})


def is_given(about: Metric, metric: str, case: Case, data: Dataset) -> bool:
    """Does the case have what the value needs?"""
    there = {"six classes": len(data.classes) > _FIVE, "target": case.target is not None, "attack": case.attacked}
    return metric in about.all_names and there.get(about.only_if.get(metric, ""), True)


def _absent(what: str, data: Dataset) -> str:
    why = {"six classes": f"top-5 needs six classes, and {data.name} has {len(data.classes)}"}
    return why.get(what, f"it has no {what}" if what else "it yields none of this name")


def check_subset(metric: str, subset: str, about: Metric, data: Dataset) -> None:
    """Raise SuiteError where the metric has no value for the subset, or where none is named, for all images."""
    there_are = about.of(metric, data.classes, data.superclasses)
    is_pair, pair = metric in about.per_pair, " -> ".join(data.classes[:2])
    if subset in there_are or (not subset and metric in about.names):
        return
    if not subset:
        some = there_are[0] if there_are else pair if is_pair else "..."
        raise SuiteError(f'expect: {metric!r} is not a value of this case; name the class: "{metric}[{some}]"')
    if is_pair:
        check_pair(subset, data)
    elif there_are:
        what = "class" if metric in about.per_class else "group"
        raise SuiteError(f"expect: there is no {what} {subset!r}{suggest(subset, there_are)}")
    else:
        why = f"{metric} is one value, of all images"
        raise SuiteError(f"expect: '{metric}[{subset}]' is not a value of this case; {why}")


def check_pair(pair: str, data: Dataset) -> None:
    """Raise SuiteError unless it is "label -> other class"."""
    parts = pair.split(" -> ")
    if unknown := [part for part in parts if part not in data.classes]:
        raise SuiteError(f"expect: there is no class {unknown[0]!r}{suggest(unknown[0], data.classes)}")
    if len(parts) != 2:
        raise SuiteError(f"expect: {pair!r} is not a pair of classes, as in {' -> '.join(data.classes[:2])!r}")
