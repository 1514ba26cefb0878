"""A ball for each image that shrinks to the least radius at which an attack succeeds."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import tensorflow as tf

from robust.attacks import ball, box, losses
from robust.attacks.minimal.search_state import SearchState
from robust.core.declared import of_attack
from robust.core.signature import Call
from robust.core.types import AnyNorm
from robust.models.classifier import Classifier

INITIAL_FACTOR = 1.5  # the first radius of a ball, over the distance of the linearised model
FIRST_WITHOUT_GRADIENTS, SMALLEST = (
    1 / 64,
    2.0**-12,
)  # of the largest possible change: the first radius without gradients, and the least
SHRINK_BY = 1 / 64, 1 / 128, 1 / 2  # by which a ball is smaller than the known distance: at first, at least, at most
MAX_SHRINKS = 24  # balls smaller than the known distance, at most
RADII_PER_OCTAVE, SHRINK_BY_ALL = (
    16,
    1 / 16,
)  # for attacks with one radius for all: radii per factor of 2, and how much smaller a ball is
MIN_CLASSES, STEPS_PER_CLASS, MAX_CLASSES = 3, 25, 9  # classes of the last search along the boundary: see `shrink`
STEP_SIZES = ("step_size", "abs_stepsize")  # of the native attacks, and of Foolbox
_STEP = 1 / 4  # of the radius: a step of a fixed size, at most


def shrink(state: SearchState) -> None:
    """Find a point that fools the model for each image, then search in ever smaller balls below the known distance.

    For an attack by gradients the search also moves along the boundary: towards the class that was found, and finally
    towards the most likely ones at its point. So it does not stop far along the boundary, or at a farther class.
    The last search has 3 classes, one more for every 25 steps, and 9 at most.
    """
    follows_boundary = by_gradients(state.call)
    find(state)
    state.bisect(state.all_rows)
    if follows_boundary:
        state.along_boundary(1)
    tighten(state)
    if follows_boundary:
        state.along_boundary(min(MIN_CLASSES + state.call.arguments.get("steps", 0) // STEPS_PER_CLASS, MAX_CLASSES))


def by_gradients(call: Call) -> bool:
    """Does the attack follow the gradients, in a ball for each image?

    >>> by_gradients(Call("attacks", "pgd")), by_gradients(Call("attacks", "square"))
    (True, False)
    """
    about = of_attack(call.name)
    return about.access == "gradient" and about.eps_per_image


def find(state: SearchState) -> None:
    """Balls of 1, 1/2, 2, 4, 8 ... times the first radius, up to eps, for images without a known point."""
    first, rows, times = first_radii(state), state.all_rows, 1.0
    begin = state.task.images if state.task.start is None else state.task.start
    top = min(state.call.arguments["eps"], state.box_diameter)
    while rows.size:
        rows = rows[~_try(state, rows, times * first[rows], begin[rows])]
        rows = rows if times < 1 else rows[times * first[rows] < top]
        times = {1.0: 0.5, 0.5: 2.0}.get(times, 2 * times)


def _try(state: SearchState, rows: np.ndarray, radii: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """Attack from `begin`, and where that fails, from the attack's own start; returns for which images it succeeds."""
    is_adv = _attack_within(state, rows, radii, begin)
    again = np.flatnonzero(~is_adv)
    if of_attack(state.call.name).warm_start:
        is_adv[again] = _attack_within(state, rows[again], radii[again], None)
    return is_adv


def tighten(state: SearchState) -> None:
    """Each ball is a share smaller than the known distance: after a success a larger share, else a smaller one."""
    first, least, most = (
        SHRINK_BY if of_attack(state.call.name).eps_per_image else (SHRINK_BY_ALL, SHRINK_BY_ALL, SHRINK_BY[2])
    )
    shares = np.where(np.isfinite(state.sizes), first, 0.0)
    for _ in range(MAX_SHRINKS):
        rows = np.flatnonzero(shares >= least)
        before = state.sizes[rows]
        _attack_within(state, rows, before * (1 - shares[rows]), state.shrunk(rows, 1 - shares[rows]))
        nearer = state.sizes[rows] < before
        state.bisect(rows[nearer])
        shares[rows] = np.where(nearer, np.minimum(2 * shares[rows], most), shares[rows] / 2)


