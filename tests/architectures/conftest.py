"""What the families' tests share: counting without weights, and comparing with `keras.applications`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from math import prod

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras.src.backend.common import global_state

from robust import catalog

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)
WEIGHTED = [(layers.Conv2D, layers.Dense), (layers.DepthwiseConv2D,), (layers.BatchNormalization,)]


@contextmanager
def unallocated() -> Iterator[None]:
    """Models built inside have shapes and no weights: EfficientNet-L2's would take 2 GB."""
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:  # else Keras would allocate them when it next leaves such a scope
        global_state.set_global_attribute("uninitialized_variables", [])


@pytest.fixture(scope="session")
def outline() -> Callable[..., keras.Model]:
    """`outline(name, **options)`: the network's graph and shapes, without weights; each is built once."""

    @cache
    def build(name, **options):
        with unallocated():
            return catalog.resolve("architectures", name)(**options)

    return build


@pytest.fixture
def costs() -> Callable[[keras.Model], tuple[int, int]]:
    """`costs(model)`: trainable parameters, and multiply-accumulates of convolutions and dense layers."""

    def count(model):
        macs = 0
        for layer in model.layers:
            if isinstance(layer, (*CONVOLUTIONS, layers.Dense)):
                places = prod(layer.output.shape[1:3]) if isinstance(layer, CONVOLUTIONS) else 1
                macs += places * prod(layer.kernel.shape)
        return sum(prod(weight.shape) for weight in model.trainable_weights), macs

    return count


def weighted(model: keras.Model, kinds: tuple[type, ...]) -> list[keras.Layer]:
    return [layer for layer in model.layers if type(layer) in kinds]


def pour(ours: keras.Model, theirs: keras.Model) -> None:
    """Random weights and statistics into ours, and the same into theirs: by kind of layer, in order.

    They keep signals near one: where they grow, gates saturate and float32 is no longer exact to 1e-3.
    """
    random = np.random.default_rng(0)
    for kinds in WEIGHTED:
        for mine, other in zip(weighted(ours, kinds), weighted(theirs, kinds), strict=True):
            values = _batch_norm(random, mine) if kinds == WEIGHTED[2] else _kernel(random, mine)
            shapes = [[side for side in w.shape if side > 1] for w in other.weights]  # a dense layer is a 1x1 one
            assert shapes == [[side for side in v.shape if side > 1] for v in values], (mine.name, other.name)
            mine.set_weights(values)
            other.set_weights([v.reshape(w.shape) for v, w in zip(values, other.weights, strict=True)])


def _kernel(random: np.random.Generator, layer: keras.Layer) -> list[np.ndarray]:
    depth = isinstance(layer, layers.DepthwiseConv2D)
    scales = [np.sqrt(1 / prod(w.shape[: 2 if depth else -1])) if len(w.shape) > 1 else 0.1 for w in layer.weights]
    return [random.normal(0, scale, w.shape) for scale, w in zip(scales, layer.weights, strict=True)]


def _batch_norm(random: np.random.Generator, layer: keras.Layer) -> list[np.ndarray]:
    channels = layer.weights[0].shape
    scale, variance = random.uniform(0.5, 1.5, channels), random.uniform(0.1, 1.5, channels)
    return [scale, random.normal(0, 0.3, channels), random.normal(0, 0.3, channels), variance]


@pytest.fixture
def same_weights() -> Callable[..., tuple[keras.Model, keras.Model]]:
    """`same_weights(name, theirs)`: our network beside Keras', 64x64 pixels and 100 classes, weights shared."""

    def build(name, function, **options):
        theirs = function(weights=None, input_shape=(64, 64, 3), classes=100, classifier_activation=None, **options)
        ours = catalog.resolve("architectures", name)(input_shape=(64, 64, 3), classes=100, stem="imagenet")
        pour(ours, theirs)
        return ours, theirs

    return build


@pytest.fixture
def apart() -> Callable[..., float]:
    """`apart(ours, theirs, scale)`: largest difference of their logits over the logits' deviation."""

    def compare(ours, theirs, scale=1):
        images = np.random.default_rng(1).random((2, 64, 64, 3), np.float32)
        mine, other = np.asarray(ours(images)), np.asarray(theirs(scale * images)).reshape(2, 100)
        assert mine.std() > 0.01
        return float(np.abs(mine - other).max() / mine.std())

    return compare


@pytest.fixture
def examined(tmp_path) -> Callable[[keras.Model], None]:
    """`examined(model)`: a gradient reaches every weight, and the network survives save and load."""

    def examine(model):
        images = np.random.default_rng(0).random((8, *model.input_shape[1:]), np.float32)
        with tf.GradientTape() as tape:
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
                np.arange(8) % model.output_shape[1], model(images, training=True)
            )
        for weight, gradient in zip(model.trainable_weights, tape.gradient(loss, model.trainable_weights), strict=True):
            assert np.isfinite(gradient).all() and np.any(gradient), weight.path
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True, compile=False)
        np.testing.assert_array_equal(again(images), model(images))

    return examine
