"""One case on one model: the perturbed images at increasing strengths, and the results."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from robust.attacks import ball, targets
from robust.attacks.minimal.search import smallest_changes
from robust.core.errors import ContractError, DataError, suggest
from robust.core.randomness import image_seeds
from robust.core.signature import Call
from robust.datasets.dataset import Dataset, Examples
from robust.models.classifier import Classifier
from robust.results.attack_result import AttackResult, fooled, is_within
from robust.results.evaluation import EvaluationResult
from robust.results.outcome import Outcome
from robust.suite import Case


@dataclass(frozen=True)
class Start:
    """Where the attack at a strength begins: the result at the strength before, for all rows of a shard.

    found: images, passes and who succeeded; images of those that are fooled already are not used again.
    logits: [N, C]. linf, l2: sizes of the changes, [N]. rounded: bool [N].
    """

    found: AttackResult
    logits: np.ndarray
    linf: np.ndarray
    l2: np.ndarray
    rounded: np.ndarray


def outcomes(classifier: Classifier, case: Case, data: Dataset, seed: int) -> Iterator[Outcome]:
    """Run a case on all its images at once, in memory: the outcome at each strength, or the clean one.

    Raises ContractError as `of_examples`, DataError where no image is left to attack.
    """
    examples, began = data.examples("test", case.max_images, seed=seed, balanced=case.balanced), time.perf_counter()
    logits = classifier.logits(examples.images)
    clean = EvaluationResult(data.classes, examples.ids, examples.labels, logits, dict(data.superclasses))
    if not case.calls:
        nothing = AttackResult.of(examples.images)
        yield Outcome(None, examples.images, examples.images, clean, time.perf_counter() - began, nothing.trace)
        return
    examples, clean = aim(case, examples, clean, seed)
    if not len(examples.ids):
        raise no_image_left(case)
    yield from of_examples(classifier, case, examples, clean, seed)


def no_image_left(case: Case) -> DataError:
    """The error for a target that excludes every image."""
    return DataError(f"case {case.name}: the target {case.target!r} leaves no image to attack")


def of_examples(
    classifier: Classifier,
    case: Case,
    examples: Examples,
    clean: EvaluationResult,
    seed: int,
    start: Start | None = None,
) -> Iterator[Outcome]:
    """Run the perturbations of a case on some examples, weakest first, or its search.

    An image misclassified at one eps is not attacked again at the next: the adversarial image is also in the larger
    ball. The others continue from their last perturbed image. An image that was misclassified before or by the attack
    is not evaluated again: another prediction of a randomised model would not undo that.

    Args:
        classifier: the model. case: its `calls` are run.
        examples: images, and clean: the result on them without a perturbation, after `aim`.
        seed: of the suite. start: the result at a smaller strength than the first call.

    Raises ContractError where a perturbation leaves its ball or [0, 1].
    """
    seeds = image_seeds(seed, case.name, examples.ids.tolist())
    for call in case.calls:
        began = time.perf_counter()
        if call.kind == "attacks":
            result, start = _attacked(classifier, case, call, examples, clean, seeds, start)
            found = start.found
        else:
            found = _corrupt(call, examples, seeds)
            result = _evaluated(clean, classifier.logits(found.images), examples.images, found)
        seconds = time.perf_counter() - began
        yield Outcome(call, examples.images, found.images, result, seconds, found.trace, found.passes)


def _attacked(
    classifier: Classifier,
    case: Case,
    call: Call,
    examples: Examples,
    clean: EvaluationResult,
    seeds: np.ndarray,
    last: Start | None,
) -> tuple[EvaluationResult, Start]:
    search = call if case.minimal is None else partial(smallest_changes, call)
    found, rows = attack(classifier, call, search, examples, clean, seeds, None if last is None else last.found)
    logits = (clean.logits if last is None else last.logits).copy()
    logits[rows] = classifier.logits(found.images[rows])
    found = replace(found, by=success_by(call, found.by, clean, logits))
    found, logits = without_corrections(found, logits, examples, clean)
    result = _evaluated(clean, logits, examples.images, found)
    if case.minimal is not None:
        result = with_distance(result, call, found.images - examples.images)
    result = replace(result, rounded=rounded(classifier, result, found.images, rows))
    if last is not None:  # what was fooled before is as it was
        kept = np.setdiff1d(np.arange(len(logits)), rows)
        for name in ("linf", "l2", "rounded"):
            getattr(result, name)[kept] = getattr(last, name)[kept]
    return result, Start(found, logits, *(np.asarray(getattr(result, n)) for n in ("linf", "l2", "rounded")))


def aim(case: Case, examples: Examples, clean: EvaluationResult, seed: int) -> tuple[Examples, EvaluationResult]:
    """For an attack with targets: a target for each image, and only the images that have one."""
    if case.target is None:
        return examples, clean
    rows, aims = pairs(case.target, clean, seed)
    examples = Examples(examples.images[rows], examples.labels[rows], examples.ids[rows])
    return examples, replace(clean, ids=examples.ids, labels=examples.labels, logits=clean.logits[rows], targets=aims)


def pairs(target: str | Mapping[str, str], clean: EvaluationResult, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which image is attacked towards which class: the rows, and their targets."""
    if target == targets.ALL:
        return targets.pairs(clean.labels, len(clean.classes))
    chosen = targets.choose(target, clean.classes, clean.labels, clean.logits, seed, clean.ids)
    return np.flatnonzero(chosen >= 0), chosen[chosen >= 0]


