"""The smallest change that fools a model, for every image: an upper bound on its distance to the boundary."""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from robust import catalog
from robust.attacks import ball
from robust.attacks import nearest as fab
from robust.attacks.survivors import Task, ranked
from robust.classifier import Classifier
from robust.perturbed import Perturbed, fooled, within
from robust.schema import Call

RUNGS = np.geomspace(1 / 64, 1, 32)  # the radii of a shrinking ball, as shares of the largest
HALVINGS = 8  # of the way from an image to the point that fools the model
_STEP_SIZES = ("step_size", "abs_stepsize")  # ours, and Foolbox's
# Times the change, for a point so near the boundary that the model itself does not see what its lean copy saw.
FURTHER = (1.01, 1.03, 1.1, 1.3, 2, 4)
MINIMISING = ("deepfool", "carlini_wagner")  # attacks of the catalogue that look for the nearest by themselves


@dataclass(frozen=True)
class _Known:
    """What is asked, and the nearest point of each image that fools the model by now, with its distance."""

    call: Call
    task: Task
    result: Perturbed
    sizes: np.ndarray  # [N]; infinite where there is none


def nearest(
    call: Call,
    classifier: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    seeds: np.ndarray,
    start: np.ndarray | None = None,
    targets: np.ndarray | None = None,
) -> Perturbed:
    """For every image the nearest point within the call's eps that fools the model; `by` is "" where none was found.

    FAB heads for one class after the other and remembers the nearest point; DeepFool, Carlini & Wagner and
    the minimising attacks of Foolbox do so by themselves; for any other attack the ball shrinks, by
    bisection over 32 radii for each image. At last the way from each image to its point is halved 8 times.
    Whatever counts was confirmed by the model itself.

    Args:
        call: the attack, with its norm, and the eps beyond which nothing is looked for.
        classifier, images, labels, seeds, targets: see `robust.attacks`; no image fools the model yet.
        start: where a first search begins.

    Source: Croce & Hein, Minimally distorted adversarial examples with a fast adaptive boundary attack, ICML 2020.
    """
    task = Task(classifier, images, labels, seeds, start, targets)
    known = _Known(call, task, Perturbed.of(images), np.full(len(images), np.inf))
    if call.name == "fab":
        _fab(known)
    elif minimises(call):
        _ask(known, np.arange(len(images)), call.arguments["eps"], start)
    else:
        _shrink(known)
    _halve(known)
    by = known.result.by
    by[:] = np.where(np.isfinite(known.sizes), np.where(by == "", call.name, by), "")
    return known.result


def at(call: Call, eps: float) -> Call:
    """The call at another eps; a step of a fixed size changes along, but that of an attack that minimises.

    >>> at(Call("attacks", "pgd", {"eps": 0.5, "step_size": 0.25}), 0.25).arguments
    {'eps': 0.25, 'step_size': 0.125}
    """
    given = call.arguments
    steps = {name: given[name] for name in _STEP_SIZES if given.get(name)}
    if steps and not minimises(call):
        steps = {name: size * eps / max(given["eps"], 1e-9) for name, size in steps.items()}
    return replace(call, arguments={**given, "eps": float(eps), **steps})


def minimises(call: Call) -> bool:
    """Does the attack make its changes small by itself?

    >>> minimises(Call("attacks", "foolbox:L2DeepFoolAttack")), minimises(Call("attacks", "pgd"))
    (True, False)
    """
    if not call.name.startswith(catalog.FOOLBOX):
        return call.name in MINIMISING
    attacks = catalog.foolbox().attacks
    return issubclass(getattr(attacks, call.name.removeprefix(catalog.FOOLBOX)), attacks.base.MinimizationAttack)


