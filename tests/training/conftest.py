import numpy as np
import pytest
import tensorflow as tf

from robust.datasets.dataset import Dataset


def _split(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey 8x8 images of three classes: which third of the columns is a little brighter."""
    random = np.random.default_rng(seed)
    labels = np.arange(size) % 3
    images = random.uniform(0.2, 0.6, (size, 8, 8, 1))
    for image, label in zip(images, labels, strict=True):
        image[:, 3 * label : 3 * label + 2] += 0.25
    return images.astype("float32"), labels.astype("int64")


@pytest.fixture(scope="session")
def stripes() -> Dataset:
    splits = {"train": _split(384, 1), "validation": _split(60, 2), "test": _split(90, 3)}

    def read(split: str) -> tf.data.Dataset:
        images, labels = splits[split]
        return tf.data.Dataset.from_tensor_slices((images, labels, [f"{split}-{i}" for i in range(len(labels))]))

    sizes = {name: len(labels) for name, (_, labels) in splits.items()}
    return Dataset("stripes", ("left", "middle", "right"), (8, 8, 1), sizes, read, "stripes")
