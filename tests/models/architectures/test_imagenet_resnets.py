"""ResNet-18 to 152, plain-18 and plain-34 against the paper (He et al., CVPR 2016)."""

import inspect

import keras
import numpy as np
import pytest

from robust.core import registry
from robust.core.errors import ModelError
from robust.models.architectures import plain18, plain34, residual, resnet18, resnet34, resnet50

TORCH, KUANGLIU = "torchvision and timm", "kuangliu/pytorch-cifar"
PAPER = "torchvision's parameters; the multiply-accumulates are the paper's table 1, which rounds them"
SMALL = {"input_shape": (32, 32, 3), "classes": 10}
TORCH_FORM = {"form": "v1.5"}
TABLE = [  # name, options, trainable parameters, multiply-accumulates, source
    ("resnet18", {}, 11_689_512, 1_814_073_344, PAPER),
    ("resnet34", {}, 21_797_672, 3_663_761_408, PAPER),
    ("resnet50", {}, 25_557_032, 3_857_973_248, PAPER),
    ("resnet101", {}, 44_549_160, 7_570_194_432, PAPER),
    ("resnet152", {}, 60_192_808, 11_282_415_616, PAPER),
    ("resnet50", TORCH_FORM, 25_557_032, 4_089_184_256, TORCH),
    ("resnet101", TORCH_FORM, 44_549_160, 7_801_405_440, TORCH),
    ("resnet152", TORCH_FORM, 60_192_808, 11_513_626_624, TORCH),
    ("resnet18", {"shortcut": "A"}, 11_515_688, 1_794_805_760, "as plain-18: option A has no parameters"),
    ("resnet34", {"shortcut": "A"}, 21_623_848, 3_644_493_824, "as plain-34"),
    ("resnet34", {"shortcut": "C"}, 22_716_840, 3_830_747_136, "arithmetic of test_option_c_projects_everywhere"),
    ("plain18", {}, 11_515_688, 1_794_805_760, "resnet18 less its three projections, 173,824 parameters"),
    ("plain34", {}, 21_623_848, 3_644_493_824, "resnet34 less its three projections, 173,824 parameters"),
    ("resnet18", SMALL, 11_173_962, 555_422_720, KUANGLIU),
    ("resnet34", SMALL, 21_282_122, 1_159_402_496, KUANGLIU),
    ("resnet50", {**SMALL, **TORCH_FORM}, 23_520_842, 1_297_829_888, KUANGLIU),
    ("resnet101", {**SMALL, **TORCH_FORM}, 42_512_970, 2_509_983_744, KUANGLIU),
    ("resnet152", {**SMALL, **TORCH_FORM}, 58_156_618, 3_722_137_600, KUANGLIU),
]
SLOW = {("resnet101", "v1.5"), ("resnet152", "v1.5")}
COUNTED = [
    pytest.param(
        *row, marks=[pytest.mark.slow] * ((row[0], row[1].get("form")) in SLOW), id="-".join(map(str, row[:3]))
    )
    for row in TABLE
]
BUILT = [  # what the contract, which takes the defaults at 16x16, does not build
    ("resnet18", {"input_shape": (16, 16, 3), "shortcut": "A"}),
    ("resnet18", {"input_shape": (32, 33, 3), "stem": "imagenet", "shortcut": "C"}),
    ("resnet50", {"input_shape": (16, 16, 3), "shortcut": "A"}),
    ("resnet50", {"input_shape": (32, 32, 3), "stem": "imagenet", "form": "v1.5"}),
    ("plain18", {"input_shape": (32, 32, 3), "stem": "imagenet"}),
]


def build(name, **options):
    return registry.resolve("architectures", name)(**options)


def pictures(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("name", "options", "parameters", "multiplications", "source"), COUNTED)
def test_parameters_and_multiplications(outline, costs, name, options, parameters, multiplications, source):
    assert costs(outline(name, **options)) == (parameters, multiplications), source


@pytest.mark.parametrize(("name", "depth", "convolutions"), [
    ("resnet18", 18, 20), ("resnet34", 34, 36), ("resnet50", 50, 53), ("plain18", 18, 17), ("plain34", 34, 33),
])  # fmt: skip
def test_depth_by_the_paper_s_counting(outline, name, depth, convolutions):
    """Projections are not counted."""
    model = outline(name)
    found = [layer.name for layer in layers_of(model, keras.layers.Conv2D)]
    assert len(found) == convolutions
    assert len([layer for layer in found if "_0_" not in layer]) + 1 == depth
    assert model.name == name


@pytest.mark.parametrize(("name", "channels"), [("resnet34", 64), ("resnet50", 256), ("plain34", 64)])
def test_stages_halve_the_image_and_double_the_channels(outline, name, channels):
    model = outline(name)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        shape = (56 >> stage, 56 >> stage, channels << stage)
        assert model.get_layer(f"conv{stage + 2}_block{blocks}_out").output.shape[1:] == shape
    assert model.get_layer("conv1_relu").output.shape[1:] == (112, 112, 64)


def test_option_c_projects_everywhere(outline, costs):
    model = outline("resnet34", shortcut="C")
    names = [layer.name for layer in layers_of(model, keras.layers.Conv2D) if "_0_conv" in layer.name]
    assert len(names) == 16
    beside_the_others = [(3, 64), (3, 128), (5, 256), (2, 512)]  # blocks that keep their shape, and its channels
    assert costs(model)[0] - 21_797_672 == sum(n * (width**2 + 2 * width) for n, width in beside_the_others)


