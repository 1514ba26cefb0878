"""Images of another size than the model takes: the remedy that is named arrives."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image

from robust.api.cli import app
from robust.core.errors import ModelError
from robust.core.remedies import using_interface
from robust.models.classifier import Classifier
from robust.models.loading import load


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder of images of 12 x 12, a folder for each of two classes."""
    random = np.random.default_rng(0)
    for i in range(8):
        place = tmp_path / f"photos/class{i % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8)).save(place / f"{i}.png")
    monkeypatch.chdir(tmp_path)


def network(side):
    """A model for images of this size."""
    image = keras.Input((side, side, 3))
    return keras.Model(image, layers.Dense(2, "softmax")(layers.Flatten()(image)), name="net")


def write(name):
    if name.endswith(".keras"):
        network(8).save(name)
    else:
        Path(name).write_bytes(tf.lite.TFLiteConverter.from_keras_model(network(8)).convert())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["net.keras", "net.tflite"])
def test_the_size_that_fits_is_named_and_can_be_typed(name, photos, capsys):
    write(name)
    words = ["evaluate", name, "--data", "photos/"]
    shapes = r"takes images of shape \(8, 8, 3\), but those of .* are \(12, 12, 3\)"
    with pytest.raises(ModelError, match=shapes) as told, using_interface("command"):
        app(words, result_action="return_value", exit_on_error=False)
    remedy = re.search(r"give the data (--transform \d+)$", str(told.value))[1]
    assert app([*words, *remedy.split()], result_action="return_value") == 0
    assert "top-1 accuracy" in capsys.readouterr().out


@pytest.mark.slow
def test_a_tflite_file_of_any_size_takes_what_its_weights_fit(tmp_path):
    """Its signature says that any size will do; in the one pixel that it begins with there is nothing to convolve."""
    x = image = keras.Input((None, None, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 5, strides=2, activation="relu")(x))
    model = keras.Model(image, layers.Dense(2, "softmax")(x))
    (tmp_path / "net.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    classifier = Classifier(load(tmp_path / "net.tflite"), 2)
    random = np.random.default_rng(0)
    for side in (8, 12, 8):
        images = random.random((4, side, side, 3), np.float32)
        found = keras.ops.softmax(classifier.logits(images))
        np.testing.assert_allclose(found, model(images), atol=1e-5)


def _two_convolutions(x):
    return layers.Conv2D(4, 5)(layers.MaxPooling2D(2)(x))


@pytest.mark.slow_after_first
@pytest.mark.parametrize(
    ("body", "least"),
    [
        (layers.Conv2D(4, 5, strides=2), 5),
        (layers.Conv2D(4, 3, dilation_rate=2), 5),
        (layers.MaxPooling2D(5), 5),
        (_two_convolutions, 10),
        (layers.Conv2D(4, 5, padding="same"), 1),
    ],
)
def test_images_smaller_than_the_kernels_of_a_tflite_file_are_refused(body, least, tmp_path):
    """They ended the process, or got an answer of which no pixel knows."""
    image = keras.Input((None, None, 3))
    model = keras.Model(image, layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(body(image))))
    (tmp_path / "net.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    classifier = Classifier(load(tmp_path / "net.tflite"), 2)
    for side in [*range(1, least), *range(1, least)]:  # asked again, it is refused again
        with pytest.raises(ModelError, match=rf"images of shape \({side}, {side}, 3\) \(too small: .*transform=224"):
            classifier.logits(np.zeros((2, side, side, 3), np.float32))
    images = np.random.default_rng(0).random((3, least, least, 3), np.float32)
    found = keras.ops.softmax(classifier.logits(images))
    np.testing.assert_allclose(found, model(images), atol=1e-5)
