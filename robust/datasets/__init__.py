"""Data sets: each a function that returns a `Dataset`, with nothing in it read before it is asked for."""

from typing import TYPE_CHECKING

from robust import catalog

if TYPE_CHECKING:
    from robust.datasets.fashion_mini import fashion_mini

__all__ = ["fashion_mini"]

catalog.contents(__name__)
