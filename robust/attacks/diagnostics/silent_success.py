"""Successes that an attack did not give back."""

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from robust.attacks import ball
from robust.attacks.diagnostics.attack_checks import AttackRun
from robust.attacks.diagnostics.diagnosis import Reason, clearly
from robust.attacks.iterative import Task
from robust.core.types import Table
from robust.results.attack_result import fooled

_FORGETFUL = ("deepfool", "carlini_wagner")  # Foolbox's, under our names; our own keep each fooling image


def silent_success(run: AttackRun) -> Iterator[Reason]:
    """Did a point inside the ball fool the model, while what the attack gave back does not?

    Asked of Foolbox' attacks alone, which judge some last iterate; the others keep whatever fooled the model.
    """
    task, rows = run.task, np.flatnonzero(~run.is_adv)
    if not rows.size or not (run.call.name in _FORGETFUL or run.call.name.startswith("foolbox:")):
        return
    rows = rows[: task.classifier.batch_size]  # one batch, so that its places tell whose iterate it is
    witness = _Witness(task, rows, run.call.arguments)
    targets = None if task.targets is None else task.targets[rows]
    found = run.call(witness, task.images[rows], task.labels[rows], seeds=task.seeds[rows], start=None, targets=targets)
    is_adv = fooled(task.classifier.logits(found.images).argmax(axis=1), task.labels[rows], targets)
    if clearly(count := int((witness.seen & ~is_adv).sum()), n := len(rows)):
        yield Reason("silent_success", count / n, n)


class _Witness:
    """The classifier, and whether it was fooled by any point of the ball that it was asked about."""

    def __init__(self, task: Task, rows: np.ndarray, arguments: Table):
        self._classifier, self._eps = task.classifier, arguments["eps"]
        self._measure = ball.distances[arguments.get("norm", "linf")]
        self._images, self._labels = task.images[rows], task.labels[rows]
        self._aims = None if task.targets is None else task.targets[rows]
        self.seen = np.zeros(len(rows), bool)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._classifier, name)

    def compiled(self, key: Hashable, build: Callable[[], Callable]) -> Callable:
        ask = self._classifier.compiled(key, build)

        def watched(images: tf.Tensor) -> tf.Tensor:
            logits = ask(images)
            self._look(images.numpy(), logits.numpy())
            return logits

        return watched if key == "logits" else ask

    def _look(self, points: np.ndarray, logits: np.ndarray) -> None:
        n = len(self._images)
        inside = self._measure(points[:n] - self._images) <= self._eps * (1 + 1e-5) + 1e-6
        self.seen |= inside & fooled(logits[:n].argmax(axis=1), self._labels, self._aims)
