"""Windows of an image: drawing one for each, and enlarging it."""

import math

import keras
import tensorflow as tf

from robust.core import randomness

# As many as torchvision and TensorFlow make; even for extreme areas, nearly all images have one that fits.
_ATTEMPTS = 10


def sides(images: tf.Tensor) -> tuple[int, int, int]:
    """H, W, C of images [B, H, W, C]; a pipeline knows them before it runs."""
    height, width, channels = (int(side) for side in images.shape[1:] if side is not None)
    return height, width, channels


def draw(seeds: tf.Tensor, size: tuple[int, int], areas: tuple[float, float], aspect: float) -> tf.Tensor:
    """A window for each seed, float32 [B, 4]: top, left, height, width in pixels, inside an image of `size`.

    Its share of the area is uniform between the two `areas`, its width over its height log-uniform between
    1/aspect and aspect. Where none of ten draws fits into the image, the window is all of it. Streams 0 and 1.
    """
    height, width = size
    numbers = randomness.uniform(seeds, 0, [_ATTEMPTS, 2])
    area = height * width * (areas[0] + (areas[1] - areas[0]) * numbers[..., 0])
    ratio = tf.exp((2 * numbers[..., 1] - 1) * math.log(aspect))
    edges = tf.sqrt(tf.stack([area / ratio, area * ratio], axis=-1))  # [B, attempts, 2]
    whole = tf.constant([height, width], tf.float32)
    fits = tf.reduce_all(edges <= whole, axis=-1)
    first = tf.gather(edges, tf.argmax(tf.cast(fits, tf.int32), axis=1), axis=1, batch_dims=1)
    edges = tf.where(tf.reduce_any(fits, axis=1, keepdims=True), first, whole)
    return tf.concat([randomness.uniform(seeds, 1, [2]) * (whole - edges), edges], axis=1)


def inside(low: tf.Tensor, high: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Which pixels of an image of `size` are between two corners, both [B, 2] in whole pixels: bool [B, H, W, 1]."""
    down, across = (tf.range(side, dtype=tf.float32) for side in size)
    rows = (down >= low[:, :1]) & (down < high[:, :1])
    columns = (across >= low[:, 1:]) & (across < high[:, 1:])
    return rows[:, :, None, None] & columns[:, None, :, None]


def enlarge(images: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
    """What each window [B, 4] of `draw` shows, at the size of the image: bilinear, pixel centres on centres."""
    top, left, height, width = tf.unstack(windows, axis=1)
    full = sides(images)
    down, across = height / full[0], width / full[1]
    none = tf.zeros_like(top)
    return warp(images, [across, none, left + (across - 1) / 2, none, down, top + (down - 1) / 2], "nearest")


def warp(images: tf.Tensor, matrix: list[tf.Tensor], beyond: str) -> tf.Tensor:
    """Pixel (x, y) becomes the one at (a x + b y + c, d x + e y + f), bilinear; `matrix` is [a, b, c, d, e, f].

    `beyond` the image: "nearest" continues its edges, "constant" is mid-grey.
    """
    none = tf.zeros_like(matrix[0])
    return keras.ops.image.affine_transform(
        images, tf.stack([*matrix, none, none], axis=1), fill_mode=beyond, fill_value=0.5
    )
