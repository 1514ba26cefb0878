"""The same verdicts on what a suite's case has found already: the case's images are not attacked again."""

from collections.abc import Iterator, Set

import numpy as np
import pandas as pd

from robust.attacks.diagnostics.attack_checks import AttackRun
from robust.attacks.diagnostics.diagnosis import Diagnosis
from robust.attacks.iterative import Task
from robust.core.randomness import image_seeds
from robust.models.classifier import Classifier
from robust.results.attack_result import fooled
from robust.results.evaluation import Value
from robust.results.flags import LEVELS
from robust.results.outcome import Outcome

IMAGES = 100


def attack_run(classifier: Classifier, outcome: Outcome, ids: Set[str], seed: int, name: str) -> AttackRun:
    """What the attack did, at one strength, to the examples of these ids, at most 100, each once.

    Args:
        classifier, outcome: the model, and what a case found on it.
        ids: of the examples. seed: the suite's. name: the case's, which its images' seeds hang on.

    Raises ValueError for an outcome of no attack.
    """
    result = outcome.result
    if outcome.call is None or result.clean is None or result.by is None:
        raise ValueError("there is no attack to judge")
    rows = once(result.ids, np.flatnonzero([i in ids for i in result.ids.tolist()]))[:IMAGES]
    seeds = image_seeds(seed, name, result.ids.tolist())[rows]
    labels, targets = result.labels[rows], None if result.targets is None else result.targets[rows]
    task = Task(classifier, outcome.original[rows], labels, seeds, None, targets)
    is_adv = fooled(result.predicted[rows], labels, targets)
    before, sizes = result.clean.logits[rows], None if result.distance is None else result.distance[rows]
    return AttackRun(task, outcome.call, before, is_adv, outcome.trace[rows], result.by, sizes)


def once(ids: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Each image once: of one that is sent to several targets one row, of the next image the next."""
    _, place = np.unique(ids[rows], return_inverse=True)
    turn = pd.Series(place).groupby(place).cumcount().to_numpy()
    return rows[turn == place % np.bincount(place)[place]]


def values(diagnosis: Diagnosis, n: int) -> Iterator[Value]:
    """The verdict as rows of the table, `n` images having been looked at: its level, and each reason as a group."""
    yield Value("reliability", LEVELS[diagnosis.word], n, unit="")
    for name, value, of in diagnosis.reasons:
        yield Value("reliability", value, of, subset=name)
