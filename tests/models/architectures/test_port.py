"""`port`: our networks compute what `keras.applications` does, and nothing else passes."""

import keras
import pytest
from keras import applications

from robust.core import registry
from robust.core.errors import ModelError
from robust.models.architectures import mobilenet, mobilenet_v2
from robust.models.architectures.port import port
from robust.models.classifier import main_logits

PAIRS = {
    "vgg16": applications.VGG16,
    "vgg19": applications.VGG19,
    "resnet50": applications.ResNet50,
    "resnet101": applications.ResNet101,
    "resnet152": applications.ResNet152,
    "densenet121": applications.DenseNet121,
    "densenet169": applications.DenseNet169,
    "densenet201": applications.DenseNet201,
    "mobilenet": applications.MobileNet,
    "mobilenet_v2": applications.MobileNetV2,
    "mobilenet_v3_large": applications.MobileNetV3Large,
    "mobilenet_v3_small": applications.MobileNetV3Small,
    **{f"efficientnet_b{number}": getattr(applications, f"EfficientNetB{number}") for number in range(8)},
}
QUICK = {"vgg16", "resnet50", "mobilenet_v2"}
BYTES = ("efficientnet", "mobilenet_v3")  # Keras' own take images in [0, 255]
FULL = [name for name in PAIRS if not name.startswith("efficientnet") or name.endswith("b0")]  # 224x224 pixels


@pytest.fixture(scope="module")
def source(randomized):
    """Keras' network, ending in logits, with random weights."""

    def build(name, side=64, classes=100, **options):
        shape = {"input_shape": (side, side, 3), "classes": classes}
        return randomized(PAIRS[name](weights=None, classifier_activation=None, **shape, **options))

    return build


def target(name, side=64, classes=100, **options):
    shape = {"input_shape": (side, side, 3), "classes": classes}
    return registry.resolve("architectures", name)(**shape, stem="imagenet", **options)


def ported(theirs, ours):
    port(theirs, ours)
    return ours


def scale(name):
    return 255 if name.startswith(BYTES) else 1


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in PAIRS])
def test_it_is_the_same_function_as_keras(source, apart, name):
    theirs = source(name)
    assert apart(ported(theirs, target(name)), theirs, scale(name)) <= 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL)
def test_it_is_the_same_function_at_full_size(source, apart, name):
    theirs = source(name, 224, 1000)
    assert apart(ported(theirs, target(name, 224, 1000)), theirs, scale(name)) <= 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "width"),
    [("mobilenet", 0.25), ("mobilenet_v2", 0.35), ("mobilenet_v3_large", 0.75), ("mobilenet_v3_small", 0.75)],
)
def test_our_width_is_their_alpha(source, apart, name, width):
    theirs = source(name, 32, alpha=width)
    assert apart(ported(theirs, target(name, 32, width=width)), theirs, scale(name)) <= 1e-3


@pytest.mark.slow
def test_it_is_the_same_function_on_odd_and_oblong_images(randomized, apart):
    head = {"weights": None, "classifier_activation": None, "classes": 10, "alpha": 0.35}
    theirs = randomized(applications.MobileNetV2(input_shape=(65, 50, 3), **head))
    ours = mobilenet_v2(input_shape=(65, 50, 3), classes=10, stem="imagenet", width=0.35)
    assert apart(ported(theirs, ours), theirs) <= 1e-3


@pytest.mark.slow
def test_the_comparison_tells_borders_and_epsilon(source, apart):
    """Controls: port would refuse these, and the logits would show them."""
    theirs = source("mobilenet_v2", alpha=0.35)
    ours = ported(theirs, target("mobilenet_v2", width=0.35))
    for options in ({"padding": "symmetric"}, {"epsilon": 1e-5}):
        other = target("mobilenet_v2", width=0.35, **options)
        other.set_weights(ours.get_weights())
        assert apart(other, theirs) > 2e-3, options


@pytest.mark.slow
def test_the_comparison_tells_the_strides_of_v1_5(source, apart):
    theirs = source("resnet50")
    ours, other = ported(theirs, target("resnet50")), target("resnet50", form="v1.5")
    other.set_weights(ours.get_weights())
    assert apart(other, theirs) > 0.01


