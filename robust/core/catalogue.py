"""What all members of the package declare together: read once, from source, without importing TensorFlow."""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from robust.core import registry
from robust.core.declared import ACCESS, Metric, of_attack, of_corruption, yields


@functools.cache
def declared() -> tuple[Metric, ...]:
    """The declarations of all metrics, then of all profiles, in the order of their names."""
    return tuple(yields(kind, name) for kind in ("metrics", "profile") for name in registry.names(kind))


def mapping(keyword: Literal["paired", "units", "extreme_of"]) -> dict[str, str]:
    """A keyword of `@metric` and `@profile` that is a mapping, of all members together.

    >>> mapping("paired")["top1"], mapping("units")["nll"], mapping("extreme_of")["worst_class"]
    ('higher', 'nats', 'recall')
    """
    return {key: value for each in declared() for key, value in getattr(each, keyword).items()}


def names(keyword: Literal["shares", "spread"]) -> set[str]:
    """A keyword of `@metric` and `@profile` that lists names, of all members together.

    >>> "top1" in names("shares"), "nll" in names("shares"), "top5" in names("spread")
    (True, False, False)
    """
    return {key for each in declared() for key in getattr(each, keyword)}


def headings(table: str) -> dict[str, str]:
    """The metrics and profiles that a table of the page shows -> their column headings.

    >>> list(headings("calibration"))[-2:]
    ['ece_scaled', 'ece_adaptive_scaled']
    """
    return {key: head for each in declared() if each.table == table for key, head in each.headings.items()}


def black_box() -> list[str]:
    """The attacks that need no gradients of the model, those that use most information first.

    >>> "square" in black_box(), "pgd" in black_box()
    (True, False)
    """
    access = {name: ACCESS.index(of_attack(name).access) for name in registry.names("attacks")}
    return sorted((name for name, uses in access.items() if uses), key=lambda name: access[name])


@functools.cache
def common_corruptions() -> Mapping[str, float]:
    """The corruptions over which the mean corruption error is taken -> AlexNet's error, in the order of the paper.

    >>> list(common_corruptions())[:3], len(common_corruptions())
    (['gaussian_noise', 'shot_noise', 'impulse_noise'], 15)
    """
    about = {name: of_corruption(name) for name in registry.names("corruptions")}
    common = [(one.rank, name, one.alexnet_error) for name, one in about.items() if one.rank is not None]
    return MappingProxyType({name: error or 0.0 for _, name, error in sorted(common)})
