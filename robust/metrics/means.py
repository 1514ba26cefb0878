"""The means of the classes' features."""

import numpy as np


def class_means(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of each class with images, [k, D], in the order of the labels, and the index of the mean of each row.

    >>> class_means(np.array([[1.0], [3.0], [8.0]]), np.array([0, 0, 5]))
    (array([[2.], [8.]]), array([0, 0, 1]))
    """
    _, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.add.reduceat(features[np.argsort(place, kind="stable")], np.cumsum(counts) - counts)
    return sums / counts[:, None], place
