"""VGG (Simonyan & Zisserman, ICLR 2015): depth by nothing but 3x3 convolutions."""

import functools
from collections.abc import Callable
from typing import Literal

import keras
from keras import layers

from robust.core.arguments import arguments_of
from robust.core.types import Positive
from robust.models.architectures.blocks import check, check_choice, chosen_stem, hidden, logits, scaled
from robust.models.architectures.initializers import initializer as initial
from robust.models.architectures.normalization import normalization


def vgg16(
    *,
    input_shape=(224, 224, 3),
    classes=1000,
    stem: Literal["imagenet", "small"] | None = None,
    norm: Literal["none", "batch"] = "none",
    initializer: Literal["glorot", "he", "normal"] = "glorot",
    width: Positive = 1.0,
) -> keras.Model:
    """VGG-16, configuration D (Simonyan & Zisserman, ICLR 2015): 3x3 convolutions, and many of them.

    Two in a row see 5x5 pixels and three see 7x7, with fewer weights and more nonlinearities than one
    large kernel. It ended the guessing of kernel sizes and strides, layer by layer, that `alexnet`
    needed; its cost is 102 million weights in the first fully connected layer alone.

    image [N, H, W, C] in [0, 1], standardised per channel -> 2 convolutions with 64 maps, 2 with 128,
    3 with 256, 3 with 512 and 3 with 512, a 2x2 max-pool after each group -> 4096 -> 4096 -> logits
    [N, classes]. ReLU everywhere, dropout of 0.5 after the two hidden layers. The paper's weights start
    from Glorot's distribution (it found that to do without its own pre-training), biases from 0.
    138,357,544 trainable parameters; 15.5 G multiply-accumulates at 224x224; ImageNet top-5 error 8.8 %
    (one scale of 256, dense).

    Args:
        input_shape: height and width of at least 8 pixels (32 with stem="imagenet"), and the channels.
        classes: at least 2.
        stem: "imagenet", or "small", the usual form for CIFAR: no hidden layers and no dropout, what
            the last pool leaves is averaged over its places (at 32x32 there is one), and pools keep an
            odd last row; None takes "small" under 64 pixels.
        norm: "batch" puts a BatchNorm (epsilon 1e-5, momentum 0.9) after each convolution, which keeps
            its bias: 138,365,992 parameters, or 14,728,266 with stem="small" and 10 classes.
        initializer: of all weights: "glorot"; "he"; or "normal", a standard deviation of .01, which lets
            the gradient vanish. The paper's 10^-2 is the variance: a standard deviation of .1.
        width: factor on all numbers of channels and hidden units, > 0.

    Raises ModelError for arguments outside these.

    >>> vgg16(input_shape=(32, 32, 3), classes=10, width=0.1).output_shape
    (None, 10)
    """
    return _vgg("vgg16", (2, 2, 3, 3, 3), input_shape, classes, stem, norm, initializer, width)


@arguments_of(vgg16)
def vgg11(**options) -> keras.Model:
    """VGG-11, configuration A (Simonyan & Zisserman, ICLR 2015): `vgg16` with 8 convolutions.

    Shallow enough to be trained from small Gaussian weights; the paper starts its deeper variants from
    it. 132,863,336 trainable parameters. Arguments and errors as for `vgg16`.

    >>> vgg11(input_shape=(32, 32, 3), width=0.1).name
    'vgg11'
    """
    return _vgg("vgg11", (1, 1, 2, 2, 2), **options)


@arguments_of(vgg16)
def vgg13(**options) -> keras.Model:
    """VGG-13, configuration B (Simonyan & Zisserman, ICLR 2015): `vgg16` with 10 convolutions.

    133,047,848 trainable parameters. Arguments and errors as for `vgg16`.

    >>> vgg13(input_shape=(32, 32, 3), width=0.1).name
    'vgg13'
    """
    return _vgg("vgg13", (2, 2, 2, 2, 2), **options)


@arguments_of(vgg16)
def vgg19(**options) -> keras.Model:
    """VGG-19, configuration E (Simonyan & Zisserman, ICLR 2015): `vgg16` with 16 convolutions.

    No better than `vgg16` (top-5 error 9.0 % at one scale of 256): here depth alone brings no more gain.
    143,667,240 trainable parameters, with norm="batch" 143,678,248. Arguments and errors as for `vgg16`.

    >>> vgg19(input_shape=(32, 32, 3), width=0.1).name
    'vgg19'
    """
    return _vgg("vgg19", (2, 2, 4, 4, 4), **options)


def _vgg(name: str, convolutions: tuple[int, ...], input_shape, classes, stem, norm, initializer, width) -> keras.Model:
    check(name, input_shape, classes, width)
    check_choice(name, "norm", norm, ("none", "batch"))
    stem = chosen_stem(name, stem, input_shape)
    image = keras.Input(input_shape, name="image")
    x = normalization(image, per="channel")
    for number, count in enumerate(convolutions, start=1):  # 224x224, 112x112, ..., 14x14
        for place in range(1, count + 1):
            channels, layer = scaled(min(32 * 2**number, 512), width), f"block{number}_conv{place}"
            x = _convolution(x, channels, norm, initial(name, initializer), name=layer)
        # The small form keeps an odd last row: 28x28 would otherwise be gone before the fifth pool.
        x = layers.MaxPooling2D(2, padding="same" if stem == "small" else "valid", name=f"block{number}_pool")(x)
    x = HEADS[stem](x, width, functools.partial(initial, name, initializer))
    return keras.Model(image, logits(x, classes, initial(name, initializer)), name=name)


def _convolution(
    x: keras.KerasTensor, channels: int, norm: str, start: keras.Initializer, *, name: str
) -> keras.KerasTensor:
    x = layers.Conv2D(channels, 3, padding="same", kernel_initializer=start, name=name)(x)
    if norm == "batch":
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _imagenet_head(x: keras.KerasTensor, width: float, drawn: Callable[[], keras.Initializer]) -> keras.KerasTensor:
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = hidden(x, scaled(4096, width), dropout=0.5, name=name, kernel_initializer=drawn())
    return x


def _small_head(x: keras.KerasTensor, width: float, drawn: Callable[[], keras.Initializer]) -> keras.KerasTensor:
    return layers.GlobalAveragePooling2D(name="avg_pool")(x)


HEADS = {"imagenet": _imagenet_head, "small": _small_head}
