import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import robust
from robust.attacks import pgd
from robust.core.errors import ModelError
from robust.models.classifier import Classifier

pytestmark = pytest.mark.usefixtures("without_diagnostics")

IMAGES = np.random.default_rng(0).uniform(0, 1, (9, 4, 4, 1)).astype(np.float32)
SHAPE = (4, 4, 1)


def _refusal(model, classes=3, ask=False, **arguments):
    with pytest.raises(ModelError) as caught:
        classifier = Classifier(model, classes, batch_size=4, **arguments)
        assert ask, "it should have been refused at once"
        classifier.logits(IMAGES)
    return str(caught.value)


def _net(*parts, name="net", dtype="float32"):
    return keras.Sequential([keras.Input(SHAPE, dtype=dtype), *parts, layers.Flatten(), layers.Dense(3)], name=name)


def test_inference_mode(build, problem):
    model, data = build(), problem(20)
    logits = Classifier(model, 3, batch_size=8).logits(data.images)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, model(data.images, training=False), atol=1e-5)
    assert np.array_equal(logits, Classifier(model, 3, batch_size=8).logits(data.images))
    assert (logits.argmax(axis=1) == data.labels).mean() > 0.9  # the other tests hang on that
    assert np.abs(logits - model(data.images, training=True)).max() > 0.1  # there is something to be left out


@pytest.mark.parametrize("n", [1, 7, 8, 9])
def test_the_last_batch_is_padded_and_counted(build, problem, n):
    classifier, images = Classifier(build(), 3, batch_size=8), problem(9).images
    row_by_row = np.concatenate([classifier.logits(images[[i]]) for i in range(n)])
    before = classifier.n_forward
    together = classifier.logits(images[:n])
    assert classifier.n_forward - before == {1: 4, 7: 8, 8: 8, 9: 16}[n]  # 9: two batches of 8
    assert classifier.n_backward == 0
    np.testing.assert_allclose(together, row_by_row, rtol=1e-5, atol=1e-6)
    assert classifier.graphs == {"logits": 1}


@pytest.mark.parametrize("n", [1, 7, 8, 9])
def test_padding_changes_no_byte(rows_apart, build, problem, n):
    classifier, images = Classifier(build(), 3, batch_size=8), problem(9).images
    row_by_row = np.concatenate([classifier.logits(images[[i]]) for i in range(n)])
    assert classifier.logits(images[:n]).tobytes() == row_by_row.tobytes()


def test_each_gradient_is_of_the_images_own_loss(build, problem):
    classifier, data = Classifier(build("float64"), 3, batch_size=8), problem(4)
    images = tf.constant(data.images, tf.float64)

    def loss(logits, labels):
        return tf.gather(logits, labels, batch_dims=1) ** 2

    losses, logits, gradients = classifier.gradient(images, tf.constant(data.labels), loss)
    np.testing.assert_allclose(losses, logits.numpy()[range(4), data.labels] ** 2)
    step = 1e-6
    for i, place in ((0, (1, 2, 0)), (3, (5, 5, 0))):
        moved = data.images.astype(np.float64)
        moved[(i, *place)] += step
        after = loss(classifier(tf.constant(moved)), tf.constant(data.labels)).numpy()
        changes = (after - losses.numpy()) / step
        assert changes[i] == pytest.approx(gradients.numpy()[(i, *place)], rel=1e-3, abs=1e-5)
        assert np.abs(np.delete(changes, i)).max() < 1e-6


def test_a_graph_is_built_once_for_its_key():
    classifier = Classifier(_net(), 3, batch_size=4)
    built = []

    def build():
        built.append(1)
        return lambda x: x + 1

    for _ in range(3):
        assert classifier.compiled("more", build)(tf.constant([1.0])).numpy() == [2]
    assert (len(built), classifier.graphs["more"]) == (1, 1)
    assert classifier.compiled("more", build)(tf.constant([1.0, 2.0])).numpy().tolist() == [2, 3]
    assert (len(built), classifier.graphs["more"]) == (1, 1)  # a batch of another size


@pytest.mark.parametrize(
    ("first", "pixels"),
    [
        (layers.Rescaling(1 / 255), None),
        (layers.Rescaling(1 / 127.5, offset=-1), None),
        (layers.Rescaling(1 / 255), (0, 255)),
        (layers.Rescaling(1 / 100, offset=-0.2), (20, 120)),
        (layers.Rescaling(1.0), (-1, 1)),
    ],
)
def test_other_pixel_ranges_answer_like_their_twin_in_zero_to_one(first, pixels):
    model = _net(first)
    twin = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), model.layers[-1]])
    asked = IMAGES * 2 - 1 if pixels == (-1, 1) or first.offset == -1 else IMAGES
    wanted = Classifier(twin, 3, batch_size=4).logits(asked)
    classifier = Classifier(model, 3, preprocessing=pixels, batch_size=4)
    np.testing.assert_allclose(classifier.logits(IMAGES), wanted, atol=1e-5)