def attack(
    classifier: Classifier,
    call: Call,
    search: Callable[..., AttackResult],
    examples: Examples,
    clean: EvaluationResult,
    seeds: np.ndarray,
    last: AttackResult | None,
) -> tuple[AttackResult, np.ndarray]:
    """Attack the images that are not fooled yet, from the result at a smaller eps (`last`); also returns their rows."""
    images, labels, aims = examples.images, examples.labels, clean.targets
    result = AttackResult.of(images if last is None else last.images)
    result.by[:] = np.where(fooled(clean.predicted, labels, aims), "clean", "" if last is None else last.by)
    if last is not None:  # the passes at smaller eps count
        result.n_forward[:], result.n_backward[:] = last.n_forward, last.n_backward
    rows = np.flatnonzero(result.by == "")
    if not rows.size:
        return result, rows
    start, targets = None if last is None else last.images[rows], None if aims is None else aims[rows]
    before = classifier.n_forward
    found = search(classifier, images[rows], labels[rows], seeds=seeds[rows], start=start, targets=targets)
    passes = int(found.n_forward.sum()), classifier.n_forward - before
    check(call, images[rows], found.images)
    result.images[rows], result.by[rows] = found.images, found.by
    result.n_forward[rows] += found.n_forward
    result.n_backward[rows] += found.n_backward
    trace = np.full((len(images), found.trace.shape[1]), np.nan, np.float32)
    trace[rows] = found.trace
    return replace(result, trace=trace, passes=passes), rows


def _corrupt(call: Call, examples: Examples, seeds: np.ndarray) -> AttackResult:
    images = call(examples.images, seeds=seeds)
    check(call, examples.images, images)
    return replace(AttackResult.of(examples.images), images=images)


def check(call: Call, original: np.ndarray, perturbed: np.ndarray) -> None:
    """Raise ContractError where a perturbation changed the shape, left [0, 1] or left the ball of its eps."""
    if perturbed.shape != original.shape:
        raise ContractError(f"{call.name} made images of shape {perturbed.shape} from {original.shape}")
    if not (perturbed >= 0).all() or not (perturbed <= 1).all():
        low, high = perturbed.min(), perturbed.max()
        raise ContractError(f"{call.name} left [0, 1]: its pixels range from {low:.6g} to {high:.6g}")
    norm = call.arguments.get("norm", "linf")
    if call.kind != "attacks":
        return
    if (distance := ball.distances.get(norm)) is None:
        raise ContractError(
            f"{call.name} has norm = {norm!r}, in which no ball is checked{suggest(norm, ball.distances)}"
        )
    sizes, eps = distance(perturbed - original), call.arguments.get("eps", np.inf)
    if not is_within(sizes, eps).all():
        raise ContractError(f"{call.name} left the ball: a change of {sizes.max():.6g} where eps is {eps:.6g}")


def success_by(call: Call, by: np.ndarray, clean: EvaluationResult, logits: np.ndarray) -> np.ndarray:
    """The attack that succeeded on each image; success is decided by the final logits, not by the attack's report."""
    is_adv = fooled(logits.argmax(axis=1), clean.labels, clean.targets)
    return np.where(is_adv, np.where(by == "", call.name, by), "")


def without_corrections(
    carried: AttackResult, logits: np.ndarray, examples: Examples, clean: EvaluationResult
) -> tuple[AttackResult, np.ndarray]:
    """A targeted attack may make a misclassified image correct: then the original image is kept."""
    corrected = (logits.argmax(axis=1) == clean.labels) & (clean.predicted != clean.labels)
    images = np.where(corrected[:, None, None, None], examples.images, carried.images)
    return replace(carried, images=images), np.where(corrected[:, None], clean.logits, logits)


def rounded(classifier: Classifier, result: EvaluationResult, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which of the successful adversarial images, among these rows, still fool the model rounded to 8 bits."""
    is_adv, survives = rows[result.attack_success[rows]], np.zeros(len(images), bool)
    if is_adv.size:
        predicted = classifier.logits(np.round(images[is_adv] * 255) / 255).argmax(axis=1)
        aims = None if result.targets is None else result.targets[is_adv]
        survives[is_adv] = fooled(predicted, result.labels[is_adv], aims)
    return survives


def _evaluated(
    clean: EvaluationResult, logits: np.ndarray, original: np.ndarray, found: AttackResult
) -> EvaluationResult:
    change = found.images - original
    return replace(
        clean,
        logits=logits,
        clean=clean,
        by=found.by,
        linf=ball.distances["linf"](change),
        l2=ball.distances["l2"](change),
        n_forward=found.n_forward,
        n_backward=found.n_backward,
    )


def with_distance(result: EvaluationResult, call: Call, change: np.ndarray) -> EvaluationResult:
    """The size of each change: 0 where the model erred before, infinite where it is not fooled within eps."""
    norm, is_adv = call.arguments["norm"], fooled(result.predicted, result.labels, result.targets)
    sizes = np.where(is_adv, ball.distances[norm](change), np.inf).astype(np.float32)
    return replace(result, distance=sizes, limit=call.arguments["eps"], norm=norm)
