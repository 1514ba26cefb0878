"""Measures: what a trial says. `measure(trial, ...) -> Iterator[Value[Literal[its metrics]]]`, in NumPy."""

from typing import TYPE_CHECKING

from robust import catalog

if TYPE_CHECKING:
    from robust.measures.accuracy import accuracy
    from robust.measures.calibration import calibration
    from robust.measures.clusters import clusters
    from robust.measures.confusion import confusion
    from robust.measures.distance import distance
    from robust.measures.hierarchy import hierarchy
    from robust.measures.outliers import outliers
    from robust.measures.structure import structure
    from robust.measures.targetability import targetability
    from robust.measures.temperature import temperature

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
catalog.contents(__name__)
