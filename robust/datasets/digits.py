"""Handwritten digits that come with scikit-learn: images that are not clothing, without a network connection."""

import tensorflow as tf

from robust.core.types import Count
from robust.datasets.dataset import Dataset, from_arrays


def digits(*, size: Count = 28) -> Dataset:
    """1,797 handwritten digits, white on black, 8x8 enlarged to `size` x `size`; a test split only.

    size: side length in pixels; enlarged bilinearly.

    They are meant for `ood`: images of none of the classes of a grey data set.

    >>> data = digits()
    >>> data.size("test"), data.image_shape, data.classes[7]
    (1797, (28, 28, 1), '7')

    Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    grey = tf.image.resize(images.reshape(-1, 8, 8, 1).astype("float32") / 16, (size, size)).numpy()
    return from_arrays(grey.clip(0, 1), labels, 10, "digits")
