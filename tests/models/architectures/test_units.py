"""Units: functions that are equal come out alike, however they are spelt, and `port` refuses all others."""

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import layers

from robust.core.errors import ModelError
from robust.models.architectures.port import port
from robust.models.classifier import main_logits


def ported(theirs, ours):
    port(theirs, ours)
    return ours


def built(end, side=4):
    image = keras.Input((side, side, 2), name="image")
    return keras.Model(image, end(layers.Normalization()(image)))


@pytest.mark.slow
@given(
    data=st.data(),
    side=st.integers(4, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
)
@settings(max_examples=60, deadline=None)
def test_borders_are_equal_where_the_functions_are(randomized, data, side, kernel, stride, dilation):
    """Each a convolution behind zeros of its own: port takes them if they compute the same, and else refuses."""
    assume(stride == 1 or dilation == 1)  # what Keras can do
    image = np.random.default_rng(0).normal(size=(1, side, side, 1)).astype("float32")

    def one():
        zeros = data.draw(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2))
        padding = data.draw(st.sampled_from(["same", "valid"]))
        assume(padding == "same" or min(side + sum(pair) for pair in zeros) > (kernel - 1) * dilation)
        x = inputs = keras.Input(image.shape[1:])
        for layer in (
            layers.Normalization(), layers.ZeroPadding2D(zeros),
            layers.Conv2D(2, kernel, stride, padding, dilation_rate=dilation),
        ):  # fmt: skip
            x = layer(x)
        return keras.Model(inputs, x)

    theirs, ours = randomized(one()), one()
    ours.set_weights(theirs.get_weights())
    ours.layers[1].finalize_state()
    expected = theirs(image).numpy()
    same = ours(image).shape == expected.shape and np.allclose(ours(image), expected, atol=1e-6)
    try:
        port(theirs, ours)
    except ModelError as error:
        assert not same and "padding" in str(error)
    else:
        assert same


def test_layers_that_do_nothing_and_activations_by_themselves(randomized, apart):
    theirs = randomized(built(lambda x: layers.Dense(3, activation="softmax")(layers.Flatten()(x))))
    ours = built(lambda x: layers.Dense(3)(layers.Dropout(0.5)(layers.Reshape((32,))(x))))
    assert apart(ported(theirs, ours), main_logits.linear(theirs)) < 1e-6


@pytest.mark.parametrize(("theirs", "ours", "words"), [
    (layers.MaxPooling2D(2, name="theirs"), layers.AveragePooling2D(2, name="ours"),
     "theirs has pooling MaxPooling2D, the target's ours has AveragePooling2D"),
    (layers.MaxPooling2D(2, name="theirs"), layers.MaxPooling2D(2, 1, "same", name="ours"),
     "theirs has strides (2, 2), the target's ours has (1, 1)"),
    (layers.MaxPooling2D(2, name="theirs"), layers.MaxPooling2D(3, 2, "same", name="ours"),
     "theirs has size (2, 2), the target's ours has (3, 3)"),
    (layers.GlobalMaxPooling2D(name="theirs"), layers.GlobalAveragePooling2D(name="ours"),
     "theirs has pooling GlobalMaxPooling2D, the target's ours has GlobalAveragePooling2D"),
    (layers.ReLU(6, name="theirs"), layers.ReLU(name="ours"),
     "theirs has activation relu6, the target's ours has relu"),
    (layers.ReLU(name="theirs"), layers.ReLU(negative_slope=0.1, name="ours"),
     "theirs has activation relu, the target's ours has relu(None, 0.1, 0.0)"),
    (layers.Activation("silu", name="theirs"), layers.Activation("hard_silu", name="ours"),
     "theirs has activation silu, the target's ours has hard_silu"),
    (layers.Activation("silu", name="theirs"), layers.Conv2D(2, 1, name="ours"),
     "theirs is an activation where the target's ours is a bias"),
    (layers.Conv2D(4, 1, groups=2, use_bias=False, name="theirs"), layers.Conv2D(4, 1, use_bias=False, name="ours"),
     "theirs has kernel (1, 1, 1, 4), the target's ours has (1, 1, 2, 4)"),
    (layers.Conv2D(4, 3, padding="same", dilation_rate=2, use_bias=False, name="theirs"),
     layers.Conv2D(4, 3, padding="same", use_bias=False, name="ours"),
     "theirs has dilation (2, 2), the target's ours has (1, 1)"),
    (layers.Conv2D(2, 3, padding="same", use_bias=False, name="theirs"),
     layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="ours"),
     "theirs is a linear layer where the target's ours is a depthwise convolution"),
    (layers.Activation(lambda x: x, name="theirs"), layers.ReLU(name="ours"),
     "theirs has a custom activation; known: those of keras.activations"),
    (layers.BatchNormalization(name="theirs"), layers.BatchNormalization(scale=False, name="ours"),
     "theirs has scale True, the target's ours has False"),
    (layers.ReLU(name="theirs"), layers.Lambda(abs, name="ours"), "ours is a Lambda; known: Activation, Add"),
])  # fmt: skip
def test_what_it_says_of_another_layer(refused, theirs, ours, words):
    assert words in refused(built(theirs), built(ours))


