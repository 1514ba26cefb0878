"""The operations that policies choose from: those of AutoAugment, with its ranges, one image at a time.

Each takes an image [1, H, W, C] and a signed level in [-1, 1]; at 1 it is as strong as AutoAugment ever makes
it. They are Pillow's operations; what a geometric one uncovers is mid-grey.

Source: Cubuk et al., AutoAugment: Learning augmentation policies from data, CVPR 2019, Table 6.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from robust.training.augmentations import tones
from robust.training.augmentations.windows import sides, warp

Operation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
_SHEAR, _SHIFT, _DEGREES, _ENHANCE, _BITS = 0.3, 150 / 331, 30, 0.9, 4  # at level 1


def identity(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """The image as it is."""
    return image


def shear_x(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Slant by up to .3 pixels a row."""
    return _around_centre(image, [1.0, _SHEAR * level, 0.0, 1.0])


def shear_y(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Slant by up to .3 pixels a column."""
    return _around_centre(image, [1.0, 0.0, _SHEAR * level, 1.0])


def translate_x(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Shift by up to 45 % of the width."""
    return warp(image, _batch([1.0, 0.0, _SHIFT * level * sides(image)[1], 0.0, 1.0, 0.0]), "constant")


def translate_y(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Shift by up to 45 % of the height."""
    return warp(image, _batch([1.0, 0.0, 0.0, 0.0, 1.0, _SHIFT * level * sides(image)[0]]), "constant")


def rotate(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Turn by up to 30 degrees."""
    angle = level * math.radians(_DEGREES)
    return _around_centre(image, [tf.cos(angle), tf.sin(angle), -tf.sin(angle), tf.cos(angle)])


def autocontrast(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Stretch each channel to all of [0, 1]; one of a single value stays as it is."""
    low, high = (edge(image, axis=[1, 2], keepdims=True) for edge in (tf.reduce_min, tf.reduce_max))
    return tf.where(high > low, tf.math.divide_no_nan(image - low, high - low), image)


def equalize(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Make the histogram of each channel flat; one of a single value stays as it is."""
    height, width, channels = sides(image)
    levels = tf.cast(tf.transpose(tf.reshape(tf.round(image * 255), [height * width, channels])), tf.int32)
    counts = tf.math.bincount(levels, minlength=256, maxlength=256, axis=-1)  # [C, 256]
    darker = tf.cumsum(counts, axis=1, exclusive=True)
    most = tf.reduce_max(tf.where(counts > 0, darker, 0), axis=1, keepdims=True)  # [C, 1]: than the lightest
    table = darker / tf.maximum(most, 1)
    flat = tf.gather(tf.cast(table, tf.float32), levels, axis=1, batch_dims=1)  # [C, H W]
    flat = tf.reshape(tf.transpose(flat), [1, height, width, channels])
    return tf.where(tf.reshape(most, [channels]) > 0, flat, image)


def posterize(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Keep 8 bits a pixel, down to 4."""
    lost = 2.0 ** tf.round(_BITS * tf.abs(level))
    return tf.floor(tf.round(image * 255) / lost) * lost / 255


def solarize(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Invert what is lighter than 1 - level."""
    return tf.where(image <= 1 - tf.abs(level), image, 1 - image)


def colour(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Saturation times .1 to 1.9; grey images have none."""
    return tones.enhance(image, tones.grey(image), 1 + _ENHANCE * level)


def contrast(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Distance from the mean grey times .1 to 1.9."""
    return tones.enhance(image, tf.reduce_mean(tones.grey(image)), 1 + _ENHANCE * level)


def brightness(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Distance from black times .1 to 1.9."""
    return tones.enhance(image, 0.0, 1 + _ENHANCE * level)


def sharpness(image: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """Distance from the smoothed image times .1 to 1.9; as in Pillow, the outermost pixels stay."""
    weights = tf.reshape(tf.constant([1.0, 1, 1, 1, 5, 1, 1, 1, 1]) / 13, [3, 3, 1, 1])
    smooth = tf.nn.depthwise_conv2d(image, tf.tile(weights, [1, 1, sides(image)[2], 1]), [1, 1, 1, 1], "VALID")
    border = [[0, 0], [1, 1], [1, 1], [0, 0]]
    inside = tf.pad(tf.ones_like(smooth), border)
    return tones.enhance(image, inside * tf.pad(smooth, border) + (1 - inside) * image, 1 + _ENHANCE * level)


def apply(images: tf.Tensor, which: tf.Tensor, levels: tf.Tensor, operations: Sequence[Operation]) -> tf.Tensor:
    """Each image [B, H, W, C] through its own operation: `which` int32 [B], `levels` [B]."""

    def one(row: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        image, chosen, level = row
        branches = [lambda o=operation: o(image[None], level)[0] for operation in operations]
        return tf.switch_case(chosen, branches)

    return tf.map_fn(one, (images, which, levels), fn_output_signature=tf.TensorSpec(images.shape[1:], tf.float32))


def _around_centre(image: tf.Tensor, matrix: list) -> tf.Tensor:
    a, b, c, d = matrix
    height, width, _ = sides(image)
    x, y = (width - 1) / 2, (height - 1) / 2
    return warp(image, _batch([a, b, x - a * x - b * y, c, d, y - c * x - d * y]), "constant")


def _batch(matrix: list) -> list[tf.Tensor]:
    return [tf.convert_to_tensor(number, tf.float32)[None] for number in matrix]
