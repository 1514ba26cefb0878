"""Densely connected networks (Huang, Liu, van der Maaten & Weinberger, CVPR 2017)."""

from dataclasses import dataclass
from typing import Literal

import keras
from keras import layers

from robust.core.arguments import arguments_of
from robust.core.errors import ModelError
from robust.core.types import Positive, Proportion
from robust.models.architectures.blocks import check, chosen_stem, conv, he_normal, imagenet_stem, logits, scaled, shape
from robust.models.architectures.normalization import normalization


@dataclass(frozen=True)
class Design:
    """Layers of each dense block, and how many channels each layer adds."""

    blocks: tuple[int, ...]
    growth: int
    first: int  # channels of the first convolution
    bottleneck: bool = True  # a 1x1 convolution to 4 x growth before each 3x3: the "B"
    kept: float = 0.5  # share of the channels that a transition keeps; below 1 the "C"


DESIGNS = {
    "densenet121": Design((6, 12, 24, 16), 32, 64),
    "densenet169": Design((6, 12, 32, 32), 32, 64),
    "densenet201": Design((6, 12, 48, 32), 32, 64),
    "densenet264": Design((6, 12, 64, 48), 32, 64),
    "densenet161": Design((6, 12, 36, 24), 48, 96),
    "densenet40": Design((12, 12, 12), 12, 16, bottleneck=False, kept=1.0),
    "densenet_bc100": Design((16, 16, 16), 12, 24),
    "densenet_bc190": Design((31, 31, 31), 40, 80),
}  # the paper's table 1, its section 3 ("Implementation details"), and the release for 161


def densenet121(
    *, input_shape=(224, 224, 3), classes=1000, stem: Literal["imagenet", "small"] | None = None, width: Positive = 1.0
) -> keras.Model:
    """DenseNet-121 (Huang et al., CVPR 2017): every layer sees the maps of all layers before it.

    Concatenation instead of addition: features are used again rather than learned again, and each
    layer is a few steps from the loss. It solved the waste of parameters in residual networks (8 M
    are as good as ResNet-50's 25 M) and, like them, gradients that fade with depth; the cost is
    memory, since all maps of a block stay alive.

    image [N, H, W, C] in [0, 1] -> 7x7/2 convolution, 3x3/2 max pool -> dense blocks of 6, 12, 24
    and 16 layers (BatchNorm, ReLU, 1x1 to 128, BatchNorm, ReLU, 3x3 to 32 new channels), between
    them transitions that halve channels and sides -> global average -> logits [N, classes].
    7,978,856 trainable parameters; ImageNet top-5 error 7.71 % (one crop). Standardised inputs.

    Args:
        input_shape: height and width, and the channels; at least 32 pixels for the stem "imagenet",
            at least 8 for "small".
        classes: at least 2.
        stem: "small" starts with a 3x3 convolution and without pool; None: "small" under 64 pixels.
        width: factor on the growth and on the first convolution, > 0.

    Raises ModelError for arguments outside these.

    >>> densenet121(input_shape=(32, 32, 3), classes=10, width=0.25).output_shape
    (None, 10)
    """
    return _large("densenet121", input_shape, classes, stem, width)


@arguments_of(densenet121)
def densenet169(**options) -> keras.Model:
    """DenseNet-169 (Huang et al., CVPR 2017): `densenet121` with blocks of 6, 12, 32 and 32 layers.

    14,149,480 trainable parameters; ImageNet top-5 error 6.85 %. Arguments and errors as for
    `densenet121`.

    >>> sum(DESIGNS["densenet169"].blocks) * 2 + 5
    169
    """
    return _large("densenet169", **options)


@arguments_of(densenet121)
def densenet201(**options) -> keras.Model:
    """DenseNet-201 (Huang et al., CVPR 2017): `densenet121` with blocks of 6, 12, 48 and 32 layers.

    20,013,928 trainable parameters; ImageNet top-5 error 6.34 %. Arguments and errors as for
    `densenet121`.

    >>> sum(DESIGNS["densenet201"].blocks) * 2 + 5
    201
    """
    return _large("densenet201", **options)


@arguments_of(densenet121)
def densenet264(**options) -> keras.Model:
    """DenseNet-264 (Huang et al., CVPR 2017): `densenet121` with blocks of 6, 12, 64 and 48 layers.

    33,337,704 trainable parameters; ImageNet top-5 error 6.12 %. Arguments and errors as for
    `densenet121`.

    >>> sum(DESIGNS["densenet264"].blocks) * 2 + 4  # the paper's name counts one layer less
    264
    """
    return _large("densenet264", **options)


@arguments_of(densenet121)
def densenet161(**options) -> keras.Model:
    """DenseNet-161 (Huang et al., arXiv 2016): blocks of 6, 12, 36 and 24 layers that add 48 channels.

    28,681,000 trainable parameters; ImageNet top-5 error 6.15 %. Arguments and errors as for
    `densenet121`.

    >>> sum(DESIGNS["densenet161"].blocks) * 2 + 5
    161
    """
    return _large("densenet161", **options)


