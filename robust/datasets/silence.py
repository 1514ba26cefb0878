"""Silence about odd metadata while pictures are read by many threads at once."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()
_BEFORE: list[warnings.catch_warnings] = []  # what the first thread found, once for each that is inside


@contextmanager
def silence() -> Iterator[None]:
    """No warning is shown while any thread is inside.

    `warnings.catch_warnings` alone is of the whole process: of two threads that overlap, the one that leaves last would
    put back the silence of the other, for good.
    """
    with _LOCK:
        if not _BEFORE:
            _BEFORE.append(warnings.catch_warnings())
            _BEFORE[0].__enter__()
            warnings.simplefilter("ignore")
        else:
            _BEFORE.append(_BEFORE[0])
    try:
        yield
    finally:
        with _LOCK:
            before = _BEFORE.pop()
            if not _BEFORE:
                before.__exit__(None, None, None)
