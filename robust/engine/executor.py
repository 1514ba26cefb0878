"""Run the units of an evaluation that the store does not have. Several processes share them: each claims what it does.

A unit that fails stops no other: what failed is raised at the end, and tried again by the next run.
"""

import os
import time
from dataclasses import replace
from typing import Protocol

import numpy as np

from robust.core.errors import StoreError
from robust.core.progress import Progress
from robust.core.types import Table
from robust.engine import shards, units
from robust.engine.failures import Failure, UnitsFailedError
from robust.engine.units import CLEAN, FEATURES, PERTURBED, Clean, Work
from robust.models.classifier.memory import halving_batches

WAIT = 0.1  # seconds between two looks at what other processes are doing


class Part(Protocol):
    """A part of the evidence of an evaluation, in shards that are made one by one.

    kind: of its entries in the store. chosen: the test images that the shards consist of, bool [N].
    """

    kind: str
    chosen: np.ndarray

    def numbers(self) -> list[int]:
        """The shards that are needed."""
        ...

    def is_done(self, number: int) -> bool:
        """Does the store have this shard?"""
        ...

    def key(self, number: int) -> Table:
        """What identifies this shard."""
        ...

    def make(self, number: int, images: np.ndarray) -> None:
        """Fill this shard."""
        ...


class OfClean:
    """The clean predictions, or features, of the images of a case."""

    def __init__(self, work: Work, clean: Clean, kind: str):
        self.work, self.clean, self.kind, self.chosen = work, clean, kind, work.base

    def numbers(self) -> list[int]:
        """Of the base, those with an image of the case."""
        return self.clean.numbers(np.flatnonzero(self.work.taken))

    def is_done(self, number: int) -> bool:
        """Does the store have this shard?"""
        return self.clean.has(self.kind, number)

    def key(self, number: int) -> Table:
        """What identifies this shard."""
        return self.work.clean_key(self.kind, self.work.base_shards[number])

    def make(self, number: int, images: np.ndarray) -> None:
        """Evaluate the model."""
        self.clean.make(self.kind, number, images)


class OfPerturbed:
    """The perturbed images of a case, at all strengths."""

    kind = PERTURBED

    def __init__(self, work: Work, clean: Clean):
        self.work, self.clean, self.chosen = work, clean, work.taken

    def numbers(self) -> list[int]:
        """All of the case."""
        return list(range(len(self.work.shards)))

    def is_done(self, number: int) -> bool:
        """Does the store have this shard at every strength?"""
        return self.work.is_done(self.work.shards[number])

    def key(self, number: int) -> Table:
        """What identifies this shard at the last strength."""
        return self.work.unit_key(self.work.shards[number], len(self.work.case.calls) - 1)

    def make(self, number: int, images: np.ndarray) -> None:
        """Perturb the images, and evaluate the model on them."""
        units.run(self.work, self.clean, self.work.shards[number], images)


def run(work: Work, clean: Clean, progress: Progress, *, name: str = "", wait: bool = True) -> None:
    """Make the evidence of an evaluation: the clean predictions, then each shard at each strength.

    name: of the evaluation, for its progress. wait: at the end, for what other processes have claimed; else it is left
    to them.

    Raises UnitsFailedError where units failed, after all others.
    """
    parts = parts_of(work, clean)
    if name:
        progress.stage(name, sum(not part.is_done(number) for part in parts for number in part.numbers()))
    for part in parts:
        if failures := _share(part, work, progress, wait=wait or part is not parts[-1]):
            all_images = int(work.taken.sum())  # without its clean predictions no shard is perturbed
            raise UnitsFailedError(failures if part is parts[-1] else [replace(failures[0], images=all_images)])


def parts_of(work: Work, clean: Clean) -> list[Part]:
    """The evidence of an evaluation, in parts that each need those before."""
    kinds = (CLEAN, FEATURES) if work.needs_features else (CLEAN,)
    perturbed = [OfPerturbed(work, clean)] if work.case.calls else []
    return [*(OfClean(work, clean, kind) for kind in kinds), *perturbed]


def run_shard(work: Work, part: Part, number: int, progress: Progress) -> Failure | None:
    """Make one shard unless the store has it; where another process is at it, wait for that. Returns what failed."""
    while not part.is_done(number):
        if (lock := work.store.claim(part.kind, part.key(number))) is None:
            time.sleep(WAIT)
            continue
        with lock:
            if part.is_done(number):
                return None
            ((_, images),) = shards.read(work.data, part.chosen, [number])
            return _made(part, number, images, work, progress)
    return None


def _share(part: Part, work: Work, progress: Progress, *, wait: bool) -> list[Failure]:
    """Make all that is missing, but what other processes are at; wait for these at the end."""
    failures: dict[int, Failure] = {}
    while todo := [n for n in part.numbers() if n not in failures and not part.is_done(n)]:
        claimed = 0
        for some in _from_my_place(todo):
            for number, images in shards.read(work.data, part.chosen, some):
                if (lock := work.store.claim(part.kind, part.key(number))) is None:
                    continue
                with lock:
                    claimed += 1
                    if part.is_done(number):  # by another process, meanwhile
                        continue
                    if failure := _made(part, number, images, work, progress):
                        failures[number] = failure
                progress.advance()
        if not claimed and not wait:
            break
        if not claimed:
            time.sleep(WAIT)
    return list(failures.values())


def _from_my_place(todo: list[int]) -> list[list[int]]:
    """Workers of pytest-xdist begin at different places, so that they meet late."""
    worker, count = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    begin = len(todo) * int(worker.removeprefix("gw")) // int(count)
    return [part for part in (todo[begin:], todo[:begin]) if part]


def _made(part: Part, number: int, images: np.ndarray, work: Work, progress: Progress) -> Failure | None:
    try:
        halving_batches(work.fitted.classifier, lambda: part.make(number, images), progress.say)
    except StoreError:
        raise
    except Exception as error:
        return Failure.of(error, len(images))
    return None
