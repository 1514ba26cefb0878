"""What a store holds: its entries are listed, verified and pruned."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from robust.core import store as stores
from robust.core.errors import StoreError
from robust.core.store import Store

DAY = 24 * 3600.0


@dataclass(frozen=True)
class Entry:
    """One entry: its kind, its folder, the bytes of its files, when it was written (seconds since 1970).

    finished: or is it what a stopped run has left, or a damaged entry that was moved aside?
    """

    kind: str
    path: Path
    size: int
    written: float
    finished: bool


def entries(store: Store) -> Iterator[Entry]:
    """All entries of a store, by kind and age, the oldest first; none where there is no store."""
    for kind in sorted(path for path in store.root.glob("*") if path.is_dir() and not path.is_symlink()):
        found = [_entry(kind.name, path) for path in kind.iterdir() if path.is_dir() and not path.is_symlink()]
        yield from sorted(found, key=lambda entry: (entry.written, entry.path.name))


def _entry(kind: str, path: Path) -> Entry:
    files = [each.stat() for each in path.rglob("*") if each.is_file() and not each.is_symlink()]
    written = max((each.st_mtime for each in files), default=path.stat().st_mtime)
    finished = (path / "key.json").is_file() and not path.name.endswith(".damaged")
    return Entry(kind, path, sum(each.st_size for each in files), written, finished)


def verify(store: Store, say: Callable[[str], None]) -> tuple[int, int]:
    """Check every finished entry against its checksums; the damaged ones are moved aside, to be computed again.

    Returns the number of intact and of damaged entries.
    """
    intact = damaged = 0
    for entry in entries(store):
        if not entry.finished:
            continue
        try:
            key = json.loads((entry.path / "key.json").read_text("utf-8"))
            same = stores.digest(key) == entry.path.name and store.find(entry.kind, key) is not None
        except (OSError, ValueError, RecursionError):
            same = False
        intact, damaged = intact + same, damaged + (not same)
        if not same and entry.path.exists():
            store.put_aside(entry.path, "its key is damaged")
        if not same:
            say(f"damaged: {entry.kind}/{entry.path.name}")
    return intact, damaged


def prune(
    store: Store, *, older: float | None = None, size: int | None = None, unfinished: bool = False
) -> list[Entry]:
    """Remove entries; whatever is removed is computed again when it is needed.

    Args:
        store: to be pruned. older: remove what was written more than this many days ago. size: remove the oldest until
            the rest has at most this many bytes. unfinished: remove what stopped runs have left, and damaged entries.

    Returns the removed entries; raises StoreError where one cannot be removed.
    """
    there = [*entries(store)]
    gone = [one for one in there if unfinished and not one.finished]
    gone += [one for one in there if older is not None and one not in gone and time.time() - one.written > older * DAY]
    rest = sorted((one for one in there if one not in gone), key=lambda one: one.written)
    total = sum(one.size for one in rest)
    while size is not None and rest and total > size:
        gone.append(rest.pop(0))
        total -= gone[-1].size
    for one in gone:
        _remove(one)
    return gone


def _remove(entry: Entry) -> None:
    try:
        shutil.rmtree(entry.path)
    except OSError as error:
        raise StoreError(f"{entry.path}: cannot be removed ({error.strerror})") from None
    for lock in entry.path.parent.glob(f"{entry.path.name}.*"):
        if lock.suffix in (".lock", ".claim"):
            lock.unlink(missing_ok=True)
