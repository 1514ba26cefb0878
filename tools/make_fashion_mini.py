"""Build the embedded data set `fashion_mini` from the whole of Fashion-MNIST (Xiao, Rasul & Vollgraf, 2017).

    python tools/make_fashion_mini.py [folder with the four idx .gz files] [--out robust/datasets/data]

It takes about ten seconds and writes the same bytes each time. The four files are those of
https://github.com/zalandoresearch/fashion-mnist; Debian's package `dataset-fashion-mnist` brings them.
No two of their 70,000 images are the same, so that disjoint choices share no image.
"""

import argparse
import gzip
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
DATA = Path(__file__).parents[1] / "robust/datasets/data"
CLASSES = (  # in the order of the labels
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
SIZES = {"train": 5400, "validation": 600, "test": 1000}

Keyed = Iterator[tuple[int, dict]]


def read_idx(path: Path) -> np.ndarray:
    """Two zero bytes, the type (8 = uint8), the rank, the sizes as big-endian int32, then the values."""
    content = gzip.decompress(path.read_bytes())
    rank = content[3]
    shape = np.frombuffer(content, ">i4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def choose(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Indices in rounds of one image per class in shuffled order: any prefix is nearly balanced."""
    random = np.random.RandomState(seed)  # its stream is frozen; that of default_rng may change
    each = size // len(CLASSES)
    of_class = [np.flatnonzero(labels == label) for label in range(len(CLASSES))]
    chosen = np.stack([random.permutation(indices)[:each] for indices in of_class], axis=1)  # [each, 10]
    order = random.rand(*chosen.shape).argsort(axis=1)
    return np.take_along_axis(chosen, order, axis=1).ravel()


def rounds(name: str, images: np.ndarray, labels: np.ndarray, chosen: np.ndarray) -> Keyed:
    """One round per record, its ten images stacked vertically, with ascending keys, which keep the order.

    A PNG of 28x28 pixels is a fifth headers and an empty dictionary: ten in one take 410 bytes per image
    instead of 513, which keeps the whole under 3.5 MB.
    """
    for key, indices in enumerate(chosen.reshape(-1, len(CLASSES))):
        ids = [f"{name}-{index:05d}" for index in indices]
        yield key, {"images": images[indices].reshape(-1, 28, 1), "labels": labels[indices].astype(int), "ids": ids}


def splits(folder: Path) -> dict[str, Keyed]:
    """Validation comes from the training images too, so that the original test set stays unseen."""

    def read(name: str) -> tuple[np.ndarray, np.ndarray]:
        images = read_idx(folder / f"{name}-images-idx3-ubyte.gz")
        return images[..., None], read_idx(folder / f"{name}-labels-idx1-ubyte.gz")

    train, t10k = read("train"), read("t10k")
    seen = choose(train[1], SIZES["train"] + SIZES["validation"], seed=0)
    return {
        "train": rounds("train", *train, seen[: SIZES["train"]]),
        "validation": rounds("train", *train, seen[SIZES["train"] :]),
        "test": rounds("t10k", *t10k, choose(t10k[1], SIZES["test"], seed=1)),
    }


def prepare(folder: Path, data_dir: Path) -> None:
    tfds.dataset_builders.store_as_tfds_dataset(
        name="fashion_mini",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {
                "images": tfds.features.Image(shape=(28 * len(CLASSES), 28, 1), dtype=np.uint8, encoding_format="png"),
                "labels": tfds.features.Sequence(tfds.features.ClassLabel(names=CLASSES), length=len(CLASSES)),
                "ids": tfds.features.Sequence(tfds.features.Text(), length=len(CLASSES)),
            }
        ),
        split_datasets=splits(folder),
        data_dir=data_dir,
        description="A balanced tenth of Fashion-MNIST: ten images a record, one of each class.",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
        citation="Xiao, Rasul & Vollgraf, 2017, arXiv:1708.07747",
        disable_shuffling=True,
    )


def make_canonical(path: Path) -> None:
    """Write the same records again, their features in order: protobuf's maps have a different order in each run."""
    records = [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record.SerializeToString(deterministic=True))


def build(folder: Path, out: Path) -> Path:
    """Write `out`/fashion_mini/1.0.0 in place of what was there, and return it."""
    target = out / "fashion_mini/1.0.0"
    with tempfile.TemporaryDirectory() as scratch:
        prepare(folder, Path(scratch))
        prepared = Path(scratch, "fashion_mini/1.0.0")
        for path in prepared.glob("*.tfrecord-*"):
            make_canonical(path)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(prepared, target)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DEBIAN, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=DATA, help="default: %(default)s")
    arguments = parser.parse_args()
    print(build(arguments.folder, arguments.out))


if __name__ == "__main__":
    main()
