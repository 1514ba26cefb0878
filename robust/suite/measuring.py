"""Which measures fit a case: a search for distances and an attack on all pairs of classes have their own."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from robust import catalog, trees, wordnet
from robust.errors import DataError, SuiteError
from robust.interface import setting
from robust.quantities import ALL
from robust.schema import Call
from robust.suite.beside import beside

_OF_IMAGES = (
    "accuracy", "confusion", "hierarchy", "structure", "clusters", "calibration", "temperature", "outliers",
)  # fmt: skip


def default(key: str | None, target: Any) -> list[str]:
    """What is measured of a case that does not say it.

    >>> default("attack", None), default("distance", None), default("distance", "all")
    (['accuracy'], ['distance'], ['distance', 'targetability'])
    """
    own = ["distance"] if key == "distance" else []
    pairs = ["targetability"] if target == ALL else []
    return own + pairs or ["accuracy"]


def check(measures: Iterable[Call], key: str | None, target: Any) -> None:
    """Raise SuiteError for a measure that would say nothing of this case, or something else than it seems to.

    Args:
        measures: of the case. key: "attack", "corrupt", "distance" or None. target: of the attack or the search.
    """
    for name in (call.name for call in measures):
        if name == "distance" and key != "distance":
            write = setting("distance", {"name": "fab", "eps": "16/255"})
            raise SuiteError(f"measure: distance needs a case that looks for it; write {write}", "measure")
        if name == "targetability" and target is None:
            raise SuiteError(
                f"measure: targetability needs a target; write {setting('target', 'all')} beside eps", "measure"
            )
        if name in _OF_IMAGES and target == ALL:
            many = "would count every image once for each class it is sent to"
            raise SuiteError(f"measure: with {setting('target', ALL)} {name} {many}; measure targetability", "measure")


def check_baseline(measures: Iterable[Call], baseline: str | None) -> None:
    """Raise SuiteError where errors are to be compared with those of a model, and nobody counts them."""
    if baseline and "accuracy" not in {call.name for call in measures}:
        raise SuiteError('baseline: compares errors, which accuracy counts; add "accuracy" to measure', "measure")


def check_outside(measures: Iterable[Call], given: bool) -> None:
    """Raise SuiteError where images from outside are given and nobody looks at them, or the other way round.

    Args:
        measures: of the case. given: does it name images of no class?
    """
    wanted = "outliers" in {call.name for call in measures}
    if wanted and not given:
        name_some = setting("outside", {"name": "digits"})
        raise SuiteError(f"measure: outliers needs images of no class: {name_some}", "measure")
    if given and not wanted and not any(catalog.is_foreign(call.name) for call in measures):
        raise SuiteError('outside: nothing looks at these images; add "outliers" to measure', "outside")


def planted(call: Call, folder: Path) -> Call:
    """The call with the hierarchy that stands in a file beside the suite, so that what is in it counts, not its name.

    Raises SuiteError where there is no such file, or it cannot be read.
    """
    name = call.arguments.get("tree")
    if call.kind != "measures" or not isinstance(name, str) or wordnet.named(name):
        return call
    if (path := beside(folder, name)) is None:
        raise SuiteError(f"tree = {name!r}: is neither in {folder} nor in {Path.cwd()}", "measure")
    try:
        return replace(call, arguments={**call.arguments, "tree": trees.read(path)})
    except DataError as error:
        raise SuiteError(str(error), "measure") from None
