import keras
import numpy as np
import pytest

from robust.core.errors import ModelError
from robust.models.architectures import mlp, plain20, resnet20, vgg11
from robust.models.architectures.initializers import initializer


def kernels(model):
    return [w.numpy() for w in model.trainable_weights if w.path.endswith("kernel")]


@pytest.mark.parametrize(("norm", "more"), [("none", 0), ("batch", 3 * 4 * 128)])
def test_parameters_by_hand(norm, more):
    """Three hidden layers: 784 * 128, twice 128 * 128, 128 * 10, biases, and mean, variance and count of the images."""
    assert mlp(depth=3, norm=norm).count_params() == 784 * 128 + 2 * 128**2 + 1280 + 3 * 128 + 10 + 3 + more


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_it_is_what_numpy_makes_of_its_weights(activation):
    model = mlp(depth=3, activation=activation, width=0.25)
    of = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}[activation]
    images = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)
    x, weights = images.reshape(4, -1), [w.numpy() for w in model.trainable_weights]
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = of(x @ kernel + bias)
    np.testing.assert_allclose(model(images), x @ weights[-2] + weights[-1], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "variance"), [("glorot", 2 / (784 + 400)), ("he", 2 / 784), ("normal", 1e-4)], ids=lambda v: str(v)
)
@pytest.mark.parametrize("scale", [1, 3])
def test_the_spread_of_the_first_weights(name, variance, scale):
    drawn = np.asarray(initializer("mlp", name, scale)((784, 400)))
    assert drawn.std() == pytest.approx(scale * variance**0.5, rel=0.01)
    assert drawn.mean() == pytest.approx(0, abs=scale * variance**0.5 / 100)


@pytest.mark.slow
@pytest.mark.parametrize(("build", "own"), [(plain20, "he"), (resnet20, "he"), (vgg11, "glorot"), (mlp, "he")])
def test_the_initialiser_reaches_every_layer_and_defaults_to_the_paper_s(build, own):
    def drawn(**options):
        keras.utils.set_random_seed(0)
        return kernels(build(input_shape=(32, 32, 3), classes=10, **options))

    usual, other = drawn(), drawn(initializer="glorot" if own == "he" else "he")
    for a, b, c in zip(usual, drawn(initializer=own), other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.allclose(a, c)


@pytest.mark.parametrize(("build", "options"), [(plain20, {}), (resnet20, {}), (resnet20, {"shortcut": "B"})])
def test_without_batchnorm_the_convolutions_have_biases(build, options):
    model = build(norm="none", **options)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)
    assert all(layer.use_bias for layer in model.layers if isinstance(layer, keras.layers.Conv2D))


@pytest.mark.parametrize(
    ("build", "options", "words"),
    [
        (mlp, {"activation": "relo"}, "mlp: activation is 'relo'; did you mean 'relu'"),
        (mlp, {"initializer": "xavier"}, "mlp: initializer is 'xavier'"),
        (mlp, {"norm": "bacth"}, "mlp: norm is 'bacth'; did you mean 'batch'"),
        (plain20, {"norm": "layer"}, "plain20: norm is 'layer'"),
        (resnet20, {"initializer": "glorott"}, "resnet20: initializer is 'glorott'; did you mean 'glorot'"),
        (vgg11, {"initializer": "hee", "input_shape": (32, 32, 3)}, "vgg11: initializer is 'hee'; did you mean 'he'"),
    ],
)
def test_what_it_says_of_unknown_words(build, options, words):
    with pytest.raises(ModelError) as caught:
        build(**options)
    assert str(caught.value).startswith(words)
