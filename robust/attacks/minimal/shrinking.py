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

FIRST = 1.5  # the first radius of a ball, over the distance of the linearised model
FIRST_WITHOUT_GRADIENTS, LEAST = (
    1 / 64,
    2.0**-12,
)  # of the largest possible change: the first radius without gradients, and the least
SHARES = 1 / 64, 1 / 128, 1 / 2  # by which a ball is smaller than the known distance: at first, at least, at most
MOST = 24  # balls smaller than the known distance, at most
RUNGS, SHARE = 16, 1 / 16  # for attacks with one radius for all: radii per factor of 2, and how much smaller a ball is
MIN_CLASSES, STEPS_PER_CLASS, MAX_CLASSES = 3, 25, 9  # classes of the last search along the boundary: see `shrink`
STEP_SIZES = ("step_size", "abs_stepsize")  # of the native attacks, and of Foolbox
_STEP = 1 / 4  # of the radius: a step of a fixed size, at most


def shrink(known: Known) -> None:
    """Find a point that fools the model for each image, then search in ever smaller balls below the known distance.

    For an attack by gradients the search also moves along the boundary: towards the class that was found, and finally
    towards the most likely ones at its point. So it does not stop far along the boundary, or at a farther class.
    The last search has 3 classes, one more for every 25 steps, and 9 at most.
    """
    follows_boundary = by_gradients(known.call)
    find(known)
    known.bisect(known.all_rows)
    if follows_boundary:
        known.along_boundary(1)
    tighten(known)
    if follows_boundary:
        known.along_boundary(min(MIN_CLASSES + known.call.arguments.get("steps", 0) // STEPS_PER_CLASS, MAX_CLASSES))


def by_gradients(call: Call) -> bool:
    """Does the attack follow the gradients, in a ball for each image?

    >>> by_gradients(Call("attacks", "pgd")), by_gradients(Call("attacks", "square"))
    (True, False)
    """
    about = of_attack(call.name)
    return about.access == "gradient" and about.eps_per_image


def find(known: Known) -> None:
    """Balls of 1, 1/2, 2, 4, 8 ... times the first radius, up to eps, for images without a known point."""
    first, rows, times = first_radii(known), known.all_rows, 1.0
    begin = known.task.images if known.task.start is None else known.task.start
    top = min(known.call.arguments["eps"], known.room)
    while rows.size:
        rows = rows[~_try(known, rows, times * first[rows], begin[rows])]
        rows = rows if times < 1 else rows[times * first[rows] < top]
        times = {1.0: 0.5, 0.5: 2.0}.get(times, 2 * times)


def _try(known: Known, rows: np.ndarray, radii: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """Attack from `begin`, and where that fails, from the attack's own start; returns for which images it succeeds."""
    is_adv = _attack_within(known, rows, radii, begin)
    again = np.flatnonzero(~is_adv)
    if of_attack(known.call.name).warm_start:
        is_adv[again] = _attack_within(known, rows[again], radii[again], None)
    return is_adv


def tighten(known: Known) -> None:
    """Each ball is a share smaller than the known distance: after a success a larger share, else a smaller one."""
    first, least, most = SHARES if of_attack(known.call.name).eps_per_image else (SHARE, SHARE, SHARES[2])
    shares = np.where(np.isfinite(known.sizes), first, 0.0)
    for _ in range(MOST):
        rows = np.flatnonzero(shares >= least)
        before = known.sizes[rows]
        _attack_within(known, rows, before * (1 - shares[rows]), known.shrunk(rows, 1 - shares[rows]))
        nearer = known.sizes[rows] < before
        known.bisect(rows[nearer])
        shares[rows] = np.where(nearer, np.minimum(2 * shares[rows], most), shares[rows] / 2)


def _attack_within(known: Known, rows: np.ndarray, radii: np.ndarray, begin: np.ndarray | None) -> np.ndarray:
    """Run the attack on these images at these radii; returns for which it succeeds."""
    if of_attack(known.call.name).eps_per_image:
        return run(known, rows, within(known.call, radii), begin)
    is_adv, radii = np.zeros(len(rows), bool), 2.0 ** (np.floor(RUNGS * np.log2(radii)) / RUNGS)
    for radius in np.unique(radii):
        same = np.flatnonzero(radii == radius)
        is_adv[same] = run(known, rows[same], within(known.call, float(radius)), None if begin is None else begin[same])
    return is_adv


def run(known: Known, rows: np.ndarray, call: Call, begin: np.ndarray | None) -> np.ndarray:
    """Run this call on these images; returns for which it succeeds."""
    if not rows.size:
        return np.zeros(0, bool)
    task = known.task_of(rows, begin)
    found = call(
        task.classifier, task.images, task.labels, seeds=task.seeds, start=task.start, targets=task.targets
    )  # fmt: skip
    known.count(rows, found)
    is_adv = known.keep(rows, found.images)
    known.result.by[rows] = np.where(is_adv & (found.by != ""), found.by, known.result.by[rows])
    return is_adv


def within(call: Call, radii: float | np.ndarray) -> Call:
    """The call at another radius, or one per image; a fixed step is at most a quarter of it, that of FGSM all of it.

    >>> within(Call("attacks", "pgd", {"eps": 0.5, "step_size": 0.1}), 0.2).arguments
    {'eps': 0.2, 'step_size': 0.05}
    """
    given, share = call.arguments, 1 if of_attack(call.name).one_step else _STEP
    fixed = {name: size for name in STEP_SIZES if (size := given.get(name))}
    steps = {name: np.minimum(size, share * radii) for name, size in fixed.items()}
    steps = {name: float(size) if isinstance(radii, float) else size for name, size in steps.items()}
    return replace(call, arguments={**given, "eps": radii, **steps})


def first_radii(known: Known) -> np.ndarray:
    """A little more than the distance to the boundary of the linearised model, [N]."""
    sizes = linearised(known) if by_gradients(known.call) else np.zeros(len(known.sizes))
    sizes = np.where(np.isfinite(sizes) & (sizes > 0), FIRST * sizes, FIRST_WITHOUT_GRADIENTS * known.room)
    return np.clip(sizes, LEAST * known.room, known.room)


def linearised(known: Known) -> np.ndarray:
    """The distance to the boundary of the linearised model, [N]: the least change to where its margin is 0."""
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
