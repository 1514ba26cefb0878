"""The checks in their order, on a hundred images or fewer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from robust.attacks.diagnostics import attack_checks as of_attack
from robust.attacks.diagnostics import model_checks as of_model
from robust.attacks.diagnostics.attack_checks import AttackRun
from robust.attacks.diagnostics.case import IMAGES
from robust.attacks.diagnostics.diagnosis import Diagnosis, Reason
from robust.attacks.diagnostics.flat_scores import flat_scores
from robust.attacks.diagnostics.jumping_scores import jumping_scores
from robust.attacks.diagnostics.lost_in_rounding import lost_in_rounding
from robust.attacks.diagnostics.partial_gradients import partial_gradients
from robust.attacks.diagnostics.shorter_search import shorter_search
from robust.attacks.diagnostics.silent_success import silent_success
from robust.attacks.diagnostics.stronger_attack import stronger_attack
from robust.attacks.iterative import Task
from robust.core import declared
from robust.core.errors import ModelError
from robust.core.randomness import image_seeds
from robust.core.signature import Call, bind
from robust.models.classifier import Classifier


def examine(
    classifier: Classifier,
    attack: str | Mapping[str, Any] | Call,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    targets: np.ndarray | None = None,
    seed: int = 0,
) -> Diagnosis:
    """Run an attack on at most 100 images, and judge whether the accuracy under it can be believed.

    Args:
        classifier: the model, as `robust.Classifier` wraps it.
        attack: as in a suite: {"name": "pgd", "eps": "8/255", "steps": 20}.
        images: float [N, H, W, C] in [0, 1]; the first 100 are looked at. labels: int64 [N].
        targets: int64 [N] where the attack is to reach a class.
        seed: of all that is random.

    Returns the verdict with its reasons: which ills there are, how bad each is and what helps stands in
    `robust.results.flags.FLAGS`. A count of images is held against chance by an exact binomial test, see
    `robust.attacks.diagnostics.clearly`, so that a healthy model is accused by one check in fewer than one of
    1,000 runs.

    Raises SuiteError for what is wrong with the attack, ModelError where the model's outputs do not fit.

    >>> import keras
    >>> keras.utils.set_random_seed(0)
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> images = np.random.default_rng(0).random((8, 2, 2, 1), "float32")
    >>> examine(Classifier(model, 2), {"name": "pgd", "eps": 0.1}, images, np.zeros(8, int)).word
    'reliable'
    """
    call = attack if isinstance(attack, Call) else bind("attacks", attack)
    n = min(len(images), IMAGES)
    seeds = image_seeds(seed, "reliability", [str(i) for i in range(n)])
    task = Task(classifier, images[:n], labels[:n], seeds, None, None if targets is None else targets[:n])
    if found := tuple(of_model.probabilities(of_model.outputs_of(classifier, task.images))):
        return Diagnosis(found)  # the classifier would refuse them
    try:
        return doubts([of_attack.run(task, call)])[0]
    except ModelError:
        at_random_points = of_model.at_random_points(task, call.arguments.get("eps"), call.arguments.get("norm"))
        if found := tuple(
            [*of_model.gradients(task)] or of_model.gradients(at_random_points)
        ):  # there are none to attack with
            return Diagnosis(found)
        raise


def doubts(runs: Sequence[AttackRun]) -> list[Diagnosis]:
    """The verdict on each strength of a case, weakest first: what is wrong with the model is wrong with all.

    Where the model does not answer twice alike, no other check could tell its ill from that; but for an
    attack that averages over its randomness: then it is asked for gradients, to fall without a limit, and to fall no
    more to more steps than to the same again.
    A search for distances is judged by its model, by what its attack does without a limit, by what noise and
    another attack fell where it found nothing, and by another search where it found something.
    The passes are those of the checks, and no part of what the attack has cost. What is known of the model
    already (`Classifier.doubts`) comes first, whatever the attack.
    """
    if not runs:
        return []
    known = runs[0].task.classifier.doubts
    return [Diagnosis((*known, *found.reasons)) for found in _doubts(runs)]


def _doubts(runs: Sequence[AttackRun]) -> list[Diagnosis]:
    task, call = runs[0].task, runs[0].call
    outputs = runs[0].before
    found = [*of_model.probabilities(outputs)] or [*of_model.stateful_or_randomised(task, outputs)]
    if found:
        if of_attack.uses_eot(call) and [r.name for r in found] == ["randomised"]:
            own = [r for r in of_model.gradients(task) if r.name not in of_model.BY_TWO_ANSWERS]
            found = [*own, *of_attack.unbounded_fails(task, call)]
            return [Diagnosis((*found, *of_attack.more_averaged_steps(run))) for run in runs]
        return [Diagnosis(tuple(found))] * len(runs)
    if declared.of_attack(call.name).is_control:
        return [Diagnosis((*by_others(run), *lost_in_rounding(run))) for run in runs]
    general = [*_of_model(task, call, outputs, runs[-1].call)]
    own = [[*_of_run(runs[i - 1] if i else None, run)] for i, run in enumerate(runs)]
    general += of_model.stateful_or_randomised(task, outputs)  # by all that the checks have asked
    return [Diagnosis((*general, *reasons)) for reasons in own]


def _of_model(task: Task, call: Call, outputs: np.ndarray, strongest: Call) -> Iterator[Reason]:
    """What is wrong with the model; its gradients are looked at where the attack begins, and where it then walks."""
    if of_attack.gradient_based(call):
        yield from of_model.bounded_outputs(task, outputs)
        at_random_points = of_model.at_random_points(
            task, strongest.arguments.get("eps"), strongest.arguments.get("norm", "linf")
        )
        seen = [*of_model.gradients(task)] or [*of_model.gradients(at_random_points)]
        yield from seen or partial_gradients(
            task, strongest.arguments.get("eps"), strongest.arguments.get("norm", "linf")
        )
    if declared.of_attack(call.name).access in ("gradient", "score"):
        yield from jumping_scores(task, outputs)
    yield from of_model.unstable(task, outputs)
    yield from of_attack.unbounded_fails(task, call)


def by_others(run: AttackRun) -> Iterator[Reason]:
    """What another attack fells, or finds nearer; that there are no gradients for one is said once."""
    found = [*stronger_attack(run)]
    yield from found
    if "no_model_gradients" not in {reason.name for reason in found}:
        yield from shorter_search(run)


def _of_run(weaker: AttackRun | None, run: AttackRun) -> Iterator[Reason]:
    yield from of_attack.noise_beats_attack(run)
    yield from flat_scores(run)
    if run.sizes is not None:  # a search has its own balls, steps and trace, and keeps what fooled the model
        yield from by_others(run)
        return
    yield from of_attack.square_beats_gradients(run)
    yield from [*of_attack.more_steps(run)] or stronger_attack(run)
    yield from lost_in_rounding(run)
    yield from silent_success(run)
    yield from of_attack.half_eps(run) if weaker is None else of_attack.eps_order(weaker, run)
