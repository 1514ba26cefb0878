"""How a folder of images is laid out: its splits, its classes and their files.

A folder holds the folders of the classes, and then all images are test; or it holds folders of splits that hold these.
Splits are known by their usual names (`split_of`). Where several possible classes hold the same folders, or one holds
only folders, splits and classes cannot be distinguished: that is an error with a remedy, unless they hold at least as
many images themselves as folders. The folder of a class may be empty: it is a class without images, as in Keras.
What is skipped is defined in `robust.datasets.folder_walk`.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from robust.core.errors import DataError
from robust.core.remedies import setting
from robust.datasets.dataset import SPLITS
from robust.datasets.folder_walk import OTHER, Walk, class_name, is_image, names

_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "validate", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation"), "test"),
}
"""The names of splits in datasets of Hugging Face, and a few similar ones."""
_AROUND = {"set", "sets", "data", "dataset", "split", "images", "image", "imgs", "img", "photos", "seg", "the", "my"}
_USUAL = {"train", "training", "validation", "valid", "val", "test", "testing"}
LOOSE, BESIDE = "images in the folder of no class", "folders next to the splits"


class Row(NamedTuple):
    """One image: its split, its file and the name of its class."""

    split: str
    file: Path
    label: str


class Found(NamedTuple):
    """The images of a folder, the names of its classes, and remarks on it."""

    rows: list[Row]
    classes: set[str]
    notes: tuple[str, ...]


def split_of(name: str) -> str | None:
    """The split that a folder's name denotes, in any case; None for another name.

    >>> [split_of(name) for name in ("Train", "valid", "test_set", "seg_train", "ValData", "val2017", "cat")]
    ['train', 'validation', 'test', 'train', 'validation', 'validation', None]
    """
    words = re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![a-z])", name)
    kept = [_bare(word.lower()) for word in words if word.lower() not in _AROUND]
    return _WORDS.get(kept[0]) if len(kept) == 1 else None


def _bare(word: str) -> str:
    """As "trainset" and "traindata" mean "train"."""
    return next((bare for end in ("set", "data") if (bare := word.removesuffix(end)) in _WORDS), word)


def found(root: Path, classes: Sequence[str] | None = None) -> Found:
    """The contents of a folder: root/class/file, or root/split/class/file.

    classes: the names that the user gave, if any; folders of these names are classes, whatever they hold.

    Raises DataError where splits and classes cannot be distinguished, where there are no images, and for
    whatever `Walk` does not accept.
    """
    walk, given = Walk(root), {class_name(each) for each in classes or ()}
    rows, there, notes = [], set[str](), []
    splits = _splits(walk, root, given)
    for split, place in splits.items():
        inner = walk.folders(place)
        check_classes(walk, place, inner, given)
        rows += [Row(split, file, class_name(each.name)) for each in inner for file in walk.images(each)]
        there |= distinct(inner)
        pass_loose(walk, place)
        notes += _nested(walk, inner)
    if any(place != root for place in splits.values()):
        pass_loose(walk, root)
    if not rows:
        loose = next((note for note in walk.notes if LOOSE in note), "")
        what = f"no images{loose and f' in the folder of a class; {loose}'}"
        raise DataError(f'folder {str(root)!r}: {what}; allowed: a folder for each class, or labels = "labels.csv"')
    notes += [*unusual(splits, root), *_bare_of_images(splits, rows), *_empty(there, rows), *walk.notes]
    return Found(rows, there, tuple(dict.fromkeys(notes)))


def _splits(walk: Walk, root: Path, given: Collection[str]) -> dict[str, Path]:
    """The folder of each split; where there are none, all images are test."""
    inner = walk.folders(root)
    named = [each for each in inner if split_of(each.name)]
    holding = [each for each in named if walk.folders(each)]
    if not holding or are(inner, given):
        return {"test": root}
    if others := [each for each in inner if each not in named]:
        check_other_folders(walk, root, holding, others)
    splits: dict[str, Path] = {}
    for each in named:
        if (split := split_of(each.name) or "") in splits:
            both = f"{splits[split].name!r} and {each.name!r}"
            raise DataError(f"folder {str(root)!r}: {both} both mean {split}; move one elsewhere, or rename it")
        splits[split] = each
    return {split: inmost(walk, splits[split]) for split in SPLITS if split in splits}


def are(inner: Sequence[Path], given: Collection[str]) -> bool:
    """Are all folders classes that the user named?"""
    return bool(given) and {class_name(each.name) for each in inner} <= set(given)


def check_other_folders(walk: Walk, root: Path, holding: list[Path], others: list[Path]) -> None:
    """Skip folders next to splits, where the splits are certain and these are none; else raise DataError."""
    inside = {each: {one.name for one in walk.folders(inmost(walk, each))} for each in (*holding, *others)}
    known = set.union(*(inside[each] for each in holding))
    alike = any(inside[one] & inside[other] for one in holding for other in holding if one != other)
    if alike and not any(inside[each] & known for each in others):
        return walk.pass_by(BESIDE, others)
    splits, others_named = names([each.name for each in holding]), names([each.name for each in others])
    seen = f"{splits} hold{'s' if len(holding) == 1 else ''} folders as a split does, next to {others_named}"
    raise DataError(f"folder {str(root)!r}: {seen}: {_remedy(walk.folders(root))}")


def inmost(walk: Walk, place: Path) -> Path:
    """The folder of the classes, where a split's folder holds only one folder of the same split, as in archives."""
    split = split_of(place.name)
    while len(inner := walk.folders(place)) == 1 and split_of(inner[0].name) == split and walk.folders(inner[0]):
        place = inner[0]
    return place


