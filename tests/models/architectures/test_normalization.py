"""`set_normalization` against NumPy."""

import keras
import numpy as np
import pytest

from robust.core.errors import DataError
from robust.models.architectures import lenet5, resnet20
from robust.models.architectures.normalization import GREY_LEVEL, set_normalization

# Keras saves variables by np.array(variable), which NumPy 2 finds old-fashioned.
SAVES = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def pictures(count, *shape):
    return np.random.default_rng(0).beta(1, 3, (count, *shape)).astype("float32")


def normalized(model, images):
    return keras.Model(model.input, model.get_layer("normalization").output)(images).numpy()


def test_it_is_the_identity_before():
    images = pictures(3, 12, 12, 3)
    np.testing.assert_allclose(normalized(resnet20(input_shape=(12, 12, 3)), images), images, atol=1e-6)


def test_per_channel_it_standardises_what_reaches_the_layer():
    model, images = lenet5(input_shape=(28, 28, 3)), pictures(40, 28, 28, 3)
    set_normalization(model, images)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0))).astype(np.float64)
    by_hand = (padded - padded.mean((0, 1, 2))) / padded.std((0, 1, 2))
    np.testing.assert_allclose(normalized(model, images), by_hand, atol=1e-5)


def test_per_pixel_it_subtracts_the_mean_image_and_divides_by_nothing():
    model, images = resnet20(input_shape=(8, 10, 3), width=0.25), pictures(40, 8, 10, 3)
    images[:, 0, 0] = 0  # a corner that is always black
    set_normalization(model, images)
    np.testing.assert_allclose(normalized(model, images), images - images.mean(0, np.float64), atol=1e-6)


def test_it_reads_more_images_than_one_batch_and_from_a_file(tmp_path):
    images = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (1100, 8, 8, 1))
    images[:] = pictures(1100, 8, 8, 1)
    images[1024:] = 1
    model = resnet20(input_shape=(8, 8, 1), width=0.1)
    set_normalization(model, images)
    mean = model.get_layer("normalization").get_weights()[0]
    np.testing.assert_allclose(mean, images.mean(0, np.float64), atol=1e-6)


def test_a_constant_channel_is_not_blown_up():
    images = pictures(10, 32, 32, 2)
    images[..., 1] = 0.5
    model = lenet5(input_shape=(32, 32, 2))
    set_normalization(model, images)
    assert model.get_layer("normalization").get_weights()[1][1] == pytest.approx(GREY_LEVEL**2)
    assert np.abs(normalized(model, images)[..., 1]).max() < 1e-4


@pytest.mark.slow
@SAVES
def test_it_survives_save_and_load(tmp_path):
    model, images = resnet20(input_shape=(8, 8, 3), width=0.1), pictures(20, 8, 8, 3)
    set_normalization(model, images)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(normalized(again, images), normalized(model, images))


def test_fixed_mappings_are_left_as_they_are():
    model = lenet5(form="1998")
    set_normalization(model, pictures(5, 28, 28, 1))
    assert [layer.name for layer in model.layers[:3]] == ["image", "pad", "levels"]
    image = keras.Input((4, 4, 3))
    fixed = keras.Model(image, keras.layers.Normalization(mean=0.5, variance=0.25)(image))
    set_normalization(fixed, pictures(5, 4, 4, 3))
    np.testing.assert_allclose(fixed(np.ones((1, 4, 4, 3))), 1, atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 28, 28, 1), (5, 28, 28, 3), (5, 28, 28)])
def test_images_it_cannot_use(shape):
    with pytest.raises(DataError) as caught:
        set_normalization(lenet5(), np.zeros(shape, np.float32))
    assert str(caught.value) == f"lenet5: set_normalization got images of shape {shape}; it needs (N >= 1, 28, 28, 1)"
