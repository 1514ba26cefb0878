"""Images and labels in one .npz file."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from robust.core import archives
from robust.core.errors import DataError
from robust.datasets.dataset import Dataset, from_splits

_HELD = ("val", "valid", "validation")


def arrays(*, path: str) -> Dataset:
    """Images and labels from an .npz file, as { arrays = "x.npz" }.

    path: the file. It holds x and y, or images and labels, which are then the test split; or x_train,
        y_train, x_test and y_test, as the files of Keras do, and x_val and y_val (or x_valid, x_validation) if there
        is a validation split. Other arrays are skipped, with a remark. Images are [N, H, W, C] or [N, H, W],
        uint8 or floats in [0, 1]; labels whole numbers [N].

    The classes are "0", "1", ..., which `classes = [...]` names. Nothing in the file is unpickled.

    Raises DataError for what is missing or malformed.
    """
    try:
        with archives.arrays(path) as file:
            keys = _splits(path, file)
            splits = {split: (file[images], column(file[labels])) for split, (images, labels) in keys.items()}
            left = [name for name in file if not any(name in each for each in keys.values())]
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        plain = "; save plain arrays: np.stack(list(x)), y.astype(int)" if "Object arrays" in str(error) else ""
        raise DataError(f"{path}: cannot be read as arrays ({error}){plain}") from None
    try:
        found = from_splits(splits, name=Path(path).stem)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    passed = (f"skipped, as no images or labels of a split: {', '.join(left)}",) if left else ()
    return replace(found, remarks=(*found.remarks, *passed))


def _splits(path: str, file: Mapping[str, np.ndarray]) -> dict[str, tuple[str, str]]:
    """The names of the images and of the labels of each split."""
    there = [{split: keys for split, keys in pairs.items() if set(keys) & set(file)} for pairs in _pairs(file)]
    whole = [found for found in there if any(set(keys) <= set(file) for keys in found.values())]
    if len(whole) > 1:
        raise DataError(f"{path}: {several(path, [k for found in whole for k in found.values() if {*k} <= {*file}])}")
    for found in whole or filter(None, there):
        if missing := [key for keys in found.values() for key in keys if key not in file]:
            raise DataError(f"{path}: has no {missing[0]!r}, only {', '.join(file)}")
        return found
    allowed = "x and y, images and labels, or x_train, y_train, x_test and y_test"
    raise DataError(f"{path}: holds {', '.join(file) or 'nothing'}; allowed: {allowed}")


def _pairs(file: Mapping[str, np.ndarray]) -> list[dict[str, tuple[str, str]]]:
    """Images and labels of each split, by their usual names."""
    held = next((name for name in _HELD if {f"x_{name}", f"y_{name}"} & set(file)), _HELD[0])
    named = {"train": "train", "validation": held, "test": "test"}
    splits = {split: (f"x_{name}", f"y_{name}") for split, name in named.items()}
    return [{"test": ("x", "y")}, {"test": ("images", "labels")}, splits]


def several(path: str, pairs: Sequence[tuple[str, str]]) -> str:
    """The error where several arrays could be the test images: one would be used, the others silently ignored."""
    images, labels = pairs[-1]
    alone = f"file = np.load({path!r}); np.savez('one.npz', {images}=file[{images!r}], {labels}=file[{labels!r}])"
    both = "; ".join(" and ".join(keys) for keys in pairs)
    return f"holds several pairs of images and labels, {both}; save only those you mean: {alone}"


def column(labels: np.ndarray) -> np.ndarray:
    """[N] of [N, 1], the shape of Keras' CIFAR labels."""
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
