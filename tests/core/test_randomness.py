import numpy as np
import pytest
from scipy import stats

from robust.core.randomness import fold, image_seeds, normal, uniform

SEEDS = image_seeds(0, "test", [str(i) for i in range(64)])


def test_the_seeds_of_images_are_the_same_for_ever():
    expected = [4595310264357421731, 2075057367678271645, 4818916034118616551]
    assert image_seeds(0, "pgd", ["test-0", "test-1", "é"]).tolist() == expected


def test_seeds_hang_on_seed_purpose_and_id():
    seeds = [image_seeds(*args)[0] for args in ((0, "a", ["x"]), (1, "a", ["x"]), (0, "b", ["x"]), (0, "a", ["y"]))]
    assert len(set(seeds)) == 4
    assert image_seeds(0, "a", []).shape == (0,)


def test_seeds_spread_over_all_of_int64():
    seeds = image_seeds(0, "p", [str(i) for i in range(4000)])
    assert len(np.unique(seeds)) == 4000
    assert stats.kstest(seeds / 2.0**64 + 0.5, "uniform").pvalue > 0.001


def test_uniform_is_uniform_and_uncorrelated():
    numbers = uniform(SEEDS, 0, [50, 40]).numpy()
    assert (numbers.shape, numbers.dtype) == ((64, 50, 40), np.float32)
    assert numbers.min() > 0 and numbers.max() < 1
    flat = numbers.reshape(64, -1).astype(np.float64)
    assert stats.kstest(flat.ravel(), "uniform").pvalue > 0.001
    n = flat.size
    assert abs(flat.mean() - 0.5) < 4 / np.sqrt(12 * n)
    assert abs(flat.var() - 1 / 12) < 4 / np.sqrt(180 * n)
    centred = flat - 0.5
    for lag in (1, 2, 40):  # along an image; and image to image
        assert abs((centred[:, lag:] * centred[:, :-lag]).mean() * 12) < 4 / np.sqrt(n)
        assert abs((centred[lag % 64 :] * centred[: -lag % 64]).mean() * 12) < 4 / np.sqrt(n / 3)


def test_the_numbers_are_those_of_splitmix64():
    """By hand, in Python's integers: the seed is mixed with its stream, then counted on."""

    def mix(z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    golden, seed, stream = 0x9E3779B97F4A7C15, -7, 3
    start = mix((seed % 2**64 + golden * (stream + 1)) % 2**64)
    expected = [((mix((start + golden * k) % 2**64) >> 41) + 0.5) / 2**23 for k in (1, 2, 3)]
    assert uniform(np.array([seed]), stream, [3]).numpy().tolist() == [expected]


@pytest.mark.parametrize(("seed", "place"), [(119984, 227), (130399, 208), (135000, 16)])
def test_the_largest_number_is_below_one_in_single_precision(seed, place):
    """These hashes end in the largest number there is; with 24 bits it was rounded up to 1."""
    import tensorflow as tf

    largest = uniform(np.array([seed]), 0, [256]).numpy()[0, place]
    assert largest == np.float32(1 - 2.0**-24) < 1
    assert np.isfinite(normal(np.array([seed]), 0, [256]).numpy()).all()
    assert uniform(np.array([seed]), 0, [256], tf.float64).numpy()[0, place] == 1 - 2.0**-24


@pytest.mark.parametrize("draw", [uniform, normal])
def test_numbers_belong_to_the_image_whatever_its_company(draw):
    whole, order = draw(SEEDS, 5, [4, 4, 3]).numpy(), np.random.default_rng(0).permutation(64)
    assert draw(SEEDS[order], 5, [4, 4, 3]).numpy().tobytes() == whole[order].tobytes()
    assert draw(SEEDS[7:8], 5, [4, 4, 3]).numpy().tobytes() == whole[7:8].tobytes()


def test_streams_and_neighbouring_seeds_are_independent():
    one, two = uniform(SEEDS, 0, [1000]).numpy(), uniform(SEEDS, 1, [1000]).numpy()
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 4 / np.sqrt(one.size)
    assert not np.isin(one, two).all()
    near = uniform(np.arange(-32, 32), 0, [1000]).numpy()
    assert np.abs(np.corrcoef(near) - np.eye(64)).max() < 5.5 / np.sqrt(1000)


def test_a_stream_may_be_a_tensor():
    import tensorflow as tf

    assert uniform(SEEDS, tf.constant(3), [5]).numpy().tobytes() == uniform(SEEDS, 3, [5]).numpy().tobytes()


def test_normal_is_normal():
    numbers = normal(SEEDS, 0, [2000]).numpy().ravel().astype(np.float64)
    assert stats.kstest(numbers, "norm").pvalue > 0.001
    assert abs(numbers.mean()) < 4 / np.sqrt(numbers.size)
    assert abs(numbers.var() - 1) < 4 * np.sqrt(2 / numbers.size)
    assert abs(stats.skew(numbers)) < 4 * np.sqrt(6 / numbers.size)


def test_double_precision_is_asked_for_by_type():
    import tensorflow as tf

    assert normal(SEEDS, 0, [3], tf.float64).dtype == tf.float64
    assert np.allclose(normal(SEEDS, 0, [3], tf.float64), normal(SEEDS, 0, [3]), atol=1e-5)


def test_folded_seeds_are_others_for_each_number_and_stay_with_their_image():
    folded = np.stack([fold(SEEDS, number).numpy() for number in range(50)])
    assert folded.dtype == np.int64
    assert len(np.unique([*folded.ravel(), *SEEDS])) == 51 * len(SEEDS)
    assert np.array_equal(fold(SEEDS[::-1].copy(), 7).numpy(), folded[7][::-1])
    assert stats.kstest(folded.ravel() / 2.0**64 + 0.5, "uniform").pvalue > 0.001
    numbers = uniform(folded.ravel(), 0, []).numpy().reshape(50, -1)  # of one image in 50 epochs, and of its neighbours
    assert np.abs(np.corrcoef(numbers)[np.triu_indices(50, 1)]).mean() < 3 / np.sqrt(len(SEEDS))
