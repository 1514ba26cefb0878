"""GoogLeNet against the paper (Szegedy et al., CVPR 2015) and its release for Caffe."""

from math import prod

import keras
import numpy as np
import pytest
import tensorflow as tf

from robust.core.errors import ModelError
from robust.models.architectures import googlenet
from robust.models.architectures.googlenet import AUXILIARY_WEIGHT

BVLC = "BVLC's prototxt of GoogLeNet"
SMALL = {"input_shape": (32, 32, 3), "classes": 10}
TABLE = [  # options, trainable parameters, multiply-accumulates, source
    ({}, 6_998_552, 1_582_671_872, BVLC),
    ({"heads": "all"}, 13_378_280, 1_591_044_096, f"{BVLC}: 3,188,840 and 3,190,888 more"),
    (SMALL, 5_864_762, 1_447_241_728, "arithmetic of test_the_small_form_is_the_sum_of_its_layers"),
]
MODULES = {  # input; channels of 1x1, 3x3 reduction, 3x3, 5x5 reduction, 5x5, projection (table 1); output
    "3a": ((28, 28, 192), (64, 96, 128, 16, 32, 32), 256),
    "3b": ((28, 28, 256), (128, 128, 192, 32, 96, 64), 480),
    "4a": ((14, 14, 480), (192, 96, 208, 16, 48, 64), 512),
    "4b": ((14, 14, 512), (160, 112, 224, 24, 64, 64), 512),
    "4c": ((14, 14, 512), (128, 128, 256, 24, 64, 64), 512),
    "4d": ((14, 14, 512), (112, 144, 288, 32, 64, 64), 528),
    "4e": ((14, 14, 528), (256, 160, 320, 32, 128, 128), 832),
    "5a": ((7, 7, 832), (256, 160, 320, 32, 128, 128), 832),
    "5b": ((7, 7, 832), (384, 192, 384, 48, 128, 128), 1024),
}
BRANCHES = {"1x1": 1, "3x3_reduce": 1, "3x3": 3, "5x5_reduce": 1, "5x5": 5, "pool_proj": 1}  # and their kernels
BUILT = [  # what the contract, which takes the defaults at 16x16, does not build
    {"input_shape": (32, 32, 3), "stem": "imagenet"},
    {"input_shape": (16, 16, 3), "heads": "all"},
    {"input_shape": (65, 65, 3), "heads": "all"},
]


@pytest.fixture(scope="module")
def paper(outline):
    return outline("googlenet", heads="all")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return googlenet(input_shape=(80, 80, 3), classes=10, heads="all", width=0.25)


