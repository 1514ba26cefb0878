"""EfficientNets against published numbers and the scaling rule."""

import re
from math import prod

import keras
import numpy as np
import pytest
from keras import applications, layers

from robust.core.errors import ModelError
from robust.models.architectures import compound, efficientnet_b0, efficientnet_b1, efficientnet_lite0

KERAS = "keras.applications, torchvision and timm agree; paper"
LITE = "the released weights; MACs by arithmetic, published with BatchNorm's share"
TABLE = [  # name, trainable parameters, multiply-accumulates at the canonical input, source
    ("efficientnet_b0", 5_288_548, 385_814_752, f"{KERAS}: 5.3 M, 0.39 G"),
    ("efficientnet_b1", 7_794_184, 686_802_832, f"{KERAS}: 7.8 M, 0.70 G"),
    ("efficientnet_b2", 9_109_994, 993_561_872, f"{KERAS}: 9.2 M, 1.0 G"),
    ("efficientnet_b3", 12_233_232, 1_827_141_392, f"{KERAS}: 12 M, 1.8 G"),
    ("efficientnet_b4", 19_341_616, 4_393_771_024, f"{KERAS}: 19 M, 4.2 G"),
    ("efficientnet_b5", 30_389_784, 10_266_384_752, f"{KERAS}: 30 M, 9.9 G"),
    ("efficientnet_b6", 43_040_704, 19_067_593_536, f"{KERAS}: 43 M, 19 G"),
    ("efficientnet_b7", 66_347_960, 37_745_884_192, f"{KERAS}: 66 M, 37 G"),
    ("efficientnet_l2", 480_309_308, 475_703_653_280, "timm's tf_efficientnet_l2; MACs by arithmetic"),
    ("efficientnet_lite0", 4_652_008, 385_187_552, f"{LITE}: 407 M"),
    ("efficientnet_lite1", 5_416_680, 600_185_232, f"{LITE}: 631 M"),
    ("efficientnet_lite2", 6_092_072, 859_736_272, f"{LITE}: 899 M"),
]
TINY = {"input_shape": (32, 32, 3), "classes": 7, "width": 0.25}


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("name", "parameters", "macs", "source"), TABLE, ids=[row[0] for row in TABLE])
def test_parameters_and_macs(outline, costs, name, parameters, macs, source):
    network = outline(name)
    assert costs(network) == (parameters, macs), source
    assert network.input_shape[1:] == (compound.SCALES[name].side,) * 2 + (3,)


def test_every_row_of_the_scaling_table_is_counted():
    assert [row[0] for row in TABLE] == list(compound.SCALES)


def test_lite0_is_b0_without_its_gates(outline, costs):
    b0, lite0 = outline("efficientnet_b0"), outline("efficientnet_lite0")
    gates = [layer for layer in of(b0, layers.Conv2D) if "_squeeze_" in layer.name]
    kernels = sum(prod(gate.kernel.shape) for gate in gates)  # each is used once an image
    biases = sum(prod(gate.bias.shape) for gate in gates)
    parameters, macs = costs(b0)
    assert costs(lite0) == (parameters - kernels - biases, macs - kernels)
    assert not [layer for layer in lite0.layers if "_squeeze_" in layer.name]


def test_lite_scales_neither_its_ends_nor_their_repeats(outline):
    b2, lite2 = outline("efficientnet_b2"), outline("efficientnet_lite2")
    for name, wide in (("stem_conv", 32), ("top_conv", 1408)):
        assert b2.get_layer(name).filters == wide
    assert [lite2.get_layer(name).filters for name in ("stem_conv", "top_conv")] == [32, 1280]
    stages = {part: [n for n in range(1, 8) if any(layer.name.startswith(f"block{n}{part}") for layer in lite2.layers)]
              for part in "abc"}  # fmt: skip
    assert stages == {"a": [1, 2, 3, 4, 5, 6, 7], "b": [2, 3, 4, 5, 6], "c": [2, 3, 4, 5, 6]}


def of(model, *kinds):
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def skipped(model):
    """The chance that training skips each residual branch."""
    return {layer.name: layer.rate for layer in of(model, layers.Dropout) if layer.noise_shape}


@pytest.mark.slow_after_first
@pytest.mark.parametrize("number", range(8))
def test_stochastic_depth_is_keras_s(outline, number):
    """What inference does not show."""
    theirs = outline(getattr(applications, f"EfficientNetB{number}"), weights=None)
    assert skipped(outline(f"efficientnet_b{number}")) == pytest.approx(skipped(theirs))


@pytest.fixture(scope="module", params=[efficientnet_b0, efficientnet_lite0], ids=["b0", "lite0"])
def model(request):
    keras.utils.set_random_seed(0)
    return request.param(**TINY, stem="imagenet")


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_lite0"])
def test_stochastic_depth_grows_with_the_block(outline, name):
    """0.2 times the place of the block among 16, for the residual ones: linear from 0 towards 0.2."""
    places = {"2b": 2, "3b": 4, "4b": 6, "4c": 7, "5b": 9, "5c": 10, "6b": 12, "6c": 13, "6d": 14}
    model = outline(name)
    assert skipped(model) == pytest.approx({f"block{block}_drop": 0.2 * place / 16 for block, place in places.items()})
    assert {layer.noise_shape for layer in of(model, layers.Dropout)} == {(None, 1, 1, 1), None}
    assert len(of(model, layers.Add)) == len(places)