@pytest.mark.slow
def test_option_a_fills_the_channels_of_a_bottleneck_with_zeros():
    model = resnet50(**SMALL, shortcut="A", width=0.125)
    start, end = (model.get_layer(name) for name in ("conv3_block1_1_conv", "conv3_block1_0_zeros"))
    x = pictures(2, *start.input.shape[1:])
    skipped = keras.Model(start.input, end.output)(x).numpy()
    np.testing.assert_array_equal(skipped[..., : x.shape[-1]], x[:, ::2, ::2])
    assert skipped.shape[-1] == 2 * x.shape[-1] and not skipped[..., x.shape[-1] :].any()


@pytest.mark.parametrize(("form", "strides"), [("v1", (2, 1, 1)), ("v1.5", (1, 2, 1))])
def test_where_a_bottleneck_has_its_stride(outline, form, strides):
    model = outline("resnet50", form=form)
    found = [model.get_layer(f"conv3_block1_{number}_conv").strides[0] for number in (1, 2, 3)]
    assert tuple(found) == strides
    assert model.get_layer("conv3_block1_0_conv").strides == (2, 2)


def test_constants_and_initialisers(outline):
    model = outline("resnet50")
    norms = layers_of(model, keras.layers.BatchNormalization)
    assert len(norms) == 53
    assert {(n.momentum, n.epsilon, n.center, n.scale) for n in norms} == {(0.9, 1e-5, True, True)}
    for layer in layers_of(model, keras.layers.Conv2D | keras.layers.Dense):
        start = layer.kernel_initializer
        assert (start.scale, start.mode, start.distribution) == (2.0, "fan_in", "untruncated_normal"), layer.name
        assert layer.use_bias == (layer.name == "logits")
    assert model.get_layer("normalization").axis == (1, 2, 3), "minus the mean image"


def test_the_stem_pads_alike_on_every_side(outline):
    model = outline("resnet18")
    paddings = [model.get_layer(name).padding for name in ("conv1_pad", "pool1_pad")]
    assert paddings == [((3, 3), (3, 3)), ((1, 1), (1, 1))]
    conv, pool = model.get_layer("conv1_conv"), model.get_layer("pool1")
    assert (conv.kernel_size, conv.strides, conv.padding) == ((7, 7), (2, 2), "valid")
    assert (pool.pool_size, pool.strides, pool.padding) == ((3, 3), (2, 2), "valid")


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("plain", "twin"), [(plain18, resnet18), (plain34, resnet34)])
def test_a_plain_network_is_its_twin_without_shortcuts(plain, twin):
    ours, other = plain(**SMALL, width=0.1), twin(**SMALL, width=0.1, shortcut="A")
    assert not layers_of(ours, keras.layers.Add)
    assert [w.shape for w in ours.weights] == [w.shape for w in other.weights]
    assert "shortcut" not in inspect.signature(plain).parameters
    block = residual.basic(keras.Input((8, 8, 4)), 4, 1, None, name="block")
    assert block._keras_history.operation.name == "block_out"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), BUILT)
def test_gradients_reach_every_weight_and_it_survives_save_and_load(assert_sound, name, options):
    keras.utils.set_random_seed(0)
    assert_sound(build(name, classes=7, width=0.25, **options))


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("name", "options"), BUILT)
@pytest.mark.usefixtures("mixed_bfloat16")
def test_it_is_finite_under_mixed_precision(name, options):
    logits = build(name, classes=7, width=0.1, **options)(pictures(4, *options["input_shape"]))
    assert logits.shape == (4, 7) and logits.dtype == "float32" and np.isfinite(logits).all()


def test_the_stem_follows_the_image(outline):
    assert outline("resnet18", input_shape=(63, 64, 3)).get_layer("conv1_conv").kernel_size == (3, 3)
    assert outline("resnet18", input_shape=(64, 64, 3)).get_layer("conv1_conv").kernel_size == (7, 7)
    small = outline("resnet18", input_shape=(64, 64, 3), stem="small")
    assert small.get_layer("conv2_block2_out").output.shape[1:] == (64, 64, 64)
    assert "pool1" not in [layer.name for layer in small.layers]


@pytest.mark.parametrize(("name", "options", "words"), [
    ("resnet18", {"shortcut": "D"}, "resnet18: shortcut is 'D'; allowed: A, B, C"),
    ("resnet34", {"shortcut": None}, "resnet34: shortcut is None; allowed: A, B, C"),
    ("resnet50", {"form": "v2"}, "resnet50: form is 'v2'; allowed: v1, v1.5"),
    ("resnet101", {"form": None}, "resnet101: form is None; allowed: v1, v1.5"),
    ("plain18", {"stem": "large"}, "plain18: stem is 'large'; allowed: imagenet, small"),
    ("resnet152", {"stem": "imagenet", "input_shape": (31, 224, 3)},
     "resnet152: input_shape is (31, 224, 3); ... stem='imagenet' needs 32 pixels ... stem='small'"),
])  # fmt: skip
def test_what_it_says_of_bad_arguments(name, options, words):
    with pytest.raises(ModelError) as caught:
        build(name, **options)
    assert all(part in str(caught.value) for part in words.split(" ... "))
