"""DenseNets against published numbers and the paper's arithmetic."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from robust.core.errors import ModelError
from robust.models.architectures import densenet40, densenet121, densenet_bc100

KERAS = "keras.applications, torchvision and timm agree"
PAPER = "Huang et al. 2017, table 2 to its digits; MACs by arithmetic"
TABLE = [  # name, trainable parameters, multiply-accumulates at the canonical input, source
    ("densenet121", 7_978_856, 2_834_161_664, KERAS),
    ("densenet169", 14_149_480, 3_359_843_328, KERAS),
    ("densenet201", 20_013_928, 4_291_365_888, KERAS),
    ("densenet264", 33_337_704, 5_751_653_376, "paper: 33 M; torchvision's class with this configuration"),
    ("densenet161", 28_681_000, 7_727_907_072, "torchvision and timm"),
    ("densenet40", 1_019_722, 264_812_928, PAPER),
    ("densenet_bc100", 769_162, 287_929_692, PAPER),
    ("densenet_bc190", 25_624_430, 9_301_945_740, PAPER),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parameters", "macs", "source"), TABLE, ids=[row[0] for row in TABLE])
def test_parameters_and_macs(outline, costs, name, parameters, macs, source):
    assert costs(outline(name)) == (parameters, macs), source


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("name", "depth", "growth", "first", "wide", "kept"), [
    ("densenet40", 12, 12, 16, 0, 1), ("densenet_bc100", 16, 12, 24, 4, 0.5), ("densenet_bc190", 31, 40, 80, 4, 0.5),
])  # fmt: skip
def test_macs_of_the_small_ones_by_arithmetic(outline, costs, name, depth, growth, first, wide, kept):
    channels, macs = first, 32 * 32 * 27 * first
    for side in (32, 16, 8):
        for _ in range(depth):
            bottleneck = channels * wide * growth
            macs += side * side * (bottleneck + 9 * growth * (wide * growth or channels))
            channels += growth
        if side > 8:
            macs += side * side * channels * int(channels * kept)
            channels = int(channels * kept)
    assert costs(outline(name))[1] == macs + 10 * channels


@pytest.mark.slow
def test_the_small_form_is_the_usual_one_for_cifar(outline, costs):
    """kuangliu/pytorch-cifar's DenseNet121: 6,956,298 parameters, 0.888 G multiply-accumulates."""
    small = outline("densenet121", input_shape=(32, 32, 3), classes=10)
    assert costs(small) == (6_956_298, 888_350_720)
    assert small.get_layer("conv5_block16_concat").output.shape[1:] == (4, 4, 1024)
    large = outline("densenet121", input_shape=(64, 64, 3), classes=10)
    assert large.get_layer("conv5_block16_concat").output.shape[1:] == (2, 2, 1024)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return densenet_bc100(dropout=0.2)


def of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.slow
def test_batch_normalization(model):
    assert {(n.momentum, n.epsilon) for n in of(model, layers.BatchNormalization)} == {(0.9, 1e-5)}
    assert len(of(model, layers.BatchNormalization)) == 99  # one before each convolution but the first, one last


@pytest.mark.slow
def test_kernels_start_as_he_s(model):
    for layer in [*of(model, layers.Conv2D), model.get_layer("logits")]:
        start = layer.kernel_initializer
        assert (start.scale, start.mode, start.distribution) == (2.0, "fan_in", "untruncated_normal"), layer.name
    assert not any(layer.use_bias for layer in of(model, layers.Conv2D))
    kernel = model.get_layer("conv4_block16_1_conv").get_weights()[0]
    assert kernel.std() == pytest.approx(np.sqrt(2 / kernel.shape[2]), rel=0.05)


@pytest.mark.slow
def test_depth_by_the_paper_s_counting(model):
    assert len(of(model, layers.Conv2D)) + 1 == 100
    assert len(of(densenet40(width=0.25), layers.Conv2D)) + 1 == 40


@pytest.mark.slow
def test_dropout_after_each_convolution_but_the_first(model):
    assert [layer.rate for layer in of(model, layers.Dropout)] == [0.2] * 98
    assert all(type(layer.input._keras_history.operation) is layers.Conv2D for layer in of(model, layers.Dropout))
    assert not of(densenet40(width=0.25), layers.Dropout), "with augmentation the paper has none"


def test_new_maps_come_after_the_old_ones(model):
    concat = model.get_layer("conv2_block2_concat")
    assert [x._keras_history.operation.name for x in concat.input] == ["conv2_block1_concat", "conv2_block2_2_dropout"]
    assert model.get_layer("conv2_block16_concat").output.shape[1:] == (32, 32, 24 + 16 * 12)
    assert model.get_layer("pool2").output.shape[1:] == (16, 16, 108)


@pytest.mark.slow
def test_the_stem_for_imagenet_survives(assert_sound):
    keras.utils.set_random_seed(0)
    assert_sound(densenet121(input_shape=(32, 32, 3), classes=7, stem="imagenet", width=0.25))


def test_what_it_refuses():
    with pytest.raises(ModelError, match=re.escape("densenet40: dropout is 1; it must be a number in [0, 1)")):
        densenet40(dropout=1)
    words = "densenet121: input_shape is (28, 28, 1); stem='imagenet' needs 32 pixels or more"
    with pytest.raises(ModelError, match=re.escape(words)):
        densenet121(input_shape=(28, 28, 1), stem="imagenet")
    with pytest.raises(ModelError, match="densenet121: stem is 'tiny'"):
        densenet121(stem="tiny")
