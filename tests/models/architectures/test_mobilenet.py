"""MobileNets against published numbers; test_port.py compares them with `keras.applications`."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from robust.core import registry
from robust.core.errors import ModelError
from robust.models.architectures import mobile, mobilenet, mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small

TABLE = [  # name, trainable parameters, multiply-accumulates at 224x224 and 1000 classes, source
    ("mobilenet", 4_231_976, 568_740_352, "keras.applications and timm; paper: 4.2 M, 569 M"),
    ("mobilenet_v2", 3_504_872, 300_774_272, "keras.applications, torchvision and timm; paper: 3.4 M, 300 M"),
    ("mobilenet_v3_large", 5_483_032, 216_589_760, "keras.applications, torchvision and timm; paper: 5.4 M, 219 M"),
    ("mobilenet_v3_small", 2_542_856, 56_510_400, "keras.applications, torchvision and timm; paper: 2.5 M, 56 M"),
]
BUILDERS = [mobilenet, mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small]
NAMES = [row[0] for row in TABLE]
TINY = {"input_shape": (32, 32, 3), "classes": 7, "width": 0.25}


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("name", "parameters", "macs", "source"), TABLE, ids=NAMES)
def test_parameters_and_macs(outline, costs, name, parameters, macs, source):
    assert costs(outline(name)) == (parameters, macs), source


@pytest.mark.parametrize(("width", "side", "parameters", "macs"), [
    (0.75, 224, 2.6, 325), (0.5, 224, 1.3, 149), (0.25, 224, 0.5, 41), (1, 192, 4.2, 418), (1, 128, 4.2, 186),
])  # fmt: skip
def test_alpha_and_rho_of_the_paper(outline, costs, width, side, parameters, macs):
    """Tables 6 and 7 of Howard et al. 2017, in millions, to their digits."""
    found = costs(outline("mobilenet", width=width, input_shape=(side, side, 3)))
    assert found[0] / 1e6 == pytest.approx(parameters, abs=0.051)
    assert found[1] / 1e6 == pytest.approx(macs, abs=0.6)


@pytest.mark.parametrize(("name", "parameters", "macs"), [
    ("mobilenet_v3_large", 3_993_528, 155), ("mobilenet_v3_small", 2_041_872, 43),
])  # fmt: skip
def test_v3_at_three_quarters(outline, costs, name, parameters, macs):
    """Released as well: keras.applications and timm (tf_mobilenetv3_*_075); the large one's MACs as published."""
    found = costs(outline(name, width=0.75))
    assert (found[0], round(found[1] / 1e6)) == (parameters, macs)


@pytest.mark.parametrize(("name", "parameters"), [("mobilenet_v2", 2_236_682), ("mobilenet", 3_217_226)])
def test_the_small_form_keeps_the_parameters_and_the_map(outline, costs, name, parameters):
    """As the canonical ones but for ten classes: strides have no weights."""
    small = outline(name, input_shape=(32, 32, 3), classes=10)
    assert costs(small)[0] == parameters
    assert small.get_layer("avg_pool").input.shape[1:3] == (4, 4)
    assert outline(name, input_shape=(64, 64, 3)).get_layer("avg_pool").input.shape[1:3] == (2, 2)


@pytest.fixture(scope="module", params=BUILDERS, ids=NAMES)
def model(request):
    keras.utils.set_random_seed(0)
    return request.param(**TINY, stem="imagenet")


def of(model, *kinds):
    return [layer for layer in model.layers if isinstance(layer, kinds)]


