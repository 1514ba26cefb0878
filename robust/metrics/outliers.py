"""Out-of-distribution detection: do scores of the model separate images that belong to no class?"""

from collections.abc import Callable, Iterator

import numpy as np

from robust.core.declared import metric
from robust.metrics import roc
from robust.metrics.means import class_means
from robust.results.evaluation import EvaluationResult, Predictions, Value

ROUNDED = 0.05  # nats: what bfloat16 leaves of a sum of 1,000 probabilities is within .03 of 0
SHIFTED = f"none: the logits are log probabilities: their log sum exp is 0 on all images, within {ROUNDED} nats"
CHOSEN = "none: the model returns one logit, z, and energy differs between the equivalent logits 0, z and -z/2, z/2"


@metric(
    subsets={
        "ood_auroc": ("max softmax", "energy", "mahalanobis"),
        "ood_fpr95": ("max softmax", "energy", "mahalanobis"),
    },
    needs=("train", "features", "ood"),
)
def outliers(result: EvaluationResult) -> Iterator[Value]:
    """How well three scores separate this case's images from those of the data that its `ood` names.

    "max softmax": the largest probability's logarithm (Hendrycks & Gimpel, ICLR 2017). "energy": log sum exp of the
    logits (Liu et al., NeurIPS 2020). "mahalanobis": minus the least distance of the penultimate features to
    a class mean, by the classes' common covariance, both of the training images (Lee et al., NeurIPS 2018).
    The score is the subset of a value. `ood_auroc` is the chance that an image of this case scores higher than
    one from outside, ties counting half; `ood_fpr95` the share of those from outside that are accepted where 95 %
    of this case's images are. The images from outside are not perturbed. n is how many images the case has.

    Softmax is invariant to a constant added to all logits, and energy depends on it: for a model that returns log
    probabilities, or one logit for two classes, it is NaN, and `ci_method` has the reason.

    Raises ModelError for a model without a graph of layers, DataError for data without training images.

    >>> roc.auroc(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    outside, train = result.predictions("ood"), result.predictions("train")
    apart = mahalanobis(train)
    inner = Predictions(result.labels, result.logits, result.features)
    scores: dict[str, Callable[[Predictions], np.ndarray]] = {
        "max softmax": max_softmax,
        "energy": energy,
        "mahalanobis": lambda found: apart(found.features),
    }
    for name, score in scores.items():
        if name == "energy" and (why := arbitrary(inner, outside)):
            yield Value("ood_auroc", float("nan"), 0, name, "", ci_method=why)
            yield Value("ood_fpr95", float("nan"), 0, name, "", ci_method=why)
            continue
        within, beyond, n = score(inner), score(outside), len(inner.labels)
        ends = roc.area_interval(within, beyond)
        yield Value("ood_auroc", roc.auroc(within, beyond), n, name, "", *ends, roc.AREA)
        ends = roc.fpr95_interval(within, beyond)
        yield Value("ood_fpr95", roc.fpr95(within, beyond), n, name, "", *ends, roc.AT_QUANTILE)


def max_softmax(found: Predictions) -> np.ndarray:
    """The largest log probability: the same order as of the probability, without its rounding to 1."""
    return found.logits.max(axis=1) - energy(found)


def energy(found: Predictions) -> np.ndarray:
    """Minus the free energy at temperature 1."""
    from scipy.special import logsumexp

    return logsumexp(np.asarray(found.logits, np.float64), axis=1)


def arbitrary(*found: Predictions) -> str:
    """Why energy is meaningless for a model with such logits; "" where it is not."""
    logits = np.concatenate([each.logits for each in found])
    if logits.shape[1] == 2 and not logits.any(axis=0).all():
        return CHOSEN
    return SHIFTED if all((np.abs(energy(each)) <= ROUNDED).all() for each in found) else ""


def mahalanobis(train: Predictions) -> Callable[[np.ndarray], np.ndarray]:
    """A function of features [N, D]: minus the squared distance to the nearest class mean; directions in which
    the training features, which are float32, vary within classes by no more than their rounding are left out:
    scikit-learn's `EmpiricalCovariance` inverts these, too.
    """
    features = np.asarray(train.features, np.float64)
    means, place = class_means(features, train.labels)
    inner = features - means[place]
    variances, directions = np.linalg.eigh(inner.T @ inner / len(inner))
    rounding = np.finfo(np.float32).eps ** 2 * (features**2).mean(axis=0).max(initial=0)
    solved = np.finfo(np.float64).eps * variances.max(initial=0)
    kept = variances > len(variances) * max(rounding, solved)
    whiten = directions[:, kept] / np.sqrt(variances[kept])
    white = means @ whiten

    def score(values: np.ndarray) -> np.ndarray:
        turned = np.asarray(values, np.float64) @ whiten
        return -np.min([((turned - mean) ** 2).sum(axis=1) for mean in white], axis=0)

    return score
