"""AlexNet against the paper (Krizhevsky, Sutskever & Hinton, NIPS 2012) and against TensorFlow's own operations."""

from math import prod

import keras
import numpy as np
import pytest
import tensorflow as tf

from robust.core.errors import ModelError
from robust.models.architectures import alexnet
from robust.models.architectures.blocks import local_response_normalization

SMALL = {"input_shape": (32, 32, 3), "classes": 10}
TABLE = [  # options, trainable parameters, multiply-accumulates, source
    ({}, 60_965_224, 724_406_816, "BVLC's prototxt of AlexNet; the paper's '60 million'"),
    ({"groups": 1}, 62_378_344, 1_135_256_096, "arithmetic"),
    (SMALL, 2_342_794, 208_740_352, "arithmetic of test_the_small_form_is_the_sum_of_its_layers"),
]
LAYERS = {  # parameters and output of each layer (BVLC's prototxt)
    "conv1": (34_944, (55, 55, 96)),
    "conv2": (307_456, (27, 27, 256)),
    "conv3": (885_120, (13, 13, 384)),
    "conv4": (663_936, (13, 13, 384)),
    "conv5": (442_624, (13, 13, 256)),
    "fc6": (37_752_832, (4096,)),
    "fc7": (16_781_312, (4096,)),
    "logits": (4_097_000, (1000,)),
}
BUILT = [  # what the contract, which takes the defaults at 16x16, does not build
    {"input_shape": (16, 16, 3), "groups": 1},
    {"input_shape": (67, 67, 3), "stem": "imagenet"},
]


@pytest.fixture(scope="module")
def paper(outline):
    return outline("alexnet")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return alexnet(input_shape=(67, 67, 3), classes=10, stem="imagenet", width=0.25)


