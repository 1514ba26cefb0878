"""Which models of the same weights are one function, as far as their layers say it."""

import keras
import pytest
from keras import layers

from robust.models.classifier.structure_hash import structure_hash


def net(activation, name="hidden", outer="net"):
    image = keras.Input((4,))
    hidden = layers.Activation(activation, name=name)(layers.Dense(3)(image))
    return keras.Model(image, layers.Dense(2)(hidden), name=outer)


@pytest.mark.parametrize("other", [net("relu6", "relu6"), net("tanh", "tanh"), net("linear", "hidden")])
def test_another_activation_is_another_form_whatever_its_layer_is_called(other):
    assert "" != structure_hash(net("relu", "relu")) != structure_hash(other) != ""


def test_names_and_how_often_layers_were_made_before_say_nothing():
    assert (
        structure_hash(net("relu", "relu"))
        == structure_hash(net("relu", "a", "b"))
        == structure_hash(keras.models.clone_model(net("relu")))
    )


def test_what_it_is_asked_with_tells():
    assert len({structure_hash(net("relu"), how) for how in (None, (0, 255), "caffe")}) == 3


def test_layers_that_are_joined_otherwise_are_another_form():
    def joined(swapped):
        image = keras.Input((3,))
        one, other = layers.ReLU()(image), layers.Activation("tanh")(image)
        return keras.Model(image, layers.Subtract()([other, one] if swapped else [one, other]))

    assert structure_hash(joined(False)) != structure_hash(joined(True))


def test_of_code_that_no_configuration_holds_nothing_is_said():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(2)

        def call(self, images):
            return self.inner(images)

    class Twice(layers.Layer):
        def call(self, images):
            return 2 * images

    for layer in (Own(), Twice(), layers.Lambda(lambda images: images, output_shape=(4,))):
        assert structure_hash(keras.Sequential([keras.Input((4,)), layer])) == ""
    assert structure_hash(Own()) == structure_hash(lambda images: images) == ""