def _attack_within(state: SearchState, rows: np.ndarray, radii: np.ndarray, begin: np.ndarray | None) -> np.ndarray:
    """Run the attack on these images at these radii; returns for which it succeeds."""
    if of_attack(state.call.name).eps_per_image:
        return run(state, rows, with_radius(state.call, radii), begin)
    is_adv, radii = np.zeros(len(rows), bool), 2.0 ** (np.floor(RADII_PER_OCTAVE * np.log2(radii)) / RADII_PER_OCTAVE)
    for radius in np.unique(radii):
        same = np.flatnonzero(radii == radius)
        is_adv[same] = run(
            state, rows[same], with_radius(state.call, float(radius)), None if begin is None else begin[same]
        )
    return is_adv


def run(state: SearchState, rows: np.ndarray, call: Call, begin: np.ndarray | None) -> np.ndarray:
    """Run this call on these images; returns for which it succeeds."""
    if not rows.size:
        return np.zeros(0, bool)
    task = state.task_of(rows, begin)
    found = call(
        task.classifier, task.images, task.labels, seeds=task.seeds, start=task.start, targets=task.targets
    )  # fmt: skip
    state.count(rows, found)
    is_adv = state.keep_nearer(rows, found.images)
    state.result.by[rows] = np.where(is_adv & (found.by != ""), found.by, state.result.by[rows])
    return is_adv


def with_radius(call: Call, radii: float | np.ndarray) -> Call:
    """The call at another radius, or one per image; a fixed step is at most a quarter of it, that of FGSM all of it.

    >>> with_radius(Call("attacks", "pgd", {"eps": 0.5, "step_size": 0.1}), 0.2).arguments
    {'eps': 0.2, 'step_size': 0.05}
    """
    given, share = call.arguments, 1 if of_attack(call.name).one_step else _STEP
    fixed = {name: size for name in STEP_SIZES if (size := given.get(name))}
    steps = {name: np.minimum(size, share * radii) for name, size in fixed.items()}
    steps = {name: float(size) if isinstance(radii, float) else size for name, size in steps.items()}
    return replace(call, arguments={**given, "eps": radii, **steps})


def first_radii(state: SearchState) -> np.ndarray:
    """A little more than the distance to the boundary of the linearised model, [N]."""
    sizes = linearised(state) if by_gradients(state.call) else np.zeros(len(state.sizes))
    sizes = np.where(
        np.isfinite(sizes) & (sizes > 0), INITIAL_FACTOR * sizes, FIRST_WITHOUT_GRADIENTS * state.box_diameter
    )
    return np.clip(sizes, SMALLEST * state.box_diameter, state.box_diameter)


def linearised(state: SearchState) -> np.ndarray:
    """The distance to the boundary of the linearised model, [N]: the least change to where its margin is 0."""
    task, classifier, targeted = state.task, state.task.classifier, state.task.targets is not None
    classes_to_try = task.labels if task.targets is None else task.targets
    compute = classifier.compiled(
        ("linearised", state.norm, targeted), lambda: _to_the_plane(classifier, state.norm, targeted)
    )
    images = classifier.batches(task.images.astype(classifier.dtype.as_numpy_dtype))
    parts = zip(images, classifier.batches(task.labels), classifier.batches(classes_to_try), strict=True)
    sizes = [compute(*(tf.constant(each) for each in part)).numpy() for part in parts]
    passes = sum(map(len, images))
    classifier.count(n_forward=passes, n_backward=passes)
    state.result.n_forward[:] += 1
    state.result.n_backward[:] += 1
    return np.concatenate([*sizes, np.zeros(0)])[: len(state.sizes)].astype(np.float64)


def _to_the_plane(classifier: Classifier, norm: AnyNorm, targeted: bool) -> Callable[..., tf.Tensor]:
    loss = losses.target_margin if targeted else losses.margin

    def distances(images: tf.Tensor, labels: tf.Tensor, classes_to_try: tf.Tensor) -> tf.Tensor:
        margins, _, slopes = classifier.gradient(images, labels, lambda logits, of: loss(logits, of, classes_to_try))
        return ball.size(box.onto_plane(images, slopes, -margins, norm), norm)[:, 0, 0, 0]

    return distances
