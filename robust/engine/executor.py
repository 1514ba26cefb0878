"""Run the units of an evaluation that the store does not have. Several processes share them: each claims what it does.

A unit that fails stops no other: what failed is raised at the end, and tried again by the next run.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from robust.core.errors import StoreError
from robust.core.progress import Progress
from robust.core.types import Table
from robust.engine import shards, units
from robust.engine.failures import Failure, UnitsFailedError
from robust.engine.units import CLEAN, FEATURES, PERTURBED, Clean, Work
from robust.models.classifier.memory import halving_batches

WAIT = 0.1  # seconds between two looks at what other processes are doing


def run(work: Work, clean: Clean, progress: Progress, *, wait: bool = True) -> None:
    """Make the evidence of an evaluation: the clean predictions, then each shard at each strength.

    wait: for what other processes have claimed; else it is left to them.

    Raises UnitsFailedError where units failed, after all others.
    """
    rows, failures = np.flatnonzero(work.taken), []
    for what in (CLEAN, FEATURES) if work.needs_features else (CLEAN,):

        def make(number: int, images: np.ndarray, what: str = what) -> None:
            clean.make(what, number, images)

        def key(number: int, what: str = what) -> Table:
            return work.clean_key(what, work.base_shards[number])

        def missing(what: str = what) -> list[int]:
            return clean.missing(what, rows)

        failures += _share(work, progress, what, work.base, missing, key, make, wait=wait)
    if failures:
        raise UnitsFailedError([replace(one, images=len(rows)) for one in failures[:1]])
    if work.case.calls:
        failures = _share(
            work,
            progress,
            PERTURBED,
            work.taken,
            lambda: [shard.number for shard in work.shards if not work.is_done(shard)],
            lambda number: work.unit_key(work.shards[number], len(work.case.calls) - 1),
            lambda number, images: units.run(work, clean, work.shards[number], images),
            wait=wait,
        )
    if failures:
        raise UnitsFailedError(failures)


def _share(
    work: Work,
    progress: Progress,
    kind: str,
    chosen: np.ndarray,
    missing: Callable[[], list[int]],
    key: Callable[[int], Table],
    make: Callable[[int, np.ndarray], None],
    *,
    wait: bool,
) -> list[Failure]:
    """Make all that is missing, but what other processes are at; wait for these at the end."""
    failures: dict[int, Failure] = {}
    while todo := [number for number in missing() if number not in failures]:
        done = 0
        for part in _from_my_place(todo):
            for number, images in shards.read(work.data, chosen, part):
                if (lock := work.store.claim(kind, key(number))) is None:
                    continue
                with lock:
                    done += 1
                    if failure := _made(work, progress, len(images), lambda n=number, i=images: make(n, i)):
                        failures[number] = failure
                    progress.advance()
        if not done and not wait:
            break
        if not done:
            time.sleep(WAIT)
    return list(failures.values())


def _from_my_place(todo: list[int]) -> list[list[int]]:
    """Workers of pytest-xdist begin at different places, so that they meet late."""
    worker, count = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    begin = len(todo) * int(worker.removeprefix("gw")) // int(count)
    return [part for part in (todo[begin:], todo[:begin]) if part]


def _made(work: Work, progress: Progress, images: int, make: Callable[[], None]) -> Failure | None:
    try:
        halving_batches(work.fitted.classifier, make, progress.say)
    except StoreError:
        raise
    except Exception as error:
        return Failure.of(error, images)
    return None
