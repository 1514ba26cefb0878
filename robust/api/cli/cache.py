"""`robust cache`: what the store holds."""

from collections import Counter
from typing import Annotated

from cyclopts import App, Parameter

cache = App(name="cache", help="List, verify or prune the store of trained models and results ($ROBUST_STORE).")


@cache.command(name="list")
def list_() -> int:
    """The entries of each kind, with their number, size and age."""
    from robust.core import store, store_entries

    found = [*store_entries.entries(store.default())]
    print(f"{store.default().root}: {len(found)} entries, {_bytes(sum(one.size for one in found))}")
    for kind, n in sorted(Counter(one.kind for one in found).items()):
        own = [one for one in found if one.kind == kind]
        left = sum(not one.finished for one in own)
        print(
            f"  {kind:<12} {n:>7}  {_bytes(sum(one.size for one in own)):>10}"
            + (f"  {left} unfinished" if left else "")
        )
    return 0


@cache.command
def verify() -> int:
    """Check every entry against its checksums; damaged ones are moved aside. Exit code 3 where there were any."""
    from robust.core import store, store_entries

    intact, damaged = store_entries.verify(store.default(), print)
    print(f"{intact} entries are intact, {damaged} damaged")
    return 3 if damaged else 0


@cache.command
def prune(
    *,
    older_than: float | None = None,
    size: float | None = None,
    unfinished: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Remove entries; whatever is removed is computed again when it is needed.

    Parameters
    ----------
    older_than
        Remove what was written more than this many days ago.
    size
        Remove the oldest entries until the rest takes at most this many gigabytes.
    unfinished
        Remove what stopped runs have left, and damaged entries that were moved aside.
    """
    from robust.core import store, store_entries
    from robust.core.errors import SuiteError

    if older_than is None and size is None and not unfinished:
        raise SuiteError("cache prune: say what to remove: --older-than DAYS, --size GIGABYTES or --unfinished")
    if any(number is not None and not number >= 0 for number in (older_than, size)):
        raise SuiteError("cache prune: --older-than and --size must be numbers >= 0")
    most = None if size is None else int(size * 1e9)
    gone = store_entries.prune(store.default(), older=older_than, size=most, unfinished=unfinished)
    print(f"removed {len(gone)} entries, {_bytes(sum(one.size for one in gone))}")
    return 0


def _bytes(n: int) -> str:
    """A size in words.

    >>> _bytes(999), _bytes(1_234_567)
    ('999 B', '1.2 MB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return f"{n} B"
