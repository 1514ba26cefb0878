"""Which images of a prepared set are train, validation and test: disjoint ranges of its own splits."""

from collections.abc import Mapping

from tensorflow_datasets.core.splits import AbstractSplit

from robust.core.errors import DataError, suggest
from robust.core.types import Table

Range = tuple[str, int, int]  # a split, from and to


def divide(name: str, infos: Table, wanted: Mapping[str, str], test: str, mixed: bool = True) -> dict[str, list[Range]]:
    """The ranges of train, validation and test.

    `wanted`: what the suite specifies, as in "train[90%:]"; `test`: the default for test; `mixed`: are the
    images of a split in random order, so that the last tenth is like the others?

    What is not wanted excludes what is: train is the set's own train split without the images of
    the others, validation its own validation split or else, where its images are mixed, the last tenth of train.

    Raises DataError for a split that does not exist, and for two that share images.
    """
    given = {role: parse(name, infos, role, spec) for role, spec in {"test": test, **wanted}.items()}
    taken = [r for role, ranges in given.items() if role != "train" for r in ranges]
    found = {"test": given["test"]}
    train = given.get("train") or _without(_whole(infos, "train"), taken)
    validation = given.get("validation") or _without(_whole(infos, "validation"), [*taken, *given.get("train", [])])
    if not validation and mixed:
        train, validation = tenth_off(train)
    found |= {role: ranges for role, ranges in (("train", train), ("validation", validation)) if ranges}
    _check_apart(name, found)
    return found


def parse(name: str, infos: Table, role: str, spec: str) -> list[Range]:
    """The ranges of a spec such as "test[:1000]" or "train[:10%]+test"; raises DataError where there are none."""
    for part in spec.split("+"):
        split = part.strip().partition("[")[0]
        if split not in infos and split != "all":
            raise DataError(f"data set {name!r}: {role} = {spec!r}: no split {split!r}{suggest(split, infos)}")
    try:
        found = AbstractSplit.from_spec(spec).to_absolute(infos)  # type: ignore[arg-type]
    except (ValueError, AssertionError, NotImplementedError) as error:
        why = str(error).split("\n")[0]
        raise DataError(f'data set {name!r}: {role} = {spec!r}: {why}; write "test[:1000]" or "train[90%:]"') from None
    ends = [(r.splitname, r.from_ or 0, infos[r.splitname].num_examples if r.to is None else r.to) for r in found]
    ranges = [r for r in ends if r[1] < r[2]]
    if not ranges:
        raise DataError(f"data set {name!r}: {role} = {spec!r}: holds no image")
    return ranges


def text(ranges: list[Range]) -> str:
    """The spec for tensorflow-datasets.

    >>> text([("train", 0, 5), ("train", 7, 9)])
    'train[0:5]+train[7:9]'
    """
    return "+".join(f"{split}[{begin}:{end}]" for split, begin, end in ranges)


def size(ranges: list[Range]) -> int:
    """The number of images in them."""
    return sum(end - begin for _, begin, end in ranges)


def _whole(infos: Table, split: str) -> list[Range]:
    return [(split, 0, infos[split].num_examples)] if split in infos else []


def _without(ranges: list[Range], taken: list[Range]) -> list[Range]:
    for split, begin, end in taken:
        cut = [((s, a, min(b, begin)), (s, max(a, end), b)) if s == split else ((s, a, b),) for s, a, b in ranges]
        ranges = [r for parts in cut for r in parts if r[1] < r[2]]
    return ranges


def tenth_off(ranges: list[Range]) -> tuple[list[Range], list[Range]]:
    """All but the last tenth, and the last tenth, of a set that tensorflow-datasets shuffled when it prepared it."""
    missing, last = size(ranges) // 10, []
    for split, begin, end in reversed(ranges):
        cut = max(begin, end - missing)
        if cut < end:
            last.insert(0, (split, cut, end))
        missing -= end - cut
    return _without(ranges, last), last


def _check_apart(name: str, found: Mapping[str, list[Range]]) -> None:
    roles = list(found)
    for i, one in enumerate(roles):
        for other in roles[i + 1 :]:
            remaining = _without(found[other], found[one])
            if (shared := size(found[other]) - size(remaining)) > 0:
                what = f"{one} ({text(found[one])}) and {other} ({text(found[other])}) share {shared} images"
                raise DataError(f"data set {name!r}: {what}; choose {other} elsewhere")
