import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from robust.core.errors import ModelError
from robust.models.layer_table import layer_table, remark, sized, totals, unallocated


def sums(model):
    return totals(layer_table(model))


def functional(shape, *parts):
    x = image = keras.Input(shape)
    for part in parts:
        x = part(x)
    return keras.Model(image, x)


@pytest.mark.parametrize(
    ("layer", "shape", "macs", "values"),
    [
        (layers.Conv2D(4, 3), (8, 6, 2), 6 * 4 * 9 * 2 * 4, 6 * 4 * 4),
        (layers.Conv2D(4, 3, 2, "same"), (8, 6, 2), 4 * 3 * 9 * 2 * 4, 4 * 3 * 4),
        (layers.Conv2D(4, 3, padding="same", groups=2), (8, 6, 6), 8 * 6 * 9 * 3 * 4, 8 * 6 * 4),
        (layers.Conv2D(4, 3, data_format="channels_first"), (2, 8, 6), 6 * 4 * 9 * 2 * 4, 6 * 4 * 4),
        (layers.Conv1D(4, 3), (8, 2), 6 * 3 * 2 * 4, 6 * 4),
        (layers.Conv3D(4, 3), (5, 6, 7, 2), 3 * 4 * 5 * 27 * 2 * 4, 3 * 4 * 5 * 4),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 6, 5), 6 * 4 * 9 * 5 * 2, 6 * 4 * 10),
        (layers.DepthwiseConv1D(3), (8, 5), 6 * 3 * 5, 6 * 5),
        (layers.SeparableConv2D(4, 3), (8, 6, 5), 6 * 4 * (9 * 5 + 5 * 4), 6 * 4 * 4),
        (layers.SeparableConv1D(4, 3), (8, 5), 6 * (3 * 5 + 5 * 4), 6 * 4),
        (layers.Conv2DTranspose(4, 3, 2), (8, 6, 5), 8 * 6 * 9 * 5 * 4, 17 * 13 * 4),
        (layers.Conv1DTranspose(4, 3), (8, 5), 8 * 3 * 5 * 4, 10 * 4),
        (layers.Dense(7), (5,), 35, 7),
        (layers.Dense(7), (3, 5), 3 * 35, 3 * 7),
    ],
    ids=lambda value: value.name if isinstance(value, layers.Layer) else None,
)
def test_a_layer_by_hand(layer, shape, macs, values):
    row = layer_table(functional(shape, layer)).iloc[-1]
    assert (row["macs"], row["weighted"], row["forward"], row["training"]) == (macs, values, values, values)
    assert (row["depth"], row["parameters"]) == (1, layer.count_params())


@pytest.mark.parametrize(
    ("layer", "values", "kept"),
    [
        (layers.MaxPooling2D(), 12 * 2, True),
        (layers.GlobalAveragePooling2D(), 2, True),
        (layers.UpSampling2D(), 12 * 16 * 2, True),
        (layers.BatchNormalization(), 96, False),
        (layers.ReLU(), 96, False),
        (layers.Activation("tanh"), 96, False),
        (layers.Dropout(0.5), 96, False),
        (layers.ZeroPadding2D(1), 10 * 8 * 2, False),
        (layers.Flatten(), 96, False),
        (layers.Rescaling(2), 96, False),
    ],
    ids=lambda value: value.name if isinstance(value, layers.Layer) else None,
)
def test_what_is_free_and_what_works_in_place(layer, values, kept):
    row = layer_table(functional((8, 6, 2), layer)).iloc[-1]
    assert (row["macs"], row["weighted"], row["training"], row["depth"]) == (0, 0, values, 0)
    assert row["forward"] == (values if kept else 0)


@pytest.mark.parametrize("merged", [
    lambda x, y: layers.Add()([x, y]), lambda x, y: layers.Concatenate()([x, y]), lambda x, y: x + y,
    lambda x, y: keras.ops.concatenate([x, y], axis=-1), lambda x, y: x * keras.ops.square(y),
])  # fmt: skip
def test_what_joins_two_layers_is_kept_whether_a_layer_or_an_operation_does_it(merged):
    image = keras.Input((4, 4, 2))
    one, other = (layers.Conv2D(3, 1)(image) for _ in range(2))
    model = keras.Model(image, merged(one, other))
    assert sums(model)["forward"] == 32 + 48 + 48 + np.prod(model.output_shape[1:])


def test_operations_on_one_layer_s_output_are_in_place():
    """So a response normalisation is one output, that of the product at its end."""
    image = keras.Input((4, 4, 2))
    square = keras.ops.square(image)
    total = square[..., :1] + square[..., 1:]
    table = layer_table(keras.Model(image, layers.Multiply()([image, total**-0.75])))
    assert table[table["kind"].str.startswith("ops.")]["forward"].sum() == 0
    assert totals(table)["forward"] == 32 + 32


def test_depth_is_that_of_the_longest_path():
    image = keras.Input((4, 4, 2))
    long = layers.Conv2D(2, 1)(layers.ReLU()(layers.Conv2D(2, 1)(image)))
    short = layers.Conv2D(2, 1)(image)
    assert sums(keras.Model(image, layers.Add()([long, short])))["depth"] == 2


