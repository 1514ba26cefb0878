"""LeNet-5 against the paper (LeCun et al. 1998) and against NumPy."""

import keras
import numpy as np
import pytest
from scipy.special import softmax

from robust.core.errors import ModelError
from robust.models.architectures import lenet5

# Table I of the paper: an X where the map of S2 (row) is connected to the map of C3 (column).
TABLE_I = [
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
]
# Keras saves variables by np.array(variable), which NumPy 2 finds old-fashioned.
SAVES = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.fixture(scope="module")
def published():
    keras.utils.set_random_seed(0)
    return lenet5(form="1998")


def pictures(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def between(model, start, end):
    """The part of a network from the output of one layer to that of another."""
    return keras.Model(model.get_layer(start).output, model.get_layer(end).output)


def squash(x):
    return 1.7159 * np.tanh(2 / 3 * x)


@pytest.mark.parametrize("seen", range(6))
def test_c3_follows_the_table(published, seen):
    part, maps = between(published, "s2_squash", "c3"), pictures(1, 14, 14, 6)
    before = part(maps).numpy()
    maps[..., seen] += 1
    changed = np.any(part(maps).numpy() != before, axis=(0, 1, 2))
    assert "".join(".X"[int(c)] for c in changed) == TABLE_I[seen]


def test_subsampling_by_hand(published):
    maps = pictures(2, 28, 28, 6)
    coefficient, bias = published.get_layer("s2").get_weights()
    sums = maps[:, ::2, ::2] + maps[:, 1::2, ::2] + maps[:, ::2, 1::2] + maps[:, 1::2, 1::2]
    by_hand = squash(sums * coefficient.reshape(6) + bias)
    np.testing.assert_allclose(between(published, "c1_squash", "s2_squash")(maps), by_hand, atol=1e-5)


@pytest.mark.parametrize(("name", "fan_in"), [
    ("c1", 25), ("s2", 4), ("s4", 4), ("c5", 400), ("f6", 120),
    ("c3_map0", 75), ("c3_map9", 100), ("c3_map15", 150),
])  # fmt: skip
def test_kernels_start_uniform_and_biases_at_zero(published, name, fan_in):
    kernel, bias = published.get_layer(name).get_weights()
    limit = 2.4 / fan_in
    assert np.abs(kernel).max() <= limit
    assert not bias.any()
    if kernel.size >= 75:
        assert np.abs(kernel).max() > 0.95 * limit
        assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.15)


def test_no_two_maps_of_c3_start_alike(published):
    first, second = (published.get_layer(f"c3_map{number}").get_weights()[0] for number in (0, 1))
    assert not np.array_equal(first, second)


def test_background_and_foreground(published):
    """Background -0.1, foreground 1.175 (section III.A); the border of a 28x28 image is background."""
    levels = between(published, "image", "levels")
    np.testing.assert_allclose(levels(np.ones((1, 28, 28, 1)))[0, 2:30, 2:30], 1.175, atol=1e-6)
    border = levels(np.ones((1, 28, 28, 1))).numpy()
    border[:, 2:30, 2:30] = -0.1
    np.testing.assert_allclose(border, -0.1, atol=1e-6)


def test_squashing_keeps_one_at_one(published):
    assert between(published, "f6", "f6_squash")(np.full((1, 84), 1.0)).numpy() == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(between(published, "f6", "f6_squash")(np.full((1, 84), -0.3)), squash(-0.3), atol=1e-6)


def test_logits_are_the_distances_to_fixed_codes(published):
    """Up to a term common to all classes, minus the squared distances of the paper's RBF units."""
    codes = published.get_layer("logits").get_weights()[0].T / 2
    assert set(np.unique(codes)) == {-1, 1}
    assert {int((a != b).sum()) for i, a in enumerate(codes) for b in codes[:i]} == {42}
    features = squash(np.random.default_rng(0).normal(size=(5, 84))).astype("float32")
    distances = np.square(features[:, None] - codes).sum(axis=-1)
    logits = published.get_layer("logits")(features)
    np.testing.assert_allclose(softmax(logits, axis=1), softmax(-distances, axis=1), atol=1e-5)


def test_84_classes_have_codes_and_85_do_not():
    codes = lenet5(form="1998", classes=84).get_layer("logits").get_weights()[0] / 2
    np.testing.assert_array_equal(codes.T @ codes, 84 * np.eye(84))
    with pytest.raises(ModelError, match=r"classes is 85; .*codes for at most 84 classes"):
        lenet5(form="1998", classes=85)


def test_the_paper_s_maps_cannot_be_scaled():
    with pytest.raises(ModelError, match=r"width is 0.5 .*width 1.* form='modern' has neither limit"):
        lenet5(form="1998", width=0.5)


def test_a_form_that_does_not_exist():
    with pytest.raises(ModelError, match="lenet5: form is 'moderne'; did you mean 'modern'"):
        lenet5(form="moderne")


@pytest.mark.slow_after_first
@SAVES
@pytest.mark.parametrize("form", ["modern", "1998"])
def test_it_survives_save_and_load(form, tmp_path):
    model = lenet5(form=form, classes=4)
    model.save(tmp_path / "lenet5.keras")
    again = keras.models.load_model(tmp_path / "lenet5.keras", safe_mode=True)
    np.testing.assert_array_equal(again(pictures(3, 28, 28, 1)), model(pictures(3, 28, 28, 1)))
    cloned = keras.models.clone_model(model)
    cloned.set_weights(model.get_weights())
    np.testing.assert_array_equal(cloned(pictures(3, 28, 28, 1)), model(pictures(3, 28, 28, 1)))


def test_the_shapes_of_the_modern_form():
    model = lenet5()
    shapes = {layer.name: layer.output.shape[1:] for layer in model.layers if layer.name[1:].isdigit()}
    assert shapes == {
        "c1": (28, 28, 6), "s2": (14, 14, 6), "c3": (10, 10, 16), "s4": (5, 5, 16), "c5": (1, 1, 120),
        "f6": (84,),
    }  # fmt: skip
    assert all(model.get_layer(name).activation is keras.activations.tanh for name in ("c1", "c3", "c5", "f6"))
    assert all(isinstance(model.get_layer(name), keras.layers.AveragePooling2D) for name in ("s2", "s4"))


@pytest.mark.parametrize(
    ("shape", "padded"),
    [((28, 28, 1), (32, 32, 1)), ((8, 31, 3), (32, 32, 3)), ((20, 48, 3), (32, 48, 3))],
)
def test_small_images_get_a_black_border(shape, padded):
    layer = lenet5(input_shape=shape).get_layer("pad")
    out = layer(np.ones((1, *shape))).numpy()[0]
    assert out.shape == padded and out.sum() == np.prod(shape)
    rows, columns = np.nonzero(out[..., 0])
    for places, size, side in ((rows, padded[0], shape[0]), (columns, padded[1], shape[1])):
        assert (places.min(), places.max()) == ((size - side) // 2, (size - side) // 2 + side - 1)


def test_images_of_32_pixels_and_more_are_taken_as_they_are():
    assert "pad" not in [layer.name for layer in lenet5(input_shape=(32, 32, 3)).layers]
    for form in ("modern", "1998"):
        assert lenet5(input_shape=(64, 48, 3), form=form)(pictures(1, 64, 48, 3)).shape == (1, 10)


def test_images_too_large_for_it():
    with pytest.raises(ModelError, match=r"\(224, 224, 3\); height and width must be 8 to 64 pixels"):
        lenet5(input_shape=(224, 224, 3))