@pytest.mark.slow
def test_gradients_are_by_the_images_in_zero_to_one():
    model = _net(layers.Rescaling(1 / 255))
    twin = Classifier(keras.Sequential([keras.Input(SHAPE), layers.Flatten(), model.layers[-1]]), 3, batch_size=4)
    labels = twin.logits(IMAGES).argmax(axis=1)
    ours, theirs = (
        pgd(c, IMAGES, labels, seeds=np.arange(9), eps=0.01, norm="l2", random_start=False)
        for c in (Classifier(model, 3, batch_size=4), twin)
    )
    assert (ours.images != IMAGES).any()
    np.testing.assert_allclose(ours.images, theirs.images, atol=1e-5)


def test_a_double_precision_model_is_asked_in_double_precision(build, problem):
    model, images = build("float64"), problem(3).images.astype(np.float64)
    logits = Classifier(model, 3, batch_size=4).logits(images)
    assert logits.dtype == np.float64
    np.testing.assert_allclose(logits, model(images), rtol=1e-13)
    assert np.abs(logits - build()(images)).max() > 1e-9


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_gives_logits_in_single_precision(policy):
    inputs = keras.Input(SHAPE)
    hidden = layers.Flatten(dtype=policy)(layers.Conv2D(2, 3, dtype=policy)(inputs))
    model = keras.Model(inputs, layers.Dense(3, "softmax", dtype=policy)(hidden))
    classifier = Classifier(model, 3, batch_size=4)
    logits = classifier.logits(IMAGES)
    assert logits.dtype == np.float32 and model(IMAGES).dtype != tf.float32
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, keras.ops.convert_to_numpy(model(IMAGES)).astype("float32"), atol=0.02)
    assert pgd(classifier, IMAGES, logits.argmax(axis=1), seeds=np.arange(9), eps=0.1).images.dtype == np.float32


def test_half_precision_inputs_are_searched_in_single_precision():
    classifier = Classifier(_net(dtype="float16"), 3, batch_size=4)
    assert classifier.dtype == tf.float32
    assert classifier.logits(IMAGES).dtype == np.float32


def test_the_hash_is_of_the_weights_and_of_nothing_else(build):
    model = build()
    first = Classifier(model, 3).weights
    assert first == Classifier(build(), 3).weights and len(first) == 16
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model(np.zeros((2, 6, 6, 1), np.float32), training=False)
    next(v for v in model.variables if "seed" in v.path).assign([7, 7])  # the state of the dropout
    assert Classifier(model, 3).weights == first
    model.get_layer("head").bias.assign_add([0, 0, 1e-3])
    assert Classifier(model, 3).weights != first


def test_what_is_not_a_model_is_refused():
    expected = "a str is not a model; pass a keras.Model, or a function from images to probabilities"
    assert _refusal("model.keras") == expected
    assert _refusal(keras.Model).startswith("the class Model is not a model; pass a keras.Model")


def test_a_model_without_weights_yet_is_refused():
    model = keras.Sequential([layers.Flatten(), layers.Dense(3)], name="later")
    message = _refusal(model)
    parts = ("model 'later' is not built", "call it on a batch of images", "begin it with keras.Input")
    assert all(part in message for part in parts)
    model(IMAGES)
    assert Classifier(model, 3, batch_size=4).logits(IMAGES).shape == (9, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_broken_weight_is_named(bad, dtype):
    inputs = keras.Input(SHAPE)
    last = layers.Dense(3, name="last", dtype=dtype)
    model = keras.Model(inputs, last(layers.Flatten()(inputs)), name="burst")
    last.bias.assign([0, bad, 0])
    message = _refusal(model)
    assert message.startswith("model 'burst': the weight last/bias holds NaN or infinite numbers")
    assert "training" in message


def test_another_number_of_classes_is_refused():
    expected = "model 'net' gives outputs of shape (3,), but the data has 10 classes"
    assert _refusal(_net(), classes=10, ask=True) == expected


def test_an_output_that_is_no_vector_is_refused():
    model = keras.Sequential([keras.Input(SHAPE), layers.Conv2D(3, 1)], name="map")
    assert _refusal(model, ask=True) == "model 'map' gives outputs of shape (4, 4, 3), but the data has 3 classes"


def test_logits_that_are_not_finite_are_refused_and_counted():
    model = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(3)], name="log")
    kernel = np.zeros((16, 3), np.float32)
    kernel[0] = 1e38
    model.layers[-1].set_weights([kernel, np.zeros(3)])
    images = IMAGES.copy()
    images[:, 0, 0] = 0
    Classifier(model, 3, batch_size=4).logits(images + 0)
    kernel[0] = 3e38
    model.layers[-1].set_weights([kernel, np.full(3, 3e38)])
    images[[2, 5], 0, 0] = 1
    with pytest.raises(ModelError) as caught:
        Classifier(model, 3, batch_size=4).logits(images)
    assert str(caught.value) == "model 'log' gives NaN or infinite logits for 2 of 9 images"


