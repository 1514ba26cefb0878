"""The parts that corruptions share, each against a plainer way to the same numbers."""

import numpy as np
import pytest
from scipy import ndimage

from robust.core.errors import DataError
from robust.corruptions import blur, fog, gaussian_blur, liquid, motion_blur
from robust.corruptions.plasma import plasma
from robust.corruptions.resample import bilinear, mirror, moved, reflect, zoomed

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.random((24, 31, 3), np.float32)


@pytest.mark.parametrize(("fold", "mode"), [(mirror, "mirror"), (reflect, "reflect")])
def test_bilinear_is_scipys(fold, mode):
    places = RANDOM.uniform(-40, 60, (2, 9, 11))
    theirs = [ndimage.map_coordinates(IMAGE[..., c], places, order=1, mode=mode) for c in range(3)]
    np.testing.assert_allclose(bilinear(IMAGE, *places, fold), np.stack(theirs, -1), atol=1e-5)


@pytest.mark.parametrize("factor", [1, 1.07, 1.75, 3, 4.5])
def test_zoomed_is_scipys_zoom_of_the_middle(factor):
    cut = [int(np.ceil(n / factor)) for n in (24, 31)]
    top, left = [(n - c) // 2 for n, c in zip((24, 31), cut, strict=True)]
    theirs = ndimage.zoom(IMAGE[top : top + cut[0], left : left + cut[1]], (factor, factor, 1), order=1)
    trim = [(made - n) // 2 for made, n in zip(theirs.shape, (24, 31), strict=False)]
    theirs = theirs[trim[0] : trim[0] + 24, trim[1] : trim[1] + 31]
    np.testing.assert_allclose(zoomed(IMAGE, factor), theirs, atol=1e-5)


def test_a_point_moves_along_its_line():
    image = np.zeros((21, 21, 1), np.float32)
    image[10, 10] = 1
    steps = moved(image, 3, 2, 0)[10, ::-1, 0][10:17]  # looked at from the right: to the left it smears
    weights = np.exp(-(np.arange(7) ** 2) / 8)
    np.testing.assert_allclose(steps, weights / weights.sum(), rtol=1e-6)
    np.testing.assert_array_equal(moved(image, 3, 2, 90)[..., 0], moved(image, 3, 2, 0)[..., 0].T)


@pytest.mark.parametrize("reach", [1, 2, 4])
def test_the_shuffle_of_glass_is_the_walk_pixel_by_pixel(reach):
    high, wide = 23, 17
    shifts = RANDOM.integers(-reach, reach, (high - 2 * reach, wide - 2 * reach, 2))
    walked, order = np.arange(high * wide).reshape(high, wide), iter(shifts.reshape(-1, 2))
    for row in range(high - reach, reach, -1):
        for column in range(wide - reach, reach, -1):
            across, down = next(order)
            walked[row, column] = walked[row + down, column + across]
    np.testing.assert_array_equal(blur.shuffled(shifts, high, wide, reach), walked.ravel())


def test_the_disk_of_defocus_is_round_and_of_sum_one():
    for radius, sigma in ((0.3, 0.4), (1.5, 0.1), (6, 0.5)):  # of the largest the border of the grid cuts a little
        disk = blur._disk(radius, sigma)
        np.testing.assert_allclose(disk, disk.T, atol=1e-9)
        np.testing.assert_allclose(disk, disk[::-1], atol=1e-9)
        assert disk.sum() == pytest.approx(1, abs=1e-5)


def test_steps_to_the_nearest_edge_are_the_shortest():
    edges = RANDOM.random((19, 27)) < 0.02
    offsets = np.abs(np.indices((19, 27))[:, None] - np.argwhere(edges).T[:, :, None, None])  # [2, edges, 19, 27]
    long, short = offsets.max(axis=0), offsets.min(axis=0)
    norm = np.where(long >= 2 * short, long + 0.1969 * short, 0.7969 * long + 0.6031 * short)  # [edges, 19, 27]
    np.testing.assert_allclose(liquid.chamfer(edges, 20), np.minimum(norm.min(axis=0), 20), atol=1e-9)
    assert (liquid.chamfer(np.zeros((4, 4), bool), 20) == 20).all()


def test_no_drops_throw_no_light():
    assert liquid.water(np.zeros((16, 16))).max() == 0


def test_clouds_fill_the_range_and_wrap_around():
    clouds = plasma(64, 2.0, np.random.default_rng(1))
    assert (clouds.min(), clouds.max()) == (0, 1)
    inside = np.abs(np.diff(clouds, axis=0)).mean()
    assert np.abs(clouds[0] - clouds[-1]).mean() < 2 * inside


def test_slow_decay_makes_more_small_clouds():
    rough, smooth = (
        np.mean([np.abs(np.diff(plasma(64, decay, np.random.default_rng(i)), axis=0)).mean() for i in range(20)])
        for decay in (1.4, 2.0)
    )
    assert rough > 1.5 * smooth


def test_blurs_keep_the_mean_of_what_is_far_from_the_border():
    image = np.zeros((1, 128, 128, 1), np.float32)
    image[0, 60:68, 60:68] = 1
    for corruption in (gaussian_blur, motion_blur):
        assert corruption(image, seeds=np.array([3]), severity=5).sum() == pytest.approx(64, rel=1e-4)


def test_motion_goes_everywhere_between_its_angles():
    image = np.zeros((300, 64, 64, 1), np.float32)
    image[:, 32, 32] = 1
    found = motion_blur(image, seeds=np.arange(300), severity=5)[..., 0]
    rows, columns = np.indices((64, 64)) - 32
    mass = found.sum(axis=(1, 2))
    angles = np.degrees(np.arctan2((found * rows).sum(axis=(1, 2)) / mass, -(found * columns).sum(axis=(1, 2)) / mass))
    assert angles.min() < -42 and angles.max() > 42 and abs(angles).max() < 48
    assert np.histogram(angles, 3, (-45, 45))[0].min() > 70


def test_images_have_one_channel_or_three():
    with pytest.raises(DataError, match=r"takes grey or RGB images, with 1 or 3 channels; these have 4"):
        fog(np.zeros((1, 8, 8, 4), np.float32), seeds=np.array([0]))
