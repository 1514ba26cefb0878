import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from robust.core.randomness import image_seeds, uniform
from robust.training.augmentations import pca_colour, photometric_distortion
from robust.training.augmentations.colour import EIGENVALUES, EIGENVECTORS

SEEDS = image_seeds(0, "colour", [str(i) for i in range(4000)])


def test_the_constants_are_the_eigenvectors_of_a_covariance():
    vectors, values = np.array(EIGENVECTORS), np.array(EIGENVALUES)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=2e-4)  # published to four places
    covariance = vectors @ np.diag(values) @ vectors.T
    again, axes = np.linalg.eigh(covariance)
    np.testing.assert_allclose(again[::-1], values, rtol=0.002)
    np.testing.assert_allclose(np.abs((axes[:, ::-1] * vectors).sum(0)), 1, atol=0.001)
    # pixels of photos spread by about .28 in each channel, and nearly all of it is light and dark
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), 0.28, atol=0.02)
    np.testing.assert_allclose(np.abs(vectors[:, 0]), 3**-0.5, atol=0.01)
    assert values[0] / values.sum() > 0.9


def test_the_shifts_have_the_covariance_of_the_formula():
    grey = tf.fill([len(SEEDS), 2, 2, 3], 0.5)
    shift = (pca_colour(grey, seeds=SEEDS).numpy() - 0.5).astype(np.float64)
    assert np.array_equal(shift, np.broadcast_to(shift[:, :1, :1], shift.shape))  # one shift for all pixels
    scaled = np.array(EIGENVECTORS) * np.array(EIGENVALUES) * 0.1
    expected = scaled @ scaled.T
    found = np.cov(shift[:, 0, 0].T)
    np.testing.assert_allclose(found, expected, atol=4 * expected.max() * np.sqrt(2 / len(SEEDS)))
    # along each principal colour the shift has the standard deviation .1 l_i
    along = (shift[:, 0, 0] @ np.array(EIGENVECTORS)).std(axis=0)
    np.testing.assert_allclose(along, 0.1 * np.array(EIGENVALUES), rtol=4 / np.sqrt(2 * len(SEEDS)))


def test_a_bright_image_is_cut_at_one():
    found = pca_colour(tf.ones([100, 1, 1, 3]), seeds=SEEDS[:100], std=5.0).numpy()
    assert found.max() == 1 and found.min() >= 0


def _pillow(image, which, factor):
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    return kinds[which](image).enhance(float(factor))


@pytest.mark.parametrize("channels", [1, 3])
def test_photometric_distortion_is_what_pillow_makes_of_the_drawn_factors_and_order(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 12, 10, channels), np.uint8)
    seeds = SEEDS[:60]
    found = photometric_distortion(tf.constant(pixels / np.float32(255)), seeds=seeds).numpy()
    factors = 0.5 + uniform(seeds, 0, [3]).numpy()
    orders = np.argsort(uniform(seeds, 1, [3]).numpy(), axis=1)
    assert len({tuple(order) for order in orders}) == 6
    for image, factor, order, result in zip(pixels, factors, orders, found, strict=True):
        expected = Image.fromarray(image[..., 0] if channels == 1 else image)
        for which, by in zip(order, factor, strict=True):
            expected = _pillow(expected, which, by)
        # Pillow cuts to whole levels after each of three steps, and each of these losses, half a level on
        # average, may be amplified by 1.5 in those to come: 1 + 1.5 + 2.25 at most; its mean grey is whole, too
        difference = result * 255 - np.asarray(expected, np.float64).reshape(image.shape)
        assert np.abs(difference).max() < 6
        assert np.abs(difference).mean() < 4.75 / 2
