"""The proposals of the square attack: where an image's squares are, how large they are, and what fills them.

All of it is graph-pure TensorFlow; the squares of each image are drawn with the image's seed.
Shapes: images [B, H, W, C]; seeds, query, share [B].
"""

import numpy as np
import tensorflow as tf

from robust.attacks import ball
from robust.core import randomness
from robust.core.types import AnyNorm

QUERIES = 10_000  # of the search for which the schedule was published
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # its queries after which a square loses half its area
_LONGEST = 4096  # side of a square, at most


def schedule(query: tf.Tensor, queries: tf.Tensor, p_init: tf.Tensor) -> tf.Tensor:
    """The share of the image that a square covers at each query: p_init, halved nine times.

    >>> schedule(tf.constant([10, 11, 51, 9999]), tf.constant(10_000), tf.constant(0.8)).numpy() * 512 / 0.8
    array([512., 256., 128.,   1.], dtype=float32)
    """
    scaled = tf.cast(query, tf.int64) * QUERIES // tf.cast(queries, tf.int64)
    halved = tf.reduce_sum(tf.cast(scaled[:, None] > tf.constant(HALVINGS, tf.int64), tf.float32), axis=1)
    return tf.cast(p_init, tf.float32) / 2.0**halved


def stripes(centres: tf.Tensor, seeds: tf.Tensor, stream: tf.Tensor, eps: ball.Scalar, norm: AnyNorm) -> tf.Tensor:
    """The starting point of a search in Linf: vertical stripes of +- eps, each channel separately."""
    _, width, channels = ball.sides(centres)
    signs = _signs(randomness.uniform(seeds, stream, [1, width, channels], centres.dtype))
    return ball.project(centres + eps * signs, centres, eps, norm)


def recolour(
    best: tf.Tensor, centres: tf.Tensor, seeds: tf.Tensor, query: tf.Tensor, share: tf.Tensor, eps: ball.Scalar,
    norm: AnyNorm,
) -> tf.Tensor:  # fmt: skip
    """The best image with one square of it at +- eps, each channel separately."""
    height, width, channels = ball.sides(best)
    numbers = randomness.uniform(seeds, query, [2 + channels], best.dtype)
    side = _side(share * height * width, 1)
    inside = _inside(*offsets(best, numbers[:, :2], side), side)
    filled = ball.project(centres + eps * _signs(numbers[:, 2:])[:, None, None, :], centres, eps, norm)
    return tf.where(inside[..., None], filled, best)


