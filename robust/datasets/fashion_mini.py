"""The data set that comes with the package, so that a first suite needs no network connection."""

from functools import partial
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds

from robust.datasets.dataset import SPLITS, Dataset, fingerprint
from robust.datasets.taxonomy import superclasses

FOLDER = Path(__file__).parent / "data/fashion_mini"  # built by tools/make_fashion_mini.py


def fashion_mini() -> Dataset:
    """A tenth of Fashion-MNIST: 5,400 + 600 + 1,000 grey images 28x28 of ten kinds of clothing.

    The classes of each split are of equal size, and nearly so in any leading part of it.
    Train and validation come from the original training images, test from the original test
    images; an id such as "t10k-00042" names the original file and the index in it.

    >>> data = fashion_mini()
    >>> data.size("test"), data.image_shape, data.classes[0]
    (1000, (28, 28, 1), 'T-shirt/top')
    >>> data.superclasses["footwear"]
    ('Sandal', 'Sneaker', 'Ankle boot')

    Xiao, Rasul & Vollgraf, Fashion-MNIST, 2017, arXiv:1708.07747; MIT licence, Zalando SE.
    """
    builder = tfds.builder_from_directory(FOLDER / "1.0.0")
    classes = tuple(builder.info.features["labels"].feature.names)
    return Dataset(
        name="fashion_mini",
        classes=classes,
        image_shape=(28, 28, 1),
        sizes={split: 10 * builder.info.splits[split].num_examples for split in SPLITS},
        read=partial(_read, builder),
        fingerprint=fingerprint(*(path.read_bytes() for path in sorted(FOLDER.rglob("*.tfrecord-*")))),
        superclasses=superclasses.of(classes),
    )


def _read(builder: tfds.core.DatasetBuilder, split: str) -> tf.data.Dataset:
    # The automatic cache would warn about every reader that stops early.
    rounds = builder.as_dataset(split=split, read_config=tfds.ReadConfig(try_autocache=False))
    return rounds.flat_map(
        lambda r: tf.data.Dataset.from_tensor_slices((tf.reshape(r["images"], [-1, 28, 28, 1]), r["labels"], r["ids"]))
    )
