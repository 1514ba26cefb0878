"""The plan of a run: for each evaluation its units, which of them the store has, and what the rest will take."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from robust.engine import prepare_models, shards
from robust.engine.session import Session
from robust.engine.units import CLEAN, FEATURES, Clean, Work
from robust.results import evidence
from robust.suite import Evaluation


@dataclass(frozen=True)
class Planned:
    """An evaluation: its images and units, those that the store has, and what is measured of these.

    name: its id. trained: is its model there? passes: forward and backward passes an image, the mean over the units
    that are done; seconds: of a unit; None where none is done.
    """

    name: str
    trained: bool
    images: int
    units: int
    done: int
    passes: float | None
    seconds: float | None

    def __str__(self) -> str:
        if not self.trained:
            return f"{self.name}: {self.images} images, {self.units} units; its model is not trained yet"
        left = self.units - self.done
        line = f"{self.name}: {self.images} images, {self.units} units, {self.done} in the store"
        if not left:
            return line
        if self.seconds is None:
            return f"{line}; none is measured yet, so there is no estimate of the time"
        passes = f", about {self.passes:.0f} passes an image" if self.passes else ""
        return f"{line}{passes}, about {left * self.seconds:.0f} s"


def plan(session: Session, evaluations: Iterable[Evaluation]) -> Iterator[Planned]:
    """What a run of these evaluations would do; nothing is trained or evaluated."""
    for evaluation in evaluations:
        if session.identity(evaluation.model, evaluation.seed) is None and prepare_models.is_made_here(
            evaluation.model
        ):
            images = session.images(evaluation)
            parts = -(-images // shards.size(session.data))
            yield Planned(evaluation.id, False, images, parts * (1 + len(evaluation.case.calls)), 0, None, None)
        else:
            yield _planned(evaluation.id, session.work(evaluation))


def _planned(name: str, work: Work) -> Planned:
    clean, rows = Clean(work), np.flatnonzero(work.taken)
    kinds = (CLEAN, FEATURES) if work.needs_features else (CLEAN,)
    bases = clean.numbers(rows)
    left = sum(not clean.has(kind, number) for kind in kinds for number in bases)
    found = [work.found(shard, place) for shard in work.shards for place in range(len(work.case.calls))]
    there = [path for path in found if path is not None]
    units = len(bases) * len(kinds) + len(found)
    done = units - left - (len(found) - len(there))
    passes = [np.mean(evidence.array(path, n)) for path in there for n in ("n_forward", "n_backward")]
    seconds = [evidence.about(path)["seconds"] for path in there]
    return Planned(
        name, True, len(rows), units, done, 2 * float(np.mean(passes)) if passes else None,
        float(np.mean(seconds)) if seconds else None,
    )  # fmt: skip
