"""A folded network answers as the network does."""

import warnings

import keras
import numpy as np
import pytest

from robust.core import registry
from robust.models.classifier.folding import folded, refresh

layers = keras.layers


def _unsettled(model, seed=0):
    """BatchNorms with statistics of their own, as after a training."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _unsettled(layer)
        elif isinstance(layer, layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


def _norms(model):
    return sum(
        _norms(x) if isinstance(x, keras.Model) else isinstance(x, layers.BatchNormalization) for x in model.layers
    )


def _gap(twin, model):
    """The largest difference of logits over the largest logit."""
    images = np.random.default_rng(1).uniform(size=(4, *model.input_shape[1:])).astype(np.float32)
    expected = model(images, training=False).numpy()
    return np.abs(twin(images, training=False).numpy() - expected).max() / np.abs(expected).max()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side", "left"),
    [("resnet20", 28, 0), ("mobilenet_v2", 32, 0), ("densenet121", 32, 62)],
)
def test_networks_of_the_catalogue(name, side, left):
    model = _unsettled(registry.resolve("architectures", name)(input_shape=(side, side, 3), classes=10, width=0.25))
    twin = folded(model)
    assert _norms(model) > left == _norms(twin) and _gap(twin, model) < 1e-5
    assert twin is not model and not {id(w) for w in twin.weights} & {id(w) for w in model.weights}


def _inner(image):
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(image))
    return keras.Model(image, layers.ReLU()(x))


def _net(*parts, side=8):
    return _unsettled(keras.Sequential([keras.Input((side, side, 1)), *parts, layers.Flatten(), layers.Dense(3)]))


def test_nested_and_compiled_models():
    model = _net(layers.Rescaling(2.0), _inner(keras.Input((8, 8, 1))))
    model.compile("adam", "mse")
    twin = folded(model)
    assert _norms(twin) == 0 and _gap(twin, model) < 1e-5


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"scale": False, "center": False}])
def test_without_scale_or_center(options):
    twin = folded(model := _net(layers.DepthwiseConv2D(3, depth_multiplier=2), layers.BatchNormalization(**options)))
    assert _norms(twin) == 0 and _gap(twin, model) < 1e-5


def _seen_twice():
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3)(image)
    return _unsettled(keras.Model(image, layers.Flatten()(layers.BatchNormalization()(x) + x)))


def _used_twice():
    image, convolution = keras.Input((8, 8, 1)), layers.Conv2D(1, 3, padding="same")
    x = layers.BatchNormalization()(convolution(convolution(image)))
    return _unsettled(keras.Model(image, layers.Flatten()(x)))


@pytest.mark.parametrize(
    "model",
    [
        _seen_twice(),
        _used_twice(),
        _net(layers.BatchNormalization()),
        _net(layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization()),
        _net(layers.Conv2D(6, 3), layers.BatchNormalization(axis=1)),
    ],
    ids=["seen twice", "used twice", "of the image", "after an activation", "over rows"],
)
def test_what_cannot_be_folded_is_left(model):
    assert folded(model) is model
    twin = folded(model, "bfloat16")
    assert _norms(twin) == _norms(model) and 0 < _gap(twin, model) < 0.05


class Own(layers.Layer):
    def call(self, x):
        return x * 2


@pytest.mark.parametrize("part", [Own(), layers.Lambda(lambda x: x * 2)])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_layers_of_others_are_not_copied(part, precision):
    model = _net(part, layers.Conv2D(4, 3), layers.BatchNormalization())
    assert folded(model, precision) is model


def relu(x):
    return x * 2


@pytest.mark.parametrize(
    "options",
    [
        {"activation": relu},
        {"activation": lambda x: x * 2},
        {"kernel_regularizer": lambda x: 0.0},
        {"kernel_constraint": lambda x: x},
        {"bias_initializer": lambda shape, dtype=None: np.ones(shape, dtype)},
    ],
    ids=["by a name of Keras'", "a lambda", "regularizer", "constraint", "initializer"],
)
def test_layers_with_functions_of_others_are_not_copied(options):
    model = _net(layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Dense(4, **options))
    assert folded(model) is model and folded(model, "bfloat16") is model


@pytest.mark.slow
def test_a_copy_leaves_no_trace_in_the_model():
    model = registry.resolve("architectures", "resnet20")(width=0.25)
    before = [len(operation._inbound_nodes) for operation in model.operations]
    folded(model), folded(model, "bfloat16")
    assert [len(operation._inbound_nodes) for operation in model.operations] == before


def test_pixels_and_logits_stay_in_single_precision():
    model = _net(layers.Rescaling(2.0), layers.Conv2D(4, 3), layers.BatchNormalization())
    types = {type(layer).__name__: layer.compute_dtype for layer in folded(model, "bfloat16").layers}
    assert (types["Rescaling"], types["Conv2D"], types["Dense"]) == ("float32", "bfloat16", "float32")


def test_a_double_precision_model_keeps_its_digits():
    parts = [layers.Conv2D(4, 3, dtype="float64"), layers.BatchNormalization(dtype="float64")]
    model = _unsettled(keras.Sequential([keras.Input((8, 8, 1), dtype="float64"), *parts]))
    images = np.random.default_rng(0).uniform(size=(2, 8, 8, 1))
    np.testing.assert_allclose(folded(model, "bfloat16")(images), model(images, training=False), rtol=1e-12, atol=1e-12)


def test_a_copy_can_be_brought_up_to_date():
    twin = folded(model := _net(layers.Conv2D(4, 3), layers.BatchNormalization()))
    _unsettled(model, seed=5)
    assert _gap(twin, model) > 1e-3
    refresh(twin, model)
    assert _gap(twin, model) < 1e-5


@pytest.mark.slow_after_first
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("changed", ["lora", "int8", "int4"])
def test_layers_that_are_adapted_or_quantised_stay_as_they_are(changed, precision):
    """They hold more weights than a kernel and a bias."""
    model = _net(layers.Dense(6), layers.BatchNormalization(), layers.Conv2D(4, 3), layers.BatchNormalization())
    if changed == "lora":
        for layer in model.layers:
            if isinstance(layer, layers.Dense | layers.Conv2D):
                layer.enable_lora(2)
                layer.lora_kernel_b.assign(np.full(layer.lora_kernel_b.shape, 0.1))
    else:
        with warnings.catch_warnings():  # Keras says of each other layer that it cannot be
            warnings.simplefilter("ignore")
            model.quantize(changed)
    twin = folded(model, precision)
    assert _norms(twin) == (2 if changed == "lora" else 1)
    assert _gap(twin, model) < (1e-5 if precision == "float32" else 0.1)
    refresh(twin, model)
