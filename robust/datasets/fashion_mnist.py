"""Fashion-MNIST, from Debian's package if it is installed."""

import struct
from pathlib import Path

from robust.datasets import prepare, records
from robust.datasets.dataset import Dataset

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
_FILES = {  # when upstream compressed them, in seconds since 1970
    "train-images-idx3-ubyte": 1504176606,
    "train-labels-idx1-ubyte": 1504176606,
    "t10k-images-idx3-ubyte": 1504176627,
    "t10k-labels-idx1-ubyte": 1504176627,
}


def fashion_mnist(*, train: str = "", validation: str = "", test: str = "", data_dir: str = "") -> Dataset:
    """All of Fashion-MNIST: 60,000 + 10,000 grey images 28x28 of ten kinds of clothing.

    train, validation, test: parts of its splits, as "train[:90%]" or "test[:1000]"; left out, validation is
        the last tenth of train.
    data_dir: where tensorflow-datasets stores prepared sets; $TFDS_DATA_DIR or ~/tensorflow_datasets.

    Debian's package `dataset-fashion-mnist` is used where it is installed; no network is needed then.

    Raises DataError with a remedy where it is neither prepared nor available.

    Xiao, Rasul & Vollgraf, Fashion-MNIST, 2017, arXiv:1708.07747; MIT licence, Zalando SE.
    """
    specs = {"train": train, "validation": validation, "test": test}
    hint = "or, on Debian, apt-get install dataset-fashion-mnist"
    there = all((DEBIAN / f"{name}.gz").is_file() for name in _FILES)
    builder = prepare.prepared("fashion_mnist", data_dir, hint, restored if there else None)
    return records.dataset(builder, {split: spec for split, spec in specs.items() if spec})


def restored(folder: Path) -> None:
    """Fill the folder with upstream's files: Debian has dropped file name and time from their gzip headers."""
    for name, when in _FILES.items():
        packed = (DEBIAN / f"{name}.gz").read_bytes()
        # flags: a name follows; the time; the bytes after it; the name (RFC 1952)
        header = packed[:3] + b"\x08" + struct.pack("<I", when) + packed[8:10] + name.encode() + b"\0"
        (folder / f"{name}.gz").write_bytes(header + packed[10:])
