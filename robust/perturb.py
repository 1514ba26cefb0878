"""One case on one model: the images perturbed, at each strength going upward, and the trials that result."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from robust import targets
from robust.attacks import ball
from robust.classifier import Classifier
from robust.datasets.dataset import Dataset, Examples
from robust.errors import ContractError, DataError
from robust.perturbed import Perturbed, fooled
from robust.progress import Progress
from robust.randomness import image_seeds
from robust.schema import Call
from robust.suite import Case
from robust.trial import Trial


@dataclass(frozen=True)
class Outcome:
    """One strength of a case: the call that perturbed (None: nothing did), the images, the trial, the time."""

    call: Call | None
    original: np.ndarray
    perturbed: np.ndarray
    trial: Trial
    seconds: float


def outcomes(classifier: Classifier, case: Case, data: Dataset, seed: int, progress: Progress) -> Iterator[Outcome]:
    """Run a case's perturbations on the test split, weakest first; without any, the clean images.

    An image that fell at one eps is not attacked again at the next: what fooled the model lies in the
    larger ball, too. The others go on from where they were left.

    Raises ContractError where a perturbation leaves its ball or [0, 1], DataError where no image is left.
    """
    examples, began = data.examples("test", case.images), time.perf_counter()
    clean = Trial(
        data.classes, examples.ids, examples.labels, classifier.logits(examples.images), dict(data.superclasses)
    )
    if not case.perturbations:
        progress.advance()
        yield Outcome(None, examples.images, examples.images, clean, time.perf_counter() - began)
        return
    examples, clean = _aim(case, examples, clean, seed)
    seeds = image_seeds(seed, case.name, examples.ids.tolist())
    carried: Perturbed | None = None
    for call in case.perturbations:
        began = time.perf_counter()
        if call.kind == "attacks":
            carried = _attack(classifier, call, examples, clean, seeds, carried)
        else:
            carried = _corrupt(call, examples, seeds)
        logits = classifier.logits(carried.images)
        carried = carried if call.kind != "attacks" else replace(carried, by=_felled(call, carried.by, clean, logits))
        trial = _trial(clean, logits, examples.images, carried)
        progress.advance()
        yield Outcome(call, examples.images, carried.images, trial, time.perf_counter() - began)


def _aim(case: Case, examples: Examples, clean: Trial, seed: int) -> tuple[Examples, Trial]:
    """For an attack with targets: a target for each image, and only the images that have one."""
    if case.target is None:
        return examples, clean
    chosen = targets.choose(case.target, clean.classes, clean.labels, clean.logits, seed, clean.ids)
    kept = chosen >= 0
    if not kept.any():
        raise DataError(f"case {case.name}: the target {case.target!r} leaves no image to attack")
    examples = Examples(examples.images[kept], examples.labels[kept], examples.ids[kept])
    return examples, replace(
        clean, ids=examples.ids, labels=examples.labels, logits=clean.logits[kept], targets=chosen[kept]
    )


def _attack(
    classifier: Classifier, call: Call, examples: Examples, clean: Trial, seeds: np.ndarray, last: Perturbed | None
) -> Perturbed:
    """Attack the images that still stand, from where a smaller eps has left them (`last`, if there was one)."""
    images, labels, aims = examples.images, examples.labels, clean.targets
    result = Perturbed.of(images if last is None else last.images)
    result.by[:] = np.where(fooled(clean.predicted, labels, aims), "clean", "" if last is None else last.by)
    if last is not None:  # what led here is part of the budget
        result.forward[:], result.backward[:] = last.forward, last.backward
    rows = np.flatnonzero(result.by == "")
    if not rows.size:
        return result
    start, targets = None if last is None else last.images[rows], None if aims is None else aims[rows]
    found = call(classifier, images[rows], labels[rows], seeds=seeds[rows], start=start, targets=targets)
    check(call, images[rows], found.images)
    result.images[rows], result.by[rows] = found.images, found.by
    result.forward[rows] += found.forward
    result.backward[rows] += found.backward
    return result


def _corrupt(call: Call, examples: Examples, seeds: np.ndarray) -> Perturbed:
    images = call(examples.images, seeds=seeds)
    check(call, examples.images, images)
    return replace(Perturbed.of(examples.images), images=images)


def check(call: Call, original: np.ndarray, perturbed: np.ndarray) -> None:
    """Raise ContractError where a perturbation changed the shape, left [0, 1] or left the ball of its eps."""
    if perturbed.shape != original.shape:
        raise ContractError(f"{call.name} made images of shape {perturbed.shape} from {original.shape}")
    if not (perturbed >= 0).all() or not (perturbed <= 1).all():
        low, high = perturbed.min(), perturbed.max()
        raise ContractError(f"{call.name} left [0, 1]: its pixels range from {low:.6g} to {high:.6g}")
    if call.kind != "attacks" or (measure := ball.distances.get(call.arguments.get("norm", "linf"))) is None:
        return
    sizes, eps = measure(perturbed - original), call.arguments.get("eps", np.inf)
    if (sizes > eps * (1 + 1e-5) + 1e-6).any():
        raise ContractError(f"{call.name} left the ball: a change of {sizes.max():.6g} where eps is {eps:.6g}")


def _felled(call: Call, by: np.ndarray, clean: Trial, logits: np.ndarray) -> np.ndarray:
    """What felled each image: that it fell is what the final look says, not the attack's own word."""
    fell = fooled(logits.argmax(axis=1), clean.labels, clean.targets)
    return np.where(fell, np.where(by == "", call.name, by), "")


def _trial(clean: Trial, logits: np.ndarray, original: np.ndarray, result: Perturbed) -> Trial:
    change = result.images - original
    return replace(
        clean,
        logits=logits,
        clean=clean,
        by=result.by,
        linf=ball.distances["linf"](change),
        l2=ball.distances["l2"](change),
        forward=result.forward,
        backward=result.backward,
    )
