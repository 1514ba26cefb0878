"""keras.applications' ImageNet weights in our networks; Keras downloads them, `port` proves that they fit."""

import inspect
import os
import re
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from robust.core import registry
from robust.core.errors import ModelError
from robust.models.architectures.normalization import set_statistics
from robust.models.architectures.port import port
from robust.suite.preprocessing import MODES


class Release(NamedTuple):
    """A function of keras.applications, and what its `preprocess_input` subtracts and divides by, in [0, 1].

    mean: red, green, blue; None where the network's own layers do that, which `port` takes over.
    reversed: does its first convolution take blue, green, red?
    """

    function: str
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] = (1.0,) * 3
    reversed: bool = False


def release(function: str, mode: str) -> Release:
    """A function of keras.applications whose `preprocess_input` has this mode, see `robust.suite.preprocessing.MODES`.

    >>> release("MobileNet", "tf").mean, release("VGG16", "caffe").reversed
    ((0.5, 0.5, 0.5), True)
    """
    low, high, mean, std, order, _ = MODES[mode]
    means, stds = (tuple(each)[:: -1 if order == "bgr" else 1] for each in (mean or (0.0,) * 3, std or (1.0,) * 3))
    width = high - low
    return Release(
        function, tuple((m - low) / width for m in means), tuple(s / width for s in stds), reversed=order == "bgr"
    )


RELEASES = {
    **{f"vgg{n}": release(f"VGG{n}", "caffe") for n in (16, 19)},
    **{f"resnet{n}": release(f"ResNet{n}", "caffe") for n in (50, 101, 152)},
    **{f"densenet{n}": release(f"DenseNet{n}", "torch") for n in (121, 169, 201)},
    "mobilenet": release("MobileNet", "tf"),
    "mobilenet_v2": release("MobileNetV2", "tf"),
    "mobilenet_v3_large": Release("MobileNetV3Large"),
    "mobilenet_v3_small": Release("MobileNetV3Small"),
    **{f"efficientnet_b{n}": Release(f"EfficientNetB{n}") for n in range(8)},
}
"""By the name of our architecture, which with its defaults is the same function."""


def from_keras(name: str, input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Our network with the ImageNet weights of its twin in keras.applications; it takes [0, 1] RGB images.

    Args:
        name: of our architecture, one of RELEASES.
        input_shape: (height, width, channels) of the images: those that the twin was trained on.
        classes: 1000.

    Raises ModelError for other images and classes, and where the weights cannot be downloaded: the
    message has the folder in which Keras looks for them.

    >>> sorted(RELEASES)[:3]
    ['densenet121', 'densenet169', 'densenet201']

    Weights: keras.applications (Chollet et al., 2015), each with the licence of its release.
    """
    release, target, shape = RELEASES[name], registry.resolve("architectures", name), own_shape(name)
    if tuple(input_shape) != shape or classes != 1000:
        raise ModelError(
            f"keras:{name} is for images of shape {shape} in ImageNet's 1000 classes; the data has {classes} classes, "
            f"and images of shape {tuple(input_shape)}"
        )
    source = _downloaded(name, release, shape)
    ours = target(input_shape=input_shape, classes=classes, stem="imagenet")
    port(source, ours)
    if release.mean is not None:
        set_statistics(ours.get_layer("normalization"), release.mean, np.square(release.std))
    if release.reversed:
        first = next(layer for layer in ours.layers if isinstance(layer, keras.layers.Conv2D))
        first.kernel.assign(np.asarray(first.kernel)[:, :, ::-1])
    return ours


def own_shape(name: str) -> tuple[int, int, int]:
    """(height, width, channels) of the images that the weights of this architecture were trained on.

    >>> own_shape("resnet50")
    (224, 224, 3)
    """
    return inspect.signature(registry.resolve("architectures", name)).parameters["input_shape"].default


def _home() -> str:
    return os.environ.get("KERAS_HOME") or str(Path.home() / ".keras")


def _downloaded(name: str, release: Release, shape: tuple[int, int, int]) -> keras.Model:
    try:
        return getattr(keras.applications, release.function)(weights="imagenet", input_shape=shape)
    except Exception as error:  # Keras' downloads raise no specific type
        url = re.search(r"https?://\S+?(?=:?\s)", str(error))
        file = url[0].rsplit("/", 1)[-1] if url else "its file"
        raise ModelError(
            f"keras:{name}: its weights cannot be downloaded ({type(error).__name__}: {str(error)[:300]}). "
            f"Keras looks for {file} in {_home()}/models: download it elsewhere and put it there"
        ) from error
