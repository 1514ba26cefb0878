"""Crops and the mirror: the augmentations that move pixels."""

import tensorflow as tf

from robust.core import randomness
from robust.core.errors import SuiteError
from robust.core.types import Count, Proportion
from robust.training.augmentations import windows

_ASPECT = 4 / 3  # GoogLeNet: from 3/4 to 4/3


def pad_and_crop(images: tf.Tensor, *, seeds: tf.Tensor, pixels: Count = 4, fill: Proportion = 0.0) -> tf.Tensor:
    """Pad each side, then cut a window of the old size anywhere: a shift by up to `pixels`.

    Args:
        images, seeds: see `robust.training.augmentations`.
        pixels: on each side.
        fill: what the border is made of. The paper pads with zeros after the mean is taken away: `fill` at
            the mean of the data does the same.

    Source: He et al., Deep residual learning for image recognition, CVPR 2016, for CIFAR-10.

    >>> pad_and_crop(tf.ones([2, 8, 8, 3]), seeds=tf.constant([1, 2], tf.int64)).shape
    TensorShape([2, 8, 8, 3])
    """
    height, width, _ = windows.sides(images)
    corner = tf.cast(randomness.uniform(seeds, 0, [2]) * (2 * pixels + 1), tf.int32)  # [B, 2], each 0 .. 2 pixels
    border = [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]]
    padded = tf.pad(images, border, constant_values=fill)
    rows = tf.gather(padded, corner[:, :1] + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(rows, corner[:, 1:] + tf.range(width), axis=2, batch_dims=1)


def flip(images: tf.Tensor, *, seeds: tf.Tensor, probability: Proportion = 0.5) -> tf.Tensor:
    """Mirror left and right, for one image in two.

    Args:
        images, seeds: see `robust.training.augmentations`.
        probability: of an image to be mirrored.

    Source: Krizhevsky, Sutskever & Hinton, NIPS 2012.

    >>> float(flip(tf.constant([[[[0.0], [1.0]]]]), seeds=tf.constant([1], tf.int64), probability=1.0)[0, 0, 0, 0])
    1.0
    """
    mirrored = randomness.uniform(seeds, 0, [1, 1, 1]) < probability
    return tf.where(mirrored, tf.reverse(images, [2]), images)


def scale_jitter(
    images: tf.Tensor, *, seeds: tf.Tensor, smallest: Count = 256, largest: Count = 512, crop: Count = 224
) -> tf.Tensor:
    """Resize so that the shorter side is anything from `smallest` to `largest`, then crop anywhere.

    The result has the size of the images, which replaces the paper's crop of 224: the window is
    crop / S of each side, S uniform over the whole numbers of the range.

    Args:
        images, seeds: see `robust.training.augmentations`.
        smallest, largest: the shorter side S, in pixels. He et al., CVPR 2016: 256 to 480.
        crop: the side of the crop, in the same pixels.

    Raises SuiteError if the crop does not fit into the smallest image, or the range is reversed.

    Source: Simonyan & Zisserman, Very deep convolutional networks, ICLR 2015.
    """
    if not crop <= smallest <= largest:
        given = f"crop = {crop}, smallest = {smallest}, largest = {largest}"
        raise SuiteError(f"scale_jitter: {given}; they must not decrease from one to the next", "crop")
    height, width, _ = windows.sides(images)
    side = smallest + tf.floor(randomness.uniform(seeds, 0, [1]) * (largest - smallest + 1))
    whole = tf.constant([height, width], tf.float32)
    sides = whole * crop / side  # [B, 2]
    corner = randomness.uniform(seeds, 1, [2]) * (whole - sides)
    return windows.enlarge(images, tf.concat([corner, sides], axis=1))


def area_and_aspect_crop(images: tf.Tensor, *, seeds: tf.Tensor, smallest: Proportion = 0.08) -> tf.Tensor:
    """Enlarge a window of 8 to 100 % of the area, 3/4 to 4/3 as wide as high, to the full image.

    Args:
        images, seeds: see `robust.training.augmentations`.
        smallest: share of the area that the window has at least; 1 leaves the image as it is.

    Of the interpolations that the paper chooses from at random, this has the bilinear one.

    Source: Szegedy et al., Going deeper with convolutions, CVPR 2015.
    """
    height, width, _ = windows.sides(images)
    return windows.enlarge(images, windows.draw(seeds, (height, width), (smallest, 1.0), _ASPECT))
