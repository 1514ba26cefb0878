import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from robust.core.randomness import image_seeds
from robust.training.augmentations import cutmix, mixup, sampling

SEEDS = image_seeds(0, "mixing", [str(i) for i in range(3000)])
EYE = tf.eye(len(SEEDS))  # a class for each image: labels say who was mixed with whom


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 4.0])
def test_beta_is_beta(alpha):
    drawn = sampling.beta(tf.constant(SEEDS), 0, alpha).numpy().astype(np.float64)
    edges = np.linspace(0, 1, 41)  # next to 0 and 1 there are more of them than float32 has numbers
    expected = np.diff(stats.beta(alpha, alpha).cdf(edges)) * len(drawn)
    assert stats.chisquare(np.histogram(drawn, edges)[0], expected).pvalue > 0.001
    assert drawn.min() >= 0 and drawn.max() <= 1


def test_dirichlet_is_uniform_over_the_shares():
    drawn = sampling.dirichlet(tf.constant(SEEDS), 0, 3).numpy()
    np.testing.assert_allclose(drawn.sum(1), 1, atol=1e-6)
    for column in drawn.T:
        assert stats.kstest(column, stats.beta(1, 2).cdf).pvalue > 0.001


def _partners(labels):
    """Who each image was mixed with, and the share it kept; where the shares tell."""
    shares = np.diag(labels)
    others = labels - np.diag(shares)
    return others.argmax(1), shares


def test_each_image_gives_itself_once_and_to_no_image_its_own():
    _, labels = mixup(tf.zeros([len(SEEDS), 1, 1, 1]), EYE, seeds=SEEDS, alpha=1.0)
    partners, _ = _partners(labels.numpy())
    assert sorted(partners) == list(range(len(SEEDS)))
    assert (partners != np.arange(len(SEEDS))).all()
    steps = np.diff(partners)
    assert (steps == 1).mean() < 0.01  # not just the next one of the batch


def test_mixup_is_that_of_keras_for_the_same_weights_and_partners():
    images = np.random.default_rng(0).random((40, 6, 5, 3), dtype=np.float32)
    mixed, labels = mixup(tf.constant(images), tf.eye(40), seeds=SEEDS[:40], alpha=0.4)
    partners, shares = _partners(labels.numpy())
    theirs = {"mix_weight": shares, "permutation_order": partners}
    layer = keras.layers.MixUp()
    np.testing.assert_allclose(layer.transform_images(images, theirs), mixed, atol=1e-6)
    np.testing.assert_allclose(layer.transform_labels(np.eye(40, dtype="float32"), theirs), labels, atol=1e-6)


def test_cutmix_mixes_labels_by_the_pixels_that_are_seen():
    numbers = np.arange(60, dtype=np.float32) / 60  # each image is one number, so every pixel says whose it is
    images = np.broadcast_to(numbers[:, None, None, None], (60, 16, 20, 1))
    mixed, labels = (part.numpy() for part in cutmix(tf.constant(images), tf.eye(60), seeds=SEEDS[:60]))
    owners = np.rint(mixed[..., 0] * 60).astype(int)
    seen = np.stack([np.bincount(one.ravel(), minlength=60) for one in owners]) / (16 * 20)
    np.testing.assert_allclose(labels, seen, atol=1e-6)
    assert ((labels > 0).sum(1) == 2).mean() > 0.9


def test_what_cutmix_pastes_is_a_window_that_keeps_its_place():
    images = np.random.default_rng(0).random((60, 16, 20, 3), dtype=np.float32)
    mixed, labels = cutmix(tf.constant(images), tf.eye(60), seeds=SEEDS[:60])
    partners, shares = _partners(labels.numpy())
    for own, other, share, result in zip(images, images[partners], shares, mixed.numpy(), strict=True):
        pasted = (result == other).all(-1)
        assert ((result == own).all(-1) | pasted).all()
        if share < 1:
            rows, columns = np.flatnonzero(pasted.any(1)), np.flatnonzero(pasted.any(0))
            assert pasted.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_at_alpha_one_every_area_is_as_likely_before_the_edge_cuts():
    _, labels = cutmix(tf.zeros([3000, 64, 64, 1]), EYE, seeds=SEEDS)
    _, shares = _partners(labels.numpy())
    # a window of area a with its centre anywhere keeps (1 - sqrt(a) / 4)^2 of it on average; a is uniform
    sides = np.sqrt(np.linspace(0, 1, 100001))
    expected = 1 - np.mean((sides * (1 - sides / 4)) ** 2)
    assert shares.mean() == pytest.approx(expected, abs=4 * shares.std() / np.sqrt(3000))