def tiles(centres: tf.Tensor, seeds: tf.Tensor, stream: tf.Tensor, eps: ball.Scalar, norm: AnyNorm) -> tf.Tensor:
    """The starting point of a search in L2 or L1: five by five pairs of opposed pyramids, of norm eps in total."""
    height, width, channels = ball.sides(centres)
    side = max(min(height, width) // 5, 1)
    down, across = height // side, width // side
    numbers = randomness.uniform(seeds, stream, [down, across, channels + 1], centres.dtype)
    row, column = (np.arange(n) - (n - n // side * side) // 2 for n in (height, width))
    of_pixel = tf.gather(numbers, (row // side).clip(0, down - 1), axis=1)
    of_pixel = tf.gather(of_pixel, (column // side).clip(0, across - 1), axis=2)  # [B, H, W, channels + 1]
    covered = ((row >= 0) & (row < down * side))[:, None] & ((column >= 0) & (column < across * side))[None, :]
    a, b = (tf.constant(v % side, tf.int32) for v in (row[:, None], column[None, :]))
    pattern = pyramids(a[None] + 0 * b, b[None] + 0 * a, tf.fill([tf.shape(seeds)[0]], side), of_pixel[..., 0])
    pattern = balanced(tf.cast(pattern, centres.dtype)[..., None] * covered[None, :, :, None], norm)
    return _as_long_as(pattern * _signs(of_pixel[..., 1:]), centres, eps, norm)


def shift(
    best: tf.Tensor, centres: tf.Tensor, seeds: tf.Tensor, query: tf.Tensor, share: tf.Tensor, eps: ball.Scalar,
    norm: AnyNorm,
) -> tf.Tensor:  # fmt: skip
    """The best image with the change of one square moved to another, which also gets a pair of pyramids.

    What the box has clipped off earlier is added there, too.
    """
    height, width, channels = ball.sides(best)
    numbers = randomness.uniform(seeds, query, [5 + channels], best.dtype)
    side = _side(share * height * width, 3)
    side = tf.minimum(side + 1 - tf.math.floormod(side, 2), min(height, width))
    a, b = offsets(best, numbers[:, 0:2], side)
    here, there = _inside(a, b, side), _inside(*offsets(best, numbers[:, 2:4], side), side)
    here, there = (tf.cast(v, best.dtype)[..., None] for v in (here, there))
    change, either = best - centres, tf.maximum(here, there)
    pattern = balanced(tf.cast(pyramids(a, b, side, numbers[:, 4, None, None]), best.dtype)[..., None] * here, norm)
    new = pattern * _signs(numbers[:, 5:])[:, None, None, :] + unit(change * here, norm)
    power = 2.0 if norm == "l2" else 1.0
    mass = tf.abs(change) ** power
    unused = tf.maximum(eps**power - tf.reduce_sum(mass, axis=[1, 2, 3], keepdims=True), 0)
    length = (unused / channels + tf.reduce_sum(mass * either, axis=[1, 2], keepdims=True)) ** (1 / power)
    return _as_long_as(change * (1 - either) + unit(new, norm) * length, centres, eps, norm)


def _side(area: tf.Tensor, least: int) -> tf.Tensor:
    return tf.maximum(tf.cast(tf.round(tf.sqrt(area)), tf.int32), least)


def offsets(images: tf.Tensor, numbers: tf.Tensor, side: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """How far each pixel is below and right of the corner of a square of this side [B], at a random place."""
    height, width, _ = ball.sides(images)

    def corner(numbers: tf.Tensor, length: int) -> tf.Tensor:
        places = tf.maximum(length - side, 0) + 1
        return tf.cast(tf.floor(numbers * tf.cast(places, numbers.dtype)), tf.int32)[:, None, None]

    down = tf.range(height)[None, :, None] - corner(numbers[:, 0], height)  # [B, H, 1]
    right = tf.range(width)[None, None, :] - corner(numbers[:, 1], width)  # [B, 1, W]
    return down + 0 * right, right + 0 * down


def _inside(down: tf.Tensor, right: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    side = side[:, None, None]
    return (down >= 0) & (down < side) & (right >= 0) & (right < side)


def pyramids(down: tf.Tensor, right: tf.Tensor, side: tf.Tensor, turned: tf.Tensor) -> tf.Tensor:
    """Two opposed pyramids side by side in a square, [B, H, W]; half of the time rotated by 90 degrees.

    At distance k from the middle of its half, the height is the sum of 1 / m^2 from k + 1 on.
    """
    side = side[:, None, None]
    down, right = tf.where(turned < 0.5, down, right), tf.where(turned < 0.5, right, down)
    half = side // 2
    first = down < half
    height = tf.where(first, half, side - half)
    off = tf.maximum(tf.abs(tf.where(first, down, down - half) - height // 2), tf.abs(right - half))
    sums = np.concatenate([[0], np.cumsum(1 / np.arange(1, _LONGEST) ** 2)]).astype(np.float32)
    heights = tf.maximum(tf.gather(sums, half + 1) - tf.gather(sums, tf.minimum(off, _LONGEST - 1)), 0)
    return tf.where(first, heights, -heights)


def _signs(numbers: tf.Tensor) -> tf.Tensor:
    return tf.where(numbers < 0.5, -tf.ones_like(numbers), tf.ones_like(numbers))


def balanced(pattern: tf.Tensor, norm: AnyNorm) -> tf.Tensor:
    """Each channel scaled: its positive and negative parts to equal norms, then the whole to norm 1."""
    return unit(unit(tf.maximum(pattern, 0), norm) + unit(tf.minimum(pattern, 0), norm), norm)


def unit(change: tf.Tensor, norm: AnyNorm) -> tf.Tensor:
    """Each channel of a change scaled to norm 1."""
    sums = tf.reduce_sum(change**2 if norm == "l2" else tf.abs(change), axis=[1, 2], keepdims=True)
    return tf.math.divide_no_nan(change, tf.sqrt(sums) if norm == "l2" else sums)


def _as_long_as(change: tf.Tensor, centres: tf.Tensor, eps: ball.Scalar, norm: AnyNorm) -> tf.Tensor:
    return tf.clip_by_value(centres + tf.math.divide_no_nan(change * eps, ball.size(change, norm)), 0.0, 1.0)
