import keras
import numpy as np
import pytest
from keras import layers

from robust.core import declared
from robust.datasets.dataset import from_arrays
from robust.metrics.profile import cost
from robust.models.architectures import googlenet
from robust.models.classifier import Classifier, black_box

DATA = from_arrays(np.zeros((1, 6, 6, 1)), [0], classes=3)


def _net(*head):
    parts = [keras.Input((6, 6, 1)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Dropout(0.5)]
    return keras.Sequential([*parts, layers.Flatten(), *head])


def _values(model, data=DATA):
    return {v.metric: v.value for v in cost(Classifier(model, 3), data) if not v.subset}


# convolution 9 * 4 + 4, normalisation 4 * 4 of which half are statistics, dense 64 * 3 + 3
@pytest.mark.parametrize(
    ("head", "kept"),
    [([layers.Dense(3)], 0), ([layers.Dense(3, "softmax")], 0), ([layers.Dense(3), layers.Softmax()], 3)],
    ids=["logits", "softmax head", "softmax layer"],
)
def test_costs_by_hand(head, kept):
    found = list(cost(Classifier(_net(*head), 3), DATA))
    assert [(v.metric, v.value, v.n, v.unit) for v in found] == [
        ("parameters", 40 + 8 + 195, 1, "parameters"),
        ("trainable_parameters", 40 + 8 + 195, 1, "parameters"),
        ("weights_size", 4 * 251, 1, "bytes"),
        ("macs", 16 * 9 * 4 + 64 * 3, 1, "MACs"),
        ("depth", 2, 1, "layers"),
        ("weighted_activations", 64 + 3, 1, "values"),
        ("forward_activations", 36 + 64 + 3, 1, "values"),
        ("forward_memory", 4 * 103, 1, "bytes"),
        ("training_activations", 36 + 4 * 64 + 3 + kept, 1, "values"),
        ("training_memory", 4 * (295 + kept), 1, "bytes"),
        ("uncounted_layers", 0, 1, "layers"),
    ]


def test_what_is_frozen_is_not_trained():
    model = _net(layers.Dense(3))
    model.layers[0].trainable = False
    assert (_values(model)["parameters"], _values(model)["trainable_parameters"]) == (243, 203)


def test_of_a_black_box_the_parameters_at_most():
    asked = Classifier(black_box.as_black_box(_net(layers.Dense(3)), 3), 3)
    assert [(v.metric, v.value) for v in cost(asked, DATA)] == [("parameters", 243)]
    assert not list(cost(Classifier(lambda images: np.full((len(images), 3), 1 / 3), 3), DATA))


def test_a_weight_of_two_bytes_takes_two():
    parts = [keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(3, dtype="float16")]
    assert _values(keras.Sequential(parts))["weights_size"] == 2 * (36 * 3 + 3)


@pytest.mark.slow
def test_auxiliary_heads_cost_in_training_alone():
    shape = {"input_shape": (16, 16, 1), "classes": 3, "width": 0.1}
    data = from_arrays(np.zeros((1, 16, 16, 1)), [0], classes=3)
    main, both = _values(googlenet(**shape), data), _values(googlenet(**shape, heads="all"), data)
    assert {metric for metric in main if main[metric] != both[metric]} == {"training_activations", "training_memory"}
    assert both["training_memory"] > main["training_memory"]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.head = layers.Flatten(), layers.Dense(3)

    def call(self, x):
        return self.head(self.flat(x))


def test_of_a_model_without_a_graph_only_the_weights_are_known():
    model = Subclassed()
    model(np.zeros((1, 6, 6, 1), "float32"))
    assert _values(model) == {"parameters": 111, "trainable_parameters": 111, "weights_size": 444}


def test_a_model_of_any_size_is_counted_at_that_of_the_data():
    image = keras.Input((None, None, 1))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    assert _values(keras.Model(image, layers.Dense(3)(x)))["macs"] == 16 * 9 * 4 + 12


def test_kinds_that_are_not_known_are_named():
    image = keras.Input((6, 6, 1))
    x = layers.Reshape((6, 6))(image)
    x = layers.Flatten()(layers.MultiHeadAttention(1, 2)(x, x))
    found = list(cost(Classifier(keras.Model(image, layers.Dense(3)(x)), 3), DATA))
    assert [(v.value, v.subset) for v in found if v.metric == "uncounted_layers"] == [
        (1, ""),
        (1, "MultiHeadAttention"),
    ]


def test_yields_what_it_declares():
    told = declared.yields("profile", "cost").all_names
    assert tuple(v.metric for v in cost(Classifier(_net(layers.Dense(3)), 3), DATA)) == told
