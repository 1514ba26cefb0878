import keras
import numpy as np
import pytest
from keras import layers

import robust
from robust.core.errors import ModelError
from robust.models.classifier import main_logits

pytestmark = pytest.mark.usefixtures("without_diagnostics")

random = np.random.default_rng(0)
IMAGES = random.uniform(0, 1, (5, 4, 4, 1)).astype(np.float32)
KERNEL, BIAS = random.normal(size=(16, 3)).astype(np.float32), np.array([0.5, -1, 2], np.float32)
LOGITS = IMAGES.reshape(5, 16) @ KERNEL + BIAS


def _dense(**arguments):
    layer = layers.Dense(3, **arguments)
    layer.build((None, 16))
    layer.set_weights([KERNEL, BIAS])
    return layer


def _functional(*head):
    output = inputs = keras.Input((4, 4, 1))
    for layer in (layers.Flatten(), *head):
        output = layer(output)
    return keras.Model(inputs, output, name="net")


HEADS = {
    "linear": lambda: [_dense()],
    "activation of the dense layer": lambda: [_dense(activation="softmax")],
    "softmax layer": lambda: [_dense(), layers.Softmax()],
    "activation layer": lambda: [_dense(), layers.Activation("softmax")],
    "activation layer in float32": lambda: [_dense(), layers.Activation("softmax", dtype="float32")],
}


@pytest.mark.parametrize("head", HEADS)
def test_the_exact_logits_are_found_before_a_softmax(head):
    for model in (
        _functional(*HEADS[head]()),
        keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), *HEADS[head]()]),
    ):
        np.testing.assert_allclose(main_logits.linear(model)(IMAGES), LOGITS, atol=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_the_model_itself_and_its_name_stay_as_they_are(head):
    model = _functional(*HEADS[head]())
    before = model(IMAGES).numpy()
    assert main_logits.linear(model).name == "net"
    assert np.array_equal(model(IMAGES), before)
    assert head == "linear" or np.allclose(before.sum(axis=1), 1)


def test_a_softmax_that_other_models_use_too_is_taken_off_the_right_one():
    shared = layers.Softmax()
    other = keras.Input((7,))
    shared(other)
    np.testing.assert_allclose(main_logits.linear(_functional(_dense(), shared))(IMAGES), LOGITS, atol=1e-5)
    dense = _dense(activation="softmax")
    dense(keras.Input((16,)))
    np.testing.assert_allclose(main_logits.linear(_functional(dense))(IMAGES), LOGITS, atol=1e-5)


def test_a_softmax_inside_stays():
    inputs = keras.Input((4, 4, 1))
    attention = layers.Softmax()(layers.Flatten()(inputs))
    model = keras.Model(inputs, _dense()(attention))
    assert main_logits.linear(model) is model


def test_a_single_output_in_a_dictionary_is_taken_out():
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, {"classes": _dense(activation="softmax")(layers.Flatten()(inputs))})
    np.testing.assert_allclose(main_logits.linear(model)(IMAGES), LOGITS, atol=1e-5)
    model = keras.Model(inputs, {"classes": _dense()(layers.Flatten()(inputs))})
    np.testing.assert_allclose(main_logits.linear(model)(IMAGES), LOGITS, atol=1e-5)


def test_of_several_outputs_the_one_named_logits_is_taken():
    image = keras.Input((4, 4, 1))
    flat = keras.layers.Flatten()(image)
    main, side = keras.layers.Dense(3, name="logits")(flat), keras.layers.Dense(3, name="aux")(flat)
    model = keras.Model(image, [side, main])
    assert main_logits.linear(model).output is main


def test_several_outputs_are_refused_with_the_way_out():
    inputs = keras.Input((4, 4, 1))
    flat = layers.Flatten()(inputs)
    model = keras.Model(inputs, [_dense()(flat), _dense()(flat)], name="two")
    with pytest.raises(ModelError) as caught:
        main_logits.linear(model)
    first, second = model.output_names
    expected = f"has 2 outputs, {first}, {second}; specify which one classifies, as in output={first!r}"
    assert str(caught.value) == f"model 'two' {expected}"
    assert main_logits.understood(model, output=second).model.output is model.outputs[1]  # the way out works


