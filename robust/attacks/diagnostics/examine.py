"""The checks in their order, on at most a hundred images."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from robust.attacks.diagnostics import attack_checks, model_checks
from robust.attacks.diagnostics.attack_checks import AttackRun
from robust.attacks.diagnostics.case import IMAGES
from robust.attacks.diagnostics.diagnosis import Diagnosis, Reason
from robust.attacks.diagnostics.flat_scores import flat_scores
from robust.attacks.diagnostics.fooled_but_not_returned import fooled_but_not_returned
from robust.attacks.diagnostics.jumping_scores import jumping_scores
from robust.attacks.diagnostics.lost_in_rounding import lost_in_rounding
from robust.attacks.diagnostics.partial_gradients import partial_gradients
from robust.attacks.diagnostics.smaller_distance import smaller_distance_found
from robust.attacks.diagnostics.stronger_attack import stronger_attack
from robust.attacks.iterative import Task
from robust.core import declared
from robust.core.errors import ModelError
from robust.core.randomness import image_seeds
from robust.core.signature import Call, bind
from robust.models.classifier import Classifier


def examine(
    classifier: Classifier,
    attack: str | Mapping[str, object] | Call,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    targets: np.ndarray | None = None,
    seed: int = 0,
) -> Diagnosis:
    """Run an attack on at most 100 images, and check whether the accuracy under it is reliable.

    Args:
        classifier: the model, as `robust.Classifier` wraps it.
        attack: as in a suite: {"name": "pgd", "eps": "8/255", "steps": 20}.
        images: float [N, H, W, C] in [0, 1]; the first 100 are used. labels: int64 [N].
        targets: int64 [N] for a targeted attack.
        seed: of all random numbers.

    Returns the reliability with its reasons: all flags, their severity and their remedies are in
    `robust.results.flags.FLAGS`. A count of images is tested against chance by an exact binomial test, see
    `robust.attacks.diagnostics.significantly_above`, so that a check flags a sound model in fewer than one of 1,000
    runs.

    Raises SuiteError if the attack is not valid, ModelError if the model's outputs do not fit.

    >>> import keras
    >>> keras.utils.set_random_seed(0)
    >>> model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> images = np.random.default_rng(0).random((8, 2, 2, 1), "float32")
    >>> examine(Classifier(model, 2), {"name": "pgd", "eps": 0.1}, images, np.zeros(8, int)).level
    'reliable'
    """
    call = attack if isinstance(attack, Call) else bind("attacks", attack)
    n = min(len(images), IMAGES)
    seeds = image_seeds(seed, "reliability", [str(i) for i in range(n)])
    task = Task(classifier, images[:n], labels[:n], seeds, None, None if targets is None else targets[:n])
    if found := tuple(model_checks.probabilities(model_checks.outputs_of(classifier, task.images))):
        return Diagnosis(found)  # the classifier would refuse them
    try:
        return diagnose([attack_checks.run(task, call)])[0]
    except ModelError:
        at_random_points = model_checks.at_random_points(task, call.arguments.get("eps"), call.arguments.get("norm"))
        if found := tuple(
            [*model_checks.gradients(task)] or model_checks.gradients(at_random_points)
        ):  # there are none to attack with
            return Diagnosis(found)
        raise


def diagnose(runs: Sequence[AttackRun]) -> list[Diagnosis]:
    """The reliability at each strength of a case, weakest first: a reason from the model applies to all.

    If the outputs of the model are not repeatable, the other checks are skipped: none could tell its reason from that.
    The exception is an attack that averages over the randomness. Then the checks are: are there gradients, does the
    attack succeed without a bound, and do more steps succeed on more images than the same steps again?
    A search for distances is checked by its model, by its attack without a bound, by noise and another attack where
    it found nothing, and by another search where it found something.
    The passes of the checks are not part of the cost of the attack. What is known of the model already
    (`Classifier.doubts`) comes first, whatever the attack.
    """
    if not runs:
        return []
    known = runs[0].task.classifier.doubts
    return [Diagnosis((*known, *found.reasons)) for found in _diagnose(runs)]


def _diagnose(runs: Sequence[AttackRun]) -> list[Diagnosis]:
    task, call = runs[0].task, runs[0].call
    outputs = runs[0].before
    found = [*model_checks.probabilities(outputs)] or [*model_checks.stateful_or_randomised(task, outputs)]
    if found:
        if attack_checks.uses_eot(call) and [r.name for r in found] == ["randomised"]:
            own = [r for r in model_checks.gradients(task) if r.name not in model_checks.ALSO_FROM_RANDOMNESS]
            found = [*own, *attack_checks.unbounded_fails(task, call)]
            return [Diagnosis((*found, *attack_checks.more_averaged_steps(run))) for run in runs]
        return [Diagnosis(tuple(found))] * len(runs)
    if declared.of_attack(call.name).is_control:
        return [Diagnosis((*compare_with_others(run), *lost_in_rounding(run))) for run in runs]
    general = [*_check_model(task, call, outputs, runs[-1].call)]
    own = [[*_check_run(runs[i - 1] if i else None, run)] for i, run in enumerate(runs)]
    general += model_checks.stateful_or_randomised(task, outputs)  # after all evaluations of the checks
    return [Diagnosis((*general, *reasons)) for reasons in own]


def _check_model(task: Task, call: Call, outputs: np.ndarray, strongest: Call) -> Iterator[Reason]:
    """Reasons from the model; its gradients are checked where the attack starts, and where it searches after that."""
    if attack_checks.gradient_based(call):
        yield from model_checks.bounded_outputs(task, outputs)
        at_random_points = model_checks.at_random_points(
            task, strongest.arguments.get("eps"), strongest.arguments.get("norm", "linf")
        )
        seen = [*model_checks.gradients(task)] or [*model_checks.gradients(at_random_points)]
        yield from seen or partial_gradients(
            task, strongest.arguments.get("eps"), strongest.arguments.get("norm", "linf")
        )
    if declared.of_attack(call.name).access in ("gradient", "score"):
        yield from jumping_scores(task, outputs)
    yield from model_checks.unstable(task, outputs)
    yield from attack_checks.unbounded_fails(task, call)


def compare_with_others(run: AttackRun) -> Iterator[Reason]:
    """What a stronger attack and a shorter search show; missing gradients are reported once."""
    found = [*stronger_attack(run)]
    yield from found
    if "no_model_gradients" not in {reason.name for reason in found}:
        yield from smaller_distance_found(run)


def _check_run(weaker: AttackRun | None, run: AttackRun) -> Iterator[Reason]:
    yield from attack_checks.noise_beats_attack(run)
    yield from flat_scores(run)
    if run.sizes is not None:  # a search has its own balls, steps and trace, and keeps each point that fooled the model
        yield from compare_with_others(run)
        return
    yield from attack_checks.square_beats_gradients(run)
    yield from [*attack_checks.more_steps(run)] or stronger_attack(run)
    yield from lost_in_rounding(run)
    yield from fooled_but_not_returned(run)
    yield from attack_checks.half_eps(run) if weaker is None else attack_checks.not_monotone_in_eps(weaker, run)