def pictures(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def between(model, start, end):
    return keras.Model(model.get_layer(start).output, model.get_layer(end).output)


@pytest.mark.parametrize(("options", "parameters", "multiplications", "source"), TABLE)
def test_parameters_and_multiplications(outline, costs, options, parameters, multiplications, source):
    assert costs(outline("alexnet", **options)) == (parameters, multiplications), source


@pytest.mark.parametrize("name", LAYERS)
def test_layer_by_layer(paper, name):
    inside = [layer for layer in paper.layers if layer.name == name or layer.name.startswith(f"{name}_branch")]
    assert (sum(layer.count_params() for layer in inside), paper.get_layer(name).output.shape[1:]) == LAYERS[name]


def test_the_paper_s_650_000_neurons(paper):
    assert sum(prod(shape) for _, shape in LAYERS.values()) == 659_272
    pools = [paper.get_layer(f"pool{number}").output.shape[1:] for number in (1, 2, 5)]
    assert pools == [(27, 27, 96), (13, 13, 256), (6, 6, 256)]


def test_the_small_form_is_the_sum_of_its_layers(outline, costs):
    convolutions = 28 * 96 - 96 + 96 + sum(LAYERS[f"conv{number}"][0] for number in (2, 3, 4, 5))
    first, last = 32 * 32 * 27 * 96, 4 * 4 * 256 * 10
    inner = 16 * 16 * (307_456 - 256) + 8 * 8 * (885_120 - 384 + 663_936 - 384 + 442_624 - 256)
    parameters = convolutions + 4 * 4 * 256 * 10 + 10
    assert costs(outline("alexnet", **SMALL)) == (parameters, first + inner + last)


def test_pools_overlap_and_convolutions_stand_where_the_paper_has_them(paper):
    for name in ("pool1", "pool2", "pool5"):
        pool = paper.get_layer(name)
        assert isinstance(pool, keras.layers.MaxPooling2D)
        assert (pool.pool_size, pool.strides, pool.padding) == ((3, 3), (2, 2), "valid")
    conv1 = paper.get_layer("conv1")
    assert (conv1.kernel_size, conv1.strides, conv1.padding) == ((11, 11), (4, 4), "valid")
    assert [paper.get_layer(f"conv2_branch{branch}").kernel_size for branch in (1, 2)] == [(5, 5)] * 2


@pytest.mark.parametrize("number", [1, 2])
def test_normalization_has_the_paper_s_constants_and_follows_the_relu(model, number):
    """n = 5, k = 2, alpha = 1e-4, beta = 0.75, between ReLU and pool (section 3.3)."""
    part = between(model, f"conv{number}_relu", f"norm{number}")
    x = 100 * np.abs(pictures(2, *part.input.shape[1:]))
    theirs = tf.nn.local_response_normalization(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75)
    np.testing.assert_allclose(part(x), theirs, rtol=1e-6)
    other = tf.nn.local_response_normalization(x, depth_radius=2, bias=2.0, alpha=1e-4 / 5, beta=0.75)
    assert not np.allclose(part(x), other, rtol=1e-2), "Caffe's alpha is another function"
    assert model.get_layer(f"pool{number}").input is model.get_layer(f"norm{number}").output


@pytest.mark.parametrize("channels", [1, 2, 7, 96])
def test_local_response_normalization_is_tensorflow_s(channels):
    image = keras.Input((5, 4, channels))
    part = keras.Model(image, local_response_normalization(image, 1.5, 0.3, name="norm"))
    x = np.random.default_rng(0).normal(size=(2, 5, 4, channels)).astype("float32")
    theirs = tf.nn.local_response_normalization(x, depth_radius=2, bias=1.5, alpha=0.3, beta=0.75)
    np.testing.assert_allclose(part(x), theirs, atol=1e-6)


def test_two_branches_are_a_convolution_in_two_groups(model):
    part = between(model, "pool1", "conv2")
    kernels, biases = zip(*(model.get_layer(f"conv2_branch{n}").get_weights() for n in (1, 2)), strict=True)
    grouped = keras.layers.Conv2D(64, 5, padding="same", groups=2)
    x = pictures(2, *part.input.shape[1:])
    grouped.build(x.shape)
    grouped.set_weights([np.concatenate(kernels, axis=-1), np.concatenate(biases)])
    np.testing.assert_allclose(part(x), grouped(x), atol=1e-5)


def test_conv3_sees_both_branches(model):
    assert model.get_layer("conv3").input.shape[-1] == 64
    assert {layer.input.shape[-1] for layer in model.layers if "conv4_branch" in layer.name} == {48}


def test_dropout_of_one_half_in_both_hidden_layers(paper):
    rates = {layer.name: layer.rate for layer in paper.layers if isinstance(layer, keras.layers.Dropout)}
    assert rates == {"fc6_dropout": 0.5, "fc7_dropout": 0.5}


def test_weights_start_from_a_small_gaussian_and_some_biases_from_one(model):
    ones = {"conv2_branch1", "conv2_branch2", "conv4_branch1", "conv4_branch2", "conv5_branch1", "conv5_branch2"}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            assert (layer.kernel_initializer.mean, layer.kernel_initializer.stddev) == (0.0, 0.01)
            kernel, bias = layer.get_weights()
            assert kernel.std() == pytest.approx(0.01, rel=0.05), layer.name
            assert (bias == (layer.name in ones | {"fc6", "fc7"})).all(), layer.name


def test_it_sees_the_grey_levels_that_its_weights_are_meant_for(model):
    x = pictures(1, 67, 67, 3)
    np.testing.assert_allclose(between(model, "image", "levels")(x), 255 * x, rtol=1e-6)
    assert model.get_layer("normalization").axis == (1, 2, 3), "minus the mean image"


@pytest.mark.slow
@pytest.mark.parametrize("options", BUILT)
def test_gradients_reach_every_weight_and_it_survives_save_and_load(assert_sound, options):
    keras.utils.set_random_seed(0)
    assert_sound(alexnet(classes=7, width=0.25, **options))


@pytest.mark.parametrize("options", BUILT)
@pytest.mark.usefixtures("mixed_bfloat16")
def test_it_is_finite_under_mixed_precision(options):
    logits = alexnet(classes=7, width=0.25, **options)(pictures(4, *options["input_shape"]))
    assert logits.shape == (4, 7) and logits.dtype == "float32" and np.isfinite(logits).all()


def test_the_stem_follows_the_image(outline):
    assert outline("alexnet", input_shape=(63, 300, 3)).get_layer("conv1").kernel_size == (3, 3)
    assert outline("alexnet", input_shape=(100, 67, 3)).get_layer("conv1").kernel_size == (11, 11)
    assert outline("alexnet", input_shape=(100, 67, 3), stem="small").get_layer("conv1").kernel_size == (3, 3)


@pytest.mark.parametrize("width", [0.01, 0.3, 0.77])
def test_any_width_can_be_halved(outline, width):
    assert outline("alexnet", **SMALL, width=width).get_layer("conv2").output.shape[-1] % 2 == 0


@pytest.mark.parametrize(("options", "words"), [
    ({"groups": 3}, "alexnet: groups is 3; it must be 1 or 2"),
    ({"stem": "large"}, "alexnet: stem is 'large'; allowed: imagenet, small"),
    ({"stem": "imagenet", "input_shape": (66, 80, 3)},
     "alexnet: input_shape is (66, 80, 3); ... stem='imagenet' needs 67 pixels ... stem='small'"),
])  # fmt: skip
def test_what_it_says_of_bad_arguments(options, words):
    with pytest.raises(ModelError) as caught:
        alexnet(**options)
    assert all(part in str(caught.value) for part in words.split(" ... "))
