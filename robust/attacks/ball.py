"""The ball around an image: projection onto it, a random point in it, the steepest ascent within it.

All of it is graph-pure TensorFlow. Shapes: images [B, H, W, C]; eps a scalar in units of a [0, 1] image.
"""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from robust.attacks import box
from robust.attacks.box import Scalar
from robust.core import randomness
from robust.core.types import AnyNorm, Norm

_TINY = 1e-12  # avoids a division by zero


def project(points: tf.Tensor, centres: tf.Tensor, eps: Scalar, norm: AnyNorm) -> tf.Tensor:
    """The points projected onto the ball of radius eps around their centres, and clipped to [0, 1].

    For L2 the ball comes first and the box second: the result is in both, but is not the nearest such point.
    For L1 it is the nearest one: projecting one after the other would lose most of the ball.
    """
    if norm == "l1":
        return box.onto_l1_ball(points, centres, eps)
    change = points - centres
    change = tf.clip_by_value(change, -eps, eps) if norm == "linf" else change * tf.minimum(eps / length(change), 1.0)
    return tf.clip_by_value(centres + change, 0.0, 1.0)


def step(
    points: tf.Tensor, gradients: tf.Tensor, centres: tf.Tensor, eps: Scalar, size: Scalar, norm: AnyNorm
) -> tf.Tensor:
    """One step of projected gradient ascent: `size` along the steepest direction, then back into the ball.

    Source: Madry et al., ICLR 2018; with size = eps from the centre it is FGSM (Goodfellow et al., ICLR 2015).
    """
    change = box.steepest_l1(points, gradients, size) if norm == "l1" else size * steepest(gradients, norm)
    return project(points + change, centres, eps, norm)


def steepest(gradient: tf.Tensor, norm: Norm) -> tf.Tensor:
    """The direction of unit norm in which the loss grows fastest: the sign for Linf, g / ||g|| for L2."""
    if norm == "linf":
        return tf.sign(gradient)
    # The gradient of a confident prediction is so small that its squares underflow: a power of two scales it exactly.
    faint = tf.reduce_max(tf.abs(gradient), axis=[1, 2, 3], keepdims=True) < _TINY
    gradient = tf.where(faint, gradient * 2.0**90, gradient)
    return gradient * (1.0 / length(gradient))


def random_point(centres: tf.Tensor, seeds: tf.Tensor, stream: tf.Tensor, eps: Scalar, norm: AnyNorm) -> tf.Tensor:
    """A point drawn uniformly from the ball around each centre, clipped to [0, 1].

    For L2: the first n coordinates of a uniform point on the sphere in n + 2 dimensions (Voelker,
    Gosmann & Stewart, 2017). For L1: n of n + 1 exponential numbers over their sum, with random signs.
    """
    shape = sides(centres)
    if norm == "linf":
        change = (2.0 * randomness.uniform(seeds, stream, shape, centres.dtype) - 1.0) * eps
    elif norm == "l1":
        numbers = 2.0 * randomness.uniform(seeds, stream, [math.prod(shape) + 1], centres.dtype) - 1.0
        sizes = -tf.math.log(tf.maximum(tf.abs(numbers), _TINY))
        simplex = tf.sign(numbers) * sizes / tf.reduce_sum(sizes, axis=1, keepdims=True)
        change = tf.reshape(simplex[:, :-1], tf.shape(centres)) * eps
    else:
        numbers = randomness.normal(seeds, stream, [math.prod(shape) + 2], centres.dtype)
        sphere = numbers / tf.norm(numbers, axis=1, keepdims=True)
        change = tf.reshape(sphere[:, :-2], tf.shape(centres)) * eps
    return tf.clip_by_value(centres + change, 0.0, 1.0)


def sides(images: tf.Tensor) -> list[int]:
    """Height, width and channels of images in a graph."""
    return [int(side) for side in images.shape[1:] if side is not None]


def size(change: tf.Tensor, norm: AnyNorm) -> tf.Tensor:
    """The norm of each image's change, shape [B, 1, 1, 1]."""
    if norm == "linf":
        return tf.reduce_max(tf.abs(change), axis=[1, 2, 3], keepdims=True)
    return length(change) if norm == "l2" else tf.reduce_sum(tf.abs(change), axis=[1, 2, 3], keepdims=True)


def length(change: tf.Tensor) -> tf.Tensor:
    """Euclidean length of each image's change, at least 1e-12, shape [B, 1, 1, 1]."""
    return tf.maximum(tf.sqrt(tf.reduce_sum(change**2, axis=[1, 2, 3], keepdims=True)), _TINY)


distances: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linf": lambda change: np.abs(change).max(axis=(1, 2, 3)),
    "l2": lambda change: np.sqrt((change.astype(np.float64) ** 2).sum(axis=(1, 2, 3))),
    "l1": lambda change: np.abs(change.astype(np.float64)).sum(axis=(1, 2, 3)),
    "l0": lambda change: (change != 0).sum(axis=(1, 2, 3)),
}
"""For each norm, those of Foolbox included: NumPy changes [N, H, W, C] -> their norms [N]."""
