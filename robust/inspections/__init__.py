"""Inspections: what a look at the model itself says, rather than at its answers.

The contract: `inspection(classifier, data, *, ...) -> Iterator[Value[Literal[...]]]`, where `data` is the
`Dataset` of the case and the literals are the metrics that it can yield.
"""

from typing import TYPE_CHECKING

from robust import catalog

if TYPE_CHECKING:
    from robust.inspections.cost import cost

__all__ = ["cost"]
catalog.contents(__name__)
