import numpy as np
import pytest
from scipy import stats

from robust.core.errors import SuiteError
from robust.core.randomness import image_seeds
from robust.core.signature import bind
from robust.corruptions import gaussian_noise

SEEDS = image_seeds(0, "noise", [str(i) for i in range(4)])
PUBLISHED = {  # CIFAR-10-C and ImageNet-C, severities 1 to 5
    (32, 32, 3): (0.04, 0.06, 0.08, 0.09, 0.10),
    (28, 28, 1): (0.04, 0.06, 0.08, 0.09, 0.10),
    (64, 64, 3): (0.08, 0.12, 0.18, 0.26, 0.38),
    (40, 72, 3): (0.08, 0.12, 0.18, 0.26, 0.38),  # the longer side counts
}


def _noise(shape, severity, grey=0.5, seeds=SEEDS):
    images = np.full((len(seeds), *shape), grey, np.float32)
    return gaussian_noise(images, seeds=seeds, severity=severity) - images


@pytest.mark.parametrize("shape", PUBLISHED)
@pytest.mark.parametrize("severity", range(1, 6))
def test_sigma_is_the_published_one(shape, severity):
    sigma = PUBLISHED[shape][severity - 1]
    noise = _noise(shape, severity).ravel().astype(np.float64)
    # the box cuts at half a unit: compare with the standard deviation of what is left
    edge = 0.5 / sigma
    inside = stats.norm.cdf(edge) - stats.norm.cdf(-edge)
    expected = sigma * np.sqrt(inside - 2 * edge * stats.norm.pdf(edge) + 2 * edge**2 * stats.norm.sf(edge))
    assert noise.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * noise.size))
    assert abs(noise.mean()) < 4 * sigma / np.sqrt(noise.size)


def test_it_is_normal_where_the_box_does_not_cut():
    noise = _noise((32, 32, 3), 1).ravel() / 0.04
    assert stats.kstest(noise, "norm").pvalue > 0.001


def test_pixels_channels_and_images_are_independent():
    noise = _noise((32, 32, 3), 1).astype(np.float64)
    channels = noise.reshape(-1, 3).T
    images = noise.reshape(4, -1)
    for rows in (channels, images):
        assert np.abs(np.corrcoef(rows) - np.eye(len(rows))).max() < 4.5 / np.sqrt(rows.shape[1])


def test_the_severities_of_an_image_are_one_noise_at_five_strengths():
    weak, strong = _noise((32, 32, 3), 1), _noise((32, 32, 3), 5)
    np.testing.assert_allclose(weak / 0.04, strong / 0.10, atol=1e-4)


def test_the_box_cuts():
    images = np.zeros((4, 32, 32, 1), np.float32)
    found = gaussian_noise(images, seeds=SEEDS, severity=5)
    assert found.min() == 0 and (found == 0).mean() == pytest.approx(0.5, abs=0.04)


def test_seeds_below_zero_are_as_good_as_others():
    one, two = _noise((8, 8, 1), 3, seeds=np.array([-1, 1]))
    assert not np.allclose(one, two)


def test_there_is_no_sixth_severity():
    with pytest.raises(SuiteError, match=r"severity = 6: must be"):
        bind("corruptions", {"name": "gaussian_noise", "severity": 6})
