"""The signature that all attacks share, defined once."""

import functools
import inspect
from collections.abc import Callable

import numpy as np

from robust.attacks.iterative import Task
from robust.models.classifier import Classifier
from robust.results.attack_result import AttackResult


def as_attack(function: Callable[..., AttackResult]) -> Callable[..., AttackResult]:
    """Decorator of `f(task, *, eps, ...)`: makes it an attack with the signature defined in `robust.attacks`.

    What `run` supplies (classifier, images, labels, seeds, start, targets) is passed to the function as one `Task`.
    What a suite may set is in the function's signature, which is read from source; `help` shows all parameters.

    >>> @as_attack
    ... def nothing(task: Task, *, eps: float, steps=10) -> AttackResult:
    ...     return AttackResult.of(task.images)
    >>> list(inspect.signature(nothing).parameters)
    ['classifier', 'images', 'labels', 'seeds', 'start', 'targets', 'eps', 'steps']
    """

    def attack(
        classifier: Classifier,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        seeds: np.ndarray,
        start: np.ndarray | None = None,
        targets: np.ndarray | None = None,
        **options: object,
    ) -> AttackResult:
        return function(Task(classifier, images, labels, seeds, start, targets), **options)

    supplied, own = ([*inspect.signature(each).parameters.values()] for each in (attack, function))
    parameters = [*supplied[:-1], *own[1:]]  # without `options` and without `task`
    functools.update_wrapper(attack, function)
    vars(attack)["__signature__"] = inspect.Signature(parameters, return_annotation=AttackResult)
    attack.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": AttackResult}
    return attack
