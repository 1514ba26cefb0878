"""Bounds: `">= 0.80"`, `"< 0.3"`, `"in [0, 0.3]"`: parse, judge, say."""

import re
from dataclasses import dataclass
from math import inf

from robust.errors import SuiteError
from robust.quantities import exact

_NUMBER = r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?(?:\s*/\s*[0-9]+)?"
_COMPARISON = re.compile(rf"(>=|<=|>|<)\s*({_NUMBER})")
_INTERVAL = re.compile(rf"in\s*\[\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\]")


@dataclass(frozen=True)
class Bound:
    """The values from `low` to `high`; `strict` leaves the ends out. `text` is how the suite wrote it."""

    text: str
    low: float = -inf
    high: float = inf
    strict: bool = False

    def __contains__(self, value: float) -> bool:
        return self.low < value < self.high if self.strict else self.low <= value <= self.high

    def undecided(self, low: float, high: float) -> bool:
        """Does the interval [low, high] straddle an end of the bound, so that the sample cannot tell?

        >>> parse(">= 0.80").undecided(0.78, 0.83)
        True
        """
        return any(low < end < high for end in (self.low, self.high))


def parse(text: str) -> Bound:
    """Read a bound as a suite writes it.

    Raises SuiteError for anything else, an empty range included.

    >>> 0.81 in parse(">= 0.80"), 0.3 in parse("< 3/10"), 0.3 in parse("in [0, 0.3]")
    (True, False, True)
    """
    if not isinstance(text, str):
        raise SuiteError(f'bound {text!r}: must be a string like ">= 0.80" or "in [0, 0.3]"')
    if match := _COMPARISON.fullmatch(text.strip()):
        sign, number = match[1], _number(match[2], text)
        ends = {"low": number} if ">" in sign else {"high": number}
        return Bound(text.strip(), strict="=" not in sign, **ends)
    if match := _INTERVAL.fullmatch(text.strip()):
        low, high = _number(match[1], text), _number(match[2], text)
        if low > high:
            raise SuiteError(f"bound {text!r}: nothing lies in [{low:g}, {high:g}]; were the ends swapped?")
        return Bound(text.strip(), low, high)
    raise SuiteError(f'bound {text!r}: write ">= 0.80", "> 0.8", "<= 0.2", "< 0.2" or "in [0, 0.3]"')


def _number(digits: str, text: str) -> float:
    try:
        return exact(digits)
    except ValueError:
        raise SuiteError(f"bound {text!r}: {digits!r} is not a number") from None
