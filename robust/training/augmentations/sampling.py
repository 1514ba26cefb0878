"""Random shares, keyed by the seed of each image."""

import tensorflow as tf

from robust.core import randomness

_HALVINGS = 24  # as fine as float32 near 1


def beta(seeds: tf.Tensor, stream: int, alpha: float) -> tf.Tensor:
    """One number an image from the symmetric Beta(alpha, alpha) distribution, float32 [B].

    A uniform number is sent through the inverse of the distribution function, found by bisection: unlike
    rejection, this takes one number an image whatever alpha is.
    """
    below = randomness.uniform(seeds, stream, [])
    low, high = tf.zeros_like(below), tf.ones_like(below)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        beyond = tf.math.betainc(tf.fill(tf.shape(middle), alpha), tf.fill(tf.shape(middle), alpha), middle) < below
        low, high = tf.where(beyond, middle, low), tf.where(beyond, high, middle)
    return (low + high) / 2


def dirichlet(seeds: tf.Tensor, stream: int, count: int) -> tf.Tensor:
    """`count` shares an image that sum to 1, uniform over all such shares, float32 [B, count]."""
    waits = -tf.math.log(randomness.uniform(seeds, stream, [count]))
    return waits / tf.reduce_sum(waits, axis=1, keepdims=True)