def check_classes(walk: Walk, place: Path, inner: list[Path], given: Collection[str]) -> None:
    """Raise DataError where possible classes hold the same folders, or the only one holds just folders."""
    if are(inner, given):
        return
    first: dict[str, Path] = {}
    for each in [each for each in inner if not is_class(walk, each)]:
        for one in walk.folders(each):
            if (other := first.setdefault(one.name, each)) != each:
                both = names([n for n in sorted(first) if (each / n).is_dir() and (other / n).is_dir()])
                seen = f"{other.name!r} and {each.name!r} hold the same folders, {both}"
                raise DataError(f"folder {str(place)!r}: {seen}: {_turned(one, each) or _remedy(inner)}")
    if len(inner) == 1 and (inside := walk.folders(inner[0])) and not walk.own_images(inner[0]):
        seen = f"{inner[0].name!r} is the only folder and holds folders, {names([each.name for each in inside])}"
        raise DataError(f"folder {str(place)!r}: {seen}, and no images itself: {_remedy(inner)}")


def is_class(walk: Walk, place: Path) -> bool:
    """Does a folder hold images itself, and no fewer than folders, unlike the folder of a split?"""
    return len(walk.own_images(place)) >= max(len(walk.folders(place)), 1)


def _turned(inside: Path, of_class: Path) -> str:
    """The remedy for splits inside of classes; "" where there are none."""
    if split_of(inside.name) is None:
        return ""
    turned = f"{inside.name}/{of_class.name}/ instead of {of_class.name}/{inside.name}/"
    return f"splits contain classes, not the reverse: {turned}; or write a table with the columns file, label, split"


def _remedy(inner: Sequence[Path]) -> str:
    return (
        "are they splits? then name them train, validation and test, with nothing else next to them, or give one "
        f"alone, as {str(inner[0]) + '/'!r}; are they classes? then give their names, "
        f"{setting('classes', [each.name for each in inner])}"
    )


def distinct(inner: Sequence[Path]) -> set[str]:
    """The names of the classes; raises DataError where two differ only in spaces or Unicode composition."""
    first: dict[str, Path] = {}
    for each in inner:
        if (other := first.setdefault(class_name(each.name), each)) != each:
            both = f"{other.name!a} and {each.name!a}"
            raise DataError(f"folder {str(each.parent)!r}: {both} differ only in spaces or coded accents; rename one")
    return set(first)


def pass_loose(walk: Walk, place: Path) -> None:
    """Count the files next to the folders of the classes or splits."""
    files = [entry.path for entry in walk.entries(place) if not entry.is_folder]
    walk.pass_by(LOOSE, filter(is_image, files))
    walk.pass_by(OTHER, (path for path in files if not is_image(path)))


def _nested(walk: Walk, inner: Sequence[Path]) -> list[str]:
    deep = [each.name for each in inner if walk.folders(each)]
    return [f"classes that hold folders, whose images are included: {names(deep)}"] if deep else []


def _bare_of_images(splits: Collection[str], rows: Sequence[Row]) -> list[str]:
    lacking = [split for split in splits if split not in {row.split for row in rows}]
    return [f"splits without images in folders of classes: {names(lacking)}"] if lacking else []


def _empty(there: Collection[str], rows: Sequence[Row]) -> list[str]:
    empty = sorted(set(there) - {row.label for row in rows})
    return [f"classes without images, as their folders are empty: {names(empty)}"] if empty else []


def unusual(splits: dict[str, Path], root: Path) -> list[str]:
    """Which folder was used as which split, where that is not obvious."""
    odd = [(place.relative_to(root), split) for split, place in splits.items() if place != root]
    used = [f"{str(place)!r} for {split}" for place, split in odd if str(place).lower() not in _USUAL]
    return [f"taken as splits by their names: {', '.join(used)}"] if used else []
