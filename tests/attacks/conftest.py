"""A small network that is trained for a few seconds, of ten classes, so that every attack has all its targets."""

from typing import NamedTuple

import numpy as np
import pytest

from robust.models.classifier import Classifier


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


@pytest.fixture(scope="session")
def more():
    """`more(n, seed)`: other images and labels of the problem that `trained` knows."""
    return _examples


def _network():
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential([
        keras.Input((8, 8, 2)), layers.Conv2D(16, 3, activation="relu"), layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10),
    ])  # fmt: skip


@pytest.fixture(scope="package")
def trained() -> Trained:
    import keras

    model = _network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    images, labels = _examples(4000, 1)
    model.fit(images, labels, batch_size=64, epochs=4, verbose=0)
    images, labels = _examples(64, 2)
    return Trained(Classifier(model, 10, batch_size=32), images, labels, np.arange(64))


@pytest.fixture(scope="package")
def hardened() -> Trained:
    """Trained on one step of 0.04 along the sign of the gradient, from a random point of the ball."""
    import keras
    import tensorflow as tf

    model, optimizer = _network(), keras.optimizers.Adam(3e-3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(images, labels):
        points = images + tf.random.stateless_uniform(tf.shape(images), (0, optimizer.iterations.value), -0.04, 0.04)
        with tf.GradientTape() as tape:
            tape.watch(points)
            climbed = loss(labels, model(points, training=True))
        points = points + 0.04 * tf.sign(tape.gradient(climbed, points))
        points = tf.clip_by_value(tf.clip_by_value(points, images - 0.04, images + 0.04), 0, 1)
        with tf.GradientTape() as tape:
            fitted = loss(labels, model(points, training=True))
        optimizer.apply(tape.gradient(fitted, model.trainable_variables), model.trainable_variables)

    images, labels = _examples(4000, 1)
    for _ in range(6):
        for i in range(0, 4000, 80):
            step(tf.constant(images[i : i + 80]), tf.constant(labels[i : i + 80]))
    images, labels = _examples(64, 2)
    return Trained(Classifier(model, 10, batch_size=32), images, labels, np.arange(64))
