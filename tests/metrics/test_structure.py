from dataclasses import replace

import numpy as np
import pytest

from robust.core.errors import ModelError
from robust.metrics import clusters, structure
from robust.metrics.structure import nearest_mean, scatter
from robust.results.evaluation import EvaluationResult, Predictions


def _blobs(n, means, sigma, seed=0):
    random = np.random.default_rng(seed)
    labels = np.arange(n) % len(means)
    return means[labels] + sigma * random.normal(size=(n, means.shape[1])), labels


def _result(features, labels, train, predicted=None, classes=3):
    logits = np.eye(classes)[labels if predicted is None else predicted]
    ids, names = np.array([f"i{i}" for i in range(len(labels))]), tuple("abcdefgh"[:classes])
    return EvaluationResult(
        names, ids, labels, logits, get_features=lambda: features, get_predictions=lambda split: train
    )


def test_scatter_of_blobs_is_what_they_were_made_with():
    means = np.array([[10.0, 0, 0, 0], [0, 10, 0, 0], [0, 0, 10, 0]])
    features, labels = _blobs(30_000, means, 0.5)
    found = scatter(features, labels)
    assert found.within == pytest.approx(4 * 0.25, rel=0.02)
    between = ((means - means.mean(axis=0)) ** 2).sum(axis=1).mean()
    assert found.between == pytest.approx(between, rel=0.01)
    # B has two equal eigenvalues, each half its trace, and W is 0.25 of the identity: tr(W B⁺) = 2 * 0.25 / (trace / 2)
    assert found.nc1 == pytest.approx(2 * 0.25 / (between / 2) / 3, rel=0.03)


def test_scatter_agrees_with_the_matrices_written_out():
    features, labels = _blobs(97, np.random.default_rng(1).normal(size=(5, 7)), 1.0)
    means = np.array([features[labels == c].mean(axis=0) for c in range(5)])
    inner, outer = features - means[labels], means - means.mean(axis=0)
    w, b = inner.T @ inner / 97, outer.T @ outer / 5
    found = scatter(features, labels)
    assert found == pytest.approx((np.trace(w), np.trace(b), np.trace(w @ np.linalg.pinv(b, rcond=1e-10)) / 5))


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_nc1_does_not_hang_on_where_the_features_lie(offset):
    features, labels = _blobs(97, np.random.default_rng(1).normal(size=(5, 7)), 1.0)
    assert scatter(features + offset, labels).nc1 == pytest.approx(scatter(features, labels).nc1, rel=1e-6)


def test_a_predictor_that_gives_all_images_the_same_has_no_ratios():
    features, labels = np.full((97, 7), 0.1), np.arange(97) % 5
    values = {
        v.metric: v for v in structure(_result(features, labels, Predictions(labels, features, features), classes=5))
    }
    for metric in ("nc1", "fisher_ratio"):
        assert np.isnan(values[metric].value) and values[metric].n == 0


def test_collapsed_classes_have_no_scatter_within():
    means = np.eye(3)
    result = _result(means[[0, 1, 2, 0]], np.array([0, 1, 2, 0]), Predictions(np.arange(3), means, means))
    values = {v.metric: v for v in structure(result) if not v.subset}
    assert values["nc1"].value == pytest.approx(0, abs=1e-12) and values["within_scatter"].value == 0
    assert values["ncc_agreement"].value == 1
    assert values["fisher_ratio"].n == 0  # nothing to divide by


def test_the_nearest_mean_is_that_of_the_training_images():
    train = np.array([[0.0], [2], [10], [12]])
    assert nearest_mean(np.array([[5.9], [6.1], [99]]), train, np.array([0, 0, 7, 7])).tolist() == [0, 7, 7]


def test_the_order_of_the_images_does_not_matter():
    features, labels = _blobs(90, np.eye(3) * 3, 1.0)
    train, order = Predictions(labels, features, features), np.random.default_rng(1).permutation(90)
    one = list(structure(_result(features, labels, train)))
    two = list(structure(_result(features[order], labels[order], train)))
    assert [v.value for v in one] == pytest.approx([v.value for v in two])


