"""A part of a model that no gradient reaches is told though it be the smaller one, and nobody sound is accused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robust.attacks import diagnostics
from robust.attacks.diagnostics.partial_gradients import partial_gradients
from robust.attacks.diagnostics.probes import coarse_signs, explained, random_signs
from robust.attacks.iterative import Task
from robust.models.classifier import Classifier


def ills(model, examples, eps=8 / 255, norm="linf"):
    task = Task(Classifier(model, 10), examples.images, examples.labels, np.arange(len(examples.labels)), None, None)
    return list(partial_gradients(task, eps, norm))


class Sum(keras.layers.Layer):
    """The logits of one network, and so many times those of another, of which the gradient sees nothing."""

    def __init__(self, seen, unseen, weight, front=lambda x: x, stop=tf.stop_gradient):
        super().__init__()
        self.seen, self.unseen, self.weight, self.front, self.stop = seen, unseen, weight, front, stop

    def call(self, x):
        return self.seen(x) + self.weight * self.stop(self.unseen(self.front(x)))


def of(layer):
    image = keras.Input((28, 28, 1))
    return keras.Model(image, layer(image))


def blurred(x):
    return tf.repeat(tf.repeat(tf.nn.avg_pool2d(x, 7, 7, "VALID"), 7, axis=1), 7, axis=2)


@pytest.fixture(scope="module")
def two(trained):
    return trained("lenet5", 0.5, 0, 2, False), trained("mlp", 1.0, 0, 2, False)


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.7, 1.0, 1.4])
def test_half_of_an_ensemble_is_missed(two, examples, weight):
    [found] = ills(of(Sum(*two, weight)), examples)
    assert found.name == "partial_gradients" and found.value > 0.5
    assert ills(of(Sum(*two, weight, stop=tf.identity)), examples) == []


@pytest.mark.slow
@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_what_averages_over_places_is_missed(two, examples, weight):
    """White signs cancel in the means of 7 x 7 pixels."""
    [found] = ills(of(Sum(*two, weight, front=blurred)), examples)
    assert found.value > 0.5
    assert ills(of(Sum(*two, weight, front=blurred, stop=tf.identity)), examples) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("eps", "norm"), [(0.1 / 255, "linf"), (64 / 255, "linf"), (1.0, "l2"), (3, "l0"), (None, None)]
)
def test_in_any_ball_the_one_is_told_and_the_other_is_not(two, examples, eps, norm):
    assert len(ills(of(Sum(*two, 1.4)), examples, eps, norm)) == 1
    assert ills(of(Sum(*two, 1.4, stop=tf.identity)), examples, eps, norm) == []


SOUND = [("lenet5", 0.5, 0, 2, False), ("lenet5", 0.5, 5, 2, True), ("mlp", 1.0, 0, 2, False)]


@pytest.mark.slow
@pytest.mark.parametrize("which", SOUND)
def test_a_trained_network_shows_nothing(which, trained, examples):
    assert ills(trained(*which), examples) == []


def straight_through(levels):
    @tf.custom_gradient
    def rounded(x):
        return tf.round(levels * x) / levels, lambda upstream: upstream

    return rounded


FRONTS = {
    "rounded beneath a straight gradient": straight_through(255.0),
    "in half precision": lambda x: tf.cast(tf.cast(x, tf.bfloat16), tf.float32),
    "far away": lambda x: x * 1e4 - 1e4 + (1e4 - 1e4 * x) + x,
    "pooled": lambda x: tf.nn.max_pool2d(x, 3, 1, "SAME"),
    "scaled twice": lambda x: (255 * x / 127.5 - 1 + 1) / 2,
}


@pytest.mark.slow
@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
def test_rounding_and_bends_say_nothing(front, two, examples):
    class Front(keras.layers.Layer):
        def call(self, x):
            return two[0](front(x))

    assert ills(of(Front()), examples) == []


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_network_of_half_precision_is_not_accused(policy, examples):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        layers = [keras.layers.Conv2D(16, 5, strides=2, activation="relu"), keras.layers.Flatten()]
        net = keras.Sequential([keras.Input((28, 28, 1)), *layers, keras.layers.Dense(10, dtype="float32")])
    finally:
        keras.config.set_dtype_policy(before)
    assert ills(net, examples) == []


@pytest.mark.slow
def test_it_is_part_of_the_verdict_on_an_attack_and_on_a_distance(two, examples):
    model = Classifier(of(Sum(*two, 0.7)), 10)
    found = diagnostics.examine(model, {"name": "pgd", "eps": "8/255", "steps": 20}, examples.images, examples.labels)
    assert "partial_gradients" in {reason.name for reason in found.reasons} and found.level != "reliable"


def test_a_coarse_grid_keeps_what_white_signs_cancel():
    for shape in ((28, 28, 1), (32, 30, 3), (3, 5, 1)):
        signs = next(coarse_signs(shape, 1))
        assert signs.shape == shape and set(np.unique(signs)) <= {-1.0, 1.0}
    means = [
        np.abs(next(kind((28, 28, 1), 1)).reshape(4, 7, 4, 7).mean(axis=(1, 3))).mean()
        for kind in (coarse_signs, random_signs)
    ]
    assert means[0] == 1 and means[1] < 0.3


def test_alike_is_the_squared_cosine_over_the_ways():
    one = np.random.default_rng(0).normal(size=(4, 5))
    np.testing.assert_allclose(explained(one, -3 * one), 1)
    np.testing.assert_allclose(explained(np.array([[1.0], [1.0]]), np.array([[1.0], [0.0]])), 0.5)
    assert explained(0 * one, one).max() == 0
