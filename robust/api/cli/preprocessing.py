"""The pixels that a model expects, as they are typed."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from robust.core.errors import SuiteError

Words = Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)]


def parsed(words: Sequence[str]) -> str | list[float]:
    """As the key `preprocessing` of a suite's model; SuiteError for what is neither two numbers nor one word.

    >>> parsed(["0", "255"]), parsed(["caffe"])
    ([0.0, 255.0], 'caffe')
    """
    try:
        return words[0] if len(words) == 1 else [float(end) for end in words]
    except ValueError:
        raise SuiteError(f"--preprocessing {' '.join(words)}: must be two numbers, or caffe, tf or torch") from None
