"""The smallest change that fools a model, for every image: an upper bound on its distance to the boundary."""

from dataclasses import replace

import numpy as np
import tensorflow as tf

from robust.attacks import ball
from robust.attacks.iterative import Task
from robust.attacks.minimal.search_state import SearchState
from robust.attacks.minimal.shrinking import FIRST_WITHOUT_GRADIENTS, STEP_SIZES, run, shrink
from robust.attacks.slots import ranked
from robust.core.declared import of_attack
from robust.core.signature import Call
from robust.models.classifier import Classifier
from robust.results.attack_result import AttackResult, is_within


def smallest_changes(
    call: Call,
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    seeds: np.ndarray,
    start: np.ndarray | None = None,
    targets: np.ndarray | None = None,
) -> AttackResult:
    """For every image the nearest point within the call's eps that fools the model; `by` is "" where none was found.

    FAB (`minimal_by_class`) aims at one class after the other and remembers the nearest point; DeepFool, Carlini &
    Wagner and the minimising attacks of Foolbox search for the smallest change themselves. Any other attack runs in a
    separate ball around each image. Its radius starts a little above the distance of the linearised model, grows until
    the attack succeeds, and shrinks as long as it succeeds in a smaller ball, down to 1/128 less; see
    `robust.attacks.minimal.shrinking`.
    Finally, the segment from each image to its point is bisected 8 times. Every point that counts was confirmed by
    the model itself.

    Neither radii nor starting points depend on eps, which only ends the growth and censors: what is found within
    one eps is found at the same distance within a larger one. A step of a fixed size is a length, at most a
    quarter of the radius.

    Args:
        call: the attack, with its norm, and the eps beyond which nothing counts.
        classifier, images, labels, seeds, targets: see `robust.attacks`; no image fools the model yet.
        start: the starting points of a first search, instead of the images.

    Source: Croce & Hein, Minimally distorted adversarial examples with a fast adaptive boundary attack, ICML 2020.
    """
    task = Task(classifier, images, labels, seeds, start, targets)
    state = SearchState(call, task, AttackResult.of(images), np.full(len(images), np.inf))
    if of_attack(call.name).minimizes_by_class:
        towards_each_class(state)
    elif of_attack(call.name).minimizes:
        run(state, state.all_rows, with_eps(call, state.box_diameter), start)
    else:
        shrink(state)
    state.bisect(state.all_rows)
    by, found = state.result.by, is_within(state.sizes, call.arguments["eps"])
    by[:] = np.where(found, np.where(by == "", call.name, by), "")
    state.result.images[~found] = images[~found]
    return state.result


def with_eps(call: Call, eps: float) -> Call:
    """The call at another eps; a step of a fixed size is scaled with it, except that of an attack that minimises.

    >>> with_eps(Call("attacks", "pgd", {"eps": 0.5, "step_size": 0.25}), 0.25).arguments
    {'eps': 0.25, 'step_size': 0.125}
    """
    given = call.arguments
    steps = {name: given[name] for name in STEP_SIZES if given.get(name)}
    if steps and not of_attack(call.name).minimizes:
        steps = {name: size * eps / max(given["eps"], 1e-9) for name, size in steps.items()}
    return replace(call, arguments={**given, "eps": float(eps), **steps})


def towards_each_class(state: SearchState) -> None:
    """Towards each class, from the image itself, then from random points within half the known distance."""
    task, given = state.task, state.call.arguments
    classes_to_try, passes = ranked(task, given["classes"])
    state.result.n_forward[:] += passes
    for restart in range(given["restarts"]):
        begin = task.start if restart == 0 else _random(state, restart)
        for target in classes_to_try.T:
            state.search_towards(target, begin, given["steps"])


def _random(state: SearchState, restart: int) -> np.ndarray:
    task, radii = (
        state.task,
        np.where(np.isfinite(state.sizes), state.sizes, FIRST_WITHOUT_GRADIENTS * state.box_diameter) / 2,
    )
    centres, radii = (tf.constant(each, task.classifier.dtype) for each in (task.images, radii[:, None, None, None]))
    return ball.random_point(centres, tf.constant(task.seeds), tf.constant(restart), radii, state.norm).numpy()
