"""Bounds: `">= 0.80"`, `"in [0, 0.3]"`, `"low >= 0.80"`, `"no worse than lenet5 by 0.01"`: parse, judge."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, isnan
from typing import Any, Literal

from robust.core.errors import SuiteError, suggest
from robust.core.types import NewRow, Row, exact

_NUMBER = r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?(?:\s*/\s*[0-9]+)?"
_COMPARISON = re.compile(rf"(>=|<=|>|<)\s*({_NUMBER})")
_INTERVAL = re.compile(rf"in\s*\[\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\]")
_END = re.compile(r"([A-Za-z]+)\s*((?:>|<|in\b).*)", re.DOTALL)
_NO_SUPPORT = ("invalid", "unverified")  # reliability values with which no bound passes
_NO_WORSE = re.compile(rf"no\s+worse\s+than\s+(\S+)\s+by\s+({_NUMBER})")

FIGURES = 4
"""Significant digits of a number, unless its bound requires more."""


@dataclass(frozen=True)
class Bound:
    """The values from `low` to `high`; `strict` excludes the ends. `text` is as written in the suite.

    of: what is compared with it: the value, or the low or the high end of its interval.
    """

    text: str
    low: float = -inf
    high: float = inf
    strict: bool = False
    of: Literal["value", "ci_low", "ci_high"] = "value"

    def __str__(self) -> str:
        return self.text

    def __contains__(self, value: float) -> bool:
        at_an_end = isfinite(value) and value in (self.low, self.high)
        return self.low <= value <= self.high and not (self.strict and at_an_end)

    def judge(self, row: Row) -> bool:
        """Does a row of results.csv meet the bound? False for a bound on an end of the interval if there is none.

        >>> parse("low >= 0.80").judge({"metric": "top1", "value": 0.82, "ci_low": 0.79, "ci_high": 0.85})
        False
        """
        return bool(row[self.of] in self)

    def is_unknown(self, row: Row) -> bool:
        """Is the row a distance that was not found up to eps, so that it is unknown whether it meets the bound?

        It is only known to be larger than eps; a median between one distance that was found and one that was not is
        entirely unknown.

        >>> row = {"value": inf, "unit": "distance", "eps": 0.05}
        >>> [parse(text).is_unknown(row) for text in (">= 1", "<= 1", ">= 0.05", "<= 0.05")]
        [True, True, False, False]
        """
        if row.get("unit") != "distance" or row[self.of] != inf:
            return row.get("unit") == "distance" and self.of == "value" and isnan(row["value"])
        meets = self.low <= row["eps"] and self.high == inf
        return not meets and row["eps"] < self.high

    def lacks_interval_end(self, row: Row) -> bool:
        """Does the bound apply to an end of the interval of a value that has none?"""
        return self.of != "value" and isnan(row[self.of]) and not isnan(row["value"])

    def digits(self, row: Row, least: int) -> int:
        """How many decimals, `least` or more, show on which side of the bound a row is.

        >>> parse(">= 0.80").digits({"value": 0.79951}, 3), parse(">= 0.80").digits({"value": 0.81}, 3)
        (4, 3)
        """
        value = row[self.of]
        return telling(value, least, lambda rounded: rounded in self)

    def figures(self, row: Row) -> int:
        """How many significant digits, four or more, show on which side of the bound the value is.

        >>> parse("<= 0.8").figures({"value": 0.80004}), parse("<= 0.8").figures({"value": 0.7})
        (5, 4)
        """
        return telling(row["value"], FIGURES, lambda each: each in self, lambda each, n: float(f"{each:.{n}g}"))

    def possible(self, low: float, high: float) -> bool:
        """Are its ends in [low, high], and could a value in this range meet it?

        >>> [parse(text).possible(0, 1) for text in (">= 0.80", "<= 25", "> 1", "in [0, 1]")]
        [True, False, False, True]
        """
        ends = [end for end in (self.low, self.high) if isfinite(end)]
        empty = self.strict and (self.low >= high or self.high <= low)
        return all(low <= end <= high for end in ends) and not empty

    def undecided(self, low: float, high: float) -> bool:
        """Does the interval [low, high] hold values that meet the bound and values that miss it?

        Then the sample is inconclusive; also where all images are right and the bound is ">= 1". A bound on an end of
        the interval requires certainty and is never undecided.

        >>> parse(">= 0.80").undecided(0.78, 0.83), parse("low >= 0.80").undecided(0.78, 0.83)
        (True, False)
        """
        meets = (self.low < high and self.high > low) or low in self or high in self
        return self.of == "value" and low <= high and meets and not (low in self and high in self)


@dataclass(frozen=True)
class NoWorse:
    """Compared with another model of the suite, or this one in an earlier report: worse by at most `by`, >= 0.

    than: the name of the model, or the report folder, relative to the current one; it has a slash: "./base".
    """

    text: str
    than: str
    by: float

    def __str__(self) -> str:
        return self.text

    @property
    def of_report(self) -> bool:
        """Is the comparison with the same model in an earlier report?"""
        return "/" in self.than

    def judge(self, row: Row) -> bool:
        """Does a row of metric `difference` meet it? Its one-sided bound is `low` where higher is better, or `high`.

        >>> parse("no worse than lenet5 by 0.01").judge({"value": 0.01, "ci_low": -0.02, "ci_high": float("nan")})
        False
        """
        return bool(row["ci_high"] <= self.by if isnan(row["ci_low"]) else row["ci_low"] >= -self.by)

    def digits(self, row: Row, least: int) -> int:
        """How many decimals, `least` or more, show on which side of the bound the compared end is.

        >>> parse("no worse than a by 0.01").digits({"ci_low": -0.01004, "ci_high": float("nan")}, 3)
        5
        """
        if isnan(row["ci_low"]):
            return telling(row["ci_high"], least, lambda end: end <= self.by)
        return telling(row["ci_low"], least, lambda end: end >= -self.by)

    def possible(self, low: float, high: float) -> bool:
        """Could a difference of values in [low, high] miss it?"""
        return self.by < high - low

    def open(self, row: Row) -> bool:
        """Does the value itself meet it, though its end does not, so that the sample is inconclusive?

        >>> parse("no worse than lenet5 by 0.01").open({"value": 0.01, "ci_low": -0.02, "ci_high": float("nan")})
        True
        """
        ends, value = (row["ci_low"], row["ci_high"]), row["value"]
        if all(map(isnan, ends)):
            return True
        return not self.judge(row) and bool(value <= self.by if isnan(ends[0]) else value >= -self.by)

    def undecided(self, low: float, high: float) -> bool:
        """Never: the interval itself is compared."""
        return False


def telling(
    value: float, least: int, meets: Callable[[float], bool], rounded: Callable[[float, int], float] = round
) -> int:
    """The fewest digits, `least` or more, to which a number can be rounded without crossing a bound."""
    enough = (n for n in range(least, 18) if meets(rounded(value, n)) == meets(value))
    return next(enough, least) if isfinite(value) else least


def parse(text: str) -> Bound | NoWorse:
    """Parse a bound as written in a suite.

    Raises SuiteError for anything else, an empty range included.

    >>> 0.81 in parse(">= 0.80"), 0.3 in parse("< 3/10"), 0.3 in parse("in [0, 0.3]")
    (True, False, True)
    >>> parse("high <= 0.05").of, parse("no worse than reports/base by 0.01").than
    ('ci_high', 'reports/base')
    """
    if not isinstance(text, str):
        raise SuiteError(f'bound {text!r}: must be a string like ">= 0.80" or "in [0, 0.3]"')
    if match := _NO_WORSE.fullmatch(text.strip()):
        return _no_worse(text, match[1], match[2])
    of, range_ = _end(text)
    if match := _COMPARISON.fullmatch(range_):
        sign, number = match[1], _number(match[2], text)
        ends = {"low": number} if ">" in sign else {"high": number}
        return Bound(text.strip(), strict="=" not in sign, of=of, **ends)
    if match := _INTERVAL.fullmatch(range_):
        low, high = _number(match[1], text), _number(match[2], text)
        if low > high:
            raise SuiteError(f"bound {text!r}: the range [{low:g}, {high:g}] is empty; were the ends swapped?")
        return Bound(text.strip(), low, high, of=of)
    ways = '">= 0.80", "> 0.8", "<= 0.2", "< 0.2", "in [0, 0.3]", "low >= 0.80"'
    raise SuiteError(f'bound {text!r}: write {ways} or "no worse than lenet5 by 0.01"')


def read(row: Row) -> NewRow:
    """A row of results.csv with its bound as an object; None where it has none.

    >>> read({"metric": "top1", "bound": ">= 0.80"})["bound"].low, read({"metric": "top1", "bound": ""})["bound"]
    (0.8, None)
    """
    return {**row, "bound": parse(row["bound"]) if row["bound"] else None}


def name(row: Row) -> str:
    """The key of a row in a suite's `expect`.

    >>> name({"metric": "recall", "subset": "Shirt"})
    'recall[Shirt]'
    """
    return f"{row['metric']}[{row['subset']}]" if row["subset"] else row["metric"]


def state(row: Row, *, allow_invalid: bool = False) -> str:
    """The outcome of a bound, from value, interval, bound and reliability alone; the column `passed` is not used.

    row: with its bound as an object, as in a run, and as returned by `read`.

    - passed, missed.
    - unsupported: the value would pass, and is invalid by the reliability checks, or these are not recorded. A bound
      on the reliability itself is exempt.
    - undecided: no worse by the value, and the sample is too small to show it ("no worse than"); or a distance
      that was not found up to eps, where the bound requires one beyond it.
    - not judged: there is nothing to compare with.

    >>> row = {"metric": "top1", "value": 0.9, "ci_low": 0.8, "ci_high": 1.0, "bound": parse(">= 0.5")}
    >>> [state({**row, "reliability": word}) for word in ("reliable", "suspect", "invalid")]
    ['passed', 'passed', 'unsupported']
    >>> state({**row, "reliability": "invalid"}, allow_invalid=True), state({**row, "reliability": "", "value": 0.4})
    ('passed', 'missed')
    """
    limit = row["bound"]
    if isinstance(limit, NoWorse) and isnan(row["value"]) and not row["n"]:
        return "not judged"
    if isinstance(limit, Bound) and limit.is_unknown(row):
        return "undecided"
    if not limit.judge(row):
        return "undecided" if isinstance(limit, NoWorse) and limit.open(row) else "missed"
    unsure = row["reliability"] in _NO_SUPPORT and row["metric"] != "reliability"
    return "unsupported" if unsure and not allow_invalid else "passed"


def _end(text: str) -> tuple[Any, str]:
    """What is compared with the range that follows, and that range."""
    match = _END.fullmatch(text.strip())
    if match is None or match[1] == "in":
        return "value", text.strip()
    if match[1] not in ("low", "high"):
        raise SuiteError(f"bound {text!r}: {match[1]!r} is no end of an interval{suggest(match[1], ['low', 'high'])}")
    return f"ci_{match[1]}", match[2].strip()


def _no_worse(text: str, than: str, digits: str) -> NoWorse:
    if (by := _number(digits, text)) < 0:
        raise SuiteError(f"bound {text!r}: by {by:g}: how much worse it may be is at least 0")
    return NoWorse(text.strip(), than, by)


def _number(digits: str, text: str) -> float:
    try:
        return exact(digits)
    except ValueError:
        raise SuiteError(f"bound {text!r}: {digits!r} is not a number") from None
