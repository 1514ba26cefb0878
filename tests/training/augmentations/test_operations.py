"""Each operation against Pillow's, which AutoAugment, RandAugment and AugMix were written with."""

import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from robust.core.randomness import image_seeds
from robust.training.augmentations import augmix, operations, rand_augment

EVERY = [
    operations.identity, operations.shear_x, operations.shear_y, operations.translate_x, operations.translate_y,
    operations.rotate, operations.autocontrast, operations.equalize, operations.posterize, operations.solarize,
    operations.colour, operations.contrast, operations.brightness, operations.sharpness,
]  # fmt: skip
RANDOM = np.random.default_rng(0)
SEEDS = image_seeds(0, "operations", [str(i) for i in range(300)])


def _photo(channels=3):
    """Smooth, so that rounding and the placing of half a pixel do not matter much."""
    rows, columns = np.mgrid[:30, :24] / 30
    waves = [0.5 + 0.4 * np.sin(5 * rows + 4 * columns + c) for c in range(channels)]
    return np.rint(np.stack(waves, -1) * 200 + 20).astype(np.uint8)


def _ours(name, pixels, level):
    image = tf.constant(pixels[None] / np.float32(255))
    return getattr(operations, name)(image, tf.constant(level)).numpy()[0] * 255


def _theirs(pixels):
    return np.asarray(pixels, np.float64)


@pytest.mark.parametrize("level", [-0.9, -0.3, 0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("colour", ImageEnhance.Color),
        ("contrast", ImageEnhance.Contrast),
        ("brightness", ImageEnhance.Brightness),
        ("sharpness", ImageEnhance.Sharpness),
    ],
)
def test_enhancements(name, kind, level):
    pixels = RANDOM.integers(0, 256, (20, 16, 3), np.uint8)
    expected = _theirs(kind(Image.fromarray(pixels)).enhance(1 + 0.9 * level))
    np.testing.assert_allclose(_ours(name, pixels, level), expected, atol=2)


@pytest.mark.parametrize(("level", "bits"), [(0.0, 8), (0.25, 7), (-0.5, 6), (1.0, 4)])
def test_posterize(level, bits):
    pixels = RANDOM.integers(0, 256, (20, 16, 3), np.uint8)
    expected = _theirs(ImageOps.posterize(Image.fromarray(pixels), bits))
    np.testing.assert_allclose(_ours("posterize", pixels, level), expected, atol=1e-3)


@pytest.mark.parametrize(("level", "threshold"), [(0.0, 256), (0.31, 255 * 0.69), (-1.0, 1)])
def test_solarize(level, threshold):
    pixels = RANDOM.integers(0, 256, (20, 16, 3), np.uint8)
    expected = _theirs(ImageOps.solarize(Image.fromarray(pixels), threshold))
    np.testing.assert_allclose(_ours("solarize", pixels, level), expected, atol=1e-3)


def test_autocontrast():
    pixels = RANDOM.integers(40, 180, (20, 16, 3), np.uint8)
    pixels[..., 2] = 77  # a channel of one value stays
    expected = _theirs(ImageOps.autocontrast(Image.fromarray(pixels)))
    np.testing.assert_allclose(_ours("autocontrast", pixels, 0.5), expected, atol=1.01)


def test_equalize():
    pixels = RANDOM.normal([90, 120, 200], [20, 30, 10], (256, 256, 3)).clip(0, 255).astype(np.uint8)
    expected = _theirs(ImageOps.equalize(Image.fromarray(pixels)))  # in whole pixels a level: up to 1 % off
    np.testing.assert_allclose(_ours("equalize", pixels, 0.5), expected, atol=3)
    flat = np.full((4, 4, 3), 77, np.uint8)
    np.testing.assert_allclose(_ours("equalize", flat, 0.5), flat, atol=1e-4)


