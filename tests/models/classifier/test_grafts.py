"""What is put on a model of somebody's has a name of its own there, whatever its layers are called."""

import inspect

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from robust.api import attack_image
from robust.core.signature import bind
from robust.datasets.dataset import from_arrays
from robust.models.classifier import Classifier, main_logits
from robust.suite import read_model
from robust.suite.preprocessing import Preprocessing
from robust.training import finetune
from robust.training.recipes import Recipe

pytestmark = pytest.mark.usefixtures("without_diagnostics")

SHAPE = (4, 4, 3)
IMAGES = np.random.default_rng(0).random((6, *SHAPE), "float32")
OURS = ("preprocessing", "logits", "two_classes", "image", "unsure", "input_layer", "keras_tensor")
DEFAULTS = [
    keras.src.utils.naming.to_snake_case(name)
    for name, kind in inspect.getmembers(layers, inspect.isclass)
    if issubclass(kind, layers.Layer)
]


@pytest.fixture
def crowded():
    """`crowded(*head)`: a model with a layer of every default name and of ours; then Keras counts anew."""

    def build(*head):
        x = image = keras.Input(SHAPE, name="given")
        for name in {*DEFAULTS, *OURS}:
            x = layers.Identity(name=name)(x)
        x = layers.Flatten(name="rows")(x)
        for layer in head:
            x = layer(x)
        model = keras.Model(image, x, name="net")
        keras.utils.clear_session()  # what has no name of its own is called as at the beginning
        return model

    return build


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.slow
def test_the_names_are_those_that_keras_gives(crowded):
    taken = {layer.name for layer in crowded(layers.Dense(3, name="own")).layers}
    assert len(DEFAULTS) > 100
    assert {layers.Rescaling(1.0).name, layers.Dense(1).name, layers.Identity().name} <= taken


@pytest.mark.slow
@pytest.mark.parametrize(
    "head",
    [
        [layers.Dense(3, "softmax", name="own")],
        [layers.Dense(3, name="own"), layers.Softmax(name="soft")],
        [layers.Dense(4, name="four"), again := layers.Dense(4, "softmax", name="own"), again],
        [layers.Dense(1, "sigmoid", name="own")],
        [layers.Dense(1, name="own"), again := layers.Dense(1, "sigmoid", name="again"), again],
        [layers.Dense(1, name="own"), layers.Activation("sigmoid", name="flat"), layers.Reshape((1,), name="same")],
    ],
)
def test_a_head_is_taken_off(head, crowded):
    model = crowded(*head)
    given = model(IMAGES).numpy()
    wanted = given if given.shape[1] > 1 else np.concatenate([1 - given, given], axis=1)
    found = Classifier(model, wanted.shape[1]).logits(IMAGES)
    np.testing.assert_allclose(softmax(found), wanted, atol=1e-5)


@pytest.mark.slow
def test_one_image_is_attacked(crowded, tmp_path):
    crowded(layers.Dense(3, name="own")).save(tmp_path / "net.keras")
    Image.fromarray(np.full(SHAPE, 128, np.uint8)).save(tmp_path / "grey.png")
    model = read_model("net", {"keras": str(tmp_path / "net.keras")})
    keras.utils.clear_session()
    found = attack_image.attack(
        tmp_path / "grey.png", model, bind("attacks", {"name": "pgd", "eps": 1}), out=tmp_path / "out"
    )
    assert found.fooled


def recipe(head):
    return Recipe(**bind("recipes", {"name": "short", "head": head}).arguments)


@pytest.mark.slow
@pytest.mark.parametrize("pixels", [Preprocessing(0.0, 255.0), Preprocessing(mean=(0.5,) * 3, std=(0.25,) * 3)])
def test_it_is_fine_tuned(pixels, crowded):
    model = crowded(layers.Dense(3, name="own"))
    data = from_arrays(IMAGES, np.arange(6) % 3)
    kept = finetune.adapted(model, data, recipe("kept"), pixels)
    want = Classifier(model, 3, preprocessing=pixels).logits(IMAGES)
    np.testing.assert_allclose(kept(IMAGES), want, rtol=1e-4, atol=1e-3)
    keras.utils.clear_session()
    new = finetune.adapted(model, data, recipe("new"), pixels)
    assert new.output_shape == (None, 3) and main_logits.last(new).name == "logits_1"
