"""What the families' tests share: counting without weights, and comparing with `keras.applications`."""

from collections.abc import Callable, Iterator
from functools import cache
from math import prod

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from robust.core import registry
from robust.core.errors import ModelError
from robust.models.architectures.normalization import set_statistics
from robust.models.architectures.port import port
from robust.models.layer_table import layer_table, totals, unallocated


@pytest.fixture(scope="session")
def outline() -> Callable[..., keras.Model]:
    """`outline(name, **options)`: the network's graph and shapes, without weights; each is built once.

    A function may stand for the name of one of ours.
    """

    @cache
    def build(name, **options):
        with unallocated():
            return (name if callable(name) else registry.resolve("architectures", name))(**options)

    return build


@pytest.fixture
def costs() -> Callable[[keras.Model], tuple[int, int]]:
    """`costs(model)`: trainable parameters, and multiply-accumulates of convolutions and dense layers."""

    def count(model):
        sums = totals(layer_table(model))
        return sums["trainable"], sums["macs"]

    return count


@pytest.fixture(scope="session")
def randomized() -> Callable[[keras.Model], keras.Model]:
    """`randomized(model)`: the model, with random weights and statistics.

    They keep signals near one. Where they grow, gates saturate and rounding grows with them: under scales
    around 1, EfficientNet-B6's logits moved by 0.2 deviations if its images moved by 2e-7.
    """

    def draw(model):
        random = np.random.default_rng(0)
        for layer in model.layers:
            shapes = [weight.shape for weight in layer.weights]
            if isinstance(layer, layers.Normalization) and shapes:
                set_statistics(layer, random.uniform(0.3, 0.6, shapes[0]), random.uniform(0.04, 0.3, shapes[1]))
            elif isinstance(layer, layers.BatchNormalization):
                scale, variance = random.uniform(0.25, 0.75, shapes[0]), random.uniform(0.1, 1.5, shapes[3])
                layer.set_weights([scale, *random.normal(0, 0.3, (2, *shapes[0])), variance])
            elif shapes:
                inputs = slice(2) if isinstance(layer, layers.DepthwiseConv2D) else slice(-1)
                scales = [prod(shape[inputs]) ** -0.5 if len(shape) > 1 else 0.1 for shape in shapes]
                layer.set_weights([random.normal(0, *both) for both in zip(scales, shapes, strict=True)])
        return model

    return draw


@pytest.fixture(scope="session")
def apart() -> Callable[..., float]:
    """`apart(ours, theirs, scale)`: largest difference of what they make of images, over its deviation."""

    def compare(ours, theirs, scale=1):
        images = np.random.default_rng(1).random((2, *ours.input_shape[1:]), np.float32)
        mine, other = np.asarray(ours(images)), np.asarray(theirs(scale * images))
        assert mine.std() > 0.01
        return float(np.abs(mine - other.reshape(mine.shape)).max() / mine.std())

    return compare


@pytest.fixture(scope="session")
def refused() -> Callable[[keras.Model, keras.Model], str]:
    """`refused(source, target)`: what `port` says of them; and it copied nothing."""

    def refuse(source, target):
        before = [np.array(weight) for weight in target.weights]
        with pytest.raises(ModelError) as caught:
            port(source, target)
        for old, new in zip(before, target.weights, strict=True):
            np.testing.assert_array_equal(old, new)
        return str(caught.value)

    return refuse


@pytest.fixture
def mixed_bfloat16() -> Iterator[None]:
    """The policy of what the test builds."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def cross_entropy(logits):
    labels = np.arange(len(logits)) % logits.shape[-1]
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)


@pytest.fixture(scope="session")
def gradients() -> Callable[..., list[tuple[str, np.ndarray]]]:
    """`gradients(model, count, loss)`: of a training step on so many images; path and gradient of every weight.

    All of them are finite; `loss` is a function of what the model says.
    """

    def step(model, count=8, loss=cross_entropy):
        images = np.random.default_rng(0).random((count, *model.input_shape[1:]), np.float32)
        with tf.GradientTape() as tape:
            value = loss(model(images, training=True))
        found = list(zip(model.trainable_weights, tape.gradient(value, model.trainable_weights), strict=True))
        for weight, gradient in found:
            assert gradient is not None and np.isfinite(gradient).all(), weight.path
        return [(weight.path, np.asarray(gradient)) for weight, gradient in found]

    return step


@pytest.fixture
def assert_sound(tmp_path, gradients) -> Callable[..., None]:
    """`assert_sound(model, count)`: of so many images, a gradient reaches every weight; it survives save and load."""

    def examine(model, count=8):
        assert [path for path, gradient in gradients(model, count) if not gradient.any()] == []
        images = np.random.default_rng(0).random((count, *model.input_shape[1:]), np.float32)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True, compile=False)
        np.testing.assert_array_equal(again(images), model(images))

    return examine
