"""Metrics of predictions, in NumPy: `metric(trial, ...) -> Iterator[Value]`.

Beside each stands `@metric(names=..., per_class=..., needs=...)`, which says what it yields and what it looks at.
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.metrics.accuracy import accuracy
    from robust.metrics.calibration import calibration
    from robust.metrics.clusters import clusters
    from robust.metrics.confusion import confusion
    from robust.metrics.distance import distance
    from robust.metrics.hierarchy import hierarchy
    from robust.metrics.outliers import outliers
    from robust.metrics.structure import structure
    from robust.metrics.targetability import targetability
    from robust.metrics.temperature import temperature

__all__ = [
    "accuracy",
    "calibration",
    "clusters",
    "confusion",
    "distance",
    "hierarchy",
    "outliers",
    "structure",
    "targetability",
    "temperature",
]
registry.contents(__name__)
