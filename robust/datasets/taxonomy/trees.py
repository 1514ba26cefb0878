"""Hierarchies of classes: groups, groups of groups, and the distance between two classes in them."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from robust.core import files, toml
from robust.core.errors import DataError, place, suggest
from robust.core.types import NewTable, Table
from robust.datasets.taxonomy import imagenet, wordnet

Tree = Table
"""A table of groups; a group is a table of groups or a list of classes."""


def read(path: Path) -> NewTable:
    """The tree in a .toml file (nested tables, lists of classes) or a .csv file.

    A line of the latter has a class and then its groups, the nearest first; it has no header.

    Raises DataError for a missing file, and for one that cannot be read.
    """
    try:
        if path.suffix == ".toml":
            return toml.loads(files.text(path))
        lines = csv.reader(io.StringIO(files.text(path)), strict=True)
        rows = [(lines.line_num, [word.strip() for word in row if word.strip()]) for row in lines]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a hierarchy ({error}); it must be .toml or .csv") from None
    tree: NewTable = {}
    for number, row in rows:
        if row:
            _place(tree, row, place(path, number))
    return tree


def _place(tree: NewTable, row: list[str], where: str) -> None:
    name, *groups = row
    if len(groups) > toml.PARTS:
        raise DataError(f"{where}: {name[:50]!r} has {len(groups):,} groups above it; at most {toml.PARTS}")
    if not groups:
        raise DataError(f"{where}: {name!r} has no group; write class,group or class,group,larger group")
    *upper, nearest = groups[::-1]
    for group in upper:
        tree = tree.setdefault(group, {}) if isinstance(tree, dict) else tree
    if not isinstance(tree, dict) or not isinstance(tree.setdefault(nearest, []), list):
        raise DataError(f"{where}: {nearest!r} holds groups and classes; put its classes into a group of their own")
    tree[nearest].append(name)


def above(tree: Tree | str | None, superclasses: Tree, classes: Sequence[str]) -> list[tuple[str, ...]]:
    """`paths` in what a suite names as a tree: a table, a file, "wordnet", or None for the data's superclasses.

    WordNet applies to the classes of ImageNet. Raises DataError as `paths`, `read` and
    `robust.datasets.taxonomy.wordnet` do.
    """
    if wordnet.named(tree):
        return below_the_root(wordnet.paths(imagenet.wnids(classes), wordnet.file(str(tree))))
    given = read(Path(tree)) if isinstance(tree, str) else tree
    return paths(given or superclasses, classes)


def paths(tree: Tree, classes: Sequence[str]) -> list[tuple[str, ...]]:
    """The groups of each class, from the largest to the nearest, in the order of the classes.

    A group that holds all classes, such as the root of a tree, is omitted where there are others below it.

    A tree may hold more classes than the data, such as all thousand of ImageNet for data with some of them.

    Raises DataError where a class is in no group or in two, or where there are no groups.

    >>> paths({"animal": {"pet": ["cat"]}, "vehicle": ["car"]}, ["car", "cat"])
    [('vehicle',), ('animal', 'pet')]
    """
    if not tree:
        raise DataError('hierarchy: the data has no superclasses; write tree = { group = ["class", ...] } or a file')
    found: dict[str, tuple[str, ...]] = {}
    for name, path in _leaves(tree, ()):
        if name in found:
            raise DataError(f"hierarchy: {name!r} is both in {found[name][-1]!r} and in {path[-1]!r}")
        found[name] = path
    if missing := [name for name in classes if name not in found]:
        for name in (name for name in found if name not in set(classes)):
            if "did you mean" in (meant := suggest(name, missing)):
                raise DataError(f"hierarchy: there is no class {name!r}{meant}")
        raise DataError(f"hierarchy: {missing[0]!r} is in no group; in all, {len(missing)} of {len(classes)} classes")
    return below_the_root([found[name] for name in classes])


def superclasses(
    tree: Tree | str | None, paths: Sequence[tuple[str, ...]], classes: Sequence[str], level: int | None = None
) -> list[str]:
    """The superclass of each class: the group that contains it at this level; see `above` for the other arguments.

    level: 1 is the largest groups, with which `above` begins; a class with fewer levels has its nearest group. None: 1,
        but for WordNet, whose largest group holds 997 of ImageNet's 1,000 classes, the 50 groups of
        `robust.datasets.taxonomy.imagenet`, or 1 where all classes are in a single one of them.

    Groups of the same name in several larger ones are prefixed with these. Raises DataError for an unknown level.

    >>> own = {"animal": {"pet": ["cat"], "wild": ["deer"]}, "vehicle": ["car"]}
    >>> superclasses(own, paths(own, ["cat", "deer", "car"]), ["cat", "deer", "car"], level=2)
    ['pet', 'wild', 'vehicle']
    """
    if level is None and wordnet.named(tree) and len(groups := imagenet.groups(classes)) > 1:
        own = {name: group for group, names in groups.items() for name in names}
        return [own[name] for name in classes]
    at, deepest = 1 if level is None else level, max(map(len, paths))
    if not 1 <= at <= deepest:
        raise DataError(f"hierarchy: level = {level}: there are {deepest}, and 1 is that of the largest groups")
    places = [path[:at] for path in paths]
    shared = Counter(place[-1] for place in {*places})
    return [place[-1] if shared[place[-1]] == 1 else " / ".join(place) for place in places]


def below_the_root(paths: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Without the groups that hold every class, except the nearest: they distinguish no classes."""
    while min(map(len, paths)) > 1 and len({path[0] for path in paths}) == 1:
        paths = [path[1:] for path in paths]
    return paths


def _leaves(tree: object, path: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(tree, Mapping):
        for name, inner in tree.items():
            yield from _leaves(inner, (*path, str(name)))
    elif isinstance(tree, list | tuple) and all(isinstance(name, str) for name in tree) and path:
        yield from ((name, path) for name in tree)
    else:
        raise DataError(f"hierarchy: {tree!r} must be a table of groups, or a list of names of classes")


def severities(paths: Sequence[tuple[str, ...]], labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The height of the lowest common ancestor of each pair of classes, float64 [n]; 0 of a class and itself.

    >>> severities([("a", "b"), ("a", "b"), ("c",)], np.array([0, 0]), np.array([1, 2]))
    array([1., 3.])
    """
    heights: dict[tuple[str, ...], int] = {}
    for path in paths:
        for depth in range(len(path) + 1):
            heights[path[:depth]] = max(heights.get(path[:depth], 0), len(path) - depth + 1)
    pairs, places = np.unique(np.stack([labels, predicted], axis=1), axis=0, return_inverse=True)
    found = [0 if i == j else heights[_shared(paths[i], paths[j])] for i, j in pairs]
    return np.array(found, np.float64)[places.reshape(-1)]


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    depth = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:depth]
