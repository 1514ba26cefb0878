"""Measures: what a trial says. `measure(trial, ...) -> Iterator[Value[Literal[its metrics]]]`, in NumPy."""

from typing import TYPE_CHECKING

from robust import catalog

if TYPE_CHECKING:
    from robust.measures.accuracy import accuracy
    from robust.measures.confusion import confusion

__all__ = ["accuracy", "confusion"]
catalog.contents(__name__)
