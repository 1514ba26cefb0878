import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from robust.core.errors import SuiteError
from robust.core.randomness import image_seeds, uniform
from robust.training.augmentations import area_and_aspect_crop, flip, pad_and_crop, scale_jitter

SEEDS = image_seeds(0, "crops", [str(i) for i in range(2000)])


def ramps(height, width):
    """Two channels that say where a pixel is: its row and its column, of [0, 1]."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([(rows + 0.5) / height, (columns + 0.5) / width], -1).astype(np.float32)
    return np.broadcast_to(image, (len(SEEDS), *image.shape))


def windows(found):
    """The height and width of the window, as shares, that a crop of `ramps` has shown: the slope within it."""
    middle = found.shape[1] // 2, found.shape[2] // 2
    down = found[:, middle[0] + 3, middle[1], 0] - found[:, middle[0] - 3, middle[1], 0]
    across = found[:, middle[0], middle[1] + 3, 1] - found[:, middle[0], middle[1] - 3, 1]
    return down / 6 * found.shape[1], across / 6 * found.shape[2]


@pytest.mark.parametrize(("pixels", "fill"), [(4, 0.0), (1, 0.5), (3, 1.0)])
def test_pad_and_crop_is_a_slice_of_the_padded_image(pixels, fill):
    images = np.random.default_rng(0).random((40, 10, 12, 3), dtype=np.float32)
    found = pad_and_crop(tf.constant(images), seeds=SEEDS[:40], pixels=pixels, fill=fill).numpy()
    drawn = np.floor(uniform(SEEDS[:40], 0, [2]).numpy() * (2 * pixels + 1)).astype(int)
    padded = np.pad(images, [(0, 0), (pixels, pixels), (pixels, pixels), (0, 0)], constant_values=fill)
    for image, (top, left), result in zip(padded, drawn, found, strict=True):
        assert np.array_equal(result, image[top : top + 10, left : left + 12])


def test_every_shift_is_as_likely():
    image = np.zeros((len(SEEDS), 9, 9, 1), np.float32)
    image[:, 4, 4] = 1  # where it goes is the shift
    places = pad_and_crop(tf.constant(image), seeds=SEEDS, pixels=2).numpy().reshape(len(SEEDS), 81).argmax(1)
    counts = np.bincount(places, minlength=81).reshape(9, 9)
    assert counts.sum() == counts[2:7, 2:7].sum()
    assert stats.chisquare(counts[2:7, 2:7].ravel()).pvalue > 0.001


def test_a_flip_mirrors_left_and_right_and_twice_is_nothing():
    images = np.random.default_rng(0).random((len(SEEDS), 4, 5, 1), dtype=np.float32)
    found = flip(tf.constant(images), seeds=SEEDS).numpy()
    mirrored = (found == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert ((found == images).all(axis=(1, 2, 3)) ^ mirrored).all()
    assert mirrored.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(len(SEEDS)))
    assert np.array_equal(flip(tf.constant(found), seeds=SEEDS).numpy(), images)


def test_area_and_aspect_are_those_of_the_paper():
    found = area_and_aspect_crop(tf.constant(ramps(64, 64)), seeds=SEEDS).numpy()
    high, wide = windows(found)
    area, ratio = high * wide, wide / high
    assert area.min() == pytest.approx(0.08, abs=0.01) and area.max() == pytest.approx(1, abs=0.02)
    assert ratio.min() == pytest.approx(3 / 4, abs=0.01) and ratio.max() == pytest.approx(4 / 3, abs=0.01)
    # below 3/4 every window fits into a square, so nothing is drawn twice: there the areas are uniform
    small = area[area < 0.75]
    assert stats.kstest(small, "uniform", (0.08, 0.67)).pvalue > 0.001
    narrow = np.log(ratio[area < 0.75]) / np.log(4 / 3)
    assert stats.kstest(narrow, "uniform", (-1, 2)).pvalue > 0.001


def test_a_window_lies_inside_and_anywhere():
    found = area_and_aspect_crop(tf.constant(ramps(64, 64)), seeds=SEEDS).numpy()
    high, wide = windows(found)
    centre = found[:, 31:33, 31:33].mean(axis=(1, 2))
    assert (centre - np.stack([high, wide], 1) / 2 > -0.01).all()
    assert (centre + np.stack([high, wide], 1) / 2 < 1.01).all()
    assert np.abs(centre.mean(0) - 0.5).max() < 0.02
    assert np.corrcoef(centre.T)[0, 1] == pytest.approx(0, abs=0.1)


def test_scale_jitter_shows_a_crop_of_224_of_a_shorter_side_between_256_and_512():
    found = scale_jitter(tf.constant(ramps(48, 64)), seeds=SEEDS).numpy()
    high, wide = windows(found)
    np.testing.assert_allclose(high, wide, atol=1e-3)
    sides = 224 / high
    assert np.abs(sides - np.round(sides)).max() < 0.1
    assert sides.min() == pytest.approx(256, abs=1) and sides.max() == pytest.approx(512, abs=1)
    assert stats.kstest(sides, "uniform", (255.5, 257)).pvalue > 0.001


def test_scale_jitter_says_what_does_not_fit():
    with pytest.raises(SuiteError, match="crop = 300, smallest = 256, largest = 512; they must not decrease"):
        scale_jitter(tf.zeros([1, 8, 8, 1]), seeds=SEEDS[:1], crop=300)


def test_the_largest_window_is_the_image_whatever_its_shape():
    image = np.random.default_rng(0).random((1, 30, 17, 3), dtype=np.float32)
    found = area_and_aspect_crop(tf.constant(image), seeds=SEEDS[:1], smallest=1.0).numpy()
    np.testing.assert_allclose(found, image, atol=1e-6)
