"""Clusters within each class: which kinds of its images does the model misclassify?"""

from collections.abc import Iterator

import numpy as np

from robust.core.declared import metric
from robust.core.types import Count, Seed
from robust.metrics.extremes import least
from robust.results.evaluation import EvaluationResult, Value, proportion

SHOWN = 6  # images of a cluster that the page shows: half of them misclassified, where there are such


@metric(
    names=("worst_cluster",),
    dynamic=("cluster_recall",),
    shares=("worst_cluster", "cluster_recall"),
    needs=("train", "features"),
    perfect={"worst_cluster": 1.0, "cluster_recall": 1.0},
    table="structure",
    headings={"worst_cluster": "worst cluster"},
    spread=("worst_cluster",),
    extreme_of={"worst_cluster": "cluster_recall"},
)
def clusters(result: EvaluationResult, *, k: Count = 3, smallest: Count = 10, seed: Seed = 0) -> Iterator[Value]:
    """Accuracy on each cluster of each class; clusters are found by k-means in the training images' features.

    `cluster_recall` of "Shirt #2" is the share of the images of this result in that cluster that are classified
    correctly; n is its size. The clusters of a class are numbered by their training images, most first.
    `worst_cluster` is the least of those with at least `smallest` images; since it is selected, its interval
    holds for all of them at once; NaN, with n = 0, where there is none. Clusters without images are left out.

    Args:
        result: what the model predicted. The features of the unperturbed images place each in a cluster of its own
            class, so that the cluster of an image does not depend on how it was perturbed.
        k: clusters a class, or as many as it has training images where these are fewer.
        smallest: how many images a cluster must have to be called the worst.
        seed: of k-means.

    Raises ModelError for a model without a graph of layers, DataError for data without training images.

    Source: Lloyd, Least squares quantization in PCM, IEEE Transactions on Information Theory 28, 1982;
    hidden strata in classes: Oakden-Rayner et al., Hidden stratification causes clinically meaningful
    failures in machine learning for medical imaging, CHIL 2020.
    """
    train, features = result.predictions("train"), np.asarray((result.clean or result).features, np.float64)
    right, counted = result.predicted == result.labels, []
    for label, name in enumerate(result.classes):
        centres = _centres(np.asarray(train.features[train.labels == label], np.float64), k, seed)
        rows = np.flatnonzero(result.labels == label)
        nearest = ((features[rows, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1) if len(centres) else rows * 0
        for place in np.unique(nearest):
            own = rows[nearest == place]
            counted.append((int(right[own].sum()), len(own)))
            value = proportion("cluster_recall", right[own], f"{name} #{place + 1}")
            yield Value("cluster_recall", *value[1:-1], _shown(result.ids[own], right[own]))
    enough = np.array([pair for pair in counted if pair[1] >= smallest])
    yield least("worst_cluster", *enough.T) if len(enough) else Value("worst_cluster", float("nan"), 0)


def _centres(features: np.ndarray, k: int, seed: int) -> np.ndarray:
    """The centres of the clusters, [at most k, D], that of most features first."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    distinct = len(np.unique(features, axis=0))
    if distinct <= 1:
        return features[:distinct]
    with threadpool_limits(1):  # or the sums, and so the clusters, would depend on the number of cores
        found = KMeans(min(k, distinct), n_init=4, random_state=seed).fit(features)
    sizes = np.bincount(found.labels_, minlength=len(found.cluster_centers_))
    return found.cluster_centers_[np.argsort(-sizes, kind="stable")]


def _shown(ids: np.ndarray, right: np.ndarray) -> tuple[str, ...]:
    wrong = ids[~right][: max(SHOWN // 2, SHOWN - int(right.sum()))]
    return (*map(str, wrong), *map(str, ids[right][: SHOWN - len(wrong)]))
