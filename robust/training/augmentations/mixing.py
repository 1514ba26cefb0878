"""Mixtures of two images, and of their labels.

Which images are mixed: a batch is put into the order of a hash of its seeds, and each image takes the next
one in it. That is a random ring, and it does not change with the order of the images.
"""

import tensorflow as tf

from robust.core import randomness
from robust.core.types import Positive
from robust.training.augmentations import sampling, windows


def mixup(
    images: tf.Tensor, labels: tf.Tensor, *, seeds: tf.Tensor, alpha: Positive = 0.2
) -> tuple[tf.Tensor, tf.Tensor]:
    """Blend each image with another: w x + (1 - w) x', and so the labels; w ~ Beta(alpha, alpha).

    Args:
        images, seeds: see `robust.training.augmentations`.
        labels: float32 [B, classes], a share for each class.
        alpha: small ones nearly leave an image alone, 1 makes every blend as likely. The paper: .1 to .4
            for ImageNet, 1 for CIFAR-10.

    Source: Zhang et al., mixup: Beyond empirical risk minimization, ICLR 2018.

    >>> mixed, labels = mixup(tf.eye(2)[:, :, None, None], tf.eye(2), seeds=tf.constant([1, 2], tf.int64))
    >>> bool(tf.reduce_all(mixed[:, :, 0, 0] == labels))
    True
    """
    share = sampling.beta(seeds, 0, alpha)
    others = _partners(seeds)
    mixed = _blend(images, tf.gather(images, others), share[:, None, None, None])
    return mixed, _blend(labels, tf.gather(labels, others), share[:, None])


def cutmix(
    images: tf.Tensor, labels: tf.Tensor, *, seeds: tf.Tensor, alpha: Positive = 1.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Paste a window of another image over each, and mix the labels by the areas that are then seen.

    The window has the shape of the image and 1 - w of its area, w ~ Beta(alpha, alpha); its centre is
    anywhere, and what would be outside of the image is cut off.

    Args:
        images, seeds: see `robust.training.augmentations`.
        labels: float32 [B, classes], a share for each class.
        alpha: 1 makes every area as likely.

    Source: Yun et al., CutMix: Regularization strategy to train strong classifiers, ICCV 2019.
    """
    height, width, _ = windows.sides(images)
    size = tf.constant([height, width], tf.float32)
    half = size * tf.sqrt(1 - sampling.beta(seeds, 0, alpha))[:, None] / 2
    centre = randomness.uniform(seeds, 1, [2]) * size
    low, high = tf.round(centre - half), tf.round(centre + half)  # [B, 2]
    pasted = windows.inside(low, high, (height, width))
    share = 1 - tf.reduce_mean(tf.cast(pasted, tf.float32), axis=[1, 2, 3])
    others = _partners(seeds)
    mixed = tf.where(pasted, tf.gather(images, others), images)
    return mixed, _blend(labels, tf.gather(labels, others), share[:, None])


def _blend(own: tf.Tensor, other: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    return share * own + (1 - share) * other


def _partners(seeds: tf.Tensor) -> tf.Tensor:
    order = tf.argsort(randomness.fold(seeds, 0))
    return tf.scatter_nd(order[:, None], tf.roll(order, -1, axis=0), tf.shape(order))
