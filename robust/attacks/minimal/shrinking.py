"""A ball for each image that shrinks to the least radius at which an attack succeeds."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import tensorflow as tf

from robust.attacks import ball, box, losses
from robust.attacks.minimal.known import Known
from robust.core.declared import of_attack
from robust.core.signature import Call
from robust.core.types import AnyNorm
from robust.models.classifier import Classifier

FIRST = 1.5  # times the distance of the linearised model: where a ball begins
BLIND, LEAST = 1 / 64, 2.0**-12  # of the largest change: where it begins without a gradient, and at the least
SHARES = 1 / 64, 1 / 128, 1 / 2  # by which it is made smaller than what is known: at first, at the least, at the most
MOST = 24  # balls within what is known, at the most
RUNGS, SHARE = 16, 1 / 16  # of attacks of one radius for all: radii in an octave, by which a ball is made smaller
LEAST_AIMS, STEPS_AN_AIM, MOST_AIMS = 3, 25, 9  # classes of the last walk: so many, and one more for so many steps
STEP_SIZES = ("step_size", "abs_stepsize")  # ours, and Foolbox's
_STEP = 1 / 4  # of the radius: a step of a fixed size, at the most


def shrink(known: Known) -> None:
    """Find each image some point that fools the model, then look in ever smaller balls within what is known.

    An attack that asks for gradients also walks along the boundary, towards the class that was found and at last
    towards the likeliest at its point: a point far along the boundary, or of a farther class, is not left there.
    """
    follows_boundary = by_gradients(known.call)
    find(known)
    known.halve(known.all_rows)
    if follows_boundary:
        known.along_boundary(1)
    tighten(known)
    if follows_boundary:
        known.along_boundary(min(LEAST_AIMS + known.call.arguments.get("steps", 0) // STEPS_AN_AIM, MOST_AIMS))


def by_gradients(call: Call) -> bool:
    """Does the attack follow the gradients, in a ball for each image?

    >>> by_gradients(Call("attacks", "pgd")), by_gradients(Call("attacks", "square"))
    (True, False)
    """
    about = of_attack(call.name)
    return about.access == "gradient" and about.eps_per_image


def find(known: Known) -> None:
    """Balls of 1, 1/2, 2, 4, 8 ... times the first radius, up to eps, for whoever stands."""
    first, rows, times = first_radii(known), known.all_rows, 1.0
    begin = known.task.images if known.task.start is None else known.task.start
    top = min(known.call.arguments["eps"], known.room)
    while rows.size:
        rows = rows[~_try(known, rows, times * first[rows], begin[rows])]
        rows = rows if times < 1 else rows[times * first[rows] < top]
        times = {1.0: 0.5, 0.5: 2.0}.get(times, 2 * times)


def _try(known: Known, rows: np.ndarray, radii: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """The attack from there, and where it fails from where the call itself begins; says whom it felled."""
    is_adv = _attack_within(known, rows, radii, begin)
    again = np.flatnonzero(~is_adv)
    if of_attack(known.call.name).warm_start:
        is_adv[again] = _attack_within(known, rows[again], radii[again], None)
    return is_adv


def tighten(known: Known) -> None:
    """Each ball a share smaller than what is known: a larger share where that succeeds, a smaller one where not."""
    first, least, most = SHARES if of_attack(known.call.name).eps_per_image else (SHARE, SHARE, SHARES[2])
    shares = np.where(np.isfinite(known.sizes), first, 0.0)
    for _ in range(MOST):
        rows = np.flatnonzero(shares >= least)
        before = known.sizes[rows]
        _attack_within(known, rows, before * (1 - shares[rows]), known.shrunk(rows, 1 - shares[rows]))
        nearer = known.sizes[rows] < before
        known.halve(rows[nearer])
        shares[rows] = np.where(nearer, np.minimum(2 * shares[rows], most), shares[rows] / 2)


def _attack_within(known: Known, rows: np.ndarray, radii: np.ndarray, begin: np.ndarray | None) -> np.ndarray:
    """Run the attack on these images at these radii; says whom it felled."""
    if of_attack(known.call.name).eps_per_image:
        return run(known, rows, within(known.call, radii), begin)
    is_adv, radii = np.zeros(len(rows), bool), 2.0 ** (np.floor(RUNGS * np.log2(radii)) / RUNGS)
    for radius in np.unique(radii):
        same = np.flatnonzero(radii == radius)
        is_adv[same] = run(known, rows[same], within(known.call, float(radius)), None if begin is None else begin[same])
    return is_adv


def run(known: Known, rows: np.ndarray, call: Call, begin: np.ndarray | None) -> np.ndarray:
    """Run this call on these images; says whom it felled."""
    if not rows.size:
        return np.zeros(0, bool)
    task = known.part(rows, begin)
    found = call(
        task.classifier, task.images, task.labels, seeds=task.seeds, start=task.start, targets=task.targets
    )  # fmt: skip
    known.count(rows, found)
    is_adv = known.keep(rows, found.images)
    known.result.by[rows] = np.where(is_adv & (found.by != ""), found.by, known.result.by[rows])
    return is_adv


def within(call: Call, radii: float | np.ndarray) -> Call:
    """The call at another radius, or at one for each image; a fixed step is at most a quarter of it, FGSM's all of it.

    >>> within(Call("attacks", "pgd", {"eps": 0.5, "step_size": 0.1}), 0.2).arguments
    {'eps': 0.2, 'step_size': 0.05}
    """
    given, share = call.arguments, 1 if of_attack(call.name).one_step else _STEP
    fixed = {name: size for name in STEP_SIZES if (size := given.get(name))}
    steps = {name: np.minimum(size, share * radii) for name, size in fixed.items()}
    steps = {name: float(size) if isinstance(radii, float) else size for name, size in steps.items()}
    return replace(call, arguments={**given, "eps": radii, **steps})


def first_radii(known: Known) -> np.ndarray:
    """A little more than the distance to the boundary of the model as it looks when it is linearised, [N]."""
    sizes = linearised(known) if by_gradients(known.call) else np.zeros(len(known.sizes))
    sizes = np.where(np.isfinite(sizes) & (sizes > 0), FIRST * sizes, BLIND * known.room)
    return np.clip(sizes, LEAST * known.room, known.room)


def linearised(known: Known) -> np.ndarray:
    """How far the boundary is if the model is linear, [N]: the least change onto the plane where its margin is 0."""
    task, classifier, targeted = known.task, known.task.classifier, known.task.targets is not None
    surrogate_targets = task.labels if task.targets is None else task.targets
    compute = classifier.compiled(
        ("linearised", known.norm, targeted), lambda: _to_the_plane(classifier, known.norm, targeted)
    )
    images = classifier.batches(task.images.astype(classifier.dtype.as_numpy_dtype))
    parts = zip(images, classifier.batches(task.labels), classifier.batches(surrogate_targets), strict=True)
    sizes = [compute(*(tf.constant(each) for each in part)).numpy() for part in parts]
    passes = len(images) * classifier.batch_size
    classifier.count(n_forward=passes, n_backward=passes)
    known.result.n_forward[:] += 1
    known.result.n_backward[:] += 1
    return np.concatenate([*sizes, np.zeros(0)])[: len(known.sizes)].astype(np.float64)


def _to_the_plane(classifier: Classifier, norm: AnyNorm, targeted: bool) -> Callable[..., tf.Tensor]:
    loss = losses.margin_of if targeted else losses.margin

    def distances(images: tf.Tensor, labels: tf.Tensor, surrogate_targets: tf.Tensor) -> tf.Tensor:
        margins, _, slopes = classifier.gradient(images, labels, lambda logits, of: loss(logits, of, surrogate_targets))
        return ball.size(box.onto_plane(images, slopes, -margins, norm), norm)[:, 0, 0, 0]

    return distances
