"""The 1,000 classes of ImageNet: their WordNet ids, their names, and their 50 coarse groups."""

import csv
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from robust.core.errors import DataError, suggest

_FILE = Path(__file__).parents[1] / "data/imagenet.csv"


class Label(NamedTuple):
    """One class.

    name: unique; lemma: WordNet's own first word for it, which two classes may share.
    group: one of 50, as "dog" or "fruit"; the grouping is this project's own.
    """

    wnid: str
    name: str
    lemma: str
    group: str


@functools.cache
def labels() -> tuple[Label, ...]:
    """All classes, in the order of a network's outputs: that of their WordNet ids.

    >>> labels()[388]
    Label(wnid='n02510455', name='giant panda', lemma='giant panda', group='other mammal')

    Russakovsky et al., ImageNet large scale visual recognition challenge, IJCV 115, 2015.
    """
    with _FILE.open(newline="", encoding="utf-8") as file:
        return tuple(Label(**row) for row in csv.DictReader(file))


def names() -> tuple[str, ...]:
    """The names of all classes, in the order of a network's outputs."""
    return tuple(label.name for label in labels())


def readable(classes: Sequence[str]) -> tuple[str, ...]:
    """The names of classes that are all given by their WordNet ids; others are unchanged.

    >>> readable(["n01440764", "n01443537"]), readable(["n01440764", "cat"])
    (('tench', 'goldfish'), ('n01440764', 'cat'))
    """
    known = {label.wnid: label.name for label in labels()}
    return tuple(known[name] for name in classes) if all(name in known for name in classes) else tuple(classes)


def index(word: str) -> int:
    """The index of the class that a word denotes: by its name, lemma, WordNet id, or the index itself.

    >>> index("gibbon"), index("n02483362"), index("368")
    (368, 368, 368)

    Raises DataError where there is no such class, with a suggestion, and where there are two.
    """
    for what in ("name", "wnid", "lemma"):
        found = [i for i, label in enumerate(labels()) if getattr(label, what).casefold() == word.casefold()]
        if len(found) > 1:
            raise DataError(f"{word!r} is {' or '.join(labels()[i].name for i in found)}; specify which")
        if found:
            return found[0]
    if word.isdecimal() and int(word) < len(labels()):
        return int(word)
    raise DataError(f"ImageNet has no class {word!r}{suggest(word, [*names(), *(each.lemma for each in labels())])}")


def wnids(classes: Sequence[str]) -> list[str]:
    """The WordNet ids of classes that are named, or that are ids themselves.

    Raises DataError for anything but a class of ImageNet.
    """
    known = {key: label.wnid for label in labels() for key in (label.name, label.wnid)}
    for name in classes:
        if name not in known:
            raise DataError(f"ImageNet has no class {name!r}, so it is not in WordNet's tree")
    return [known[name] for name in classes]


def groups(classes: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Group -> those of its classes that are among `classes`; empty where one of these is no class of ImageNet.

    classes: names or WordNet ids, all 1,000 or some.

    >>> groups(["tench", "goldfish", "hen"])
    {'fish': ('tench', 'goldfish'), 'bird': ('hen',)}
    """
    own = {key: label.group for label in labels() for key in (label.name, label.wnid)}
    found: dict[str, tuple[str, ...]] = {}
    for name in classes:
        if name not in own:
            return {}
        found[own[name]] = (*found.get(own[name], ()), name)
    return found
