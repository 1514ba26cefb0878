"""Colour and light: the augmentations that leave every pixel in its place."""

import tensorflow as tf

from robust.core import randomness
from robust.core.errors import DataError
from robust.core.types import NonNegative, Proportion
from robust.training.augmentations import tones

# The covariance of red, green and blue over a random subset of ImageNet, pixels in [0, 1]: its eigenvalues and
# its eigenvectors, one a column. As published with fb.resnet.torch (Gross & Wilber, 2016).
EIGENVALUES = (0.2175, 0.0188, 0.0045)
EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),  # red
    (-0.5808, -0.0045, -0.8140),  # green
    (-0.5836, -0.6948, 0.4203),  # blue
)


def pca_colour(images: tf.Tensor, *, seeds: tf.Tensor, std: NonNegative = 0.1) -> tf.Tensor:
    """Shift all pixels of an image along the principal colours: x + sum_i a_i l_i p_i, a_i ~ N(0, std^2).

    l_i and p_i are the eigenvalues and eigenvectors of the covariance of RGB over ImageNet: the shift is
    like a change of the light. It is worth over 1 % of top-1, by the paper.

    Args:
        images, seeds: see `robust.training.augmentations`; three channels.
        std: of the three numbers a, drawn once an image and epoch.

    Raises DataError for images that are not in three colours.

    Source: Krizhevsky, Sutskever & Hinton, NIPS 2012.

    >>> pca_colour(tf.fill([1, 2, 2, 3], 0.5), seeds=tf.constant([1], tf.int64), std=0.0).numpy().max()
    np.float32(0.5)
    """
    if images.shape[-1] != 3:
        given = f"the images have {images.shape[-1]} channel(s)"
        raise DataError(f"pca_colour shifts red, green and blue, and {given}; leave it out of augment")
    strengths = std * randomness.normal(seeds, 0, [3]) * tf.constant(EIGENVALUES)  # [B, 3]
    shift = tf.matmul(strengths, tf.constant(EIGENVECTORS), transpose_b=True)  # [B, 3]
    return tf.clip_by_value(images + shift[:, None, None, :], 0.0, 1.0)


def photometric_distortion(images: tf.Tensor, *, seeds: tf.Tensor, strength: Proportion = 0.5) -> tf.Tensor:
    """Change brightness, contrast and saturation, in random order, each by a random factor.

    Each is reference + factor (x - reference): towards black, the mean grey or the grey image. Grey images
    have no saturation to change.

    Args:
        images, seeds: see `robust.training.augmentations`.
        strength: the factors are uniform in [1 - strength, 1 + strength].

    Source: Howard, Some improvements on deep convolutional neural network based image classification, 2013,
    as GoogLeNet used it (Szegedy et al., CVPR 2015).
    """
    factors = 1 + strength * (2 * randomness.uniform(seeds, 0, [3, 1, 1, 1]) - 1)
    order = tf.argsort(randomness.uniform(seeds, 1, [3]), axis=1)[:, :, None, None, None]  # [B, 3, 1, 1, 1]
    for place in range(3):
        which = order[:, place]
        grey = tones.grey(images)
        mean = tf.reduce_mean(grey, axis=[1, 2], keepdims=True)
        reference = tf.where(which == 0, 0.0, tf.where(which == 1, mean, grey))
        images = tones.enhance(images, reference, factors[:, place])
    return images