class _Net(keras.Model):
    def __init__(self, head, **arguments):
        super().__init__(**arguments)
        self.flatten, self.head = layers.Flatten(), head

    def call(self, images):
        return self.head(self.flatten(images))


def test_a_subclassed_model_is_taken_if_it_gives_logits():
    model = _Net(layers.Dense(3), name="net")
    model(IMAGES)
    np.testing.assert_allclose(Classifier(model, 3, batch_size=4).logits(IMAGES), model(IMAGES), atol=1e-5)


@pytest.mark.slow
def test_probabilities_from_a_head_that_cannot_be_taken_off_are_refused():
    subclassed = _Net(layers.Dense(3, activation="softmax"), name="net")
    subclassed(IMAGES)
    inputs = keras.Input(SHAPE)
    powers = keras.ops.exp(layers.Dense(3)(layers.Flatten()(inputs)))
    unknown = keras.Model(inputs, powers / keras.ops.sum(powers, axis=1, keepdims=True), name="net")
    flat = layers.Flatten()(inputs)
    averaged = layers.Average()([layers.Dense(3, "softmax")(flat), layers.Dense(3, "softmax")(flat)])
    ensemble = keras.Model(inputs, averaged, name="net")
    for model in (subclassed, unknown, ensemble):
        message = _refusal(model, ask=True)
        parts = (
            "model 'net' gives probabilities",
            "end it in Dense(classes)",
            "from_logits=True",
            "square, transfer or",
        )
        assert all(part in message for part in parts)
        told = re.search("or, in Python, pass (.*); or set black_box=True", message)
        remedy = eval(told[1], {"keras": keras, "model": model})  # as it is to be typed
        wanted = model(IMAGES).numpy()
        table = robust.evaluate(remedy, (IMAGES, wanted.argmax(axis=1)), ["pgd"], eps=0.3)
        assert robust.value(table, "top1", case="clean").value == 1
        assert robust.value(table, "top1", case="pgd", allow_invalid=True).value < 1
        found = Classifier(remedy, 3).logits(IMAGES)
        np.testing.assert_allclose(tf.nn.softmax(found), wanted, atol=1e-5)


def test_whole_numbers_as_inputs_are_refused_with_the_way_out():
    inputs = keras.Input(SHAPE, dtype="uint8")
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(layers.Rescaling(1 / 255)(inputs))), name="bytes")
    message = _refusal(model)
    assert message.startswith("model 'bytes' takes inputs of type uint8")
    assert "give it keras.Input(" in message
    assert "set preprocessing=[0, 255]; or set black_box=True" in message


def test_another_backend_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert _refusal(_net()) == "Keras runs on jax; robust needs KERAS_BACKEND=tensorflow"


def _linear(kernel, bias):
    head = layers.Dense(len(bias))
    model = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), head])
    head.set_weights([np.full((int(np.prod(SHAPE)), len(bias)), kernel), np.array(bias)])
    return model


def test_logits_that_sum_to_one_by_chance_are_taken():
    sigmoid = _linear(1e-6, [1.0])  # logits (0, z), with z near 1
    assert Classifier(sigmoid, 2).logits(IMAGES).shape == (len(IMAGES), 2)
    constant = _linear(0.0, [0.25, 0.5, 0.25])
    assert Classifier(constant, 3).logits(IMAGES).shape == (len(IMAGES), 3)
    varying = _linear([[1e-2, -1e-2]], [0.25, 0.75])
    Classifier(varying, 2).logits(IMAGES[:1])
    with pytest.raises(ModelError, match="gives probabilities"):
        Classifier(varying, 2).logits(IMAGES)


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [tf.py_function, tf.numpy_function], ids=["py_function", "numpy_function"])
def test_code_of_python_within_a_model_gives_no_gradient(wrap):
    """Of tf.py_function TensorFlow gives a gradient of no shape instead of none."""

    class Codec(keras.layers.Layer):
        def call(self, x):
            return tf.reshape(wrap(lambda a: np.round(np.asarray(a) * 8) / np.float32(8), [x], tf.float32), tf.shape(x))

    image = keras.Input((4, 4, 1))
    seen = keras.ops.reshape(Codec()(image), (-1, 16))
    model = Classifier(keras.Model(image, keras.layers.Dense(3)(seen), name="net"), 3)
    images = np.random.default_rng(0).random((4, 4, 4, 1), "float32")
    with pytest.raises(ModelError, match=r"'net' has no gradient .* use a black-box attack"):
        pgd(model, images, np.zeros(4, int), eps=0.1, seeds=np.arange(4))
    table = robust.evaluate(model.model, (images, model.logits(images).argmax(axis=1)), ["noise"], eps=0.1, classes=3)
    assert robust.value(table, "top1", case="clean").value == 1
