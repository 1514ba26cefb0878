"""Does the model know how sure it may be?"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from robust import statistics
from robust.measures import binning
from robust.quantities import Count
from robust.trial import Trial, Value, mean, proportion

CHANCES = 200  # samples of a calibrated model


def calibration(
    trial: Trial, *, bins: Count = 15
) -> Iterator[
    Value[
        Literal[
            "ece", "ece_equal_mass", "ece_classwise", "ece_adaptive", "brier", "aurc", "bin_accuracy", "bin_confidence"
        ]
    ]
]:
    """Calibration errors, Brier score, reliability by confidence, and what refusing the least sure images gains.

    Confidence is the largest softmax probability. `ece` has bins of equal width, `ece_equal_mass` bins of as
    many images each; `ece_classwise` and `ece_adaptive` look at the probabilities of every class, in bins of
    the one and of the other kind. All are zero at best, and more than zero for a calibrated model, too, the
    more so the fewer images: where such a model would often have as large an error, the interval begins at 0
    (Bröcker & Smith, Weather and Forecasting 22, 2007). `brier` lies in [0, 2]. `aurc` is the area under the
    risk-coverage curve: the error rate among the most confident images, averaged over their share. `nll` is a
    value of accuracy.

    `bin_accuracy` and `bin_confidence` are the reliability diagram: of each bin of equal width that holds an
    image; the group is the bin. Of more than 2 million probabilities
    the errors that look at all of them have no interval.

    Args:
        trial: what the model answered. bins: how many.

    Source: Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural Networks, ICML 2017; Geifman,
    Uziel & El-Yaniv, Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019; the others
    in binning.py.

    >>> trial = Trial(("cat", "dog"), np.array(["a", "b"]), np.array([1, 0]), np.array([[0.0, 0.0], [0.0, 0.0]]))
    >>> [(v.metric, v.value) for v in calibration(trial)][0]
    ('ece', 0.0)
    """
    probabilities, labels = np.exp(trial.log_probabilities), trial.labels
    confidence, right = probabilities.max(axis=1), trial.predicted == labels
    each = np.zeros(len(labels), int)

    def sure(metric: str, statistic: Callable[[np.ndarray], float], resamples: int = 500) -> Value:
        ends = statistics.bootstrap(statistic, each, resamples=resamples)
        return Value(metric, statistic(np.arange(len(each))), len(each), "", "", *ends, "bootstrap 95 %")

    def error(metric: str, of: Callable[..., float], sureness: np.ndarray, truth: np.ndarray, resamples: int) -> Value:
        found = sure(metric, lambda rows: of(sureness[rows], truth[rows], bins), resamples)
        chance = [of(sureness, drawn, bins) for drawn in _calibrated(sureness, min(resamples, CHANCES))]
        return found._replace(low=statistics.from_nothing(found.value, found.low, np.array(chance)))

    affordable = binning.resamples(probabilities)
    yield error("ece", binning.ece, confidence, right, 500)
    yield error("ece_equal_mass", binning.ece_equal_mass, confidence, right, 500)
    yield error("ece_classwise", binning.ece_classwise, probabilities, labels, affordable)
    yield error("ece_adaptive", binning.ece_adaptive, probabilities, labels, affordable)
    yield mean("brier", binning.brier(probabilities, labels), 0, 2)
    yield sure("aurc", lambda rows: binning.aurc(confidence[rows], right[rows]))
    yield from _reliability(confidence, right, bins)


def _calibrated(sureness: np.ndarray, times: int) -> Iterator[np.ndarray]:
    """What would be true of these images if the model were calibrated: is it right [n], or the labels, drawn."""
    random = np.random.default_rng(0)
    for _ in range(times):
        drawn = random.random(len(sureness))
        if sureness.ndim == 1:
            yield drawn < sureness
        else:
            yield (np.cumsum(sureness[:, :-1], axis=1) < drawn[:, None]).sum(axis=1)


def _reliability(confidence: np.ndarray, right: np.ndarray, bins: int) -> Iterator[Value]:
    place = binning.equal_width(confidence, bins)
    for one in np.unique(place):
        own, group = place == one, f"({one / bins:.3g}, {(one + 1) / bins:.3g}]"
        yield proportion("bin_accuracy", right[own], group)
        yield mean("bin_confidence", confidence[own], one / bins, (one + 1) / bins, group)
