"""Successes that an attack did not return."""

from collections.abc import Callable, Hashable, Iterator

import numpy as np
import tensorflow as tf

from robust.attacks import ball
from robust.attacks.diagnostics.attack_checks import AttackRun
from robust.attacks.diagnostics.diagnosis import Reason, significantly_above
from robust.attacks.iterative import Task
from robust.core.declared import of_attack
from robust.core.types import Table
from robust.results.attack_result import fooled


def fooled_but_not_returned(run: AttackRun) -> Iterator[Reason]:
    """Did a point inside the ball fool the model, while the image that the attack returned does not?

    Only for attacks that return a last iterate, as those of Foolbox; the others keep each point that fooled the model.
    """
    task, rows = run.task, np.flatnonzero(~run.is_adv)
    if not rows.size or not of_attack(run.call.name).returns_last:
        return
    rows = rows[: task.classifier.batch_size]  # one batch, so that the position in it identifies the image
    witness = _Witness(task, rows, run.call.arguments)
    targets = None if task.targets is None else task.targets[rows]
    found = run.call(witness, task.images[rows], task.labels[rows], seeds=task.seeds[rows], start=None, targets=targets)
    is_adv = fooled(task.classifier.logits(found.images).argmax(axis=1), task.labels[rows], targets)
    if significantly_above(count := int((witness.seen & ~is_adv).sum()), n := len(rows)):
        yield Reason("fooled_but_not_returned", count / n, n)


class _Witness:
    """The classifier, and whether any point inside the ball at which it was evaluated has fooled it."""

    def __init__(self, task: Task, rows: np.ndarray, arguments: Table):
        self._classifier, self._eps = task.classifier, arguments["eps"]
        self._distance = ball.distances[arguments.get("norm", "linf")]
        self._images, self._labels = task.images[rows], task.labels[rows]
        self._targets = None if task.targets is None else task.targets[rows]
        self.seen = np.zeros(len(rows), bool)

    def __getattr__(self, name: str) -> object:
        return getattr(self._classifier, name)

    def compiled(self, key: Hashable, build: Callable[[], Callable]) -> Callable:
        forward = self._classifier.compiled(key, build)

        def watched(images: tf.Tensor) -> tf.Tensor:
            logits = forward(images)
            self._record(images.numpy(), logits.numpy())
            return logits

        return watched if key == "logits" else forward

    def _record(self, points: np.ndarray, logits: np.ndarray) -> None:
        n = len(self._images)
        inside = self._distance(points[:n] - self._images) <= self._eps * (1 + 1e-5) + 1e-6
        self.seen |= inside & fooled(logits[:n].argmax(axis=1), self._labels, self._targets)
