"""Does the confidence of the model match its accuracy?"""

from collections.abc import Iterator

import numpy as np

from robust.core.declared import metric
from robust.core.types import Count
from robust.metrics import binning
from robust.results.evaluation import EvaluationResult, Metric, Value, mean, proportion


@metric(
    names=("ece", "ece_adaptive", "ece_classwise", "ace", "brier", "aurc"),
    dynamic=("bin_accuracy", "bin_confidence"),
    shares=("bin_accuracy",),
    perfect={"aurc": 0.0},
    table="calibration",
    headings={
        "ece": "ECE", "ece_adaptive": "ECE, equal mass", "ece_classwise": "class-wise", "ace": "adaptive",
        "brier": "Brier", "aurc": "AURC",
    },
    spread=("ece", "brier", "aurc"),
)  # fmt: skip
def calibration(result: EvaluationResult, *, bins: Count = 15) -> Iterator[Value]:
    """Calibration errors, Brier score, reliability diagram, and the gain from rejecting the least confident images.

    Confidence is the largest softmax probability. `ece` has bins of equal width, `ece_adaptive` bins of
    equally many images; `ece_classwise` and `ace` use the probabilities of every class, in bins of
    the one and of the other kind. All are zero at best, and more than zero for a calibrated model, too, the
    more so the fewer images; their intervals allow for it, and so extend further down than up. `brier` is in
    [0, 2]. `aurc` is the area under the risk-coverage curve: the error rate among the most confident images,
    averaged over their share. `nll` is a value of accuracy.

    `bin_accuracy` and `bin_confidence` are the reliability diagram: of each bin of equal width that holds an
    image; the group is the bin.

    Args:
        result: what the model predicted. bins: how many.

    Source: Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural Networks, ICML 2017; Geifman,
    Uziel & El-Yaniv, Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019; the others
    in binning.py.

    >>> result = EvaluationResult(
    ...     ("cat", "dog"), np.array(["a", "b"]), np.array([1, 0]), np.array([[0.0, 0.0], [0.0, 0.0]])
    ... )
    >>> [(v.metric, v.value) for v in calibration(result)][0]
    ('ece', 0.0)
    """
    probabilities, labels = np.exp(result.log_probabilities), result.labels
    yield from by_confidence(probabilities.max(axis=1), result.predicted == labels, bins)
    yield _error("ece_classwise", binning.ece_classwise(probabilities, labels, bins), len(labels))
    yield _error("ace", binning.ace(probabilities, labels, bins), len(labels))
    yield mean("brier", binning.brier(probabilities, labels), 0, 2)


def by_confidence(confidence: np.ndarray, right: np.ndarray, bins: int) -> Iterator[Value]:
    """Those values of `calibration` that depend on the confidences, [n], and on what is correct, bool [n], alone."""
    yield _error("ece", binning.ece(confidence, right, bins), len(right))
    yield _error("ece_adaptive", binning.ece_adaptive(confidence, right, bins), len(right))
    ends = binning.aurc_interval(confidence, right)
    yield Value("aurc", binning.aurc(confidence, right), len(right), "", "", *ends, binning.OF_REFUSALS)
    yield from _reliability(confidence, right, bins)


def _error(metric: Metric, found: binning.Gaps, n: int) -> Value[Metric]:
    return Value(metric, found.value, n, "", "", found.low, found.high, binning.INTERVAL)


def _reliability(confidence: np.ndarray, right: np.ndarray, bins: int) -> Iterator[Value]:
    place = binning.equal_width(confidence, bins)
    for one in np.unique(place):
        own, subset = place == one, f"({one / bins:.3g}, {(one + 1) / bins:.3g}]"
        yield proportion("bin_accuracy", right[own], subset)
        yield mean("bin_confidence", confidence[own], one / bins, (one + 1) / bins, subset)
