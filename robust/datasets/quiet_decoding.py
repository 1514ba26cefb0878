"""Suppressing warnings about odd metadata while images are read by several threads."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()
_BEFORE: list[warnings.catch_warnings] = []  # the state that the first thread found, once for each thread inside


@contextmanager
def silence() -> Iterator[None]:
    """No warning is shown while any thread is inside.

    `warnings.catch_warnings` alone acts on the whole process: of two overlapping threads, the one that leaves last
    would restore the other's suppressed state permanently.
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
