"""VGG against the paper (Simonyan & Zisserman, ICLR 2015)."""

import keras
import numpy as np
import pytest

from robust.core import registry
from robust.core.errors import ModelError
from robust.models.architectures import vgg11, vgg16, vgg19

PAPER, TORCH = "Keras and torchvision; the paper's table 2, rounded", "torchvision's vgg*_bn"
KUANGLIU = "kuangliu/pytorch-cifar, VGG with BatchNorm"
BATCH = {"norm": "batch"}
SMALL = {"input_shape": (32, 32, 3), "classes": 10}
TABLE = [  # name, options, trainable parameters, multiply-accumulates, source
    ("vgg11", {}, 132_863_336, 7_609_090_048, PAPER),
    ("vgg13", {}, 133_047_848, 11_308_466_176, PAPER),
    ("vgg16", {}, 138_357_544, 15_470_264_320, PAPER),
    ("vgg19", {}, 143_667_240, 19_632_062_464, PAPER),
    ("vgg11", BATCH, 132_868_840, 7_609_090_048, TORCH),
    ("vgg13", BATCH, 133_053_736, 11_308_466_176, TORCH),
    ("vgg16", BATCH, 138_365_992, 15_470_264_320, TORCH),
    ("vgg19", BATCH, 143_678_248, 19_632_062_464, TORCH),
    ("vgg16", {**SMALL, **BATCH}, 14_728_266, 313_201_664, KUANGLIU),
    ("vgg19", {**SMALL, **BATCH}, 20_040_522, 398_136_320, KUANGLIU),
]
BUILT = [  # what the contract, which takes the defaults at 16x16, does not build
    ("vgg16", {"input_shape": (28, 28, 3), **BATCH}),
    ("vgg11", {"input_shape": (32, 32, 3), "stem": "imagenet"}),
    ("vgg13", {"input_shape": (40, 32, 3), "stem": "imagenet", **BATCH}),
]


def build(name, **options):
    return registry.resolve("architectures", name)(**options)


def pictures(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(("name", "options", "parameters", "multiplications", "source"), TABLE)
def test_parameters_and_multiplications(outline, costs, name, options, parameters, multiplications, source):
    assert costs(outline(name, **options)) == (parameters, multiplications), source


@pytest.mark.parametrize(("name", "depth"), [("vgg11", 11), ("vgg13", 13), ("vgg16", 16), ("vgg19", 19)])
def test_depth_by_the_paper_s_counting(outline, name, depth):
    model = outline(name)
    assert len(layers_of(model, keras.layers.Conv2D)) + len(layers_of(model, keras.layers.Dense)) == depth
    assert model.name == name
    shapes = [model.get_layer(f"block{number}_pool").output.shape[1:] for number in range(1, 6)]
    assert shapes == [(112, 112, 64), (56, 56, 128), (28, 28, 256), (14, 14, 512), (7, 7, 512)]


def test_convolutions_are_three_by_three_and_pools_two_by_two(outline):
    model = outline("vgg16")
    for layer in layers_of(model, keras.layers.Conv2D):
        assert (layer.kernel_size, layer.strides, layer.padding, layer.use_bias) == ((3, 3), (1, 1), "same", True)
    for layer in layers_of(model, keras.layers.MaxPooling2D):
        assert (layer.pool_size, layer.strides, layer.padding) == ((2, 2), (2, 2), "valid")


def test_dropout_of_one_half_after_both_hidden_layers(outline):
    rates = {layer.name: layer.rate for layer in layers_of(outline("vgg16"), keras.layers.Dropout)}
    assert rates == {"fc1_dropout": 0.5, "fc2_dropout": 0.5}
    assert not layers_of(outline("vgg16", **SMALL), keras.layers.Dropout)


def test_weights_start_from_glorot_s_distribution_and_biases_from_zero():
    model = vgg16(**SMALL, width=0.25)
    for layer in layers_of(model, keras.layers.Conv2D | keras.layers.Dense):
        start = layer.kernel_initializer
        assert (start.scale, start.mode, start.distribution) == (1, "fan_avg", "uniform")
        assert not layer.get_weights()[1].any()
    kernel = model.get_layer("block5_conv3").get_weights()[0]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 256)), rel=0.02)


def test_batch_normalization_stands_before_each_relu(outline):
    model = outline("vgg19", **BATCH)
    norms = layers_of(model, keras.layers.BatchNormalization)
    assert len(norms) == 16
    assert {(n.momentum, n.epsilon, n.center, n.scale) for n in norms} == {(0.9, 1e-5, True, True)}
    for layer in layers_of(model, keras.layers.Conv2D):
        norm, relu = (model.get_layer(f"{layer.name}_{kind}") for kind in ("bn", "relu"))
        assert norm.input is layer.output and relu.input is norm.output and layer.use_bias


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), BUILT)
def test_every_weight_gets_a_gradient(name, options, gradients):
    keras.utils.set_random_seed(0)
    for path, gradient in gradients(build(name, classes=7, width=0.25, **options)):
        # BatchNorm takes away what a bias before it adds: that gradient is rounding, or nothing
        assert gradient.any() or (options.get("norm") and path.endswith("bias")), path


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), BUILT)
def test_it_survives_save_and_load(name, options, tmp_path):
    model, x = build(name, width=0.1, **options), pictures(3, *options["input_shape"])
    model.save(tmp_path / "vgg.keras")
    again = keras.models.load_model(tmp_path / "vgg.keras", safe_mode=True)
    np.testing.assert_array_equal(again(x), model(x))


@pytest.mark.parametrize(("name", "options"), BUILT)
@pytest.mark.usefixtures("mixed_bfloat16")
def test_it_is_finite_under_mixed_precision(name, options):
    logits = build(name, classes=7, width=0.25, **options)(pictures(4, *options["input_shape"]))
    assert logits.shape == (4, 7) and logits.dtype == "float32" and np.isfinite(logits).all()


@pytest.mark.parametrize("side", [8, 28, 63])
def test_the_small_form_takes_any_small_image(outline, side):
    model = outline("vgg19", input_shape=(side, side, 1))
    assert model.get_layer("avg_pool").output.shape[1:] == (512,)
    assert [layer.name for layer in layers_of(model, keras.layers.Dense)] == ["logits"]


def test_the_stem_follows_the_image(outline):
    assert len(layers_of(outline("vgg11", input_shape=(64, 64, 3)), keras.layers.Dense)) == 3
    assert len(layers_of(outline("vgg11", input_shape=(64, 63, 3)), keras.layers.Dense)) == 1
    assert len(layers_of(outline("vgg11", input_shape=(64, 64, 3), stem="small"), keras.layers.Dense)) == 1


@pytest.mark.parametrize(("build", "options", "words"), [
    (vgg11, {"norm": "bach"}, "vgg11: norm is 'bach'; did you mean 'batch'?"),
    (vgg16, {"stem": "large"}, "vgg16: stem is 'large'; allowed: imagenet, small"),
    (vgg19, {"stem": "imagenet", "input_shape": (32, 31, 3)},
     "vgg19: input_shape is (32, 31, 3); ... stem='imagenet' needs 32 pixels ... stem='small'"),
])  # fmt: skip
def test_what_it_says_of_bad_arguments(build, options, words):
    with pytest.raises(ModelError) as caught:
        build(**options)
    assert all(part in str(caught.value) for part in words.split(" ... "))
