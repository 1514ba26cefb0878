"""Another attack than the one that was made, on the images that it has left standing."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
import tensorflow as tf

from robust.attacks.diagnostics.attack_checks import AttackRun, attacked_again, threat_model
from robust.attacks.diagnostics.diagnosis import Reason, clearly
from robust.attacks.iterative import Task
from robust.core.declared import of_attack
from robust.core.errors import ModelError
from robust.core.randomness import fold
from robust.core.signature import Call

_STEPS, _AIMED, _CLASSES, _QUERIES = 20, 50, 3, 500  # as the reasons say; the second is with a target
_EXCEPTIONS = 0.0015  # share of images that a sound attack may leave to another: three of a hundred are too many


def stronger_attack(run: AttackRun) -> Iterator[Reason]:
    """Does another attack of the same ball fell more: towards single classes, up a loss that knows no scale of logits?

    Whatever falls there stands wrongly in the number: an attack of few steps, one that is misled by a bend of the
    model or by logits too small for the cross-entropy, or noise, is shown by that, whatever its name. Where there are
    no gradients, none such can be tried, and what answers alone lead to leaves more standing: of 50 images on a small
    convolutional net, within 8/255, Square with 1,000 queries left .52, APGD with its gradients .34.
    """
    rows, given = np.flatnonzero(~run.is_adv), run.call.arguments
    if not rows.size or "eps" not in given or given.get("norm") == "l0":
        return
    is_adv, by_gradients = fooled_by_stronger(run, rows)
    if clearly(count := int(is_adv.sum()), n := len(run.is_adv), _EXCEPTIONS):
        yield Reason("control_only" if of_attack(run.call.name).is_control else "stronger_attack", count / n, n)
    if not by_gradients and clearly(len(rows), n, _EXCEPTIONS):
        yield Reason("no_model_gradients", len(rows) / n, n)


def fooled_by_stronger(run: AttackRun, rows: np.ndarray) -> tuple[np.ndarray, bool]:
    """Which of these images fall, bool [len(rows)]: to APGD, or where there are no gradients to Square.

    And were there gradients?
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
    """The same with other random beginnings: towards one class alone, the same again finds the same."""
    return replace(task, seeds=fold(tf.constant(task.seeds), 1).numpy())


def stronger_attacks(run: AttackRun) -> Iterator[Call]:
    """Attacks by gradients that do what the one that was made does not.

    With a target APGD up the cross-entropy, too: towards the least likely class, within .25 of digits, `apgd_t` with
    30 steps reached 52 of 100 on a plain net, and `apgd` with 20 steps 62.
    """
    call, steps = run.call, _STEPS if run.task.targets is None else _AIMED
    enough, same = call.arguments.get("steps", 0) >= steps, {**threat_model(call), "steps": steps}
    runs = (call.name, *of_attack(call.name).includes)
    if not ("apgd_t" in runs and enough):
        yield Call("attacks", "apgd_t", {**same, "classes": _CLASSES})
    if run.task.targets is not None and not ("apgd" in runs and enough):
        yield Call("attacks", "apgd", same)
