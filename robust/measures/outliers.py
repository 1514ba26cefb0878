"""Does the model notice images that belong to no class?"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from robust import statistics
from robust.measures.means import class_means
from robust.trial import Answers, Trial, Value

RESAMPLES = 200


def outliers(trial: Trial) -> Iterator[Value[Literal["auroc", "fpr95"]]]:
    """How well three scores tell this case's images from those that its `outside` names.

    "max softmax": the largest probability's logarithm (Hendrycks & Gimpel, ICLR 2017). "energy": log sum exp of the
    logits (Liu et al., NeurIPS 2020). "mahalanobis": minus the least distance of the penultimate features to
    a class mean, by the classes' common covariance, both of the training images (Lee et al., NeurIPS 2018).
    The score is the group of a value. `auroc` is the chance that an image of this case scores higher than
    one from outside, ties counting half; `fpr95` the share of those from outside that are let in where 95 %
    of this case's images are. The images from outside are not perturbed. n is how many images the case has.

    Raises ModelError for a model without a graph of layers, DataError for data without training images.

    >>> auroc(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    outside, train = trial.answers("outside"), trial.answers("train")
    apart = mahalanobis(train)
    inner = Answers(trial.labels, trial.logits, trial.features)
    scores: dict[str, Callable[[Answers], np.ndarray]] = {
        "max softmax": max_softmax,
        "energy": energy,
        "mahalanobis": lambda found: apart(found.features),
    }
    both = np.repeat([0, 1], [len(inner.labels), len(outside.labels)])
    for name, score in scores.items():
        found = np.concatenate([score(inner), score(outside)])
        for metric, statistic in (("auroc", auroc), ("fpr95", fpr95)):

            def of(rows: np.ndarray, found: np.ndarray = found, statistic: Callable = statistic) -> float:
                return statistic(found[rows][both == 0], found[rows][both == 1])  # strata keep their places

            ends = statistics.bootstrap(of, both, within=(0, 1), resamples=RESAMPLES)
            n = len(inner.labels)
            yield Value(metric, of(np.arange(len(both))), n, name, "", *ends, "bootstrap 95 %")  # type: ignore[arg-type]


def max_softmax(found: Answers) -> np.ndarray:
    """The largest log probability: as an order the same as the probability, without its rounding to 1."""
    return found.logits.max(axis=1) - energy(found)


def energy(found: Answers) -> np.ndarray:
    """Minus the free energy at temperature 1."""
    from scipy.special import logsumexp

    return logsumexp(np.asarray(found.logits, np.float64), axis=1)


def mahalanobis(train: Answers) -> Callable[[np.ndarray], np.ndarray]:
    """A function of features [N, D]: minus the squared distance to the nearest class mean; directions in which
    the training features do not vary within classes are left out.
    """
    features = np.asarray(train.features, np.float64)
    means, place = class_means(features, train.labels)
    inner = features - means[place]
    variances, directions = np.linalg.eigh(inner.T @ inner / len(inner))
    kept = variances > variances.max(initial=0) * len(variances) * np.finfo(np.float32).eps
    whiten = directions[:, kept] / np.sqrt(variances[kept])
    white = means @ whiten

    def score(values: np.ndarray) -> np.ndarray:
        turned = np.asarray(values, np.float64) @ whiten
        return -np.min([((turned - mean) ** 2).sum(axis=1) for mean in white], axis=0)

    return score


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """The area under the ROC curve, where higher scores should be inside."""
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([1, 0], [len(inside), len(outside)])
    return float(roc_auc_score(truth, np.concatenate([inside, outside])))


def fpr95(inside: np.ndarray, outside: np.ndarray) -> float:
    """The share of `outside` at or above the score that 95 % of `inside` reach.

    >>> fpr95(np.arange(100.0), np.array([3.0, 5.0, 200.0, -1.0]))
    0.5
    """
    threshold = np.sort(inside)[::-1][int(np.ceil(0.95 * len(inside))) - 1]
    return float((outside >= threshold).mean())