@pytest.mark.slow
def test_a_softmax_is_left_aside(randomized, apart):
    theirs = randomized(applications.MobileNet(weights=None, input_shape=(32, 32, 3), classes=7, alpha=0.25))
    ours = ported(theirs, mobilenet(input_shape=(32, 32, 3), classes=7, stem="imagenet", width=0.25))
    assert apart(ours, main_logits.linear(theirs)) <= 1e-3 < apart(ours, theirs)


MOBILE = {"input_shape": (32, 32, 3), "classes": 7, "stem": "imagenet", "width": 0.35}


@pytest.fixture(scope="module")
def thin():
    return applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), classes=7, alpha=0.35, name="theirs")


@pytest.mark.slow
@pytest.mark.parametrize(("options", "words"), [
    ({"padding": "symmetric"}, "the source's Conv1 has padding ((0, 1), (0, 1)) ... "
     "the target's conv1_conv has ((1, 0), (1, 0)) ... mobilenet_v2(padding=...)"),
    ({"epsilon": 1e-5}, "the source's bn_Conv1 has epsilon 0.001 ... "
     "the target's conv1_bn has 1e-05 ... mobilenet_v2(epsilon=...)"),
    ({"width": 1}, "the source's Conv1 has kernel (3, 3, 3, 16) ... the target's conv1_conv has (3, 3, 3, 32)"),
    ({"classes": 8}, "the source's predictions has kernel (1, 1, 1280, 7) ... the target's logits has (1, 1, 1280, 8)"),
    ({"input_shape": (32, 32, 1)}, " has shape (32, 32, 3) ... the target's image has (32, 32, 1)"),
])  # fmt: skip
def test_what_it_says_of_another_form(thin, refused, options, words):
    message = refused(thin, mobilenet_v2(**{**MOBILE, **options}))
    assert all(part in message for part in words.split(" ... "))


@pytest.mark.slow
def test_what_it_says_of_another_activation(thin, refused):
    def alter(layer):
        config = layer.get_config() | ({"activation": "relu"} if layer.name == "conv1_relu6" else {})
        return type(layer).from_config(config)

    other = keras.models.clone_model(mobilenet_v2(**MOBILE), clone_function=alter)
    words = "the source's Conv1_relu has activation relu6, the target's conv1_relu6 has relu"
    assert refused(thin, other) == f"port: source 'theirs' and target 'mobilenet_v2' are different functions: {words}"


HEAD = {"weights": None, "classifier_activation": None}
SIXTY_FOUR = {"input_shape": (64, 64, 3), "classes": 7}


def said(theirs, ours):
    """As `refused`, of networks without weights."""
    with pytest.raises(ModelError) as caught:
        port(theirs, ours)
    return str(caught.value)


def test_what_it_says_of_v1_5(outline):
    theirs = outline(applications.ResNet50, **HEAD, **SIXTY_FOUR)
    message = said(theirs, outline("resnet50", **SIXTY_FOUR, form="v1.5"))
    parts = (
        "port: source 'resnet50' and target 'resnet50' ",
        "the source's conv3_block1_1_conv has strides (2, 2)",
        "the target's conv3_block1_1_conv has (1, 1)",
        "resnet50(form=...)",
    )
    assert all(part in message for part in parts)


def test_what_it_says_of_another_depth(outline):
    words = said(outline(applications.ResNet50, **HEAD, **SIXTY_FOUR), outline("resnet101", **SIXTY_FOUR))
    assert words.endswith("is a pooling where the target's conv4_block10_out is an activation")


def test_what_it_says_of_a_bias(outline):
    theirs, ours = outline(applications.VGG16, **HEAD, **SIXTY_FOUR), outline("vgg16", **SIXTY_FOUR, norm="batch")
    parts = ("the source's block5_conv3 is a bias", "the target's block5_conv3_bn is a BatchNorm")
    message = said(theirs, ours)
    assert all(part in message for part in parts)


def test_keras_mobilenet_pads_odd_images_otherwise(refused):
    """It always pads below and to the right; TensorFlow's "same" pads odd sides all around."""
    theirs = applications.MobileNet(weights=None, input_shape=(65, 65, 3), classes=7, alpha=0.25)
    ours = mobilenet(input_shape=(65, 65, 3), classes=7, stem="imagenet", width=0.25)
    words = "conv_dw_2 has padding ((0, 0), (0, 0)), the target's block2_depthwise_conv has ((1, 1), (1, 1))"
    assert words in refused(theirs, ours)
