"""Random numbers for each image: they depend only on its seed.

A counter-based generator (Salmon et al., SC 2011): number k of stream s of an image is a hash of
(seed, s, k), so results do not depend on the order or the batch of the images. The hash is the
finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
"""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_GOLDEN = 0x9E3779B97F4A7C15
_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def image_seeds(seed: int, purpose: str, ids: Sequence[str]) -> np.ndarray:
    """One int64 per image, from the suite's seed, the purpose (the case) and the image's id.

    >>> image_seeds(0, "pgd", ["a", "b"])[0] == image_seeds(0, "pgd", ["b", "a"])[1]
    np.True_
    """
    digests = (hashlib.blake2b(f"{seed}\0{purpose}\0{i}".encode(), digest_size=8).digest() for i in ids)
    return np.array([int.from_bytes(d, "little", signed=True) for d in digests], np.int64)


def uniform(seeds: tf.Tensor, stream: int | tf.Tensor, shape: Sequence[int], dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Uniform numbers in (0, 1), shape [len(seeds), *shape]; 23 random bits each.

    Args:
        seeds: int64 [N], one per image.
        stream: the index of the image's stream, so that no two uses share numbers.
        shape: that of the numbers for one image.
        dtype: that of the result.
    """
    count = math.prod(shape)
    start = _mix(tf.bitcast(seeds, tf.uint64) + _GOLDEN * (tf.cast(stream, tf.uint64) + 1))
    counters = tf.cast(tf.range(1, count + 1), tf.uint64) * _GOLDEN  # [K]
    bits = tf.bitwise.right_shift(_mix(start[:, None] + counters[None, :]), tf.constant(41, tf.uint64))  # [N, K]
    # 23 bits and a half are what float32 holds exactly: with one more, the largest would round to 1.
    numbers = (tf.cast(tf.cast(bits, tf.int32), dtype) + 0.5) * 2.0**-23
    return tf.reshape(numbers, [-1, *shape])


def normal(seeds: tf.Tensor, stream: int | tf.Tensor, shape: Sequence[int], dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Standard normal numbers, shape [len(seeds), *shape]; same arguments as `uniform`."""
    return tf.math.ndtri(uniform(seeds, stream, shape, dtype))


def fold(seeds: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
    """Other int64 seeds for the same images: one set for each whole `number`, such as an epoch."""
    return tf.bitcast(_mix(tf.bitcast(seeds, tf.uint64) + _GOLDEN * (tf.cast(number, tf.uint64) + 1)), tf.int64)


def _mix(bits: tf.Tensor) -> tf.Tensor:
    for shift, factor in _MIX:
        bits = tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint64))) * tf.constant(
            factor, tf.uint64
        )
    return tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, tf.constant(31, tf.uint64)))