def test_a_rounding_of_epsilon_is_made_up_for(randomized, apart):
    theirs = randomized(built(layers.BatchNormalization(epsilon=1.001e-3)))
    assert apart(ported(theirs, built(layers.BatchNormalization())), theirs) < 1e-6


def test_biases_before_a_batch_normalization_are_folded(randomized, apart):
    def one(bias):
        return lambda x: layers.BatchNormalization()(layers.Conv2D(5, 3, use_bias=bias)(x))

    for theirs, ours in ((True, False), (True, True), (False, True)):
        source = randomized(built(one(theirs)))
        assert apart(ported(source, randomized(built(one(ours)))), source) < 1e-5, (theirs, ours)


def test_terms_of_a_sum_may_stand_in_any_order(randomized, apart):
    def one(turn):
        return lambda x: layers.Add()([x, layers.Conv2D(2, 3, padding="same")(x)][::turn])

    theirs = randomized(built(one(1)))
    assert apart(ported(theirs, built(one(-1))), theirs) < 1e-6


def test_what_could_be_matched_in_two_ways(randomized, apart, refused):
    def one(turn):
        def end(x):
            left, right = layers.Conv2D(2, 1)(x), layers.Conv2D(2, 1)(x)
            return layers.Concatenate()([left, layers.Add()([left, right][::turn])])

        return end

    theirs = randomized(built(one(1)))
    assert apart(ported(theirs, built(one(1))), theirs) < 1e-6
    assert "can be matched in more than one way" in refused(theirs, built(one(-1)))


def test_what_it_says_of_a_layer_that_is_used_twice(refused):
    twice = layers.Conv2D(2, 1, name="twice")
    assert ": twice is used more than once" in refused(built(lambda x: twice(twice(x))), built(layers.ReLU()))


def test_their_first_layers_become_our_normalization(randomized, apart, refused):
    """Scale and shift of pixels in [0, 255], as EfficientNet has them with ImageNet's weights, for [0, 1]."""

    def end(x):
        return layers.Conv2D(4, 3, padding="same")(x)

    image = keras.Input((4, 4, 2), name="image")
    x = layers.Normalization(mean=[0.4, 0.5], variance=[0.2, 0.3])(layers.Rescaling(1 / 255)(image))
    theirs = randomized(keras.Model(image, end(layers.Rescaling([1.5, 2.5], 0.1)(x))))
    ours = ported(theirs, built(end))
    assert apart(ours, theirs, 255) < 1e-5
    mean = ours.layers[1].get_weights()[0]
    expected = np.array([0.4, 0.5]) - 0.1 / np.array([1.5, 2.5]) * np.sqrt([0.2, 0.3])
    np.testing.assert_allclose(mean, expected, rtol=1e-5)
    bare = keras.Model(image, end(image))
    assert "target 'bare' does not begin with one Normalization" in refused(
        theirs, keras.Model(image, bare.outputs[0], name="bare")
    )