def _fab(known: _Known) -> None:
    """Towards each class from the image itself, then from random points of half the radius."""
    task, given = known.task, known.call.arguments
    aims, passes = ranked(task.classifier, task.images, task.labels, task.targets, given["classes"])
    known.result.forward[:] += passes
    everybody = np.arange(len(task.images))
    how = {name: given[name] for name in ("eps", "norm", "steps")}
    for restart in range(given["restarts"]):
        begun = Task(task.classifier, task.images, task.labels, task.seeds, _begin(known, restart), task.targets)
        for aim in aims.T:
            found = fab.nearest(begun, aim, **how)
            _count(known, everybody, found)
            fell = _keep(known, everybody, found.images)
            change = found.images - task.images
            missed = np.flatnonzero(~fell & (change != 0).any(axis=(1, 2, 3)))
            for further in FURTHER:
                points = np.clip(task.images[missed] + further * change[missed], 0, 1)
                missed = missed[~_keep(known, missed, points)]


def _begin(known: _Known, restart: int) -> np.ndarray | None:
    task, given = known.task, known.call.arguments
    if restart == 0:
        return task.start
    centres, radius = tf.constant(task.images, task.classifier.dtype), given["eps"] / 2
    return ball.random_point(centres, tf.constant(task.seeds), tf.constant(restart), radius, given["norm"]).numpy()


def _shrink(known: _Known) -> None:
    """Bisection over the radii: images at the same radius are attacked together, from where the last one led."""
    radii = known.call.arguments["eps"] * RUNGS
    _ask(known, np.arange(len(known.sizes)), radii[-1], known.task.start)
    failed, fell = np.full(len(known.sizes), -1), np.searchsorted(radii, known.sizes)
    while (between := np.isfinite(known.sizes) & (fell - failed > 1)).any():
        middle = (failed + fell) // 2
        for rung in np.unique(middle[between]):
            rows = np.flatnonzero(between & (middle == rung))
            fools = _ask(known, rows, radii[rung], _drawn_in(known, rows, radii[rung]))
            failed[rows[~fools]], fell[rows[fools]] = rung, rung


def _drawn_in(known: _Known, rows: np.ndarray, radius: float) -> np.ndarray:
    """The known points on their way back to the images, at this radius."""
    images, share = known.task.images[rows], (radius / known.sizes[rows]).astype(np.float32)
    return images + share[:, None, None, None] * (known.result.images[rows] - images)


def _ask(known: _Known, rows: np.ndarray, eps: float, start: np.ndarray | None) -> np.ndarray:
    """Run the attack on these images at this eps; says whom it felled."""
    task, call = known.task, known.call
    found = at(call, eps)(
        task.classifier, task.images[rows], task.labels[rows], seeds=task.seeds[rows], start=start,
        targets=None if task.targets is None else task.targets[rows],
    )  # fmt: skip
    _count(known, rows, found)
    known.result.by[rows] = np.where(found.by == "", known.result.by[rows], found.by)
    return _keep(known, rows, found.images)


def _halve(known: _Known) -> None:
    """On the straight way from each image to its point, go to where the model is fooled first, as far as is seen."""
    rows = np.flatnonzero(np.isfinite(known.sizes))
    images, change = known.task.images[rows], known.result.images[rows] - known.task.images[rows]
    low, high = np.zeros(len(rows), np.float32), np.ones(len(rows), np.float32)
    for _ in range(HALVINGS if rows.size else 0):
        middle = (low + high) / 2
        fell = _keep(known, rows, images + middle[:, None, None, None] * change)
        low, high = np.where(fell, low, middle), np.where(fell, middle, high)


def _count(known: _Known, rows: np.ndarray, found: Perturbed) -> None:
    known.result.forward[rows] += found.forward
    known.result.backward[rows] += found.backward


def _keep(known: _Known, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Take the points that fool the model and lie nearer than what is known; says which of them fool it."""
    task, eps = known.task, known.call.arguments["eps"]
    if not rows.size:
        return np.zeros(0, bool)
    aims = None if task.targets is None else task.targets[rows]
    fell = fooled(task.classifier.logits(points).argmax(axis=1), task.labels[rows], aims)
    sizes = ball.distances[known.call.arguments["norm"]](points - task.images[rows])
    taken = np.flatnonzero(fell & (sizes < known.sizes[rows]) & within(sizes, eps))
    known.result.forward[rows] += 1
    known.result.images[rows[taken]], known.sizes[rows[taken]] = points[taken], sizes[taken]
    return fell
