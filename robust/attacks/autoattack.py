"""AutoAttack: four parameter-free attacks, each on the images for which the ones before have failed."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np

from robust.attacks.apgd import apgd, apgd_t
from robust.attacks.contract import as_attack
from robust.attacks.fab import fab
from robust.attacks.iterative import Task
from robust.attacks.square import square
from robust.core import declared
from robust.core.types import AnyNorm, Count, Eps
from robust.results.attack_result import AttackResult

Part = Callable[..., AttackResult]


@declared.attack(
    access="gradient",
    warm_start=True,
    eps_per_image=True,
    random=True,
    several_searches=True,
    published_steps=100,
    includes=("apgd", "apgd_t", "fab", "square"),
    parts=("apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "square"),
    test_arguments={"n_queries": 12, "steps": 4},
)
@as_attack
def autoattack(
    task: Task,
    *,
    eps: Eps,
    norm: AnyNorm = "linf",
    version: Literal["standard", "plus", "rand"] = "standard",
    steps: Count = 100,
    n_queries: Count = 5000,
) -> AttackResult:
    """AutoAttack: APGD on the cross-entropy, targeted APGD, targeted FAB, Square; `by` names the one that succeeded.

    standard    apgd-ce, apgd-t towards 9 classes, fab-t towards 9 classes, square
    plus        apgd-ce and apgd-dlr 5 times each, fab-t in 5 rounds, square, apgd-t
    rand        for randomised models: apgd-ce and apgd-dlr on the mean gradient of 20 passes

    In L1, standard has apgd-ce 5 times, and apgd-t aims at 5 classes. With fewer classes in the data, it aims
    at fewer, and the margin replaces the difference of logits ratio (with two classes; with three for the
    targeted ratio). Unlike the original, plus has no untargeted FAB: fab-t in 5 rounds replaces both.

    Args:
        classifier, images, labels, seeds, targets: see `robust.attacks`.
        start: the starting points of the first run of each APGD.
        eps: radius of the ball around each image, in units of a [0, 1] image.
        norm: of the ball.
        version: the set of attacks, see above.
        steps: of each run of APGD and FAB, at most.
        n_queries: of Square, at most.

    Source: Croce & Hein, Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks, ICML 2020; for L1 Croce & Hein, Mind the box, ICML 2021.
    """
    result, traces, radii = AttackResult.of(task.images), [], np.broadcast_to(eps, len(task.images))
    for i, (name, part) in enumerate(parts(version, norm, steps, n_queries).items()):
        rows = np.flatnonzero(result.by == "")
        if not rows.size:
            break
        start, targets = (None if v is None else v[rows] for v in (task.start, task.targets))
        found = part(
            task.classifier, task.images[rows], task.labels[rows], seeds=task.seeds[rows] + i,
            start=start, targets=targets, eps=radii[rows], norm=norm,
        )  # fmt: skip
        result.images[rows], result.by[rows] = found.images, np.where(found.by == "", "", name)
        result.n_forward[rows] += found.n_forward
        result.n_backward[rows] += found.n_backward
        traces.append(np.full((len(task.images), found.trace.shape[1]), np.nan, np.float32))
        traces[-1][rows] = found.trace
    return replace(result, trace=np.hstack([result.trace, *traces]))


def parts(version: str, norm: AnyNorm, steps: int, n_queries: int) -> dict[str, Part]:
    """The attacks of a version in their order, by their name in `by`."""
    rounds, classes = (5, 5) if norm == "l1" else (1, 9)
    search = partial(square, n_queries=n_queries)
    if version == "standard":
        return {
            "apgd-ce": partial(apgd, steps=steps, restarts=rounds),
            "apgd-t": partial(apgd_t, steps=steps, classes=classes),
            "fab-t": partial(fab, steps=steps),
            "square": search,
        }
    if version == "plus":
        return {
            "apgd-ce": partial(apgd, steps=steps, restarts=5),
            "apgd-dlr": partial(apgd, steps=steps, loss="dlr", restarts=5),
            "fab-t": partial(fab, steps=steps, restarts=5),
            "square": search,
            "apgd-t": partial(apgd_t, steps=steps),
        }
    return {
        "apgd-ce": partial(apgd, steps=steps, eot_iter=20),
        "apgd-dlr": partial(apgd, steps=steps, loss="dlr", eot_iter=20),
    }