@pytest.mark.slow
def test_stochastic_depth_skips_whole_images(model):
    keras.utils.set_random_seed(0)
    out = model.get_layer("block6d_drop")(np.ones((2000, 2, 2, 3), np.float32), training=True).numpy()
    images = out.reshape(2000, -1)
    assert (images == images[:, :1]).all()
    kept = np.unique(images.round(5))
    np.testing.assert_allclose(kept, [0, 1 / 0.825], atol=1e-4)
    assert (images[:, 0] == 0).mean() == pytest.approx(0.175, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("name", compound.SCALES)
def test_dropout_before_the_logits(outline, name):
    rates = {"b0": 0.2, "b1": 0.2, "b2": 0.3, "b3": 0.3, "b4": 0.4, "b5": 0.4, "b6": 0.5, "b7": 0.5, "l2": 0.5,
             "lite0": 0.2, "lite1": 0.2, "lite2": 0.3}  # fmt: skip
    model = outline(name)
    assert model.layers[-2].rate == rates[name.removeprefix("efficientnet_")]
    chances = skipped(model)
    assert list(chances.values()) == sorted(chances.values()) and 0.15 < max(chances.values()) < 0.2


@pytest.mark.slow
def test_batch_normalization(model):
    norms = of(model, layers.BatchNormalization)
    assert {(norm.momentum, norm.epsilon) for norm in norms} == {(0.99, 1e-3)}
    assert {norm.momentum for norm in of(efficientnet_b0(**TINY), layers.BatchNormalization)} == {0.9}, "small"


@pytest.mark.slow_after_first
def test_kernels_start_as_the_release_s(model):
    for layer in of(model, layers.Conv2D, layers.DepthwiseConv2D):
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        start = layer.depthwise_initializer if depthwise else layer.kernel_initializer
        assert (start.scale, start.mode, start.distribution) == (2.0, "fan_out", "untruncated_normal"), layer.name
    depthwise = np.concatenate([x.get_weights()[0].ravel() for x in of(model, layers.DepthwiseConv2D) if
                                x.kernel_size == (5, 5)])  # fmt: skip
    assert depthwise.std() == pytest.approx(np.sqrt(2 / 25), rel=0.05)
    kernel = model.get_layer("logits").get_weights()[0]
    assert np.abs(kernel).max() == pytest.approx(1 / np.sqrt(7), rel=0.01)
    assert kernel.std() == pytest.approx(1 / np.sqrt(3 * 7), rel=0.05), "uniform"


def test_gates_squeeze_a_quarter_of_the_block_s_input(outline):
    b0 = outline("efficientnet_b0")
    found = [layer.filters for layer in of(b0, layers.Conv2D) if layer.name.endswith("_reduce")]
    assert found == [8, 4, 6, 6, 10, 10, 20, 20, 20, 28, 28, 28, 48, 48, 48, 48]
    assert b0.get_layer("block2a_squeeze_reduce").activation is keras.activations.silu
    assert b0.get_layer("block2a_squeeze_expand").activation is keras.activations.sigmoid
    biased = {layer.name for layer in of(b0, layers.Conv2D, layers.DepthwiseConv2D) if layer.use_bias}
    assert biased == {layer.name for layer in of(b0, layers.Conv2D) if "_squeeze_" in layer.name}


@pytest.mark.parametrize(("name", "word"), [("efficientnet_b0", "silu"), ("efficientnet_lite0", "relu6")])
def test_activations(outline, name, word):
    assert [layer.activation.__name__ for layer in of(outline(name), layers.Activation)] == [word] * 33


@pytest.mark.slow
def test_the_small_form(outline, costs):
    """As the canonical one but for ten classes (4.0 M, the paper's table 5) and for the first two strides."""
    small = outline("efficientnet_b0", input_shape=(32, 32, 3), classes=10)
    assert costs(small)[0] == 5_288_548 - 990 * 1281 == 4_020_358
    assert small.get_layer("avg_pool").input.shape[1:] == (4, 4, 1280)
    assert outline("efficientnet_b0", input_shape=(64, 64, 3)).get_layer("avg_pool").input.shape[1:3] == (2, 2)


@pytest.mark.slow
def test_the_stem_for_imagenet_survives(model, assert_sound):
    assert_sound(model)


def test_what_they_refuse():
    words = "efficientnet_b1: input_shape is (28, 28, 1); stem='imagenet' needs 32 pixels or more"
    with pytest.raises(ModelError, match=re.escape(words)):
        efficientnet_b1(input_shape=(28, 28, 1), stem="imagenet")
    with pytest.raises(ModelError, match="efficientnet_lite0: stem is 'tiny'"):
        efficientnet_lite0(stem="tiny")
