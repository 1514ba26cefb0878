"""Any attack of Foolbox, by the name of its class, as a native attack.

The pitfalls are handled: labels and targets are int64, the model gives logits, inputs are within the bounds,
batches have the classifier's fixed shape, and randomness is seeded. `run` evaluates what is returned again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from robust.attacks.contract import as_attack
from robust.attacks.iterative import Task
from robust.core import foolbox_classes
from robust.core.errors import ContractError, RobustError
from robust.core.types import Eps, NewTable
from robust.models.classifier import Classifier
from robust.results.attack_result import AttackResult

foolbox = foolbox_classes.library()


@as_attack
def foolbox_attack(task: Task, *, attack: str, eps: Eps, norm: str, **options: Any) -> AttackResult:
    """Run `foolbox.attacks.<attack>(**options)` at one eps.

    Args:
        classifier, images, labels, seeds, targets: see `robust.attacks`; `start` is not used.
        attack: the name of the class, as in "LinfDeepFoolAttack".
        eps: radius of the ball around each image, in units of a [0, 1] image.
        norm: of the ball; the norm of the class, if it has a fixed one.
        options: arguments of the class.

    Raises ContractError if Foolbox refuses the options, the criterion or the model, with its message.

    Source: Rauber, Brendel & Bethge, Foolbox, 2017; Rauber et al., Foolbox Native, JOSS 2020.
    """
    classifier, images, labels, targets = task.classifier, task.images, task.labels, task.targets
    result = AttackResult.of(images)
    made = _made(attack, norm, options)
    ours = _Counted(classifier)
    model = foolbox.TensorFlowModel(
        ours, bounds=(0, 1), device="/GPU:0" if tf.config.list_logical_devices("GPU") else "/CPU:0"
    )
    size = classifier.batch(len(images))
    for begin in range(0, len(images), size):
        rows = np.resize(np.arange(begin, min(begin + size, len(images))), size)
        known = len(np.unique(rows))
        ours.n_forward = ours.n_backward = 0
        found, is_adv = _batch(
            model,
            made,
            tf.constant(images[rows], classifier.dtype),
            labels[rows],
            None if targets is None else targets[rows],
            eps,
            task.seeds[rows],
        )
        rows = rows[:known]
        result.images[rows] = np.clip(found[:known], 0, 1)
        result.by[rows] = np.where(is_adv[:known], f"foolbox:{attack}", "")
        result.n_forward[rows], result.n_backward[rows] = ours.n_forward, ours.n_backward
    return result


def _made(name: str, norm: str, options: NewTable) -> foolbox.Attack:
    """The attack: it gets the norm if it leaves the choice, else the norm is compared with its own."""
    if options.get("distance", ...) is None:
        options = {**options, "distance": getattr(foolbox.distances, norm)}
    with _refusals(name):
        made = getattr(foolbox.attacks, name)(**options)
        own = foolbox_classes.norm(made) or norm
    if own != norm:
        raise ContractError(f'foolbox:{name} has the norm {own}, not {norm}; write norm = "{own}"')
    return made


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    try:
        yield
    except (RobustError, tf.errors.ResourceExhaustedError):
        raise
    except Exception as error:  # Foolbox raises many kinds: ValueError, AssertionError, ImportError, AttributeError
        raise ContractError(f"foolbox:{name} refused: {str(error) or type(error).__name__}") from error


def _batch(model, made, images, labels, targets, eps, seeds):  # type: ignore[no-untyped-def]
    criterion = (
        foolbox.criteria.Misclassification(tf.constant(labels, tf.int64))
        if targets is None
        else foolbox.criteria.TargetedMisclassification(tf.constant(targets, tf.int64))
    )
    before = np.random.get_state()
    tf.random.set_seed(int(seeds[0]) & 0x7FFFFFFF)
    np.random.seed(int(seeds[0]) & 0x7FFFFFFF)
    try:
        with _refusals(type(made).__name__):
            _, found, is_adv = made(model, images, criterion, epsilons=float(eps))
    finally:
        np.random.set_state(before)
    return found.numpy(), is_adv.numpy()


class _Counted:
    """The classifier as Foolbox calls it: its compiled forward pass, with forward and backward passes counted."""

    def __init__(self, classifier: Classifier):
        self.classifier, self.n_forward, self.n_backward = classifier, 0, 0
        self._forward = classifier.compiled("logits", lambda: classifier.__call__)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        self.n_forward += 1
        self.classifier.count(n_forward=len(images))
        return tf.cast(self._tally(self._forward(images)), images.dtype)  # Foolbox combines them with the images

    @tf.custom_gradient
    def _tally(self, logits: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def back(upstream: tf.Tensor) -> tf.Tensor:
            self.n_backward += 1
            self.classifier.count(n_forward=0, n_backward=len(logits))
            return upstream

        return tf.identity(logits), back
