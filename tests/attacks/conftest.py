"""A small network that is trained for a few seconds, of ten classes, so that every attack has all its targets."""

from typing import NamedTuple

import numpy as np
import pytest

from robust.classifier import Classifier


class Trained(NamedTuple):
    """The network and images it has not seen."""

    classifier: Classifier
    images: np.ndarray
    labels: np.ndarray
    seeds: np.ndarray


def _examples(n, seed):
    """Ten fixed random patterns of 8 x 8 in two colours, under noise."""
    patterns = np.random.default_rng(0).normal(size=(10, 8, 8, 2))
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, n)
    images = 0.5 + 0.1 * patterns[labels] + 0.2 * random.normal(size=(n, 8, 8, 2))
    return images.clip(0, 1).astype(np.float32), labels


@pytest.fixture(scope="package")
def trained() -> Trained:
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 2)), layers.Conv2D(16, 3, activation="relu"), layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10),
    ])  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    images, labels = _examples(4000, 1)
    model.fit(images, labels, batch_size=64, epochs=4, verbose=0)
    images, labels = _examples(64, 2)
    return Trained(Classifier(model, 10, batch_size=32), images, labels, np.arange(64))