@pytest.mark.parametrize("level", [-1.0, -0.4, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", ["shear_x", "shear_y", "translate_x", "translate_y", "rotate"])
def test_geometry(name, level):
    pixels = _photo()
    height, width, _ = pixels.shape
    x, y = (width - 1) / 2, (height - 1) / 2
    c, s, slant, shift = math.cos(level * math.pi / 6), math.sin(level * math.pi / 6), 0.3 * level, 150 / 331 * level
    matrix = {  # Pillow's coordinates have pixel centres at halves; around the centre that is the same
        "shear_x": (1, slant, -slant * (y + 0.5), 0, 1, 0),
        "shear_y": (1, 0, 0, slant, 1, -slant * (x + 0.5)),
        "translate_x": (1, 0, shift * width, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, shift * height),
        "rotate": (c, s, (x + 0.5) - c * (x + 0.5) - s * (y + 0.5), -s, c, (y + 0.5) + s * (x + 0.5) - c * (y + 0.5)),
    }[name]
    image = Image.fromarray(pixels)
    expected = _theirs(image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))
    rows, columns = np.mgrid[:height, :width] + 0.5
    across, down = (matrix[k] * columns + matrix[k + 1] * rows + matrix[k + 2] for k in (0, 3))
    inside = np.minimum.reduce([across, width - across, down, height - down])  # how far the source is from an edge
    found = _ours(name, pixels, level)
    assert (inside > 1).mean() > 0.3  # within a pixel of the edge, the two continue differently
    np.testing.assert_allclose(found[inside > 1], expected[inside > 1], atol=1.5)
    np.testing.assert_allclose(found[inside < -1], 127.5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("operation", EVERY, ids=lambda operation: operation.__name__)
@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_every_operation_stays_in_the_box_for_grey_and_colour(operation, channels, level):
    image = tf.constant(RANDOM.random((1, 9, 7, channels), dtype=np.float32))
    found = operation(image, tf.constant(level))
    assert found.shape == image.shape
    assert float(tf.reduce_min(found)) >= 0 and float(tf.reduce_max(found)) <= 1 + 1e-6


def test_each_image_gets_the_operation_chosen_for_it():
    images = tf.constant(RANDOM.random((3, 6, 6, 1), dtype=np.float32))
    choices = (operations.identity, operations.brightness)
    found = operations.apply(images, tf.constant([0, 1, 0]), tf.constant([1.0, -1.0, 1.0]), choices).numpy()
    np.testing.assert_allclose(found, images * np.array([1, 0.1, 1])[:, None, None, None], atol=1e-6)


@pytest.mark.slow
def test_rand_augment_chooses_each_of_its_operations_as_often():
    """On one image, one step at one level has 14 operations, of which the signed ones have two outcomes."""
    image = np.broadcast_to(_photo()[None] / np.float32(255), (300, 30, 24, 3))
    found = rand_augment(tf.constant(image), seeds=SEEDS, steps=1, strength=1.0).numpy()
    assert (
        len(np.unique(found.reshape(300, -1), axis=0)) == 14 + 9
    )  # shears, shifts, rotation and the four enhancements have two signs
    unchanged = (found == image).all(axis=(1, 2, 3)).mean()
    assert unchanged == pytest.approx(1 / 14, abs=4 * np.sqrt(1 / 14 / 300))


@pytest.mark.slow
def test_more_steps_change_more():
    image = np.broadcast_to(_photo()[None] / np.float32(255), (300, 30, 24, 3))
    changes = [np.abs(rand_augment(tf.constant(image), seeds=SEEDS, steps=n).numpy() - image).mean() for n in (1, 3)]
    assert changes[1] > 1.3 * changes[0]


@pytest.mark.slow
def test_augmix_is_a_mixture_that_keeps_much_of_the_image():
    """The share m of the image is uniform at alpha 1; chains of no strength are nearly the image again."""
    image = np.broadcast_to(_photo()[None] / np.float32(255), (100, 30, 24, 3))
    weak, strong = (
        np.abs(augmix(tf.constant(image), seeds=SEEDS[:100], chains=1, strength=s).numpy() - image).mean()
        for s in (0.05, 0.9)
    )
    assert strong > 2 * weak
    mixed = augmix(tf.constant(image), seeds=SEEDS[:100]).numpy()
    assert len(np.unique(mixed.reshape(100, -1), axis=0)) == 100
    assert np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(mixed, image, strict=True)]) > 0.8