def test_several_inputs_are_refused():
    one, two = keras.Input((4, 4, 1)), keras.Input((4, 4, 1))
    model = keras.Model([one, two], _dense()(layers.Flatten()(one + two)), name="pair")
    with pytest.raises(ModelError, match=r"model 'pair' has 2 inputs; pass one that takes only images"):
        main_logits.linear(model)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (layers.Rescaling(1 / 255), (0, 255)),
        (layers.Rescaling(1 / 127.5, offset=-1), (0, 255)),
        (layers.Rescaling([1 / 255]), (0, 255)),
        (layers.Rescaling(2.0, offset=-1), (0, 1)),
        (layers.Rescaling(1.0), (0, 1)),
        (layers.ZeroPadding2D(1), (0, 1)),
    ],
)
def test_the_first_layer_says_what_pixels_it_wants(first, expected):
    sequential = keras.Sequential([keras.Input((4, 4, 1)), first, layers.Flatten()])
    inputs = keras.Input((4, 4, 1))
    functional = keras.Model(inputs, layers.Flatten()(first(inputs)))
    assert main_logits.pixel_range(sequential) == main_logits.pixel_range(functional) == expected


def test_a_subclassed_model_says_nothing_of_its_pixels():
    class Net(keras.Model):
        def call(self, images):
            return images

    assert main_logits.pixel_range(Net()) == (0, 1)


@pytest.mark.parametrize(
    "layers",
    [
        [keras.layers.RandomFlip(), keras.layers.Rescaling(1 / 255)],
        [keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Rescaling(1 / 255)])],
        [keras.layers.Rescaling(1 / 128, offset=-1)],
    ],
)
def test_a_division_behind_augmentation_or_in_a_nested_model_is_found(layers):
    model = keras.Sequential([keras.Input((4, 4, 1)), *layers, keras.layers.Flatten(), keras.layers.Dense(3)])
    assert main_logits.pixel_range(model) == (0, 255)


def test_a_sigmoid_head_is_refused():
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "sigmoid")])
    with pytest.raises(ModelError, match="ends the model in a sigmoid; end it in a logit per class"):
        main_logits.linear(model)


def plain(values):
    return 0.01 * keras.ops.sum(values**2)


class Scaled(layers.Dense):
    """A layer of somebody's, with an argument of its own that get_config does not tell."""

    def __init__(self, units, scale, **others):
        super().__init__(units, **others)
        self.scale = scale

    def call(self, inputs, training=None):
        return self.activation(self.scale * (inputs @ self.kernel) + self.bias)


class Forgetful(Scaled):
    def __init__(self, units, scale=2.0, **others):
        super().__init__(units, scale, **others)


class Telling(Forgetful):
    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


LAMBDAS = {
    "a function as regularizer": {"kernel_regularizer": plain},
    "a lambda as regularizer": {"bias_regularizer": lambda values: 0.0 * keras.ops.sum(values)},
    "a lambda as initializer": {"kernel_initializer": lambda shape, dtype=None: np.ones(shape)},
    "a lambda as constraint": {"kernel_constraint": lambda values: values},
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("given", LAMBDAS)
def test_a_head_with_what_keras_cannot_save_is_taken_off(given):
    model = _functional(_dense(activation="softmax", **LAMBDAS[given]))
    np.testing.assert_allclose(main_logits.linear(model)(IMAGES), LOGITS, atol=1e-5)
    one = layers.Dense(1, "sigmoid", **LAMBDAS[given])
    model = _functional(one)
    z = np.log(1 / (1 / model(IMAGES).numpy() - 1))
    np.testing.assert_allclose(main_logits.linear(model)(IMAGES), np.concatenate([0 * z, z], axis=1), atol=1e-2)
    head = layers.Conv2D(3, 4, activation="softmax", **LAMBDAS[given])
    model = keras.Sequential([keras.Input((4, 4, 1)), head])
    logits = main_logits.linear(model)(IMAGES).numpy()
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, model(IMAGES).numpy().reshape(5, 3), atol=1e-5)


def with_scale(kind):
    layer = kind(3, scale=0.5, activation="softmax", name="own")
    layer.build((None, 16))
    layer.set_weights([KERNEL, BIAS])
    return _functional(layer)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Scaled, "a Scaled, cannot be built again (TypeError: "),
        (Forgetful, "a Forgetful, cannot be built again ... get_config() gives other numbers"),
    ],
)
def test_a_layer_of_somebody_s_that_cannot_be_built_again_is_named_with_a_way_out_that_works(kind, why):
    with pytest.raises(ModelError) as caught:
        main_logits.linear(with_scale(kind))
    said = str(caught.value)
    assert said.startswith("'own' ends the model in an activation ")
    assert all(
        part in said for part in ("cannot be taken off", *why.split(" ... "), "; or set black_box=True, for attacks")
    )
    labels = with_scale(kind)(IMAGES).numpy().argmax(axis=1)
    table = robust.evaluate(with_scale(kind), (IMAGES, labels), classes=3, black_box=True)
    assert robust.value(table, "top1").value == 1


def test_a_layer_of_somebody_s_that_says_what_it_was_given_is_taken_off():
    wanted = 0.5 * (LOGITS - BIAS) + BIAS
    np.testing.assert_allclose(main_logits.linear(with_scale(Telling))(IMAGES), wanted, atol=1e-5)
