"""Random chains of simple operations.

Keras has layers of these names; theirs draw one choice for a whole batch or, AugMix, for a whole tf.data
pipeline, and from a state that parallel calls change. Here each image has its own, from its own seed.
"""

import tensorflow as tf

from robust.core import randomness
from robust.core.types import Count, Positive, Proportion
from robust.training.augmentations import operations, sampling

# AugMix leaves out what the corruptions of ImageNet-C also do, so that these stay a test.
_AUGMIX = (
    operations.autocontrast, operations.equalize, operations.posterize, operations.rotate, operations.solarize,
    operations.shear_x, operations.shear_y, operations.translate_x, operations.translate_y,
)  # fmt: skip
_RAND_AUGMENT = (
    *_AUGMIX, operations.identity, operations.colour, operations.contrast, operations.brightness, operations.sharpness,
)  # fmt: skip


def rand_augment(images: tf.Tensor, *, seeds: tf.Tensor, steps: Count = 2, strength: Proportion = 0.9) -> tf.Tensor:
    """Some operations of the fourteen, one after the other, all of one strength.

    Args:
        images, seeds: see `robust.training.augmentations`.
        steps: how many operations, N in the paper.
        strength: share of AutoAugment's largest level; .9 is M = 9 of the 10 levels
            that the release counts to.

    Source: Cubuk et al., RandAugment: Practical automated data augmentation, NeurIPS 2020.

    >>> rand_augment(tf.ones([1, 8, 8, 1]), seeds=tf.constant([1], tf.int64)).shape
    TensorShape([1, 8, 8, 1])
    """
    for place in range(steps):
        levels = strength * tf.sign(randomness.uniform(seeds, 2 * place, []) - 0.5)
        which = whole(seeds, 2 * place + 1, len(_RAND_AUGMENT))
        images = operations.apply(images, which, levels, _RAND_AUGMENT)
    return images


def augmix(
    images: tf.Tensor,
    *,
    seeds: tf.Tensor,
    chains: Count = 3,
    depth: Count = 3,
    strength: Proportion = 0.3,
    alpha: Positive = 1.0,
) -> tf.Tensor:
    """Mix an image with several chains of operations on it: m x + (1 - m) sum_i w_i chain_i(x).

    Each chain has 1 to `depth` operations; w is uniform over all shares, m ~ Beta(alpha, alpha).

    Args:
        images, seeds: see `robust.training.augmentations`.
        chains: how many are mixed. depth: the most operations of one.
        strength: the levels are uniform up to this share of AutoAugment's largest; .3 is the paper's 3 of 10.
        alpha: of the Beta distribution.

    The paper's loss of Jensen-Shannon consistency is an objective, not a part of this.

    Source: Hendrycks et al., AugMix: A simple data processing method to improve robustness, ICLR 2020.
    """
    shares, mixed = sampling.dirichlet(seeds, 0, chains), tf.zeros_like(images)
    for chain in range(chains):
        mixed += shares[:, chain, None, None, None] * _chain(images, randomness.fold(seeds, chain), depth, strength)
    own = sampling.beta(seeds, 1, alpha)[:, None, None, None]
    return tf.clip_by_value(own * images + (1 - own) * mixed, 0.0, 1.0)


def _chain(images: tf.Tensor, seeds: tf.Tensor, depth: int, strength: float) -> tf.Tensor:
    length = whole(seeds, 0, depth)  # one less than the chain is long
    for place in range(depth):
        levels = strength * (2 * randomness.uniform(seeds, 2 * place + 1, []) - 1)
        which = tf.where(place <= length, whole(seeds, 2 * place + 2, len(_AUGMIX)), len(_AUGMIX))
        images = operations.apply(images, which, levels, (*_AUGMIX, operations.identity))
    return images


def whole(seeds: tf.Tensor, stream: int, below: int) -> tf.Tensor:
    """A whole number for each image, int32 [B], from 0 to one less than `below`."""
    return tf.cast(randomness.uniform(seeds, stream, []) * below, tf.int32)
