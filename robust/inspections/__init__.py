"""Inspections: what a look at the model itself says. `inspection(classifier) -> Iterator[Value[Literal[...]]]`."""

from typing import TYPE_CHECKING

from robust import catalog

if TYPE_CHECKING:
    from robust.inspections.cost import cost

__all__ = ["cost"]
catalog.contents(__name__)
