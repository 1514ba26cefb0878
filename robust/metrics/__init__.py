"""Metrics of predictions, in NumPy: `metric(result, ...) -> Iterator[Value]`.

The decorator `@metric(names=..., per_class=..., needs=...)` of each declares what it yields and what it needs.
What is computed from the finished tables, as the mean corruption error, is in `robust.results.summaries`.
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.metrics.accuracy import accuracy as accuracy
    from robust.metrics.calibration import calibration as calibration
    from robust.metrics.clusters import clusters as clusters
    from robust.metrics.confusion import confusion as confusion
    from robust.metrics.distance import distance as distance
    from robust.metrics.hierarchy import hierarchy as hierarchy
    from robust.metrics.outliers import outliers as outliers
    from robust.metrics.structure import structure as structure
    from robust.metrics.targetability import targetability as targetability
    from robust.metrics.temperature import temperature as temperature

registry.contents(__name__)
