"""Which metrics fit a case: a search for distances and an attack on all pairs of classes have their own."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from robust.core.declared import yields
from robust.core.errors import DataError, SuiteError
from robust.core.remedies import setting
from robust.core.signature import Call
from robust.core.types import ALL
from robust.datasets.taxonomy import trees, wordnet
from robust.suite.paths import resolve_path


def default(key: str | None, target: object) -> list[str]:
    """The default metrics of a case.

    >>> default("attack", None), default("minimal", None), default("minimal", "all")
    (['accuracy'], ['distance'], ['distance', 'targetability'])
    """
    own = ["distance"] if key == "minimal" else []
    pairs = ["targetability"] if target == ALL else []
    return own + pairs or ["accuracy"]


def check(metrics: Iterable[Call], key: str | None, target: object) -> None:
    """Raise SuiteError for a metric that is meaningless or misleading in this case.

    Args:
        metrics: of the case. key: "attack", "corruption", "minimal" or None. target: of the attack or the search.
    """
    for name, needs in ((call.name, yields("metrics", call.name).needs) for call in metrics):
        if "minimal" in needs and key != "minimal":
            write = setting("minimal", {"name": "fab", "eps": "16/255"})
            raise SuiteError(f"metrics: {name} needs a minimal-distance search; write {write}", "metrics")
        if "target" in needs and target is None:
            raise SuiteError(f"metrics: {name} needs a target; write {setting('target', 'all')} next to eps", "metrics")
        if target == ALL and not {"minimal", "target"} & {*needs}:
            many = "would count every image once for each target class"
            raise SuiteError(f"metrics: with {setting('target', ALL)} {name} {many}; use targetability", "metrics")


def check_baseline(metrics: Iterable[Call], baseline: str | None) -> None:
    """Raise SuiteError where errors are to be compared with those of a model, and no metric computes them."""
    if baseline and "accuracy" not in {call.name for call in metrics}:
        raise SuiteError('baseline: compares errors, which accuracy counts; add "accuracy" to metrics', "metrics")


def check_outside(metrics: Iterable[Call], given: bool) -> None:
    """Raise SuiteError where OOD images are given and no metric uses them, or the reverse.

    Args:
        metrics: of the case. given: does it name OOD images?
    """
    wanted = [call.name for call in metrics if "ood" in yields("metrics", call.name).needs]
    if wanted and not given:
        name_some = setting("ood", {"name": "digits"})
        raise SuiteError(f"metrics: {wanted[0]} needs images of no class: {name_some}", "metrics")
    if given and not wanted:
        raise SuiteError('ood: no metric uses these images; add "outliers" to metrics', "ood")


def with_tree_read(call: Call, folder: Path) -> Call:
    """The call with the hierarchy read from a file next to the suite, so that its content counts, not its name.

    Raises SuiteError where there is no such file, or it cannot be read.
    """
    name = call.arguments.get("tree")
    if call.kind != "metrics" or not isinstance(name, str) or wordnet.named(name):
        return call
    if (path := resolve_path(folder, name)) is None:
        raise SuiteError(f"tree = {name!r}: is neither in {folder} nor in {Path.cwd()}", "metrics")
    try:
        return replace(call, arguments={**call.arguments, "tree": trees.read(path)})
    except DataError as error:
        raise SuiteError(str(error), "metrics") from None
