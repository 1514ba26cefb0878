"""Inspections: what a look at the model itself says, rather than at its answers.

The contract: `inspection(classifier, data, *, ...) -> Iterator[Value[Literal[...]]]`, where `data` is the
`Dataset` of the case and the literals are the metrics that it can yield.
"""

from typing import TYPE_CHECKING

from robust import catalog

if TYPE_CHECKING:
    from robust.inspections.cost import cost
    from robust.inspections.gradient_flow import gradient_flow
    from robust.inspections.speed import speed

__all__ = ["cost", "gradient_flow", "speed"]
catalog.contents(__name__)
