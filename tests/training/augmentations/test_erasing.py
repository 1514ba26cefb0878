import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from robust.core.errors import SuiteError
from robust.core.randomness import image_seeds
from robust.training.augmentations import random_erasing

SEEDS = image_seeds(0, "erasing", [str(i) for i in range(1500)])


def _holes(**options):
    """Where black images are no longer black, and what is there."""
    found = random_erasing(tf.zeros([len(SEEDS), 40, 40, 1]), seeds=SEEDS, **options).numpy()[..., 0]
    return found > 0, found


def test_one_image_in_two_has_one_window_of_noise():
    holes, found = _holes()
    touched = holes.any(axis=(1, 2))
    assert touched.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(len(SEEDS)))
    for hole in holes[touched]:
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        assert hole.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert stats.kstest(found[holes].astype(np.float64), "uniform").pvalue > 0.001


def test_areas_and_aspects_are_those_of_the_paper():
    holes, _ = _holes(probability=1.0)
    areas, ratios = holes.mean(axis=(1, 2)), holes.any(1).sum(1) / holes.any(2).sum(1)
    assert areas.min() == pytest.approx(0.02, abs=0.006) and areas.max() == pytest.approx(0.4, abs=0.02)
    assert areas.mean() == pytest.approx(0.21, abs=0.02)
    assert ratios.min() == pytest.approx(0.3, abs=0.05) and ratios.max() == pytest.approx(1 / 0.3, abs=0.6)


def test_a_range_upside_down_is_told():
    with pytest.raises(SuiteError, match=r"random_erasing: smallest = 0.5 is above largest = 0.4"):
        random_erasing(tf.zeros([1, 8, 8, 1]), seeds=SEEDS[:1], smallest=0.5)
