"""What every export of `robust.models.architectures` promises, at a small width."""

import inspect
import math
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from robust.core import registry
from robust.core.errors import ModelError
from robust.models.architectures.normalization import set_normalization

NAMES = registry.names("architectures")
DEEP = (  # members that only repeat, deeper, what another of their family does
    *("44", "56", "110", "101", "152", "densenet161", "densenet169", "densenet201", "densenet264", "bc190", "_l2"),
    *("_b1", "_b2", "_b3", "_b4", "_b5", "_b6", "_b7", "lite1", "lite2", "plain34", "resnet34", "vgg13", "vgg19"),
)
LARGE = (  # more than 30 million parameters
    *("alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "resnet101", "resnet152", "densenet264"),
    *("efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "efficientnet_l2"),
)
FORMS = [
    ("lenet5", {"form": "1998", "width": 1}),
    ("resnet20", {"shortcut": "B"}),
    ("mobilenet_v2", {"padding": "symmetric"}),
]
BUILT = [
    pytest.param(name, options, id="-".join([name, *map(str, options.values())]), marks=[pytest.mark.slow] * slow)
    for name, options in [*((name, {}) for name in NAMES), *FORMS]
    for slow in [name.endswith(DEEP)]
]
built = pytest.mark.parametrize(("name", "options"), BUILT, scope="module")
canonical = pytest.mark.parametrize("name", [name for name in NAMES if name not in LARGE])
# Keras saves variables by np.array(variable), which NumPy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def build(name, **options):
    function = registry.resolve("architectures", name)
    if "width" in inspect.signature(function).parameters:
        options = {"width": 0.25, **options}
    return function(input_shape=(16, 16, 3), classes=7, **options)


def pictures(count=8, shape=(16, 16, 3)):
    return np.random.default_rng(0).random((count, *shape), np.float32)


@pytest.fixture(scope="module")
def model(name, options):
    keras.utils.set_random_seed(0)
    return build(name, **options)


@pytest.mark.parametrize("name", NAMES)
def test_its_signature_and_its_words(name):
    function = registry.resolve("architectures", name)
    parameters = inspect.signature(function).parameters
    assert list(parameters)[:2] == ["input_shape", "classes"]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters.values())
    assert re.search(r"\(.+ (19|20)\d\d\)", registry.summary("architectures", name)), "paper and year"


@pytest.mark.slow_after_first
@built
def test_it_ends_in_linear_float32_logits(model):
    head = model.layers[-1]
    assert (head.name, head.activation, head.dtype_policy.name) == (
        "logits",
        keras.activations.linear,
        "float32",
    )
    logits = model(pictures()).numpy()
    assert logits.shape == (8, 7) and logits.dtype == np.float32 and np.isfinite(logits).all()


@pytest.mark.slow_after_first
@built
def test_its_names_are_its_own(model, name, options):
    """Names that Keras makes up count upwards from one model to the next."""
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)
    assert names == [layer.name for layer in build(name, **options).layers]
    assert names[0] == "image"


@pytest.mark.slow_after_first
@built
def test_every_weight_gets_a_gradient(model, gradients):
    assert [path for path, gradient in gradients(model) if not gradient.any()] == []


@pytest.mark.slow_after_first
@built
def test_it_survives_save_and_load_with_its_statistics(model, tmp_path):
    set_normalization(model, pictures(20))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True, compile=False)
    np.testing.assert_array_equal(again(pictures()), model(pictures()))


@pytest.mark.parametrize(("name", "options"), BUILT[: len(NAMES)], scope="module")
def test_it_holds_its_normalization(model):
    assert model.get_layer("normalization").compute_dtype == "float32"


@pytest.mark.slow_after_first
@built
@pytest.mark.usefixtures("mixed_bfloat16")
def test_it_is_finite_under_mixed_precision(name, options):
    logits = build(name, **options)(pictures())
    assert logits.dtype == "float32" and np.isfinite(logits).all()


@pytest.mark.slow
@canonical
def test_the_canonical_network(name, assert_sound):
    """At its own size."""
    keras.utils.set_random_seed(0)
    model = registry.resolve("architectures", name)()
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) < 30e6
    images = pictures(4, model.input_shape[1:])
    assert np.isfinite(model(images)).all()
    assert_sound(model, 4)


@pytest.mark.slow
@canonical
@pytest.mark.usefixtures("mixed_bfloat16")
def test_the_canonical_network_is_finite_under_mixed_precision(name):
    model = registry.resolve("architectures", name)()
    assert np.isfinite(model(pictures(4, model.input_shape[1:]))).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": 1}, "classes is 1; it must be a whole number >= 2"),
        ({"classes": 2.5}, "classes is 2.5; it must be a whole number >= 2"),
        (
            {"input_shape": (28, 28)},
            "input_shape is (28, 28); it must be (height, width, channels), each >= 1",
        ),
        (
            {"input_shape": (28, None, 1)},
            "input_shape is (28, None, 1); it must be (height, width, channels)",
        ),
        ({"input_shape": (28, 28, 0)}, "input_shape is (28, 28, 0); it must be (height, width, channels)"),
        ({"input_shape": (28, 4, 1)}, "input_shape is (28, 4, 1); height and width must be 8"),
        ({"width": 0}, "width is 0; it must be a number > 0 (1 is the paper's network)"),
        ({"width": float("nan")}, "width is nan; it must be a number > 0"),
        ({"width": "half"}, "width is 'half'; it must be a number > 0"),
    ],
)
def test_what_it_says_of_bad_arguments(name, options, words):
    with pytest.raises(ModelError, match="^" + re.escape(f"{name}: {words}")):
        registry.resolve("architectures", name)(**options)


def test_the_contents_page_imports_no_tensorflow():
    code = "import sys, robust.models.architectures; sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
