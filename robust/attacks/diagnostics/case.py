"""The same checks on the stored outcome of a case of a suite: the attack of the case is not run again."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from robust.attacks.diagnostics.attack_checks import AttackRun
from robust.attacks.diagnostics.diagnosis import Diagnosis
from robust.attacks.iterative import Task
from robust.core.randomness import image_seeds
from robust.core.signature import Call
from robust.models.classifier import Classifier
from robust.results.attack_result import fooled
from robust.results.evaluation import EvaluationResult, Value
from robust.results.flags import LEVELS

IMAGES = 100


def attack_run(
    classifier: Classifier,
    call: Call,
    result: EvaluationResult,
    trace: np.ndarray,
    images: Mapping[str, np.ndarray],
    seed: int,
    name: str,
) -> AttackRun:
    """The outcome of the attack, at one strength, on some examples, at most 100, each once.

    Args:
        classifier, call, result: the model, the attack, and the result of it on the case. trace: [N, T] of the attack.
        images: the examples, by id. seed: of the suite. name: of the case, on which the seeds of its images depend.

    Raises ValueError for a result without an attack.
    """
    if result.clean is None or result.by is None:
        raise ValueError("the result is not that of an attack")
    rows = once(result.ids, np.flatnonzero([i in images for i in result.ids.tolist()]))[:IMAGES]
    seeds = image_seeds(seed, name, result.ids[rows].tolist())
    labels, targets = result.labels[rows], None if result.targets is None else result.targets[rows]
    task = Task(classifier, np.stack([images[i] for i in result.ids[rows].tolist()]), labels, seeds, None, targets)
    is_adv = fooled(result.predicted[rows], labels, targets)
    before, sizes = result.clean.logits[rows], None if result.distance is None else result.distance[rows]
    return AttackRun(task, call, before, is_adv, trace[rows], result.by, sizes)


def once(ids: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Each image once: of an image with several targets one row, a different target from image to image."""
    _, place = np.unique(ids[rows], return_inverse=True)
    rank = pd.Series(place).groupby(place).cumcount().to_numpy()
    return rows[rank == place % np.bincount(place)[place]]


def values(diagnosis: Diagnosis, n: int) -> Iterator[Value]:
    """The reliability as rows of the table, from `n` images: its level, and each reason as a subset."""
    yield Value("reliability", LEVELS[diagnosis.level], n, unit="")
    for name, value, of in diagnosis.reasons:
        yield Value("reliability", value, of, subset=name)
