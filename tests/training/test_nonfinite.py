import keras
import numpy as np
import tensorflow as tf

from robust.training.nonfinite import where

IMAGES = tf.ones((2, 4, 4, 1))


def network() -> keras.Model:
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(2, 3, name="first")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Conv2D(2, 1, name="second")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(keras.layers.Flatten(name="flat")(x)))


def test_the_first_output_that_is_not_finite_is_named_and_no_statistic_moves():
    net = network()
    kernel = net.get_layer("second").kernel
    kernel.assign(kernel * np.inf)
    before = [v.numpy() for v in net.get_layer("norm").weights]
    assert where(net, IMAGES, np.ones(8, bool)) == "the output of layer 'second'"
    assert all(np.array_equal(a, b) for a, b in zip(before, net.get_layer("norm").weights, strict=True))


def test_of_gradients_that_are_not_finite_the_last_layer_s_is_where_it_began():
    net = network()
    finite = np.array([weight.path.startswith("logits") for weight in net.trainable_weights])
    assert where(net, IMAGES, finite) == "the gradient of second/bias"


def test_if_all_is_finite_it_was_the_loss():
    assert where(network(), IMAGES, np.ones(8, bool)) == "the loss itself"
