"""What a reason advises can be typed and is accepted; of the frequent ills it is followed until all is reliable.

A new ill needs a remedy of which a part can be typed into a suite or the command line, or a test here that follows it.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robust.attacks import diagnostics
from robust.attacks.diagnostics import attack_checks as attack
from robust.attacks.diagnostics.flat_scores import flat_scores
from robust.attacks.diagnostics.jumping_scores import jumping_scores
from robust.attacks.iterative import Task
from robust.core.remedies import named
from robust.core.signature import bind
from robust.models.classifier import Classifier
from robust.results.flags import FLAGS
from robust.suite import preprocessing, read_case, read_data

IN_THE_MODEL = {
    "no_model_gradients": "the Keras model itself",
    "probabilities": "Dense(classes), trained with SparseCategoricalCrossentropy(from_logits=True)",
    "stateful": "training=False",
    "bounded_outputs": "Dense(classes)",
    "logits_guessed": "p / p.sum(axis=1, keepdims=True)",
    "flat_scores": "lambda images: model.predict(images)",
    "jumping_scores": "lambda images: model.predict(images)",
    "non_finite": "tf.debugging.enable_check_numerics()",
}
"""What is typed in Python; a test below follows each."""
READ = {
    "attack": lambda value: read_case("c", {"attack": value}),
    "minimal": lambda value: read_case("c", {"minimal": value}),
    "preprocessing": preprocessing.read,
    "classes": lambda value: read_data({"name": "digits", "classes": value}),
}


def remedies(name, key="attack"):
    """What the remedy of an ill gives for a key of a suite."""
    return [value for each, value in named(FLAGS[name].remedy) if each == key]


@pytest.mark.parametrize("name", FLAGS)
def test_something_can_be_typed_and_is_accepted(name):
    """In the words of every interface: tests/core/test_interface.py."""
    typed = named(FLAGS[name].remedy)
    assert typed or IN_THE_MODEL[name] in FLAGS[name].remedy
    for key, value in typed:
        READ[key](value)


@pytest.mark.parametrize("name", FLAGS)
def test_each_names_its_experiment_and_its_number(name):
    words = FLAGS[name].message
    assert "{n}" in words and ("{value}" in words or name in ("probabilities", "no_gradients"))


def around(network, *, front=None, back=None):
    image = keras.Input(network.input_shape[1:])
    x = image if front is None else front(image)
    x = network(x)
    return keras.Model(image, x if back is None else back(x))


@pytest.fixture(scope="module")
def looked(problem):
    """`looked(model, attack)`: the verdict on an attack on the toy problem, and its reasons."""
    toy = problem(100, seed=3)

    def looked(model, attack):
        known = model if isinstance(model, Classifier) else Classifier(model, 3, batch_size=25)
        found = diagnostics.examine(known, {"eps": 0.1, **attack}, toy.images, toy.labels)
        return found.level, {reason.name for reason in found.reasons}

    return looked


SHORT = {"eps": 0.02, "n_queries": 5}
FEW = {"name": "pgd", "steps": 2, "step_size": 0.004, "random_start": False}


class Elsewhere(keras.layers.Layer):
    """The image, with a gradient for the pixels three rows below."""

    def call(self, x):
        other = keras.ops.roll(x, 3, axis=1)
        return keras.ops.stop_gradient(x - other) + other


class Noisy(keras.layers.Layer):
    def call(self, x):
        return x + 0.6 * tf.random.normal(tf.shape(x))


def _front(layer):
    return lambda build: around(build(), front=layer())


FOLLOWED = {
    "too_few_steps": (FEW, lambda build: build()),
    "too_few_queries": ({"name": "square", "n_queries": 4}, lambda build: build()),
    "one_step": ({"name": "fgsm"}, lambda build: build()),
    "stronger_attack": ({"name": "pgd"}, lambda build: around(build(), front=Bent())),
    "control_only": ({"name": "noise"}, lambda build: build()),
    "misleading_gradients": ({"name": "pgd"}, _front(Elsewhere)),
}


class Bent(keras.layers.Layer):
    """A gentle wave: the gradient says of each place where it leads, and little of what is beyond."""

    def call(self, x):
        return x + 0.02 * keras.ops.sin(x * 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLLOWED)
def test_who_follows_it_arrives(looked, build, name):
    ill, make = FOLLOWED[name]
    model = make(build)
    word, reasons = looked(model, ill)
    assert word != "reliable" and name in reasons
    healed = [looked(model, {**remedy, "eps": 0.1}) for remedy in remedies(name)]
    assert healed == [("reliable", set())] * len(healed) and healed


@pytest.mark.slow
def test_who_averages_over_randomness_arrives(looked, build):
    model = around(build(), back=Noisy())
    assert "randomised" in looked(model, {"name": "pgd"})[1]
    diagnoses = [looked(model, {**remedy, "eps": 0.1})[1] for remedy in remedies("randomised")]
    assert all("unbounded_fails" not in reasons for reasons in diagnoses)


@pytest.mark.slow
def test_probabilities_and_bounds_end_with_the_activation(looked, build):
    for end, ill in ((keras.layers.Softmax(), "probabilities"), (keras.layers.Activation("tanh"), "bounded_outputs")):
        model = around(build(gain=12.0), back=end)
        subclassed = Wrapped(model)
        subclassed(np.zeros((1, 6, 6, 1), "float32"))
        assert ill in looked(subclassed, {"name": "pgd"})[1], ill
    assert not {"probabilities", "bounded_outputs"} & looked(build(), {"name": "pgd"})[1]


class Wrapped(keras.Model):
    """A subclassed model, whose end cannot be looked at."""

    def __init__(self, inner, training=None):
        super().__init__()
        self.inner, self.how = inner, training

    def call(self, x, training=None):
        return self.inner(x, training=self.how)


@pytest.mark.slow
def test_unrounded_probabilities_are_not_flat(problem, build):
    model, toy = around(build(), back=keras.layers.Softmax()), problem(100, seed=3)
    functions = (lambda images: model.predict(images, verbose=0).round(1), lambda images: model.predict(images))
    told = []
    for function in functions:
        task = Task(Classifier(function, 3, batch_size=100), toy.images, toy.labels, np.arange(100), None, None)
        told.append([r.name for r in flat_scores(attack.run(task, bind("attacks", {"name": "square", **SHORT})))])
    assert told == [["flat_scores"], []]


@pytest.mark.slow
def test_the_scores_by_which_it_decides_do_not_jump(problem, build):
    model, toy = build(), problem(100, seed=3)

    def irrelevant(images):
        sure = 0.7 + 0.2 * np.sin(40 * images.mean(axis=(1, 2, 3)))[:, None]
        first = np.eye(3)[model.predict(images, verbose=0).argmax(axis=1)]
        return first * sure + (1 - first) * (1 - sure) / 2

    told = []
    for function in (irrelevant, lambda images: model.predict(images, verbose=0)):
        task = Task(Classifier(function, 3, batch_size=100), toy.images, toy.labels, np.arange(100), None, None)
        told.append([r.name for r in jumping_scores(task, task.classifier.logits(toy.images))])
    assert told == [["jumping_scores"], []]


@pytest.mark.slow
def test_what_is_asked_with_training_false_is_not_stateful(looked, build):
    careless, careful = Wrapped(build(), training=True), Wrapped(build(), training=False)
    for model in (careless, careful):
        model(np.zeros((1, 6, 6, 1), "float32"))
    assert looked(careless, {"name": "pgd"})[1] == {"stateful"}
    assert "stateful" not in looked(careful, {"name": "pgd"})[1]


def test_the_check_of_numerics_names_a_division_by_zero():
    tf.debugging.enable_check_numerics()
    try:
        with pytest.raises(tf.errors.InvalidArgumentError, match="RealDiv"):
            tf.constant(1.0) / tf.constant(0.0)
    finally:
        tf.debugging.disable_check_numerics()


def test_declared_pixels_end_the_doubt():
    for name in ("wrong_preprocessing", "preprocessing_guessed"):
        for value in remedies(name, "preprocessing"):
            assert preprocessing.read(value) is not None