@pytest.mark.slow_after_first
@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "efficientnet_b0"])
def test_torch_s_form_has_the_same_weights_and_work(outline, costs, name):
    """Symmetric borders at every stride and nowhere else; by torchvision 0.29 and timm 1.0.31."""
    ours, released = outline(name, padding="symmetric", epsilon=1e-5), outline(name)
    assert costs(ours) == costs(released)
    assert {norm.epsilon for norm in of(ours, layers.BatchNormalization)} == {1e-5}
    for layer in of(ours, layers.Conv2D, layers.DepthwiseConv2D):
        pads = [pad for pad in of(ours, layers.ZeroPadding2D) if pad.output is layer.input]
        expected = [] if layer.strides == (1, 1) else [((layer.kernel_size[0] // 2,) * 2,) * 2]
        assert [pad.padding for pad in pads] == expected, layer.name
    assert not of(released, layers.ZeroPadding2D)


@pytest.mark.parametrize("side", [8, 7])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("padding", ["same", "symmetric"])
def test_where_a_stride_begins(padding, kernel, side):
    """Torch centres the first window on the first pixel; TensorFlow's "same" on the next, if the side is even."""
    release = mobile.Release(lambda: keras.initializers.Zeros(), 0.9, padding=padding, epsilon=1e-12)
    x, image = np.random.default_rng(0).normal(size=(1, side, side, 1)).astype("float32"), keras.Input((side, side, 1))
    first = 1 if padding == "same" and side % 2 == 0 else 0
    for name, made in {
        "full": mobile.conv(image, 1, kernel, 2, "linear", name="full", release=release),
        "deep": mobile.depthwise(image, kernel, 2, "linear", name="deep", release=release),
    }.items():
        part = keras.Model(image, made)
        centre = np.zeros((kernel, kernel, 1, 1))
        centre[kernel // 2, kernel // 2] = 1
        part.get_layer(f"{name}_conv").set_weights([centre])
        np.testing.assert_allclose(part(x), x[:, first::2, first::2], rtol=1e-5)


@pytest.mark.parametrize(("name", "momentum"), list(zip(NAMES, (0.99, 0.999, 0.999, 0.999), strict=True)))
def test_batch_normalization(outline, name, momentum):
    for options, expected in (({}, momentum), ({"input_shape": (32, 32, 3)}, 0.9)):
        norms = of(outline(name, **options), layers.BatchNormalization)
        assert {(norm.momentum, norm.epsilon) for norm in norms} == {(expected, 1e-3)}
    told = registry.resolve("architectures", name).__doc__
    assert f"the momentum {momentum} of" in " ".join(told.split()) or "as for `mobilenet_v3_large`" in told


@pytest.mark.parametrize(("name", "rate"), list(zip(NAMES, (0.001, 0.2, 0.2, 0.2), strict=True)))
def test_dropout_before_the_logits_alone(outline, name, rate):
    model = outline(name)
    assert [layer.rate for layer in of(model, layers.Dropout)] == [rate]
    assert model.layers[-2].name == "dropout"


@pytest.mark.slow
def test_kernels_start_as_the_release_s(model):
    for layer in of(model, layers.Conv2D, layers.DepthwiseConv2D, layers.Dense):
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        start = layer.depthwise_initializer if depthwise else layer.kernel_initializer
        assert (type(start).__name__, start.stddev) == ("TruncatedNormal", 0.09), layer.name
    kernels = [layer.get_weights()[0].ravel()[:9].tobytes() for layer in of(model, layers.Conv2D)]
    assert len(set(kernels)) == len(kernels), "no two layers start alike"


@pytest.mark.slow_after_first
def test_a_bias_only_where_no_batch_normalization_follows(model):
    biased = {layer.name for layer in of(model, layers.Conv2D, layers.DepthwiseConv2D) if layer.use_bias}
    assert biased == {layer.name for layer in of(model, layers.Conv2D) if "_squeeze_" in layer.name}


def test_linear_bottlenecks_and_where_shortcuts_are(outline):
    names = {layer.name for layer in outline("mobilenet_v2").layers}
    assert "block2_project_bn" in names and not any("project_relu6" in name for name in names)
    assert "block1_expand_conv" not in names and "block2_expand_conv" in names
    added = [int(name[5:-4]) for name in names if name.endswith("_add")]
    assert sorted(added) == [3, 5, 6, 8, 9, 10, 12, 13, 15, 16]  # the repeats of each stage, table 2


def test_v3_gates_a_quarter_of_the_expanded_channels(outline):
    large = outline("mobilenet_v3_large")
    gates = {layer.name: layer.filters for layer in of(large, layers.Conv2D) if layer.name.endswith("_reduce")}
    assert gates == {
        "block4_squeeze_reduce": 24, "block5_squeeze_reduce": 32, "block6_squeeze_reduce": 32,
        "block11_squeeze_reduce": 120, "block12_squeeze_reduce": 168, "block13_squeeze_reduce": 168,
        "block14_squeeze_reduce": 240, "block15_squeeze_reduce": 240,
    }  # fmt: skip
    assert large.get_layer("block4_squeeze_reduce").activation is keras.activations.relu
    assert large.get_layer("block4_squeeze_expand").activation is keras.activations.hard_sigmoid


def test_hard_swish_and_its_gate_by_hand():
    x = np.linspace(-5, 5, 41, dtype=np.float32)
    gate = np.clip(x + 3, 0, 6) / 6
    np.testing.assert_allclose(keras.activations.get("hard_sigmoid")(x), gate, atol=1e-6)
    np.testing.assert_allclose(keras.activations.get("hard_swish")(x), x * gate, atol=1e-6)


def test_activations(outline):
    used = {name: [layer.activation.__name__ for layer in of(outline(name), layers.Activation)] for name in NAMES}
    assert set(used["mobilenet"]) == set(used["mobilenet_v2"]) == {"relu6"}
    assert [used["mobilenet_v3_large"].count(word) for word in ("relu", "hard_silu")] == [11, 20]
    assert [used["mobilenet_v3_small"].count(word) for word in ("relu", "hard_silu")] == [5, 18]


@pytest.mark.parametrize(("channels", "expected"), [(3, 8), (11, 16), (12, 16), (19, 24), (20, 24), (35.2, 32)])
def test_channels_are_multiples_of_eight_that_lose_at_most_a_tenth(channels, expected):
    assert mobile.rounded(channels) == expected
    assert expected >= 0.9 * channels


@pytest.mark.slow
def test_the_last_layer_of_v2_and_v3_grows_and_does_not_shrink(outline):
    for name, layer in (("mobilenet_v2", "last_conv"), ("mobilenet_v3_large", "dense")):
        sizes = [outline(name, width=width).get_layer(layer).output.shape[-1] for width in (0.5, 1, 1.5)]
        assert sizes == [1280, 1280, 1920]


@pytest.mark.slow
def test_the_stem_for_imagenet_survives(model, assert_sound):
    assert_sound(model)


def test_what_they_refuse():
    for build, name in zip(BUILDERS, NAMES, strict=True):
        words = f"{name}: input_shape is (28, 28, 1); stem='imagenet' needs 32 pixels or more"
        with pytest.raises(ModelError, match=re.escape(words)):
            build(input_shape=(28, 28, 1), stem="imagenet")
        with pytest.raises(ModelError, match=f"{name}: stem is 'tiny'"):
            build(stem="tiny")


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "efficientnet_b3"])
def test_what_their_forms_refuse(name):
    build = registry.resolve("architectures", name)
    with pytest.raises(ModelError, match=f"^{name}: padding is 'symetric'; did you mean 'symmetric'\\?$"):
        build(padding="symetric")
    for epsilon in (0, -1e-3, float("nan"), "small", True):
        words = f"{name}: epsilon is {epsilon!r}; it must be a number > 0 (1e-3 is the release's)"
        with pytest.raises(ModelError, match=re.escape(words)):
            build(epsilon=epsilon)
