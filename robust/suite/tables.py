"""Reading the tables of a suite: known keys, lists without duplicates."""

from robust.core.errors import SuiteError, suggest
from robust.core.types import Table

LONGEST = 10_000
"""The maximum number of entries of a list, and of cells of a suite: models, with each seed, times cases."""


def known(table: Table, allowed: tuple[str, ...], what: str) -> None:
    """Raise SuiteError for a key that is not allowed, with a suggestion; what: "a case", "a model"."""
    for key in table:
        if key not in allowed:
            raise SuiteError(f"{what} has no {key!r}{suggest(key, allowed)}", key)


def distinct(values: list, key: str) -> list:
    """The values; raise SuiteError where there are none, too many, or duplicates."""
    if not values:
        raise SuiteError(f"{key} = []: the list is empty", key)
    if len(values) > LONGEST:
        raise SuiteError(f"{key}: {len(values):,} of them, probably a mistake; at most {LONGEST:,}", key)
    if len(set(map(repr, values))) < len(values):
        raise SuiteError(f"{key}: has a duplicate", key)
    return values
