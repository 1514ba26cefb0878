"""Groups of classes that belong to a data set, found by the names of its classes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from robust.datasets.taxonomy import imagenet

_FILE = Path(__file__).parents[1] / "data/superclasses.json"


def of(classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Superclass -> its classes, for the sets that have some; sets of the same classes share them.

    Fashion-MNIST by where a piece is worn, CIFAR-10 by animal and vehicle, ImageNet and sets with some of
    its classes by 50 coarse groups.

    >>> list(of(("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")))
    ['animal', 'vehicle']
    """
    for groups in json.loads(_FILE.read_text("utf-8")).values():
        if {name for members in groups.values() for name in members} == set(classes):
            return {group: tuple(members) for group, members in groups.items()}
    return imagenet.groups(classes)


def are_own(groups: Mapping[str, Sequence[str]], classes: Sequence[str]) -> bool:
    """Are these superclasses the data's own, rather than derived from the names of its classes?

    >>> are_own({"pet": ("cat", "dog")}, ("cat", "dog")), are_own({}, ("cat", "dog"))
    (True, False)
    """
    return bool(groups) and groups != of(classes)