def densenet40(*, input_shape=(32, 32, 3), classes=10, dropout: Proportion = 0.0, width: Positive = 1.0) -> keras.Model:
    """DenseNet of 40 layers, growth 12 (Huang et al., CVPR 2017), for small images, in its basic form.

    3x3 convolution to 16 channels, three dense blocks of 12 layers (BatchNorm, ReLU, 3x3 to 12 new
    channels) at H x W, H/2 x W/2 and H/4 x W/4, transitions that keep all channels, global average.
    1,019,722 trainable parameters; CIFAR-10 test error 5.24 %, without augmentation 7.00 %.

    Args:
        input_shape: height and width of at least 8 pixels, and the channels.
        classes: at least 2.
        dropout: rate after each convolution but the first, in [0, 1); the paper's is 0.2 for training
            without augmentation, and none with it.
        width: factor on the growth and on the first convolution, > 0.

    Raises ModelError for arguments outside these.

    >>> densenet40(width=0.25).name
    'densenet40'
    """
    return _small("densenet40", input_shape, classes, dropout, width)


@arguments_of(densenet40)
def densenet_bc100(**options) -> keras.Model:
    """DenseNet-BC of 100 layers, growth 12 (Huang et al., CVPR 2017), for small images.

    Bottlenecks before the 3x3 convolutions, and transitions that halve the channels: three quarters
    of the parameters of `densenet40` at 2.5 times its depth. 769,162 trainable parameters; CIFAR-10
    test error 4.51 %. Arguments and errors as for `densenet40`.

    >>> sum(DESIGNS["densenet_bc100"].blocks) * 2 + 4
    100
    """
    return _small("densenet_bc100", **options)


@arguments_of(densenet40)
def densenet_bc190(**options) -> keras.Model:
    """DenseNet-BC of 190 layers, growth 40 (Huang et al., CVPR 2017), the paper's best on CIFAR.

    25,624,430 trainable parameters; CIFAR-10 test error 3.46 %. Arguments and errors as for
    `densenet40`.

    >>> sum(DESIGNS["densenet_bc190"].blocks) * 2 + 4
    190
    """
    return _small("densenet_bc190", **options)


def _large(name: str, input_shape, classes: int, stem: str | None, width: float) -> keras.Model:
    check(name, input_shape, classes, width)
    start = STEMS[chosen_stem(name, stem, input_shape)]
    image = keras.Input(input_shape, name="image")
    x = start(normalization(image, per="channel"), scaled(DESIGNS[name].first, width))
    return keras.Model(image, _body(x, DESIGNS[name], classes, width), name=name)


def _small(name: str, input_shape, classes: int, dropout: float, width: float) -> keras.Model:
    check(name, input_shape, classes, width)
    if not 0 <= dropout < 1:
        raise ModelError(f"{name}: dropout is {dropout!r}; it must be a number in [0, 1)")
    image = keras.Input(input_shape, name="image")
    x = _small_stem(normalization(image, per="channel"), scaled(DESIGNS[name].first, width))
    return keras.Model(image, _body(x, DESIGNS[name], classes, width, dropout), name=name)


def _small_stem(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    return conv(x, channels, name="conv1", use_bias=False)


STEMS = {"imagenet": imagenet_stem, "small": _small_stem}


def _body(x: keras.KerasTensor, design: Design, classes: int, width: float, dropout: float = 0.0) -> keras.KerasTensor:
    growth = scaled(design.growth, width)
    for number, depth in enumerate(design.blocks, start=2):
        if number > 2:
            x = _transition(x, design.kept, dropout, name=f"pool{number - 1}")
        for place in range(1, depth + 1):
            new = _layer(x, growth, design.bottleneck, dropout, name=f"conv{number}_block{place}")
            x = layers.Concatenate(name=f"conv{number}_block{place}_concat")([x, new])
    x = layers.GlobalAveragePooling2D(name="avg_pool")(_bn_relu(x, "final"))
    return logits(x, classes, he_normal())


def _layer(x: keras.KerasTensor, growth: int, bottleneck: bool, dropout: float, *, name: str) -> keras.KerasTensor:
    kernels = {f"{name}_1": (4 * growth, 1), f"{name}_2": (growth, 3)} if bottleneck else {f"{name}_1": (growth, 3)}
    for part, (channels, kernel) in kernels.items():
        x = _dropped(conv(_bn_relu(x, part), channels, kernel, name=part, use_bias=False), dropout, part)
    return x


def _transition(x: keras.KerasTensor, kept: float, dropout: float, *, name: str) -> keras.KerasTensor:
    x = conv(_bn_relu(x, name), max(1, int(shape(x)[-1] * kept)), 1, name=name, use_bias=False)
    return layers.AveragePooling2D(2, name=name)(_dropped(x, dropout, name))


def _bn_relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _dropped(x: keras.KerasTensor, rate: float, name: str) -> keras.KerasTensor:
    return layers.Dropout(rate, name=f"{name}_dropout")(x) if rate else x
