import keras
import numpy as np
import pytest
import tensorflow as tf

from robust.core import registry
from robust.core.progress import Silent
from robust.core.signature import Call, bind
from robust.datasets.dataset import Dataset
from robust.suite import Architecture, Model, Training


def _split(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey 8x8 images of three classes: which third of the columns is a little brighter."""
    random = np.random.default_rng(seed)
    labels = np.arange(size) % 3
    images = random.uniform(0.2, 0.6, (size, 8, 8, 1))
    for image, label in zip(images, labels, strict=True):
        image[:, 3 * label : 3 * label + 2] += 0.25
    return images.astype("float32"), labels.astype("int64")


@pytest.fixture(scope="session")
def stripes() -> Dataset:
    splits = {"train": _split(384, 1), "validation": _split(60, 2), "test": _split(300, 3)}

    def read(split: str) -> tf.data.Dataset:
        images, labels = splits[split]
        return tf.data.Dataset.from_tensor_slices((images, labels, [f"{split}-{i}" for i in range(len(labels))]))

    sizes = {name: len(labels) for name, (_, labels) in splits.items()}
    return Dataset("stripes", ("left", "middle", "right"), (8, 8, 1), sizes, read, "stripes")


def _network(*, input_shape, classes) -> keras.Model:
    inputs = x = keras.Input(input_shape)
    x = keras.layers.Normalization(name="normalization")(x)
    x = keras.layers.Conv2D(8, 3, activation="relu", name="conv")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Flatten()(keras.layers.Dropout(0.1)(x))
    return keras.Model(inputs, keras.layers.Dense(classes, dtype="float32", name="logits")(x))


@pytest.fixture
def network(monkeypatch):
    """A small network, and what builds it wherever an architecture is asked for."""
    resolve = Call.resolve
    monkeypatch.setattr(Call, "resolve", lambda call: _network if call.name == "small" else resolve(call))
    home = registry.home  # the key of a training is of the code of its architecture, too
    monkeypatch.setattr(registry, "home", lambda kind, name: home(kind, "lenet5" if name == "small" else name))
    return _network


@pytest.fixture
def model(network):
    """`model(adversary, epochs=4, ...)`: that network and how it is trained, from the recipe `short`."""

    def make(adversary=None, objective=None, **options) -> Model:
        recipe = bind("recipes", {"name": "short", "epochs": 4, "batch_size": 64, **options})
        against = {"adversaries": adversary, "objectives": objective}
        training = Training(recipe, *(table and bind(kind, table) for kind, table in against.items()))
        return Model("net", Architecture(Call("architectures", "small")), training)

    return make


class _StopsIn(Silent):
    def __init__(self, steps: int):
        self.left = steps

    def advance(self, note: str = "") -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.fixture
def stops_in() -> type[Silent]:
    """`stops_in(n)`: a progress that stops the training in its n-th step."""
    return _StopsIn
