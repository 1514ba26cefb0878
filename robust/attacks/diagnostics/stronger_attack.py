"""A different attack on the images on which the attack of the case failed."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
import tensorflow as tf

from robust.attacks.diagnostics.attack_checks import AttackRun, attacked_again, threat_model
from robust.attacks.diagnostics.diagnosis import Reason, significantly_above
from robust.attacks.iterative import Task
from robust.core.declared import of_attack
from robust.core.errors import ModelError
from robust.core.randomness import fold
from robust.core.signature import Call

_STEPS, _TARGETED_STEPS, _CLASSES, _QUERIES = 20, 50, 3, 500  # as the flags state; the second with a target
_EXCEPTIONS = 0.0015  # share of images on which only the other attack may succeed: three of a hundred are too many


def stronger_attack(run: AttackRun) -> Iterator[Reason]:
    """Does another attack in the same ball succeed on more: towards single classes, on a loss that ignores logit scale?

    Each such image is wrongly counted as robust. This detects an attack of few steps, one that is misled by kinks of
    the model or by logits too small for the cross-entropy, and noise, whatever the name. Without gradients no such
    attack can be tried, and scores alone are weaker: of 50 images on a small convolutional net, within 8/255, Square
    with 1,000 queries left an accuracy of .52, APGD with its gradients .34.
    """
    rows, given = np.flatnonzero(~run.is_adv), run.call.arguments
    if not rows.size or "eps" not in given or given.get("norm") == "l0":
        return
    is_adv, by_gradients = fooled_by_stronger(run, rows)
    if significantly_above(count := int(is_adv.sum()), n := len(run.is_adv), _EXCEPTIONS):
        yield Reason("control_only" if of_attack(run.call.name).is_control else "stronger_attack", count / n, n)
    if not by_gradients and significantly_above(len(rows), n, _EXCEPTIONS):
        yield Reason("no_model_gradients", len(rows) / n, n)


def fooled_by_stronger(run: AttackRun, rows: np.ndarray) -> tuple[np.ndarray, bool]:
    """On which of these images APGD succeeds, or Square if there are no gradients, bool [len(rows)].

    Also: are there gradients?
    """
    none = np.zeros(len(rows), bool)
    task = run.task if run.task.targets is None else with_other_seeds(run.task)
    with suppress(ModelError):  # there are no gradients
        return np.any([none, *(attacked_again(task, each, rows)[1] for each in stronger_attacks(run))], axis=0), True
    if "n_queries" in run.call.arguments:
        return none, False  # see `more_steps`
    return attacked_again(task, Call("attacks", "square", {**threat_model(run.call), "n_queries": _QUERIES}), rows)[
        1
    ], False


def with_other_seeds(task: Task) -> Task:
    """The same task with other random starts: towards one class, the same starts would give the same result."""
    return replace(task, seeds=fold(tf.constant(task.seeds), 1).numpy())


def stronger_attacks(run: AttackRun) -> Iterator[Call]:
    """Attacks by gradients that do what the attack of the case does not.

    With a target also APGD on the cross-entropy: towards the least likely class, within .25 of digits, `apgd_t` with
    30 steps reached 52 of 100 on a plainly trained network, and `apgd` with 20 steps 62.
    """
    call, steps = run.call, _STEPS if run.task.targets is None else _TARGETED_STEPS
    enough, same = call.arguments.get("steps", 0) >= steps, {**threat_model(call), "steps": steps}
    runs = (call.name, *of_attack(call.name).includes)
    if not ("apgd_t" in runs and enough):
        yield Call("attacks", "apgd_t", {**same, "classes": _CLASSES})
    if run.task.targets is not None and not ("apgd" in runs and enough):
        yield Call("attacks", "apgd", same)
