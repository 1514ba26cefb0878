"""FAB that does not stop at a success: it remembers the nearest of all points that fool the model."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import tensorflow as tf

from robust.attacks import ball, losses
from robust.attacks.iterative import IterativeAttack, Memory, State, StepOutput, Task, choose
from robust.attacks.onto_boundary import BACK, beyond, towards
from robust.attacks.slots import attack
from robust.core.types import AnyNorm
from robust.results.attack_result import AttackResult

ALONG = 0.5  # weight of the projection of the image itself, in a search along the boundary
EMPTY_BALL = -1.0  # an empty ball, so that no point ends the search


def fab_towards(
    task: Task, classes_to_try: np.ndarray, *, eps: float, norm: AnyNorm, steps: int, along: bool = False
) -> AttackResult:
    """One search towards one class per image; returns the nearest point that fooled the model, or any if none did.

    Args:
        task: model and images, starting points, and the targets if only these count.
        surrogate_targets: int64 [N], the class that each search aims at.
        eps: the largest distance of a point. norm: of that distance. steps: iterations.
        along: move along the boundary towards the image as much as across it, from a start far from the image.

    Source: see `robust.attacks.fab`.
    """
    targeted = task.targets is not None
    method = IterativeAttack(
        "fab", norm, steps, {"eps": EMPTY_BALL, "limit": eps},
        losses.target_margin if targeted else losses.margin_towards,
        _STEPS[targeted, along], _nothing_yet, n_clean_starts=1, leaves_ball=True,
    )  # fmt: skip
    one = Task(task.classifier, task.images, task.labels, task.seeds, task.start, task.targets, classes_to_try[:, None])
    return attack(one, method)


def _nothing_yet(points: np.ndarray, hyperparameters: Mapping[str, float]) -> Memory:
    del hyperparameters
    return {"best": points.copy(), "best_size": np.full(len(points), np.inf, points.dtype)}


def _step(
    targeted: bool, bias: float | None, slots: State, output: StepOutput, hyperparameters: State, norm: AnyNorm
) -> State:
    centre, point = slots["centre"], slots["point"]
    fools = beyond(slots, output, targeted)
    size = ball.size(point - centre, norm)[:, 0, 0, 0]
    nearer = fools & (size < slots["best_size"]) & (size <= hyperparameters["limit"])
    best = choose(nearer, point, slots["best"])
    following = choose(fools, centre + BACK * (point - centre), towards(centre, point, output, norm, bias))
    return {
        "point": choose(slots["left"] == 1, best, following),  # the last point is the result
        "best": best,
        "best_size": tf.where(nearer, size, slots["best_size"]),
    }


_STEPS = {
    (targeted, along): partial(_step, targeted, ALONG if along else None)
    for targeted in (False, True)
    for along in (False, True)
}  # once: graphs are cached by step
