"""Calibration errors: how far confidence and accuracy lie apart, bin by bin."""

import numpy as np

BINS = 15  # as in Guo et al., ICML 2017
WORK = 1e8  # images x classes x resamples that an interval may cost
LEAST = 50  # resamples, below which there is no interval


def resamples(probabilities: np.ndarray) -> int:
    """How many resamples of all classes' bins are worth their time: 500, 0 for more than 2 million probabilities."""
    affordable = min(500, int(WORK / max(probabilities.size, 1)))
    return affordable if affordable >= LEAST else 0


def equal_width(confidence: np.ndarray, bins: int) -> np.ndarray:
    """The bin of each confidence, int [n, ...]: bin i holds (i / bins, (i + 1) / bins], and the first also 0."""
    return np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)


def equal_mass(confidence: np.ndarray, right: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence, `right` and bin, each [n, C] sorted by column: as many in one bin as in another, but for one.

    Of equal confidences each counts as right as often as they are on average, so that their order says nothing.
    """
    order = np.argsort(confidence, axis=0, kind="stable")
    confidence, right = np.take_along_axis(confidence, order, 0), np.take_along_axis(right, order, 0)
    first = np.ones(confidence.shape, bool)
    first[1:] = confidence[1:] != confidence[:-1]
    equals = np.cumsum(first.T.ravel()) - 1
    right = (np.bincount(equals, right.T.ravel()) / np.bincount(equals))[equals].reshape(right.T.shape).T
    place = np.arange(len(confidence)) * bins // len(confidence)
    return confidence, right, np.broadcast_to(place[:, None], confidence.shape)


def gaps(confidence: np.ndarray, right: np.ndarray, place: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """|accuracy - mean confidence| of each bin, 0 where it is empty, and how many it holds; [bins] each."""
    counts = np.bincount(place, minlength=bins)
    difference = np.bincount(place, right - confidence, minlength=bins)
    return np.abs(difference) / np.maximum(counts, 1), counts


def ece(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: the mean gap over images, in bins of equal width (Naeini et al., AAAI 2015).

    >>> round(ece(np.array([0.9, 0.9]), np.array([True, False])), 3)
    0.4
    """
    found, counts = gaps(confidence, right, equal_width(confidence, bins), bins)
    return float((found * counts).sum() / len(confidence))


def ece_equal_mass(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """The same in bins that hold as many images each (Nguyen & O'Connor, EMNLP 2015)."""
    sure, truth, place = equal_mass(confidence[:, None], right[:, None], bins)
    found, counts = _by_class(sure, truth, place, bins)
    return float((found * counts).sum() / len(confidence))


def ece_classwise(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """The mean over classes of the gaps of that class' probability, equal width (Kull et al., NeurIPS 2019)."""
    found, counts = _by_class(probabilities, _truth(probabilities, labels), equal_width(probabilities, bins), bins)
    return float((found * counts).sum() / probabilities.size)


def ece_adaptive(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """The mean gap over classes and bins of equal mass, ACE (Nixon et al., CVPR workshops 2019)."""
    sure, truth, place = equal_mass(probabilities, _truth(probabilities, labels), bins)
    found, counts = _by_class(sure, truth, place, bins)
    return float(found[counts > 0].mean())


def _truth(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return labels[:, None] == np.arange(probabilities.shape[1])


def _by_class(
    probabilities: np.ndarray, truth: np.ndarray, place: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray]:
    classes = probabilities.shape[1]
    own = place + bins * np.arange(classes)
    return gaps(probabilities.ravel(), truth.ravel(), own.ravel(), bins * classes)


def brier(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The Brier score of each image, [n] in [0, 2]: the squared distance to what is true (Brier, 1950)."""
    return (probabilities**2).sum(axis=1) - 2 * probabilities[np.arange(len(labels)), labels] + 1


def aurc(confidence: np.ndarray, right: np.ndarray) -> float:
    """The error rate of the most confident share of images, averaged over all shares (Geifman et al., ICLR 2019).

    Images of one confidence are accepted together, each with their mean error.
    """
    _, place, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    errors = np.bincount(place.reshape(-1), ~right, minlength=len(counts)) / counts
    return float((np.cumsum(np.repeat(errors, counts)) / np.arange(1, len(right) + 1)).mean())
