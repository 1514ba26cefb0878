"""The outcome of one strength of a case: the call, the images before and after, and the result."""

from dataclasses import dataclass

import numpy as np

from robust.core.signature import Call
from robust.results.evaluation import EvaluationResult


@dataclass(frozen=True)
class Outcome:
    """One strength of a case: the perturbation (None: clean), the images, the result, the time."""

    call: Call | None
    original: np.ndarray
    perturbed: np.ndarray
    result: EvaluationResult
    seconds: float
    trace: np.ndarray  # [N, T], see `AttackResult`
    passes: tuple[int, int] = (0, 0)  # of the search, see `AttackResult`
