"""Numbers as they are typed."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token


def whole(kind: object, tokens: Sequence[Token]) -> int:
    """The whole number that was typed; 1.5 is an error, and is not rounded."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"{tokens[0].value!r}: must be a whole number") from None


Whole = Annotated[int, Parameter(converter=whole)]
MaybeWhole = Annotated[int | None, Parameter(converter=whole)]
