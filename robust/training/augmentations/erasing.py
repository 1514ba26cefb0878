"""Images with a hole."""

import tensorflow as tf

from robust.core import randomness
from robust.core.errors import SuiteError
from robust.core.types import Proportion
from robust.training.augmentations import windows

_ASPECT = 1 / 0.3  # the paper: from .3 to 3.3


def random_erasing(
    images: tf.Tensor,
    *,
    seeds: tf.Tensor,
    probability: Proportion = 0.5,
    smallest: Proportion = 0.02,
    largest: Proportion = 0.4,
) -> tf.Tensor:
    """Replace a random window of an image by uniform noise.

    Args:
        images, seeds: see `robust.training.augmentations`.
        probability: of an image to be touched at all.
        smallest, largest: share of the image that the window has; its width is .3 to 3.3 of its height.

    Raises SuiteError where `smallest` is above `largest`.

    Source: Zhong et al., Random erasing data augmentation, AAAI 2020.
    """
    if smallest > largest:
        raise SuiteError(f"random_erasing: smallest = {smallest:g} is above largest = {largest:g}", "smallest")
    height, width, channels = windows.sides(images)
    window = tf.round(windows.draw(seeds, (height, width), (smallest, largest), _ASPECT))
    corner, edges = window[:, :2], window[:, 2:]
    touched = randomness.uniform(seeds, 2, [1, 1, 1]) < probability
    erased = windows.inside(corner, corner + edges, (height, width)) & touched
    return tf.where(erased, randomness.uniform(seeds, 3, [height, width, channels]), images)
