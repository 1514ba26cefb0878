"""The gradient flow held to closed forms, and its verdicts to networks whose ill is known."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from robust.core import declared
from robust.core.errors import DataError, ModelError
from robust.datasets.dataset import from_arrays, from_splits
from robust.metrics.profile import gradient_flow
from robust.models.classifier import Classifier

DEEP = {"activation": "sigmoid", "initializer": "glorot"}
HALF = math.sqrt(0.5)  # of the standard deviation: half the variance


def data(images, labels, classes):
    return from_arrays(np.asarray(images, np.float32), labels, classes=classes)


@pytest.fixture
def linear():
    """Two linear layers A [4, 3] and B [3, 2], with the images X [5, 4] and the labels of one batch."""
    random = np.random.default_rng(1)
    first, second = random.normal(size=(4, 3)), random.normal(size=(3, 2))
    network = keras.Sequential(
        [
            keras.Input((2, 2, 1)),
            layers.Flatten(),
            layers.Dense(3, use_bias=False, name="a"),
            layers.Dense(2, use_bias=False, name="logits"),
        ]
    )
    network.set_weights([first, second])
    images, labels = random.random((5, 2, 2, 1)), np.array([0, 1, 1, 0, 1])
    return network, first, second, images, labels


def test_a_linear_network_by_hand(linear, sorted_out):
    network, first, second, images, labels = linear
    flat = images.reshape(5, 4)
    scores = flat @ first @ second
    share = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    by_scores = (share - np.eye(2)[labels]) / 5
    by_first, by_second = flat.T @ by_scores @ second.T, (flat @ first).T @ by_scores
    norm, total = np.linalg.norm, np.hypot(np.linalg.norm(by_first), np.linalg.norm(by_second))

    given = gradient_flow(Classifier(network, 2), data(images, labels, 2), images=5, learning_rate=0.5, clip_norm=0.01)
    of_all, of_layers = sorted_out(given)

    close = {"rel": 1e-4}
    assert of_layers["weight_gradient"] == pytest.approx({"a": norm(by_first), "logits": norm(by_second)}, **close)
    by_outputs = {"a": norm(by_scores @ second.T), "logits": norm(by_scores)}
    assert of_layers["output_gradient"] == pytest.approx(by_outputs, **close)
    deviations = {"a": (flat @ first).std(), "logits": scores.std()}
    assert of_layers["activation_std"] == pytest.approx(deviations, **close)
    shrunk = 0.5 * 0.01 / total
    updates = {"a": shrunk * norm(by_first) / norm(first), "logits": shrunk * norm(by_second) / norm(second)}
    assert of_layers["update_ratio"] == pytest.approx(updates, **close)
    assert of_all["update_ratio"] == pytest.approx(max(updates.values()), **close)
    assert of_all["weight_gradient"] == pytest.approx(total, **close)
    assert of_all["step"] == pytest.approx(0.5 * 0.01, **close)
    assert of_all["probe_loss"] == pytest.approx(-np.log(share[range(5), labels]).mean(), **close)
    assert of_all["output_gradient_ratio"] == pytest.approx(by_outputs["a"] / by_outputs["logits"], **close)
    assert "dead" not in of_layers and "saturated" not in of_layers


def test_a_short_gradient_is_not_clipped(linear, sorted_out):
    network, *_, images, labels = linear
    probe = Classifier(network, 2), data(images, labels, 2)
    free = sorted_out(gradient_flow(*probe, images=5))
    assert sorted_out(gradient_flow(*probe, images=5, clip_norm=1e6)) == free


def test_the_step_is_that_of_keras_optimiser(built, sorted_out):
    """What Keras changes under `global_clipnorm` is what the inspection says."""
    network = built("mlp", depth=3)
    random = np.random.default_rng(0)
    images, labels = random.random((8, 28, 28, 1), np.float32), np.arange(8)
    options = {"images": 8, "learning_rate": 0.3, "clip_norm": 0.02}
    of_all, of_layers = sorted_out(gradient_flow(Classifier(network, 10), data(images, labels, 10), **options))
    before = [w.numpy() for w in network.trainable_weights]
    optimizer = keras.optimizers.SGD(0.3, global_clipnorm=0.02)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, network(images, training=True)))
    optimizer.apply(tape.gradient(loss, network.trainable_weights), network.trainable_weights)
    changes = [w.numpy() - b for w, b in zip(network.trainable_weights, before, strict=True)]
    assert math.sqrt(sum((c**2).sum() for c in changes)) == pytest.approx(of_all["step"], rel=1e-3) == 0.3 * 0.02
    of_kernels = [np.linalg.norm(c) / np.linalg.norm(b) for c, b in zip(changes, before, strict=True) if b.ndim == 2]
    assert list(of_layers["update_ratio"].values()) == pytest.approx(of_kernels, rel=1e-3)


def test_dead_and_saturated_are_counted(read):
    image = keras.Input((2, 2, 1))
    x = layers.Conv2D(4, 1, name="maps")(image)
    x = layers.ReLU()(layers.BatchNormalization(name="bn")(x))
    x = layers.Dense(4, activation="tanh", name="squashed")(layers.Flatten()(x))
    x = layers.Dense(5, activation="sigmoid", name="gates")(x)
    network = keras.Model(image, layers.Dense(2, name="logits")(x))
    network.get_layer("bn").set_weights([np.ones(4), np.array([-9, 1, -9, -9]), np.zeros(4), np.ones(4)])
    network.get_layer("squashed").set_weights([np.zeros((16, 4)), np.array([9, -9, 0, 1])])  # tanh(1) = .76
    network.get_layer("gates").set_weights([np.zeros((4, 5)), np.array([4, -4, 3.4, 0, 1])])  # sigmoid(3.4) = .968
    of_all, of_layers = read(network, images=32)
    assert of_layers["dead"] == {"maps": 0.75} and of_all["dead"] == 0.75
    assert of_layers["saturated"] == pytest.approx({"squashed": 0.5, "gates": 0.4})
    assert of_all["saturated"] == pytest.approx((0.5 * 4 + 0.4 * 5) / 9)


@pytest.mark.slow
def test_a_layer_speaks_of_the_activation_behind_its_shortcut(read, built):
    network = built("resnet20", (16, 16, 3), shortcut="B", width=0.25)
    given, of_layers = read(network, images=8)
    layers_ = list(of_layers["output_gradient"])
    assert layers_[0] == "conv1_conv" and layers_[-1] == "logits" and len(layers_) == 20 + 2
    assert set(layers_) - set(of_layers["dead"]) == {"logits"}
    for norms in (of_layers["output_gradient"], of_layers["activation_std"]):
        assert norms["conv3_block1_0_conv"] == norms["conv3_block1_2_conv"] != norms["conv3_block1_1_conv"]
    assert given["healthy"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), [("googlenet", {"heads": "all"}), ("resnet20", {})])
def test_the_network_is_left_as_it_was(name, options, read, built):
    network = built(name, (32, 32, 3), width=0.1, **options)
    before = [v.numpy() for v in network.variables]
    once = read(network, images=4)
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value, variable.path)
    assert read(network, images=4) == once
    assert read(network, images=4, seed=1) != once


def test_dropout_draws_from_the_seed_alone(read, sorted_out):
    image = keras.Input((4, 4, 1))
    x = layers.Dropout(0.5)(layers.Dense(64, "relu", name="fc")(layers.Flatten()(image)))
    network = keras.Model(image, layers.Dense(3, name="logits")(x))
    probe = Classifier(network, 3), data(np.ones((4, 4, 4, 1)), [0, 1, 2, 0], 3)
    drawn = [sorted_out(gradient_flow(*probe, images=4, seed=seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_images_come_from_the_training_split_and_reach_the_network_in_its_own_pixels(sorted_out):
    random = np.random.default_rng(0)
    images = random.random((12, 2, 2, 1), np.float32)
    inner = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(3, name="logits")])
    outer = keras.Sequential(
        [keras.Input((2, 2, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3, name="logits")]
    )
    outer.set_weights(inner.get_weights())
    probe = from_splits({"train": (images, np.arange(12) % 3), "test": (images[:1], [0])}, 3)
    ours, theirs = (sorted_out(gradient_flow(Classifier(m, 3), probe, images=12)) for m in (inner, outer))
    for a, b in zip(ours, theirs, strict=True):
        for metric, value in a.items():
            assert b[metric] == pytest.approx(value, rel=1e-4), metric


def test_a_softmax_head_is_looked_through(read):
    bare = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(3, name="logits")])
    ended = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(3, "softmax", name="logits")])
    ended.set_weights(bare.get_weights())
    assert read(ended)[0] == pytest.approx(read(bare)[0], rel=1e-5)


def test_more_images_than_there_are(built):
    with pytest.raises(DataError, match="64 images requested from its split 'test'; allowed: 1 to 1"):
        network = built("mlp", depth=1)
        list(gradient_flow(Classifier(network, 10), data(np.zeros((1, 28, 28, 1)), [0], 10)))


def test_a_model_that_hides_its_layers():
    class Own(keras.Model):
        def call(self, x):
            return tf.reshape(x, [-1, 4])[:, :2]

    own = Own(name="own")
    own(np.zeros((1, 2, 2, 1), np.float32))
    with pytest.raises(ModelError, match=r"'own' .* must be a functional model"):
        list(gradient_flow(Classifier(own, 2), data(np.zeros((1, 2, 2, 1)), [0], 2), images=1))


def test_a_model_inside_another(read):
    inner = keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(3)], name="inner")
    outer = keras.Sequential([keras.Input((2, 2, 1)), inner], name="outer")
    with pytest.raises(ModelError, match="'outer' contains the model 'inner'"):
        read(outer)


def test_yields_what_it_declares(read, built):
    told = declared.yields("profile", "gradient_flow").all_names
    given = {*read(built("mlp", depth=1))[0], *read(built("mlp", depth=1))[1]}
    given |= {*read(built("mlp", depth=1, activation="tanh"))[0]}
    assert given == set(told)


def said(of_all):
    return [word for word in ("healthy", "vanishing", "exploding") if of_all[word]]


HEALTHY = [
    ("mlp", {"depth": 1}),
    ("mlp", {"depth": 20}),
    ("mlp", {"depth": 50}),
    ("mlp", {"depth": 20, "activation": "tanh", "initializer": "glorot"}),
    ("mlp", {"depth": 20, "norm": "batch", **DEEP}),
    ("mlp", {"depth": 3, **DEEP}),
    ("lenet5", {}),
    ("vgg11", {"width": 0.25}),
    ("resnet20", {}),
    ("plain20", {}),
    ("densenet40", {"width": 0.2}),
    ("mobilenet_v2", {"width": 0.25}),
]
ILL = [
    ("vanishing", "mlp", {"depth": 10, **DEEP}),
    ("vanishing", "mlp", {"depth": 20, **DEEP}),
    ("vanishing", "mlp", {"depth": 20, "initializer": "normal"}),
    ("vanishing", "mlp", {"depth": 50, "scale": HALF}),
    ("vanishing", "plain56", {"norm": "none", "initializer": "glorot", "width": 0.5}),
    ("exploding", "mlp", {"depth": 50, "activation": "tanh", "initializer": "glorot", "scale": 3}),
    ("exploding", "mlp", {"depth": 20, "initializer": "normal", "scale": 30}),
    ("exploding", "resnet56", {"norm": "none", "width": 0.25}),
    pytest.param("exploding", "plain56", {}, marks=pytest.mark.slow),
]


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("name", "options"), HEALTHY)
def test_a_healthy_network_is_called_so(name, options, read, built):
    assert said(read(built(name, **options))[0]) == ["healthy"]


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("word", "name", "options"), ILL)
def test_each_ill_is_called_by_its_name(word, name, options, read, built):
    assert said(read(built(name, **options), images=32)[0]) == [word]


def test_what_is_not_finite_explodes(read, built):
    network = built("mlp", depth=20, initializer="normal", scale=1e4)
    assert "exploding" in said(read(network)[0])


@pytest.mark.slow
def test_the_ratio_of_weight_gradients_is_blind_in_relu_networks(read, built):
    of_all, of_layers = read(built("mlp", depth=50, scale=HALF))
    assert 0.2 < of_all["weight_gradient_ratio"] < 5
    assert of_all["output_gradient_ratio"] < 1e-6
    assert max(list(of_layers["weight_gradient"].values())[:-1]) < 1e-6
