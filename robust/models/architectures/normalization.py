"""The normalisation inside a network: it takes [0, 1] images and has its own statistics."""

from typing import Literal

import keras
import numpy as np
from numpy.typing import ArrayLike

from robust.core.errors import DataError

GREY_LEVEL = 1 / 255  # one step of an 8-bit image
BATCH = 512  # images processed together: 6 MB of 32x32 RGB


def normalization(x: keras.KerasTensor, per: Literal["channel", "pixel"]) -> keras.KerasTensor:
    """The layer "normalization" of [N, H, W, C] images; the identity until `set_normalization` sets it.

    per="channel": minus the mean and over the standard deviation of each channel. per="pixel":
    minus the mean image, as AlexNet and the small ResNets do, and not divided by anything.
    """
    axis = -1 if per == "channel" else (1, 2, 3)
    # float32 under any mixed policy: bfloat16 cannot distinguish the 255 grey levels
    return keras.layers.Normalization(axis=axis, dtype="float32", name="normalization")(x)


def set_normalization(model: keras.Model, images: np.ndarray) -> None:
    """Set the statistics of a network's Normalization layers from training images.

    images: float [N, H, W, C] in [0, 1]; they may be memory-mapped, and are read in batches. What
    counts is what reaches the layer, LeNet's black border included. A layer that keeps its channel
    axis alone gets means and variances, the latter never below one grey level squared, so that a
    constant channel is not blown up. A layer that keeps pixels gets the mean image and variance 1.
    A network without such a layer (LeNet-5 of 1998 has a fixed mapping) is left as it is.

    Call it before the network's first pass: Keras compiles the statistics in as constants. For the
    same reason `other.set_weights(model.get_weights())` changes nothing in a Normalization layer
    until its `finalize_state()`; saving and loading does that by itself.

    Raises DataError when there are no images, or none of the network's shape.
    """
    wanted = model.input_shape[1:]
    if len(images) == 0 or images.shape[1:] != wanted:
        raise DataError(
            f"{model.name}: set_normalization got images of shape {images.shape}; it needs (N >= 1, "
            f"{', '.join(map(str, wanted))})"
        )
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:  # none: its constants are fixed
            reach = keras.Model(model.input, layer.input)
            set_statistics(layer, *statistics(reach, images, layer.axis))


def set_statistics(layer: keras.layers.Normalization, mean: ArrayLike, variance: ArrayLike) -> None:
    """Set what one Normalization layer subtracts, and what it divides by the square root of.

    mean and variance of images in [0, 1], one number for all pixels, one a channel or one a pixel: what
    fits the layer's own shape by broadcasting. As for `set_normalization`, call it before the first pass.

    >>> layer = keras.layers.Normalization()
    >>> layer.build((None, 8, 8, 3))
    >>> set_statistics(layer, [0.485, 0.456, 0.406], 0.25)
    >>> layer(np.full((1, 8, 8, 3), 0.5)).numpy()[0, 0, 0].round(3)
    array([0.03 , 0.088, 0.188], dtype=float32)
    """
    shape = layer.weights[0].shape
    layer.set_weights([np.broadcast_to(mean, shape), np.broadcast_to(variance, shape), np.asarray(0)])
    layer.finalize_state()


def statistics(reach: keras.Model, images: np.ndarray, axis: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance, for each place along `axis`, of what comes out of the model `reach`."""
    total, squares, count = np.zeros(()), np.zeros(()), 0
    for start in range(0, len(images), BATCH):
        batch = np.asarray(reach(images[start : start + BATCH], training=False), np.float64)
        others = tuple(set(range(batch.ndim)) - {a % batch.ndim for a in axis})
        total, squares = total + batch.sum(others), squares + np.square(batch).sum(others)
        count += batch.size // total.size
    mean = total / count
    if len(axis) > 1:
        return mean, np.ones_like(mean)
    return mean, np.maximum(squares / count - mean**2, GREY_LEVEL**2)
