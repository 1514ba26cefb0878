"""Temperature scaling: one parameter, fitted on held-out images, to calibrate the confidence."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from robust.core import statistics
from robust.core.declared import metric
from robust.core.types import Count
from robust.core.zero_probability import NEVER
from robust.metrics import binning
from robust.metrics.accuracy import nll
from robust.results.evaluation import IMPOSSIBLE, EvaluationResult, Value, at_labels, mean

LIMITS = (np.log(1 / 50), np.log(50))  # of ln T: beyond them all confidences are 1, or all are equal
STEP = 1e-3  # of ln T: the precision of the ends of its interval
UNDETERMINED = "none: no T in [0.02, 50] is best for the images held out; the temperature is the end of the range"
UNITS: dict[Literal["temperature", "nll_scaled", "brier_scaled", "ece_scaled", "ece_adaptive_scaled"], str] = {
    "nll_scaled": "nats", "brier_scaled": "", "ece_scaled": "", "ece_adaptive_scaled": "",
}  # fmt: skip


@metric(
    names=("temperature", "nll_scaled", "brier_scaled", "ece_scaled", "ece_adaptive_scaled"),
    needs=("validation",),
    other_images=("temperature",),
    table="calibration",
    headings={
        "temperature": "temperature", "nll_scaled": "NLL, scaled", "brier_scaled": "Brier, scaled",
        "ece_scaled": "ECE, scaled", "ece_adaptive_scaled": "ECE, equal mass, scaled",
    },
    spread=("temperature",),
)  # fmt: skip
def temperature(result: EvaluationResult, *, bins: Count = 15) -> Iterator[Value]:
    """Temperature scaling: the logits divided by T, which is fitted on the clean images of the validation split.

    T minimises the negative log-likelihood there, in [1/50, 50]; over 1 means that the model is
    overconfident. Where no T there is best, e.g. where all held-out images are correct and every lower T is better yet,
    T is the end of the range, its `ci_method` states it, and the scaled values are NaN, with n = 0.

    The other values are of this result's images, with that T; the predicted classes do not change. The
    images that are evaluated are never used for fitting; the intervals of the others hold T fixed.

    Args:
        result: what the model predicted. bins: how many, for the calibration errors.

    Raises DataError for data without a validation split.

    Source: Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural Networks, ICML 2017.

    >>> round(fit(np.array([[3.0, 0.0]] * 4), np.array([0, 0, 0, 1])), 3)  # correct in 3 of 4: ln 3 is enough
    2.731
    """
    held = result.predictions("validation")
    if any((at_labels(each.logits, each.labels) == NEVER).any() for each in (held, result)):  # no T changes that
        yield from _undefined(float("nan"), 0, IMPOSSIBLE)
        return
    best = fit(held.logits, held.labels)
    if best in np.exp(LIMITS):
        yield from _undefined(best, len(held.labels), UNDETERMINED)
        return
    ends = interval(held.logits, held.labels)
    yield Value("temperature", best, len(held.labels), "", "", *ends, statistics.OF_PREDICTIONS)
    logp = _scaled(result.logits, best)
    yield nll(result, logp, "nll_scaled")
    probabilities, right = np.exp(logp), result.predicted == result.labels
    yield mean("brier_scaled", binning.brier(probabilities, result.labels), 0, 2)
    confidence = probabilities.max(axis=1)
    yield _error("ece_scaled", binning.ece(confidence, right, bins), len(right))
    yield _error("ece_adaptive_scaled", binning.ece_adaptive(confidence, right, bins), len(right))


def _undefined(best: float, n: int, why: str) -> Iterator[Value]:
    yield Value("temperature", best, n, "", "", ci_method=why)
    yield from (Value(metric, float("nan"), 0, "", unit, ci_method=why) for metric, unit in UNITS.items())


def fit(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature in `LIMITS` that gives labels int [n] the largest likelihood under softmax(logits / T).

    One of the limits where it rises up to there: it is concave in 1 / T, so its slope decides.
    """
    return root_of_decreasing(lambda by: float(score(logits, labels, by)[0].mean()), 1e-9)


def interval(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """The temperatures at which the mean score may be 0: the interval of a bounded mean, inverted; 95 %."""

    def low(by: float) -> float:
        each, least, _ = score(logits, labels, by)
        return -statistics.highest_mean(-each, -least, statistics.TAIL)

    def high(by: float) -> float:
        each, _, most = score(logits, labels, by)
        return statistics.highest_mean(each, most, statistics.TAIL)

    return root_of_decreasing(low, STEP), root_of_decreasing(high, STEP)


def root_of_decreasing(of: Callable[[float], float], step: float) -> float:
    """The root of a decreasing function of the temperature, to a `step` of ln T; one of the limits if none."""
    from scipy.optimize import brentq

    if of(np.exp(LIMITS[0])) <= 0:
        return float(np.exp(LIMITS[0]))
    if of(np.exp(LIMITS[1])) >= 0:
        return float(np.exp(LIMITS[1]))
    return float(np.exp(brentq(lambda log_t: of(np.exp(log_t)), *LIMITS, xtol=step)))


def score(logits: np.ndarray, labels: np.ndarray, by: float) -> tuple[np.ndarray, float, float]:
    """Of each image its mean logit at a temperature minus that of the label, [n], and the range of that difference.

    It decreases as the temperature rises. Summed over the differences from the label, so that for correct images it is
    never above 0 by rounding.
    """
    values = logits.astype(np.float64)
    probabilities, own = np.exp(_scaled(values, by)), values[np.arange(len(labels)), labels, None]
    each = (probabilities * (values - own)).sum(axis=1)
    expected = (probabilities * values).sum(axis=1)
    return each, float((expected - values.max(axis=1)).min()), float((expected - values.min(axis=1)).max())


def _scaled(logits: np.ndarray, by: float) -> np.ndarray:
    from scipy.special import log_softmax

    return log_softmax(np.where(logits == NEVER, -np.inf, logits.astype(np.float64) / by), axis=1)  # 0 stays 0


def _error(metric: Literal["ece_scaled", "ece_adaptive_scaled"], found: binning.Gaps, n: int) -> Value:
    return Value(metric, found.value, n, "", "", found.low, found.high, binning.INTERVAL)
