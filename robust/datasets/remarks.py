"""Reporting what was skipped or guessed when data was read."""

import warnings
from collections.abc import Iterable

from robust.core.progress import Progress
from robust.core.remedies import formatted
from robust.datasets.dataset import Dataset


def lines(sets: Iterable[Dataset]) -> list[str]:
    """The remarks on data sets, each once and with the name of its set, as they are read now.

    >>> from dataclasses import replace
    >>> from robust.datasets.dataset import from_arrays
    >>> data = replace(from_arrays([[[0.0]]], [0], name="x"), remarks=("classes without images: 'b'",))
    >>> lines([data, data])
    ["data x: classes without images: 'b'"]
    """
    return list(dict.fromkeys(f"data {data.name}: {formatted(note)}" for data in sets for note in data.remarks))


def report(lines: Iterable[str], progress: Progress | None, stacklevel: int = 3) -> None:
    """Report such lines to `progress`; without one, as warnings."""
    for line in lines:
        if progress is None:
            warnings.warn(line, stacklevel=stacklevel)
        else:
            progress.say(line)
