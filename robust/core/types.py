"""The allowed numbers and words of a suite file: annotations that are also checked.

An extension writes them in its signature, and the suite's values are converted and checked by them
before anything runs. They cost nothing at run time.

>>> from robust.core.types import Eps
>>> def fade(images, *, eps: Eps): ...
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from math import inf, isfinite
from typing import Annotated, Any, Literal, get_args


@dataclass(frozen=True)
class Range:
    """The finite numbers from `low` to `high`, both included unless `above` excludes `low`.

    most: larger values are valid mathematically, but probably a mistake.
    """

    low: float = -inf
    high: float = inf
    above: bool = False
    most: float = inf

    def __contains__(self, value: float) -> bool:
        return -inf < value < inf and (value > self.low if self.above else value >= self.low) and value <= self.high

    def __str__(self) -> str:
        if self.high == inf:
            return f"a number {'>' if self.above else '>='} {self.low:g}"
        return f"a number in {'(' if self.above else '['}{self.low:g}, {self.high:g}]"


MOST = 10**7
"""The maximum of counts in a suite, such as images, steps and queries: more would never finish."""

Eps = Annotated[float, Range(0)]  # radius of the ball, in units of a [0, 1] image and of the norm
Positive = Annotated[float, Range(0, above=True)]
NonNegative = Annotated[float, Range(0)]
Proportion = Annotated[float, Range(0, 1)]
Count = Annotated[int, Range(1, most=MOST)]
Seed = Annotated[int, Range(0, 2**31 - 1)]
Severity = Annotated[int, Range(1, 5)]  # Hendrycks & Dietterich, ICLR 2019
Norm = Literal["linf", "l2"]
AnyNorm = Literal["linf", "l2", "l1"]
Precision = Literal["float32", "bfloat16"]  # of an attack's search; results are confirmed in the original one
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
AttackPrecision = Literal["float32", "bfloat16", "auto"]  # auto: the faster one on this machine
Target = str | Mapping[str, str]  # "least-likely", "random", "next", "all", a class, or {from = "to"}
Channels = Literal["rgb", "gray"]  # as of Keras' color_mode
ALL = "all"  # every class to every other, or every corruption
Source = Any  # another model: in a suite its name there, from Python the model itself

Table = Mapping[str, Any]
"""A table of a suite, of JSON, or of keyword arguments: names and unchecked values."""
NewTable = dict[str, Any]
"""A table that is being built, or that may be modified."""
Row = Mapping[Any, Any]
"""A row of a table of results: column names and values, as read by pandas."""
NewRow = dict[str, Any]
"""A row that is being built, or that may be modified."""

NAMED = {
    "Eps": Eps, "Positive": Positive, "NonNegative": NonNegative, "Proportion": Proportion, "Count": Count,
    "Seed": Seed, "Severity": Severity, "Norm": Norm, "AnyNorm": AnyNorm, "Precision": Precision, "Target": Target,
    "Source": Source,
}  # fmt: skip
"""The types that an annotation in a signature may name."""

FLOAT_BYTES = 4
"""The size of a float32, used to count the activations of a network."""


_DIGITS = 100  # of a quotient: enough that rounding it again to a float is harmless


def exact(text: str) -> float:
    """The number given as a string in a suite: "8/255" is the float nearest to the fraction.

    Numerator and denominator are decimal numbers: "0.5/255", "1e-3/2", "0.5 / 255".

    Raises ValueError for anything else, and for what is not finite.

    >>> exact("8/255") == 8 / 255, exact("0.5/255") == 1 / 510
    (True, True)
    """
    try:
        parts = [Decimal(part) for part in text.split("/", 1)]
        with localcontext(prec=_DIGITS):
            number = float(parts[0] if len(parts) == 1 else parts[0] / parts[1])
    except ArithmeticError:  # no number, a zero below, too large
        raise ValueError(f"{text!r} is not a finite number") from None
    if not isfinite(number) or not all(part.is_finite() for part in parts):
        raise ValueError(f"{text!r} is not a finite number")
    return number


def radius(eps: float, norm: str) -> str:
    """An eps in the usual notation: a Linf one of whole grey levels of an 8-bit image in these.

    >>> radius(8 / 255, "linf"), radius(0.03, "linf"), radius(0.5, "l2")
    ('8/255', '0.03', '0.5')
    """
    levels = 255 * eps
    whole = norm == "linf" and round(levels) > 0 and abs(levels - round(levels)) < 1e-4
    return f"{round(levels)}/255" if whole else f"{eps:.4g}"


def size(distance: float, norm: str) -> str:
    """A distance to three digits: a Linf one in grey levels of an 8-bit image.

    >>> size(0.01, "linf"), size(0.5, "l2")
    ('2.55/255', '0.5')
    """
    return f"{grey_levels(distance):.3g}/255" if norm == "linf" else f"{distance:.3g}"


def grey_levels(eps: float) -> float:
    """A Linf radius or size in grey levels of an 8-bit image; the rounding to a float is undone.

    >>> grey_levels(8 / 255), grey_levels(0.03)
    (8.0, 7.65)
    """
    return round(255 * eps, 6)