def pictures(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def between(model, start, end):
    return keras.Model(model.get_layer(start).output, model.get_layer(end).output)


def loss_of(logits):
    """Of the main head, and with its weight of each auxiliary one."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    main, *others = logits if isinstance(logits, list) else [logits]
    return loss(np.arange(8) % 7, main) + sum(AUXILIARY_WEIGHT * loss(np.arange(8) % 7, other) for other in others)


@pytest.mark.parametrize(("options", "parameters", "multiplications", "source"), TABLE)
def test_parameters_and_multiplications(outline, costs, options, parameters, multiplications, source):
    assert costs(outline("googlenet", **options)) == (parameters, multiplications), source


@pytest.mark.parametrize("name", MODULES)
def test_module_by_module(paper, name):
    inputs, channels, outputs = MODULES[name]
    convolutions = [paper.get_layer(f"inception_{name}_{branch}_conv") for branch in BRANCHES]
    assert [layer.filters for layer in convolutions] == list(channels)
    assert [layer.kernel_size for layer in convolutions] == [(side, side) for side in BRANCHES.values()]
    assert {layer.output.shape[1:3] for layer in convolutions} == {inputs[:2]}
    assert convolutions[0].input.shape[1:] == inputs
    assert paper.get_layer(f"inception_{name}").output.shape[1:] == (*inputs[:2], outputs)
    one, reduce3, three, reduce5, five, project = channels
    weights = inputs[2] * (one + reduce3 + reduce5 + project) + 9 * reduce3 * three + 25 * reduce5 * five
    assert sum(layer.count_params() for layer in convolutions) == weights + sum(channels)


def test_branches_are_joined_in_the_release_s_order(paper):
    order = [f"inception_4b_{branch}_relu" for branch in ("1x1", "3x3", "5x5", "pool_proj")]
    joined = paper.get_layer("inception_4b").input
    assert all(part is paper.get_layer(name).output for part, name in zip(joined, order, strict=True))


def test_the_order_of_the_stem(paper):
    """Normalisation after the first pool and before the second."""
    shapes = {"conv1_relu": (112, 112, 64), "pool1": (56, 56, 64), "norm1": (56, 56, 64), "conv2_relu": (56, 56, 192),
              "norm2": (56, 56, 192), "pool2": (28, 28, 192), "pool3": (14, 14, 480), "pool4": (7, 7, 832)}  # fmt: skip
    assert {name: paper.get_layer(name).output.shape[1:] for name in shapes} == shapes
    assert paper.get_layer("conv2_reduce_conv").input is paper.get_layer("norm1").output
    assert paper.get_layer("pool2").input is paper.get_layer("norm2").output
    counts = [paper.get_layer(f"{name}_conv").count_params() for name in ("conv1", "conv2_reduce", "conv2")]
    assert counts == [9_472, 4_160, 110_784]


@pytest.mark.parametrize(("pool", "start"), [("pool1", "conv1_relu"), ("pool3", "inception_3b")])
def test_pools_round_up_as_caffe_s(model, pool, start):
    """Windows begin at the first pixel, and the last one hangs over the edge."""
    part = between(model, start, pool)
    x = pictures(1, *part.input.shape[1:])
    side, out = x.shape[1], part(x).numpy()
    assert out.shape[1] == -(-(side - 3) // 2) + 1
    by_hand = [[x[0, r : r + 3, c : c + 3].max((0, 1)) for c in range(0, side, 2)] for r in range(0, side, 2)]
    np.testing.assert_array_equal(out[0], by_hand)


def test_the_first_convolution_is_padded_by_three_on_every_side(paper):
    pad, conv = paper.get_layer("conv1_pad"), paper.get_layer("conv1_conv")
    assert pad.padding == ((3, 3), (3, 3))
    assert (conv.kernel_size, conv.strides, conv.padding) == ((7, 7), (2, 2), "valid")


@pytest.mark.parametrize(("start", "end"), [("pool1", "norm1"), ("conv2_relu", "norm2")])
def test_normalization_has_the_release_s_constants(model, start, end):
    """n = 5, k = 1, alpha = 1e-4 / n, beta = 0.75."""
    part = between(model, start, end)
    x = 100 * pictures(2, *part.input.shape[1:])
    theirs = tf.nn.local_response_normalization(x, depth_radius=2, bias=1.0, alpha=2e-5, beta=0.75)
    np.testing.assert_allclose(part(x), theirs, rtol=1e-6)


@pytest.mark.parametrize(("name", "module", "parameters"), [("aux1", "4a", 3_188_840), ("aux2", "4d", 3_190_888)])
def test_auxiliary_heads(paper, name, module, parameters):
    pool, conv = paper.get_layer(f"{name}_pool"), paper.get_layer(f"{name}_conv_conv")
    assert pool.input is paper.get_layer(f"inception_{module}").output
    assert isinstance(pool, keras.layers.AveragePooling2D)
    assert (pool.pool_size, pool.strides, pool.padding) == ((5, 5), (3, 3), "valid")
    assert pool.output.shape[1:3] == (4, 4) and conv.output.shape[1:] == (4, 4, 128)
    assert paper.get_layer(f"{name}_fc").units == 1024
    assert sum(layer.count_params() for layer in paper.layers if layer.name.startswith(name)) == parameters


def test_its_outputs(outline):
    assert AUXILIARY_WEIGHT == 0.3
    names = [output._keras_history.operation.name for output in outline("googlenet", heads="all").outputs]
    assert names == ["logits", "aux1_logits", "aux2_logits"]
    assert outline("googlenet").layers[-1].name == "logits" and len(outline("googlenet").outputs) == 1


def test_dropout(paper):
    rates = {layer.name: layer.rate for layer in layers_of(paper, keras.layers.Dropout)}
    assert rates == {"dropout": 0.4, "aux1_fc_dropout": 0.7, "aux2_fc_dropout": 0.7}


def test_weights_start_as_caffe_s_and_biases_from_a_fifth(model):
    for layer in layers_of(model, keras.layers.Conv2D | keras.layers.Dense):
        start = layer.kernel_initializer
        assert (start.scale, start.mode, start.distribution) == (1.0, "fan_in", "uniform"), layer.name
        assert (layer.get_weights()[1] == np.float32(0 if layer.name.endswith("logits") else 0.2)).all(), layer.name
    kernel = model.get_layer("inception_5b_3x3_conv").get_weights()[0]
    assert np.abs(kernel).max() == pytest.approx(np.sqrt(3 / (9 * 48)), rel=0.01)


def test_every_convolution_has_a_relu(paper):
    convolutions = layers_of(paper, keras.layers.Conv2D)
    assert len(convolutions) == 3 + 9 * 6 + 2
    for layer in convolutions:
        relu = paper.get_layer(layer.name.removesuffix("_conv") + "_relu")
        assert isinstance(relu, keras.layers.ReLU) and relu.input is layer.output


@pytest.mark.slow
def test_the_main_head_is_the_same_with_and_without_the_others(model):
    alone = googlenet(input_shape=(80, 80, 3), classes=10, width=0.25)
    for layer in alone.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    x = pictures(2, 80, 80, 3)
    np.testing.assert_allclose(alone(x), model(x)[0], atol=1e-6)


def test_the_small_form_is_the_sum_of_its_layers(outline, costs, paper):
    inception = [layer for layer in layers_of(paper, keras.layers.Conv2D) if layer.name.startswith("inception")]
    parameters = 27 * 192 + 192 + sum(layer.count_params() for layer in inception) + 1024 * 10 + 10
    places = {(28, 28): 32 * 32, (14, 14): 16 * 16, (7, 7): 8 * 8}
    inner = sum(prod(layer.kernel.shape) * places[layer.output.shape[1:3]] for layer in inception)
    assert costs(outline("googlenet", **SMALL)) == (parameters, 32 * 32 * 27 * 192 + inner + 1024 * 10)


@pytest.mark.slow
@pytest.mark.parametrize("options", BUILT)
def test_every_weight_gets_a_gradient(options, gradients):
    keras.utils.set_random_seed(0)
    found = gradients(googlenet(classes=7, width=0.25, **options), loss=loss_of)
    assert [path for path, gradient in found if not gradient.any()] == []


@pytest.mark.slow
@pytest.mark.parametrize("options", BUILT[:2])
def test_it_survives_save_and_load(options, tmp_path):
    model, x = googlenet(width=0.1, **options), pictures(3, *options["input_shape"])
    model.save(tmp_path / "googlenet.keras")
    again = keras.models.load_model(tmp_path / "googlenet.keras", safe_mode=True)
    for after, before in zip(again(x), model(x), strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.slow
@pytest.mark.parametrize("options", BUILT)
@pytest.mark.usefixtures("mixed_bfloat16")
def test_it_is_finite_under_mixed_precision(options):
    outputs = googlenet(classes=7, width=0.25, **options)(pictures(4, *options["input_shape"]))
    for logits in outputs if isinstance(outputs, list) else [outputs]:
        assert logits.shape == (4, 7) and logits.dtype == "float32" and np.isfinite(logits).all()


@pytest.mark.slow
def test_the_stem_follows_the_image(outline):
    assert outline("googlenet", input_shape=(63, 64, 3)).get_layer("conv1_conv").kernel_size == (3, 3)
    assert outline("googlenet", input_shape=(64, 64, 3)).get_layer("conv1_conv").kernel_size == (7, 7)
    assert outline("googlenet", input_shape=(64, 64, 3), stem="small").get_layer("conv1_conv").kernel_size == (3, 3)


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("options", "words"), [
    ({"heads": "al"}, "googlenet: heads is 'al'; did you mean 'all'?"),
    ({"stem": "large"}, "googlenet: stem is 'large'; allowed: imagenet, small"),
    ({"stem": "imagenet", "input_shape": (31, 32, 3)},
     "googlenet: input_shape is (31, 32, 3); stem='imagenet' needs 32 pixels or more"),
    ({"heads": "all", "input_shape": (64, 64, 3)},
     "googlenet: heads='all' pools over 5x5 places, and of these images aux1 gets (4, 4); it needs 65 pixels"),
    ({"heads": "all", "input_shape": (8, 8, 3)},
     "googlenet: heads='all' pools over 5x5 places, and of these images aux1 gets (4, 4); it needs 65 pixels"),
])  # fmt: skip
def test_what_it_says_of_bad_arguments(options, words):
    with pytest.raises(ModelError) as caught:
        googlenet(**options)
    assert str(caught.value).startswith(words)
