"""Profiles: metrics of the model itself, rather than of its predictions.

The contract: `profile(classifier, data, *, ...) -> Iterator[Value[Literal[...]]]`, where `data` is the
`Dataset` of the case and the literals are the metrics that it can yield.
"""

from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.metrics.profile.cost import cost as cost
    from robust.metrics.profile.gradient_flow import gradient_flow as gradient_flow
    from robust.metrics.profile.speed import speed as speed

registry.contents(__name__)
