"""The headers of the image files of a folder, and the hashes of the files: no file is read twice while it is the same.

They are kept in the user's store, by path, size, inode and the times of the last change. Changes within two seconds of
the reading could leave these times as they are, so that such files are read again.
"""

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from robust.core import files, store
from robust.core.errors import StoreError
from robust.datasets.files import Header, read_header

KIND = "headers"
"""The folder of these tables in the store."""
_MARGIN = 2 * 10**9  # nanoseconds: the coarsest clock of a file system

Known = dict[str, tuple[list[int], Header]]


def headers(root: Path, paths: Sequence[Path]) -> list[Header]:
    """The header of each file, in order; `root` is the folder that holds them.

    Raises DataError where one is not a readable image.
    """
    table = store.default().root / KIND / f"{store.digest(str(root.resolve()))}.json"
    known, now = _read(table), time.time_ns()
    found, fresh = [], 0
    for path in paths:
        state = file_state(path)
        kept = known.get(str(path))
        if kept is None or kept[0] != state or max(state[2:]) > now - _MARGIN:
            kept = state, read_header(path)
            fresh += 1
        known[str(path)] = kept
        found.append(kept[1])
    if fresh or len(known) > len(found):
        _save(table, {str(path): known[str(path)] for path in paths})
    return found


def file_state(path: Path) -> list[int]:
    """What changes with a file: its size, its inode, and the times of the last change of content and of inode."""
    state = path.stat()
    return [state.st_size, state.st_ino, state.st_mtime_ns, state.st_ctime_ns]


def _read(table: Path) -> Known:
    """What is known; nothing where the table is missing, damaged, or of another version."""
    try:
        found = json.loads(table.read_text("utf-8"))
        return {path: (list(state), Header(**header)) for path, (state, header) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _save(table: Path, known: Known) -> None:
    with suppress(StoreError):  # a store that cannot be written costs time, not results
        files.write(table, json.dumps({path: (state, asdict(header)) for path, (state, header) in known.items()}))
