"""A classifier with a preprocessor attached, as of keras-hub: `predict` calls it, the model does not."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

import robust
from robust.core.errors import ModelError
from robust.models.classifier import Classifier, attached
from robust.suite.preprocessing import Preprocessing

pytestmark = pytest.mark.usefixtures("without_diagnostics")

IMAGES = np.random.default_rng(0).random((40, 16, 16, 3), "float32")
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class Preprocessor(layers.Layer):
    """As keras-hub's: it hands images to its converter."""

    def __init__(self, convert):
        super().__init__()
        self.image_converter = convert

    def call(self, x):
        return self.image_converter(x)


class ImageClassifier(keras.Model):
    """A functional graph of a backbone and a head; `predict` calls the attached preprocessor."""

    def __init__(self, convert):
        image = keras.Input((16, 16, 3))
        backbone = keras.Model(image, layers.Conv2D(4, 3, activation="relu")(image), name="backbone")
        head = layers.Dense(3, "softmax", name="predictions")
        super().__init__(image, head(layers.GlobalAveragePooling2D()(backbone(image))), name="task")
        self.backbone, self.preprocessor = backbone, Preprocessor(convert)

    def predict(self, x, **options):
        return super().predict(self.preprocessor(x), **options)


CONVERTERS = {
    "unit": layers.Rescaling(1 / 255),
    "signed": layers.Rescaling(1 / 127.5, -1),
    "levels": layers.Rescaling(1.0),
    "torch": layers.Rescaling((1 / 255 / DEVIATION).tolist(), (-MEAN / DEVIATION).tolist()),
    "caffe": layers.Lambda(lambda x: x[..., ::-1] - keras.ops.array([103.939, 116.779, 123.68])),
}


def agrees(model):
    wanted = model.predict(IMAGES * 255, verbose=0)
    asked = Classifier(model, 3)
    np.testing.assert_allclose(keras.ops.softmax(asked.logits(IMAGES)), wanted, atol=1e-4)
    assert asked.notes[-1].endswith("from its preprocessor")


@pytest.mark.slow_after_first
@pytest.mark.parametrize("name", CONVERTERS)
def test_images_are_shown_as_the_preprocessor_shows_them(name):
    keras.utils.set_random_seed(0)
    agrees(ImageClassifier(CONVERTERS[name]))


@pytest.mark.slow
def test_an_evaluation_finds_what_predict_finds():
    keras.utils.set_random_seed(0)
    model = ImageClassifier(CONVERTERS["torch"])
    labels = model.predict(IMAGES * 255, verbose=0).argmax(axis=1)
    table = robust.evaluate(model, (IMAGES, labels), ["pgd"], eps="1/255", classes=3)
    assert robust.value(table, "top1", case="clean").value == 1


def test_a_preprocessor_that_does_more_is_told():
    with pytest.raises(ModelError, match=r"does more than scale each channel; declare .* preprocessing=\[0, 255\]"):
        Classifier(ImageClassifier(layers.Lambda(lambda x: x**2)), 3)
    declared = Classifier(ImageClassifier(layers.Lambda(lambda x: x**2)), 3, preprocessing=(0, 255))
    assert declared.preprocessing == Preprocessing(0, 255)


def test_a_layer_of_that_name_that_the_model_calls_by_itself_is_left_alone():
    assert attached.pixels(SimpleNamespace(preprocessor=layers.Rescaling(1 / 255))) is None


@pytest.mark.slow
def test_keras_hub():
    hub = pytest.importorskip("keras_hub")
    keras.utils.set_random_seed(0)
    sizes = {"stackwise_num_filters": [64, 64], "stackwise_num_blocks": [1, 1], "stackwise_num_strides": [1, 2]}
    backbone = hub.models.ResNetBackbone([64], [3], block_type="basic_block", image_shape=(16, 16, 3), **sizes)
    convert = hub.layers.ResNetImageConverter(
        image_size=(16, 16), scale=(1 / 255 / DEVIATION).tolist(), offset=(-MEAN / DEVIATION).tolist()
    )
    preprocessor = hub.models.ResNetImageClassifierPreprocessor(convert)
    model = hub.models.ResNetImageClassifier(backbone, 3, preprocessor, activation="softmax")
    agrees(model)
