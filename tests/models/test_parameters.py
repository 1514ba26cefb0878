"""What papers count: no statistics of a BatchNorm, no constants of a normalisation, frozen or not."""

import keras
import numpy as np
import pytest
from keras import layers

from robust import suite
from robust.api.describe import in_words, network
from robust.datasets.dataset import from_arrays
from robust.engine import prepare_models
from robust.models import loading, parameters
from robust.models.classifier import Classifier, black_box
from robust.models.layer_table import layer_table, totals

PUBLISHED = {  # torchvision's `num_params`, in the metadata of its weights
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "vgg16": 138_357_544,
    "densenet121": 7_978_856,
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3_large": 5_483_032,
    "efficientnet_b0": 5_288_548,
}


def _own(*first, frozen=False):
    body = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(3)]
    model = keras.Sequential([keras.Input((8, 8, 3)), *first, *body])
    model.trainable = not frozen
    return model


OWN = 3 * 9 * 4 + 4 + 4 + 4 + 144 * 3 + 3


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("name", "count"), PUBLISHED.items(), ids=PUBLISHED)
def test_as_published(name, count):
    assert totals(layer_table(network(name)))["parameters"] == count


@pytest.mark.slow_after_first
@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2", "EfficientNetB0", "DenseNet121"])
def test_as_keras_counts_what_is_trainable(name):
    with keras.StatelessScope(initialize_variables=False):
        model = getattr(keras.applications, name)(weights=None)
    keras_says = sum(np.prod(weight.shape) for weight in model.trainable_weights)
    model.trainable = False
    assert parameters.count(model) == keras_says < model.count_params()


@pytest.mark.slow_after_first
@pytest.mark.parametrize("frozen", [False, True], ids=["trainable", "frozen"])
@pytest.mark.parametrize(
    "first",
    [
        [],
        [layers.Normalization()],
        [layers.Normalization(axis=(1, 2, 3))],
        [layers.Rescaling(1 / 255)],
        [layers.Normalization(mean=0.5, variance=0.25)],
        [layers.RandomFlip(seed=1)],
    ],
    ids=["none", "channel", "mean image", "rescaling", "fixed", "random"],
)
def test_a_file_of_ones_own(tmp_path, first, frozen):
    _own(*[type(layer).from_config(layer.get_config()) for layer in first], frozen=frozen).save(tmp_path / "own.keras")
    model = loading.load(tmp_path / "own.keras")
    assert parameters.count(model) == totals(layer_table(model))["parameters"] == OWN
    assert Classifier(model, 3).parameters == OWN
    assert black_box.as_black_box(model, 3).parameters == OWN


@pytest.mark.slow
def test_the_record_says_what_papers_say(tmp_path):
    _own(layers.Normalization(axis=(1, 2, 3))).save(tmp_path / "own.keras")
    data = from_arrays(np.zeros((3, 8, 8, 3)), [0, 1, 2])
    made = prepare_models.prepare(suite.Model("own", suite.ModelFile(tmp_path / "own.keras")), 0, data, None, None)
    assert made.about["parameters"] == OWN


def test_of_a_function_they_are_not_known():
    assert Classifier(lambda images: np.full((len(images), 3), 1 / 3), 3).parameters is None


@pytest.mark.slow
def test_shared_nested_and_subclassed():
    inner = _own()
    image = keras.Input((8, 8, 3))
    assert parameters.count(keras.Model(image, inner(image) + inner(image))) == OWN

    class Wrapping(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner, self.listed = inner, [layers.Dense(2)]

        def call(self, x):
            return self.listed[0](self.inner(x))

    wrapping = Wrapping()
    wrapping(np.zeros((1, 8, 8, 3), "float32"))
    assert parameters.count(wrapping) == OWN + 3 * 2 + 2


def test_in_words_statistics_take_memory_and_are_no_parameters():
    said = in_words(layer_table(_own())).splitlines()[0]
    assert said == f"parameters  {OWN}, all of them trained; {4 * (OWN + 8):,} B as float32"
    assert ", 0 of them trained" in in_words(layer_table(_own(frozen=True)))
