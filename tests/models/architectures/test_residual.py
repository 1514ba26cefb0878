"""Small residual and plain networks: shortcuts, alignment, constants, structure."""

import keras
import numpy as np
import pytest

from robust.core.errors import ModelError
from robust.models.architectures import blocks, plain20, plain56, residual, resnet20, resnet56


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return resnet20(shortcut="B")


def pictures(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize("side", [8, 7])
def test_option_a_subsamples_and_pads_with_zeros(side):
    x = pictures(2, side, side, 5)
    image = keras.Input(x.shape[1:])
    got = keras.Model(image, residual.identity(image, 9, 2, name="skip"))(x)
    by_hand = np.concatenate([x[:, ::2, ::2], np.zeros((2, (side + 1) // 2, (side + 1) // 2, 4))], axis=-1)
    np.testing.assert_array_equal(got, by_hand)


def test_option_a_leaves_alone_what_fits():
    image = keras.Input((8, 8, 5))
    assert residual.identity(image, 5, 1, name="skip") is image


def test_option_b_projects_only_where_the_shape_changes(model):
    projections = [layer.name for layer in layers_of(model, keras.layers.Conv2D) if "_0_" in layer.name]
    assert projections == ["conv3_block1_0_conv", "conv4_block1_0_conv"]
    for name in projections:
        layer = model.get_layer(name)
        assert (layer.kernel_size, layer.strides, layer.padding) == ((1, 1), (2, 2), "valid")


@pytest.mark.parametrize("side", [8, 7])
@pytest.mark.parametrize("kernel", [1, 3])
def test_a_strided_convolution_is_centred_on_the_pixels_the_shortcut_keeps(side, kernel):
    image = keras.Input((side, side, 1))
    part = keras.Model(image, blocks.conv_bn(image, 1, kernel, 2, name="c"))
    centre = np.zeros((kernel, kernel, 1, 1))
    centre[kernel // 2, kernel // 2] = 1
    part.get_layer("c_conv").set_weights([centre])
    x = pictures(1, side, side, 1)
    np.testing.assert_allclose(part(x), x[:, ::2, ::2] / np.sqrt(1 + 1e-5), rtol=1e-5)


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_a_block_that_learned_nothing_hands_its_input_on(shortcut):
    model = resnet20(shortcut=shortcut, width=0.25)
    second = model.get_layer("conv2_block2_2_bn")
    second.set_weights([np.zeros_like(second.get_weights()[0]), *second.get_weights()[1:]])
    part = keras.Model(model.get_layer("conv2_block1_out").output, model.get_layer("conv2_block2_out").output)
    x = np.abs(pictures(2, 32, 32, 4))
    np.testing.assert_array_equal(part(x), x)


def test_the_sum_is_of_shortcut_and_branch(model):
    """ReLU after the sum (v1), not before."""
    start, end = "conv2_block1_out", "conv2_block2_out"
    x = pictures(2, 32, 32, 16)
    at = lambda name: keras.Model(model.get_layer(start).output, model.get_layer(name).output)(x).numpy()  # noqa: E731
    np.testing.assert_allclose(at(end), np.maximum(x + at("conv2_block2_2_bn"), 0), atol=1e-6)


def test_a_plain_network_has_no_shortcut():
    assert not layers_of(plain20(width=0.25), keras.layers.Add)
    assert len(layers_of(resnet20(width=0.25), keras.layers.Add)) == 9
    assert "shortcut" not in plain20.__kwdefaults__


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("build", "depth"), [(resnet20, 20), (plain20, 20), (resnet56, 56), (plain56, 56)])
def test_depth_by_the_paper_s_counting(build, depth):
    model = build(width=0.1)
    weighted = [*layers_of(model, keras.layers.Conv2D), *layers_of(model, keras.layers.Dense)]
    assert len(weighted) == depth
    assert model.name == f"{build.__name__}"


def test_stages_halve_the_image_and_double_the_channels(model):
    shapes = [model.get_layer(f"conv{stage}_block3_out").output.shape[1:] for stage in (2, 3, 4)]
    assert shapes == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]
    odd = resnet20(input_shape=(29, 28, 1))
    assert odd.get_layer("conv4_block3_out").output.shape[1:] == (8, 7, 64)


def test_batch_normalization_has_the_constants_of_the_release(model):
    norms = layers_of(model, keras.layers.BatchNormalization)
    assert len(norms) == 21  # 19 convolutions and two projections
    assert {(n.momentum, n.epsilon, n.center, n.scale) for n in norms} == {(0.9, 1e-5, True, True)}


def test_convolutions_start_as_he_s_and_have_no_bias(model):
    for layer in layers_of(model, keras.layers.Conv2D):
        initializer = layer.kernel_initializer
        found = (initializer.scale, initializer.mode, initializer.distribution, layer.use_bias)
        assert found == (2.0, "fan_in", "untruncated_normal", False), layer.name
    kernel = model.get_layer("conv4_block3_2_conv").get_weights()[0]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)
    assert np.abs(kernel).max() > 2.5 * kernel.std(), "not truncated at two standard deviations"


def test_the_output_layer_starts_as_he_s_with_bias_zero(model):
    kernel, bias = model.get_layer("logits").get_weights()
    assert kernel.std() == pytest.approx(np.sqrt(2 / 64), rel=0.1)
    assert not bias.any()


def test_no_two_layers_start_alike(model):
    kernels = [layer.get_weights()[0].ravel() for layer in layers_of(model, keras.layers.Conv2D)]
    assert len({kernel[:9].tobytes() for kernel in kernels}) == len(kernels)


def test_a_shortcut_that_does_not_exist():
    for shortcut in ("C", None):
        with pytest.raises(ModelError) as caught:
            resnet20(shortcut=shortcut)
        assert str(caught.value) == f"resnet20: shortcut is {shortcut!r}; allowed: A, B"
