"""What a model's layers and operations say of its pixels, whatever stands before, between and around them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import robust
from robust.models.classifier import Classifier, black_box
from robust.models.classifier.inputs import is_stated
from robust.models.classifier.pixel_range import takes_bytes

pytestmark = pytest.mark.usefixtures("without_diagnostics")

RANDOM = [
    layers.RandomFlip, layers.RandomContrast, layers.RandomBrightness, layers.RandomShear, layers.RandomZoom,
    layers.RandomRotation, layers.RandomTranslation, layers.GaussianNoise, layers.GaussianDropout, layers.Dropout,
    layers.RandomColorJitter, layers.RandomErasing, layers.RandomInvert,
]  # fmt: skip
GIVEN = {
    "RandomTranslation": (0.1, 0.1),
    "RandomFlip": (),
    "RandomColorJitter": (),
    "RandomErasing": (),
    "RandomInvert": (),
}


def net(*first, shape=(8, 8, 3)):
    inputs = out = keras.Input(shape)
    for each in first:
        out = each(out)
    out = layers.Conv2D(4, 3)(out) if len(out.shape) == 4 else layers.Dense(4)(out)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(out)))


@pytest.mark.parametrize("kind", RANDOM)
def test_what_augments_is_looked_through(kind):
    before = kind(*GIVEN.get(kind.__name__, (0.1,)))
    assert takes_bytes(net(before, layers.Rescaling(1 / 255, name="by_255"))) == "by_255"
    assert not takes_bytes(net(before))


def normalised():
    layer = layers.Normalization(mean=[120.0, 115.0, 100.0], variance=[60.0**2] * 3)
    layer.build((None, 8, 8, 3))
    return layer


def batch_normalised():
    layer = layers.BatchNormalization()
    layer.build((None, 8, 8, 3))
    layer.set_weights([np.ones(3), np.zeros(3), np.full(3, 110.0), np.full(3, 3600.0)])
    return layer


SAYING = {
    "division": [lambda x: x / 255.0],
    "product": [lambda x: x * (1 / 255)],
    "scaled to [-1, 1]": [lambda x: x / 127.5 - 1],
    "tf": [keras.applications.mobilenet.preprocess_input],
    "caffe": [keras.applications.resnet50.preprocess_input],
    "torch": [keras.applications.densenet.preprocess_input],
    "reshaped": [layers.Reshape((8, 8, 3)), layers.Rescaling(1 / 255)],
    "flat": [layers.Flatten(), layers.Rescaling(1 / 255)],
    "permuted": [layers.Permute((2, 1, 3)), lambda x: x / 255],
    "padded": [layers.ZeroPadding2D(1), layers.Rescaling(1 / 255)],
    "pooled": [layers.AveragePooling2D(2), layers.Rescaling(1 / 255)],
    "statistics": [normalised()],
    "batch statistics": [batch_normalised()],
    "behind": [layers.Identity(), layers.Activation("linear"), layers.Rescaling(1 / 255), layers.ReLU()],
    "nested": [keras.Sequential([keras.Input((8, 8, 3)), layers.RandomFlip(), layers.Rescaling(1 / 255)])],
    "nested deeper": [net(lambda x: x / 255.0)],
}


@pytest.mark.parametrize("name", SAYING)
def test_layers_and_operations_say_it(name):
    assert takes_bytes(net(*SAYING[name]))


@pytest.mark.parametrize(
    "first",
    [
        [],
        [layers.Rescaling(2.0, -1)],
        [lambda x: x * 255.0, layers.Rescaling(1 / 255)],
        [lambda x: (x - 0.45) / 0.225],
        [lambda x: x * 255.0, normalised()],
        [layers.BatchNormalization()],
        [layers.ReLU()],
        [lambda x: x - ops.mean(x, axis=(1, 2, 3), keepdims=True)],
    ],
)
def test_what_takes_other_pixels_or_any_says_nothing(first):
    assert not takes_bytes(net(*first))


def test_grey_is_made_colour():
    assert takes_bytes(net(lambda x: layers.Concatenate()([x, x, x]), lambda x: x / 255.0, shape=(8, 8, 1)))
    assert takes_bytes(net(layers.Rescaling(1 / 255), lambda x: layers.Concatenate()([x, x, x]), shape=(8, 8, 1)))


def test_a_raw_way_beside_a_scaled_one_says_nothing():
    inputs = keras.Input((8, 8, 3))
    both = layers.Add()([layers.Conv2D(2, 3)(inputs / 255.0), layers.Conv2D(2, 3)(inputs)])
    assert not takes_bytes(keras.Model(inputs, layers.Flatten()(both)))


def test_any_size_and_whole_numbers():
    assert takes_bytes(net(layers.Resizing(8, 8), layers.Rescaling(1 / 255), shape=(None, None, 3)))
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    out = layers.Dense(3)(layers.Flatten()(layers.Rescaling(1 / 255)(inputs)))
    assert takes_bytes(keras.Model(inputs, out))


def test_a_subclass_says_it_by_its_first_layers():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.scale, self.head = layers.Rescaling(1 / 255), layers.Dense(3)

        def call(self, images):
            return self.head(ops.reshape(self.scale(images), (-1, 192)))

    model = Net()
    model(np.zeros((1, 8, 8, 3)))
    assert takes_bytes(model)


class Trained(keras.Model):
    """It scales pixels in training alone: `predict` takes [0, 1]."""

    def __init__(self, always=False):
        super().__init__()
        self.scale, self.flat, self.head = layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3)
        self.scale.build((None, 8, 8, 3))  # it may never be asked
        self.always = always

    def call(self, images, training=False):
        return self.head(self.flat(self.scale(images) if training or self.always else images))


@pytest.mark.slow
def test_a_layer_of_a_subclass_that_predict_does_not_ask_says_nothing():
    images = np.random.default_rng(0).random((60, 8, 8, 3), "float32")
    for always in (False, True):
        model = Trained(always)
        model(images[:1])
        nested = keras.Sequential([keras.Input((8, 8, 3)), Trained(always)])
        for each in (model, nested, black_box.as_black_box(model, 3)):
            found = Classifier(each, 3)
            assert found.preprocessing.high == (255 if always else 1)
            assert is_stated(found.notes) is always
        labels = model.predict(images * (255 if always else 1), verbose=0).argmax(axis=1)
        assert robust.value(robust.evaluate(model, (images, labels), classes=3), "top1").value == 1


def test_of_a_subclass_that_cannot_be_watched_its_first_layers_are_a_guess():
    class Picky(Trained):
        def call(self, images, training=False):
            if tf.executing_eagerly() and len(images) == 3:
                raise ValueError("no batch of three")
            return super().call(images, training)

    model = Picky()
    model(np.zeros((1, 8, 8, 3), "float32"))
    found = Classifier(model, 3)
    assert found.notes[-1].startswith("pixels [0, 255], from its layer 'rescaling")
    assert found.notes[-1].endswith(", if its call uses it") and not is_stated(found.notes)


def test_a_layer_that_takes_no_such_image_says_nothing():
    class Picky(layers.Layer):
        def call(self, images):
            if tf.executing_eagerly():
                raise ValueError("no")
            return images

    assert not takes_bytes(net(Picky(), layers.Rescaling(1 / 255)))


@pytest.mark.parametrize("name", SAYING)
def test_a_black_box_keeps_what_the_layers_say(name):
    model = net(*SAYING[name])
    whole, asked = Classifier(model, 3), Classifier(black_box.as_black_box(model, 3), 3)
    assert asked.preprocessing == whole.preprocessing and asked.preprocessing.high == 255
    images = np.random.default_rng(0).random((5, 8, 8, 3), "float32")
    np.testing.assert_allclose(asked.logits(images), whole.logits(images), rtol=1e-4, atol=1e-4)


def test_a_black_box_keeps_type_layout_and_batch():
    inputs = keras.Input(batch_shape=(4, 3, 8, 8), dtype="uint8")
    out = layers.Dense(3)(layers.Flatten()(ops.cast(inputs, "float32") / 255.0))
    model = keras.Model(inputs, out)
    asked = Classifier(black_box.as_black_box(model, 3), 3)
    assert (asked.preprocessing.layout, asked.preprocessing.high, asked.batch_size) == ("channels_first", 255, 4)
    images = (np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3)) / np.float32(255)).astype("float32")
    whole = np.rint(images * 255).astype("uint8").transpose(0, 3, 1, 2)
    expected = np.concatenate([model(part).numpy() for part in (whole[:4], np.resize(whole[4:], (4, 3, 8, 8)))])[:5]
    np.testing.assert_allclose(asked.logits(images), expected, rtol=1e-5, atol=1e-5)


def test_whole_numbers_without_a_word_are_bytes():
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(ops.cast(inputs, "float32"))))
    asked = Classifier(black_box.as_black_box(model, 3), 3)
    assert asked.preprocessing.high == 255 and asked.notes[-1] == "pixels [0, 255], from its inputs of type uint8"


@pytest.mark.slow
def test_evaluate_asks_a_black_box_in_the_range_of_its_layers():
    model = net(layers.RandomContrast(0.2), layers.Rescaling(1 / 255))
    images = np.random.default_rng(0).random((40, 8, 8, 3), "float32")
    labels = model.predict(images * 255, verbose=0).argmax(axis=1)
    for given in (model, {"model": model, "black_box": True}):
        assert robust.value(robust.evaluate(given, (images, labels), classes=3), "top1").value == 1


def test_the_answers_of_a_network_within_an_operation_are_no_pixels():
    kernel = np.random.default_rng(0).normal(0, 0.001, (192, 3))
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, ops.matmul(ops.reshape(inputs, (-1, 192)), kernel.astype("float32")))
    assert not takes_bytes(model)


@pytest.mark.slow
def test_a_model_of_bytes_is_evaluated_by_its_answers():
    inputs = keras.Input(batch_shape=(4, 3, 8, 8), dtype="uint8")
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(ops.cast(inputs, "float32") / 255.0)))
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype="uint8")
    labels = model.predict(images.transpose(0, 3, 1, 2), batch_size=4, verbose=0).argmax(axis=1)
    with pytest.raises(robust.RobustError, match="or set black_box=True"):
        robust.evaluate(model, (images, labels), classes=3)
    found = robust.evaluate({"model": model, "black_box": True}, (images, labels), ["noise"], eps="1/255", classes=3)
    assert robust.value(found, "top1", case="clean").value == 1