def _two_faces():
    """Class a has two kinds of images, far apart; of the rarer one all are wrong."""
    random = np.random.default_rng(0)
    centres = np.array([[0.0, 0], [20, 0], [0, 20]])
    kind = np.repeat([0, 1, 2], [60, 30, 40])
    features = centres[kind] + random.normal(size=(130, 2))
    return features, np.where(kind == 2, 1, 0), kind


def test_clusters_find_the_face_that_is_always_wrong():
    features, labels, kind = _two_faces()
    predicted = np.where(kind == 1, 1, labels)
    result = _result(features, labels, Predictions(labels, features, features), predicted, classes=2)
    values = {(v.metric, v.subset): v for v in clusters(result, k=2)}
    assert [(values["cluster_recall", g].value, values["cluster_recall", g].n) for g in ("a #1", "a #2")] == [
        (1, 60), (0, 30),
    ]  # fmt: skip
    worst = values["worst_cluster", ""]
    assert (worst.value, worst.n, worst.ci_low) == (0, 30, 0) and 0.1 < worst.ci_high < 0.3
    shown = values["cluster_recall", "a #2"].examples
    assert len(shown) == 6 and {int(name[1:]) for name in shown} <= set(np.flatnonzero(kind == 1))


def test_an_attack_moves_no_image_to_another_cluster():
    features, labels, kind = _two_faces()
    clean = _result(features, labels, None, classes=2)
    moved = np.where((kind == 1)[:, None], [0.0, 0.0], features)  # all that fell look like the other face
    result = _result(moved, labels, Predictions(labels, features, features), np.where(kind == 1, 1, labels), classes=2)
    values = {(v.metric, v.subset): v for v in clusters(replace(result, clean=clean), k=2)}
    assert (values["cluster_recall", "a #2"].value, values["cluster_recall", "a #2"].n) == (0, 30)


def test_a_small_cluster_is_told_but_not_called_the_worst():
    features, labels, kind = _two_faces()
    result = _result(
        features, labels, Predictions(labels, features, features), np.where(kind == 1, 1, labels), classes=2
    )
    values = {(v.metric, v.subset): v for v in clusters(result, k=2, smallest=35)}
    assert values["cluster_recall", "a #2"].value == 0
    assert values["worst_cluster", ""].value == 1


def test_clusters_are_those_of_scikit_learn():
    from sklearn.cluster import KMeans

    features, labels = _blobs(150, np.random.default_rng(2).normal(size=(3, 4)), 1.0)
    test, of = _blobs(60, np.random.default_rng(2).normal(size=(3, 4)), 1.0, seed=5)
    values = {v.subset: v.n for v in clusters(_result(test, of, Predictions(labels, features, features))) if v.subset}
    for c, name in enumerate("abc"):
        found = KMeans(3, n_init=4, random_state=0).fit(features[labels == c])
        places = found.predict(test[of == c])
        sizes = [int((places == i).sum()) for i in np.argsort(-np.bincount(found.labels_), kind="stable")]
        assert [values.get(f"{name} #{i + 1}", 0) for i in range(3)] == sizes


def test_without_a_model_there_are_no_features():
    result = EvaluationResult(("a", "b"), np.array(["x"]), np.array([0]), np.eye(2)[:1])
    with pytest.raises(ModelError, match="this result has no features: give it get_features"):
        next(structure(result))
    with pytest.raises(ModelError, match=r"has no predictions on .train.: give it get_predictions"):
        result.predictions("train")


def test_scatter_has_no_interval_and_says_why():
    features, labels = _blobs(30, np.eye(3), 0.1)
    for value in structure(_result(features, labels, Predictions(labels, features, features))):
        if value.metric != "ncc_agreement":
            assert np.isnan(value.ci_low) and np.isnan(value.ci_high) and value.ci_method.startswith("none: ")
