"""What a model shows by itself, beside what its construction says."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

from robust.attacks import diagnostics
from robust.attacks.diagnostics import model_checks as of_model
from robust.attacks.iterative import Task
from robust.models.classifier import Classifier


def task(model, classes=3, n=40):
    random = np.random.default_rng(0)
    images, labels = random.random((n, 2, 2, 1), "float32"), random.integers(0, classes, n)
    return Task(Classifier(model, classes, batch_size=16), images, labels, np.arange(n), None, None)


def dense(*layers):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3), *layers])


def names(reasons):
    return [reason.name for reason in reasons]


def test_a_linear_model_shows_nothing():
    asked = task(dense())
    outputs = of_model.outputs_of(asked.classifier, asked.images)
    np.testing.assert_allclose(outputs, asked.classifier.logits(asked.images))
    for found in (
        of_model.probabilities(outputs), of_model.stateful_or_randomised(asked, outputs), of_model.gradients(asked),
        of_model.unstable(asked, outputs),
    ):  # fmt: skip
        assert names(found) == []


@pytest.mark.parametrize(("share", "told"), [(0.01, False), (0.05, True)])
def test_zero_gradients_count_above_one_in_a_hundred(share, told):
    """The margin of the brightest images is cut off by a step, on a chosen share of 100 images."""
    asked = task(dense(), n=100)
    brightness = asked.images.mean(axis=(1, 2, 3))
    limit = float(np.sort(brightness)[-round(100 * share)]) - 1e-6

    class Cut(keras.layers.Layer):
        def call(self, x):
            return tf.where(tf.reduce_mean(x, axis=[1, 2, 3], keepdims=True) >= limit, tf.stop_gradient(x), x)

    image = keras.Input((2, 2, 1))
    cut = keras.Model(image, asked.classifier.model(Cut()(image)))
    found = list(of_model.gradients(Task(Classifier(cut, 3), asked.images, asked.labels, asked.seeds, None, None)))
    assert found == ([("zero_gradients", pytest.approx(share), 100)] if told else [])


def test_a_network_that_is_merely_sure_has_gradients():
    """The cross-entropy of logits this far apart has no gradient left in single precision; the margin has."""
    model = dense(keras.layers.Rescaling(1e4))
    asked = task(model)
    labels = asked.classifier.logits(asked.images).argmax(1)
    asked = Task(asked.classifier, asked.images, labels, asked.seeds, None, None)
    entropy = of_model.losses_and_gradients(asked, of_model._entropy)[1]
    assert (np.abs(entropy).max(axis=(1, 2, 3)) == 0).mean() > 0.9
    assert names(of_model.gradients(asked)) == []


def test_gradients_that_are_not_finite_are_told():
    class Root(keras.layers.Layer):
        def call(self, x):
            return x + tf.sqrt(0 * x)  # the root is finite, and its slope at 0 is not

    image = keras.Input((2, 2, 1))
    asked = task(keras.Model(image, dense()(Root()(image))))
    assert names(of_model.gradients(asked)) == ["non_finite"]


def test_scores_that_sum_to_1_are_taken_for_probabilities():
    random = np.random.default_rng(0)
    logits = random.normal(size=(30, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert names(of_model.probabilities(shares)) == ["probabilities"]
    assert names(of_model.probabilities(logits)) == names(of_model.probabilities(shares / 2)) == []


def test_an_answer_that_jumps_in_a_small_box_is_told():
    class Chaos(keras.layers.Layer):
        def call(self, x):
            return x + 3 * tf.sin(1e4 * x)

    image = keras.Input((2, 2, 1))
    asked = task(keras.Model(image, dense()(Chaos()(image))))
    assert names(of_model.unstable(asked, of_model.outputs_of(asked.classifier, asked.images))) == ["unstable"]


@pytest.mark.slow
def test_a_function_that_turns_after_some_calls_is_told_at_the_end():
    calls = []

    def turning(images):
        calls.append(1)
        scores = images.reshape(len(images), -1)[:, :3].astype(np.float64) - 2
        return scores if len(calls) < 30 else -scores

    images = np.random.default_rng(0).random((20, 2, 2, 1), "float32")
    labels = images.reshape(20, -1)[:, :3].argmax(1)
    attack = {"name": "square", "eps": 0.05, "n_queries": 40}
    found = diagnostics.examine(Classifier(turning, 3, batch_size=20), attack, images, labels)
    assert "stateful" in names(found.reasons) and found.level == "invalid"


def test_the_passes_of_the_checks_are_those_that_the_classifier_counts():
    asked = task(dense())
    of_model.outputs_of(asked.classifier, asked.images)
    assert (asked.classifier.n_forward, asked.classifier.n_backward) == (48, 0)  # 40 images in batches of 16
    list(of_model.gradients(asked))
    random = 2 * 8 * 48  # eight steps, there and back
    assert (asked.classifier.n_forward, asked.classifier.n_backward) == (48 + 48 + 48 + random, 48)


@pytest.mark.parametrize(("function", "told"), [(expit, True), (np.tanh, True), (lambda z: z, False)])
def test_functions_that_a_bound_holds_are_told_from_others(function, told):
    asked = task(lambda images: function(np.asarray(images).reshape(len(images), -1)[:, :3] - 0.5))
    outputs = of_model.outputs_of(asked.classifier, asked.images)
    assert names(of_model.bounded_outputs(asked, outputs)) == (["bounded_outputs"] if told else [])


def test_one_class_at_both_bounds_is_enough_and_two_classes_at_one_each_are_not():
    low, high = np.array([[True, False], [False, False]]), np.array([[False, False], [True, False]])
    assert of_model.reaches_both_ends(low, high)
    assert not of_model.reaches_both_ends(low, high[:, ::-1])


def test_of_a_model_that_changes_the_images_count_that_changed_at_any_time():
    class Counts(keras.layers.Layer):
        def build(self, shape):
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.calls.assign_add(1.0)
            return x

    asked = task(dense(Counts()))
    before = of_model.outputs_of(asked.classifier, asked.images)
    before[:10, 0] += 1
    assert list(of_model.stateful_or_randomised(asked, before)) == [("stateful", 0.25, 40)]
