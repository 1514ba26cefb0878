"""GoogLeNet, also known as Inception v1 (Szegedy et al., CVPR 2015), as in its Caffe release."""

from typing import Literal

import keras
from keras import layers

from robust.core.errors import ModelError
from robust.core.types import Positive
from robust.models.architectures.blocks import (
    check,
    check_choice,
    chosen_stem,
    conv,
    hidden,
    local_response_normalization,
    logits,
    scaled,
    shape,
)
from robust.models.architectures.normalization import normalization

AUXILIARY_WEIGHT = 0.3
"""The weight of the loss of each auxiliary head, relative to that of the main one (section 5)."""

STAGES = (
    {"3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64)},
    {
        "4a": (192, 96, 208, 16, 48, 64),
        "4b": (160, 112, 224, 24, 64, 64),
        "4c": (128, 128, 256, 24, 64, 64),
        "4d": (112, 144, 288, 32, 64, 64),
        "4e": (256, 160, 320, 32, 128, 128),
    },
    {"5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128)},
)
"""Channels of 1x1, 3x3 reduction, 3x3, 5x5 reduction, 5x5, pool projection (table 1); a pool before 4a and 5a."""

AUXILIARY = {"4a": "aux1", "4d": "aux2"}  # module -> the head that is attached to it


def googlenet(
    *,
    input_shape=(224, 224, 3),
    classes=1000,
    stem: Literal["imagenet", "small"] | None = None,
    heads: Literal["main", "all"] = "main",
    width: Positive = 1.0,
) -> keras.Model:
    """GoogLeNet, Inception v1 (Szegedy, Liu, Jia et al., CVPR 2015): several kernel sizes side by side.

    An inception module sees its input through 1x1, 3x3 and 5x5 kernels and a pool, and 1x1 convolutions
    keep that affordable. With a global average instead of hidden layers it has a ninth of the weights of
    `alexnet`, whose size it reduced; the auxiliary heads were to fix the weak gradient far from the loss.

    image [N, H, W, C] in [0, 1], standardised per channel -> 7x7 convolution, pool, 1x1 and 3x3
    convolution, pool -> modules 3a, 3b at H/8 x W/8, pool, 4a to 4e, pool, 5a, 5b -> global average ->
    dropout of 0.4 -> logits [N, classes]. ReLU after every convolution, all with bias; local response
    normalisation after the first pool and before the second. 6,998,552 trainable parameters; 1.58 G
    multiply-accumulates; ImageNet top-5 error 10.07 % (one crop). What the paper leaves open is as in
    BVLC's release for Caffe: weights uniform with variance 1 / fan-in, biases 0.2, in the logits 0.

    Args:
        input_shape: height and width of at least 8 pixels (32 with stem="imagenet"), and the channels.
        classes: at least 2.
        stem: "imagenet", or "small", as usual for CIFAR: up to module 3a only a 3x3 convolution with 192
            maps and its normalisation, no pool; None takes "small" under 64 pixels.
        heads: "all" has the outputs [logits, aux1_logits, aux2_logits], the latter from 4a and 4d;
            train it on loss + 0.3 * (loss of aux1 + loss of aux2): 13,378,280 parameters. It needs 5x5
            places there, which are images of 65 pixels, or 9 with stem="small".
        width: factor on all numbers of channels and hidden units, > 0.

    Raises ModelError for arguments outside these.

    >>> googlenet(input_shape=(32, 32, 3), classes=10, width=0.1).output_shape
    (None, 10)
    """
    check("googlenet", input_shape, classes, width)
    check_choice("googlenet", "heads", heads, ("main", "all"))
    stem = chosen_stem("googlenet", stem, input_shape)
    image = keras.Input(input_shape, name="image")
    x, seen = _modules(STEMS[stem](normalization(image, per="channel"), width), width)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dropout(0.4, name="dropout")(x)
    outputs = [logits(x, classes, xavier())]
    if heads == "all":
        outputs += [auxiliary(seen[module], classes, width, name=name) for module, name in AUXILIARY.items()]
    return keras.Model(image, outputs if heads == "all" else outputs[0], name="googlenet")


def _modules(x: keras.KerasTensor, width: float) -> tuple[keras.KerasTensor, dict[str, keras.KerasTensor]]:
    """The nine modules, [N, H, W, 192] -> [N, H/4, W/4, 1024]; and the output of each by its name."""
    seen = {}
    for number, modules in enumerate(STAGES, start=3):
        if number > 3:
            x = pool(x, 2, name=f"pool{number - 1}")
        for name, channels in modules.items():
            x = seen[name] = inception(x, [scaled(c, width) for c in channels], name=f"inception_{name}")
    return x, seen


def inception(x: keras.KerasTensor, channels: list[int], *, name: str) -> keras.KerasTensor:
    """[N, H, W, C] -> [N, H, W, sum of the four branches], in the order of the release."""
    one, reduce3, three, reduce5, five, project = channels
    branches = [
        _conv(x, one, 1, name=f"{name}_1x1"),
        _conv(_conv(x, reduce3, 1, name=f"{name}_3x3_reduce"), three, 3, name=f"{name}_3x3"),
        _conv(_conv(x, reduce5, 1, name=f"{name}_5x5_reduce"), five, 5, name=f"{name}_5x5"),
        _conv(pool(x, 1, name=f"{name}_pool"), project, 1, name=f"{name}_pool_proj"),
    ]
    return layers.Concatenate(name=name)(branches)


def auxiliary(x: keras.KerasTensor, classes: int, width: float, *, name: str) -> keras.KerasTensor:
    """A head on the way, [N, 14, 14, C] -> [N, classes]: pool to 4x4, 1x1 convolution, 1024 units."""
    if min(shape(x)[:2]) < 5:
        raise ModelError(
            f"googlenet: heads='all' pools over 5x5 places, and of these images {name} gets {shape(x)[:2]}; "
            "it needs 65 pixels or more, or 9 with stem='small'"
        )
    x = layers.AveragePooling2D(5, 3, name=f"{name}_pool")(x)
    x = layers.Flatten(name=f"{name}_flatten")(_conv(x, scaled(128, width), 1, name=f"{name}_conv"))
    start = {"kernel_initializer": xavier(), "bias_initializer": _bias()}
    x = hidden(x, scaled(1024, width), dropout=0.7, name=f"{name}_fc", **start)
    return layers.Dense(classes, kernel_initializer=xavier(), dtype="float32", name=f"{name}_logits")(x)


def imagenet_stem(x: keras.KerasTensor, width: float) -> keras.KerasTensor:
    """[N, 224, 224, C] -> [N, 28, 28, 192]."""
    x = pool(_conv(x, scaled(64, width), 7, 2, name="conv1"), 2, name="pool1")
    x = _normalized(x, name="norm1")
    x = _conv(_conv(x, scaled(64, width), 1, name="conv2_reduce"), scaled(192, width), 3, name="conv2")
    return pool(_normalized(x, name="norm2"), 2, name="pool2")


def _small_stem(x: keras.KerasTensor, width: float) -> keras.KerasTensor:
    return _normalized(_conv(x, scaled(192, width), 3, name="conv1"), name="norm1")


def _conv(x: keras.KerasTensor, channels: int, kernel: int, stride: int = 1, *, name: str) -> keras.KerasTensor:
    x = conv(x, channels, kernel, stride, name=name, kernel_initializer=xavier(), bias_initializer=_bias())
    return layers.ReLU(name=f"{name}_relu")(x)


def pool(x: keras.KerasTensor, stride: int, *, name: str) -> keras.KerasTensor:
    """3x3; with stride 2 it pads only at the end, as Caffe does when it rounds sizes up."""
    return layers.MaxPooling2D(3, stride, "same", name=name)(x)


def _normalized(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    return local_response_normalization(x, bias=1.0, alpha=1e-4 / 5, name=name)  # Caffe divides alpha by n = 5


def xavier() -> keras.Initializer:
    """Uniform with variance 1 / fan-in: what Caffe calls Xavier."""
    return keras.initializers.VarianceScaling(1.0, mode="fan_in", distribution="uniform")


def _bias() -> keras.Initializer:
    return keras.initializers.Constant(0.2)


STEMS = {"imagenet": imagenet_stem, "small": _small_stem}
