"""Fitted models and finished blocks, stored by the hash of everything that determines them.

An entry is a folder that is either complete or absent: it is filled in a temporary folder, under a lock, and
renamed. So a run that is killed continues where it stopped, and two processes never do the same work. Entries
that changed on disk since they were written are moved aside and computed again.
"""

import errno
import functools
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock, Timeout

from robust.core import closure, files, registry
from robust.core.errors import StoreError
from robust.core.signature import Call
from robust.core.types import Table

_KEY, _SUMS = "key.json", "sums.json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.ENAMETOOLONG)
PATIENCE = 2.0
"""Seconds after which waiting for another process is reported."""


def default() -> "Store":
    """The user's store: $ROBUST_STORE, or robust/ in $XDG_CACHE_HOME or ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Store(Path(os.environ.get("ROBUST_STORE") or Path(cache) / "robust"))


def _to_stderr(line: str) -> None:
    print(f"robust: {line}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Store:
    """A folder of entries: `root/kind/hash/`; `say` reports damaged entries, and waiting for other processes."""

    root: Path
    say: Callable[[str], None] = field(default=_to_stderr, compare=False)

    def path(self, kind: str, key: Table) -> Path:
        """The path of the entry of this key, whether it exists or not."""
        return self.root / kind / digest(key)

    def find(self, kind: str, key: Table) -> Path | None:
        """The entry of this key, if it is finished and intact; a damaged one is moved aside."""
        path = self.path(kind, key)
        if not (path / _KEY).is_file():  # it is written last
            return None
        if fault := _fault(path, key):
            self.put_aside(path, fault)
            return None
        return path

    def put_aside(self, path: Path, fault: str) -> None:
        """Rename a damaged entry, so that it is computed again, and say so."""
        aside = path.with_name(f"{path.name}.damaged")
        try:
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
        except FileNotFoundError:
            return  # another process did
        except OSError as error:
            raise StoreError(f"{path}: {fault}, and it cannot be moved aside ({error.strerror}); remove it") from None
        self.say(f"{path}: {fault}; it is moved aside as {aside.name} and computed again")

    def unfinished(self, key: Table) -> Path:
        """The folder for intermediate results of an entry that takes long; the code that uses it removes it."""
        return self.root / "unfinished" / digest(key)

    def get_or_make(self, kind: str, key: Table, make: Callable[[Path], None]) -> Path:
        """The entry of this key; where there is none, `make` fills it. Only one process at a time does so.

        Raises StoreError where the store cannot be written.
        """
        if (known := self.find(kind, key)) is not None:
            return known
        path = self.path(kind, key)
        try:
            with self._locked(path):
                return self.find(kind, key) or _make(path, key, make)
        except OSError as error:
            if error.errno not in _FULL:
                raise  # not the store's fault: a file that `make` reads, say
            raise self._error(error) from error

    def claim(self, kind: str, key: Table) -> AbstractContextManager | None:
        """For a `with` block: this process alone does a piece of work; None where another process is at it."""
        path = self.path(kind, key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return FileLock(f"{path}.claim").acquire(timeout=0)
        except Timeout:
            return None
        except OSError as error:
            raise self._error(error) from error

    def _locked(self, path: Path) -> AbstractContextManager:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{path}.lock")
            try:
                return lock.acquire(timeout=PATIENCE)
            except Timeout:
                self.say(f"waiting for another process, which computes {path}")
                return lock.acquire()
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> StoreError:
        why = error.strerror or str(error)
        return StoreError(f"{self.root}: cannot be written ({why}); set ROBUST_STORE to a folder that can")


def _make(path: Path, key: Table, make: Callable[[Path], None]) -> Path:
    for stale in path.parent.glob(f".{path.name}.*"):  # left by a killed run: this process holds the lock
        shutil.rmtree(stale, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        make(unfinished)
        (unfinished / _SUMS).write_text(json.dumps(sums(unfinished)))
        (unfinished / _KEY).write_text(_canonical(key))
        files.sync_all(unfinished)
        clear(path)
        unfinished.replace(path)
        files.sync(path.parent)
        return path
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def clear(path: Path) -> None:
    """Remove whatever is at an entry's path: an entry without its key, or a foreign file or link."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)


def _files(entry: Path) -> list[Path]:
    return sorted(path for path in entry.rglob("*") if path.is_file() and path.name not in (_KEY, _SUMS))


def sums(entry: Path) -> dict[str, str]:
    """The hash of each file of an entry."""
    return {path.relative_to(entry).as_posix(): files.sha256(path, path.stat().st_mtime_ns) for path in _files(entry)}


def _fault(entry: Path, key: Table) -> str:
    """What is wrong with the finished entry of a key; "" where it is unchanged."""
    try:
        written = files.parsed(files.text(entry / _SUMS))
        there = sums(entry)
        if odd := sorted(name for name in {*written, *there} if written.get(name) != there.get(name)):
            return f"{odd[0]} is {'damaged' if odd[0] in written and odd[0] in there else 'missing or unexpected'}"
        if files.text(entry / _KEY) != _canonical(key):
            return f"{_KEY} is damaged, or that of another entry"
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return "cannot be read"
    return ""


def digest(key: object) -> str:
    """A hash of any JSON-serialisable value; other objects count by their `str`.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(_canonical(key).encode()).hexdigest()[:24]


def _canonical(key: object) -> str:
    return json.dumps(key, sort_keys=True, default=str)


@functools.cache
def code(*modules: str) -> str:
    """A hash of the code of these modules, of all that they import of the package, and of numerical libraries.

    >>> code("robust.attacks.pgd") == code("robust.attacks.fab")
    False
    """
    found = closure.closure(modules)
    versions = {name: version(name) for name in closure.libraries(found)}
    return digest([{module: closure.code(module) for module in found}, versions])


def code_of(calls: Iterable[Call | None], *modules: str) -> str:
    """The same for the called members, and these modules; a third-party member has its code in its own key."""
    members = [call for call in calls if call is not None and not registry.is_foreign(call.name)]
    return code(*sorted({registry.home(call.kind, call.name)[0] for call in members}), *modules)