def inner():
    parts = [keras.Input((4, 4, 2)), layers.Conv2D(2, 3, padding="same"), layers.ReLU()]
    return keras.Sequential(parts, name="inner")


def test_a_nested_model_is_looked_into_and_a_shared_one_has_its_weights_once():
    image, part = keras.Input((4, 4, 2)), inner()
    first = part(image)
    table = layer_table(keras.Model(image, first + part(first)))
    assert list(table["layer"].str.partition("/")[0]) == [table["layer"][0], *["inner"] * 4, table["layer"][5]]
    assert list(table["macs"]) == [0, 576, 0, 576, 0, 0]
    assert list(table["parameters"]) == [0, 38, 0, 0, 0, 0]
    assert list(table["depth"]) == [0, 1, 1, 2, 2, 2]
    assert totals(table)["forward"] == 32 + 32 + 32 + 32, "the sum of both uses is an output of its own"


def test_a_sequential_model_in_a_sequential_model():
    model = keras.Sequential([keras.Input((4, 4, 2)), inner(), layers.Flatten(), layers.Dense(3)])
    assert sums(model) == {
        "parameters": 38 + 99, "trainable": 38 + 99, "held": 38 + 99, "macs": 576 + 96, "weighted": 35, "forward": 67,
        "training": 32 * 4 + 3, "depth": 2, "uncounted": 0,
    }  # fmt: skip


def test_frozen_layers_and_statistics_are_no_trainable_parameters():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.BatchNormalization()])
    assert [sums(model)[name] for name in ("parameters", "trainable", "held")] == [15 + 6, 15 + 6, 15 + 12]
    model.layers[0].trainable = False
    assert [sums(model)[name] for name in ("parameters", "trainable", "held")] == [15 + 6, 6, 15 + 12]


class Mystery(layers.Layer):
    def call(self, x):
        return 2 * x


def test_what_is_not_known_is_named():
    table = layer_table(functional((4, 2), Mystery(), Mystery(), layers.Softmax()))
    assert remark(table) == "counted with 0 multiply-accumulates, since the kind is not known: Mystery (2)"
    assert (totals(table)["uncounted"], totals(table)["macs"], totals(table)["forward"]) == (2, 0, 24)
    image = keras.Input((2, 2))
    assert "ops.Matmul (1)" in remark(layer_table(keras.Model(image, keras.ops.matmul(image, image))))
    assert "Dot (1)" in remark(layer_table(keras.Model(image, layers.Dot(1)([image, image]))))
    subclassed = keras.Sequential([keras.Input((4,)), Subclassed(name="mine")])
    assert remark(layer_table(subclassed)).endswith("Subclassed (1)")
    wrapped = functional((4, 4, 2), layers.SpectralNormalization(layers.Conv2D(2, 1)))
    assert remark(layer_table(wrapped)).endswith("SpectralNormalization (1)")
    assert remark(layer_table(inner())) == ""


def test_a_model_that_takes_any_size_is_counted_at_one():
    parts = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    model = functional((None, None, 2), *parts)
    model.layers[1].trainable = False
    twin = sized(model, (8, 6, 2))
    assert sums(twin)["macs"] == 6 * 4 * 9 * 2 * 4 + 12
    assert sums(twin)["trainable"] == 8 + 15, "what is frozen stays so"
    fixed = functional((8, 6, 2), *parts[:1])
    assert sized(fixed, (8, 6, 2)) is fixed


def test_without_weights_the_table_is_the_same():
    with unallocated():
        outline = inner()
    assert outline.layers[0].kernel._value is None
    assert layer_table(outline).drop(columns="layer").equals(layer_table(inner()).drop(columns="layer"))


class Subclassed(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (lambda: Subclassed(name="mine"), "model 'mine' has no graph of layers to count (a Subclassed); build it with"),
        (lambda: functional((None, None, 3), layers.Conv2D(2, 3)), "has the shape (None, None, 3); build it with a"),
        (lambda: keras.Sequential([layers.Dense(3)], name="late"), "model 'late' has no graph of layers to count"),
        (
            lambda: sized(functional((8, 8, 3), layers.Conv2D(2, 3)), (9, 9, 3)),
            "takes images of shape (8, 8, 3), not (9, 9, 3)",
        ),
    ],
)
def test_errors(model, told):
    with pytest.raises(ModelError) as error:
        layer_table(model())
    assert told in str(error.value)


def test_tensorflow_s_own_profiler_counts_twice_as_many_operations():
    """A multiply-accumulate is two operations; no biases and no pools, which it counts, too."""
    bare = {"use_bias": False}
    model = functional(
        (16, 16, 3),
        layers.Conv2D(8, 3, padding="same", **bare),
        layers.Conv2D(12, 5, strides=2, **bare),
        layers.DepthwiseConv2D(3, **bare),
        layers.Flatten(),
        layers.Dense(7, **bare),
    )
    graph = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec((1, 16, 16, 3)))
    frozen = convert_variables_to_constants_v2(graph)
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    found = tf.compat.v1.profiler.profile(frozen.graph, options=options)
    assert found.total_float_ops == 2 * sums(model)["macs"]
