"""keras.applications' weights in our networks, with random weights in the place of the downloaded ones."""

import importlib

import keras
import numpy as np
import pytest

from robust.core.errors import ModelError
from robust.models.pretrained import keras as ported
from robust.models.pretrained import load
from robust.suite import Published
from robust.suite import pretrained as words

ROOM = "keras.src.applications"
MODULES = {
    "mobilenet_v2": "mobilenet_v2", "mobilenet_v3_small": "mobilenet_v3", "efficientnet_b0": "efficientnet",
    "resnet50": "resnet", "densenet121": "densenet", "mobilenet": "mobilenet", "vgg16": "vgg16",
}  # fmt: skip


def scatter(layer, random):
    """Random weights with which signals neither fade nor grow."""
    if isinstance(layer, keras.layers.Normalization):  # as in the released files of EfficientNet
        layer.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), np.array(0)])
    elif isinstance(layer, keras.layers.BatchNormalization):
        low, high = [0.5, -0.3, -0.3, 0.1], [1.5, 0.3, 0.3, 1.5]
        layer.set_weights([random.uniform(*ends, layer.gamma.shape) for ends in zip(low, high, strict=True)])
    else:
        deep = isinstance(layer, keras.layers.DepthwiseConv2D)
        fans = [np.prod(w.shape[: 2 if deep else -1]) for w in layer.weights]
        layer.set_weights(
            [random.normal(0, 0.5 if n == 1 else n**-0.5, w.shape) for n, w in zip(fans, layer.weights, strict=True)]
        )


@pytest.fixture
def download(tmp_path, monkeypatch):
    """`download(name)`: what Keras would fetch for it is a file of random weights."""

    def prepare(name):
        module = importlib.import_module(f"{ROOM}.{MODULES[name]}")
        model = getattr(keras.applications, ported.RELEASES[name].function)(weights=None, input_shape=(224, 224, 3))
        random = np.random.default_rng(0)
        for layer in model.layers:
            scatter(layer, random)
        model.save_weights(tmp_path / "w.weights.h5")
        # their files hold the weights in the old form, without names
        monkeypatch.setattr(module.file_utils, "get_file", lambda *_, **__: str(tmp_path / "w.weights.h5"))
        return importlib.import_module(f"keras.applications.{MODULES[name]}").preprocess_input

    return prepare


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v2",
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in ("efficientnet_b0", "mobilenet_v3_small", "mobilenet", "resnet50", "densenet121")
        ),
    ],
)
def test_logits_are_those_of_keras_behind_its_preprocessing(name, download):
    preprocess = download(name)
    theirs = getattr(keras.applications, ported.RELEASES[name].function)(
        weights="imagenet", input_shape=(224, 224, 3), classifier_activation=None
    )
    ours = load.load(Published(f"keras:{name}"), (224, 224, 3), 1000)
    squares = np.random.default_rng(1).random((2, 7, 7, 3), np.float32)  # not grey: red and blue must not be swapped
    images = squares.repeat(32, axis=1).repeat(32, axis=2)
    wanted = theirs.predict(preprocess(255 * images), verbose=0)
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-2 * wanted.std()
    assert np.abs(ours.predict(images, verbose=0) - wanted).max() <= 1e-3 * wanted.std()


def offline(*_, **__):
    raise Exception("URL fetch failure on https://example.org/keras/resnet50.h5: None -- [Errno -2] Name not known")


@pytest.mark.slow
def test_without_a_network_the_error_says_where_to_put_the_file(monkeypatch):
    monkeypatch.setattr(importlib.import_module(f"{ROOM}.mobilenet_v2").file_utils, "get_file", offline)
    monkeypatch.setenv("KERAS_HOME", "/home/her/.keras")
    with pytest.raises(ModelError) as error:
        load.load(Published("keras:mobilenet_v2"), (224, 224, 3), 1000)
    parts = (
        "keras:mobilenet_v2: its weights cannot be downloaded",
        "(Exception: URL fetch failure on https://example.org/keras/resnet50.h5: ",
        "[Errno -2] Name not known)",
        "looks for resnet50.h5 in /home/her/.keras/models",
    )
    assert all(part in str(error.value) for part in parts)


@pytest.mark.parametrize(("shape", "classes"), [((96, 96, 3), 1000), ((240, 240, 3), 10)])
def test_other_classes_and_images_are_told_before_anything_is_downloaded(shape, classes):
    with pytest.raises(ModelError) as error:
        load.load(Published("keras:efficientnet_b1"), shape, classes)
    parts = (
        "keras:efficientnet_b1 is for images of shape (240, 240, 3)",
        "ImageNet's 1000 classes",
        f"the data has {classes} classes, and images of shape {shape}",
    )
    assert all(part in str(error.value) for part in parts)


def test_a_suite_may_name_each_of_them():
    assert tuple(ported.RELEASES) == words.KERAS
