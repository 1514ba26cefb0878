"""The square attack: random search that uses the scores of the model only."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import tensorflow as tf

from robust.attacks import losses, squares
from robust.attacks.contract import as_attack
from robust.attacks.iterative import IterativeAttack, Memory, State, StepOutput, Task, best
from robust.attacks.slots import attack
from robust.core import declared
from robust.core.types import AnyNorm, Count, Eps, Proportion
from robust.results.attack_result import AttackResult


@declared.attack(access="score", eps_per_image=True, random=True, test_arguments={"n_queries": 40})
@as_attack
def square(
    task: Task, *, eps: Eps, norm: AnyNorm = "linf", n_queries: Count = 5000, p_init: Proportion = 0.8
) -> AttackResult:
    """Random search with shrinking squares: change one square of the image, keep what increases the margin loss.

    For Linf the square becomes x +- eps, each channel separately; for L2 and L1 the change of one square
    moves to another, as two opposed pyramids. It uses no gradients, so models that mask them do not mislead it.

    Args:
        classifier, images, labels, seeds, targets: see `robust.attacks`.
        start: not used: without the initial stripes the search finds less than a fresh one.
        eps: radius of the ball around each image, in units of a [0, 1] image.
        norm: of the ball.
        n_queries: squares tried after the stripes, one forward pass each, at most: a success ends the search.
        p_init: share of the image that the first squares cover.

    Source: Andriushchenko, Croce, Flammarion & Hein, Square attack, ECCV 2020; for L1 Croce & Hein, Mind the
    box, ICML 2021: as recalled, the moves of L2 with lengths in L1. What the box clips off a change is
    not projected back at once, but goes to the next square.
    """
    loss = losses.margin if task.targets is None else losses.target_margin
    random_point = squares.stripes if norm == "linf" else squares.tiles
    hyperparameters = {"eps": eps, "n_queries": n_queries, "p_init": p_init}
    method = IterativeAttack(
        "square",
        norm,
        n_queries,
        hyperparameters,
        loss,
        step,
        _memory,
        random_point=random_point,
        eot_iter=0,
        keep="best",
    )
    return attack(replace(task, start=None), method)


def _memory(points: np.ndarray, hyperparameters: Mapping[str, float]) -> Memory:
    del hyperparameters
    return {"best": points, "best_loss": np.full(len(points), np.finfo(points.dtype).min)}


def step(slots: State, output: StepOutput, hyperparameters: State, norm: AnyNorm) -> State:
    """Record the loss, and change one square of the best image."""
    slots = {**slots, **best(slots, output)}
    query = tf.cast(hyperparameters["n_queries"], tf.int32) - slots["left"] + 1  # the stripes were query 0
    share = squares.schedule(query, hyperparameters["n_queries"], hyperparameters["p_init"])
    move = squares.recolour if norm == "linf" else squares.shift
    return {
        **slots,
        "point": move(slots["best"], slots["centre"], slots["seed"], query, share, hyperparameters["eps"], norm),
    }
