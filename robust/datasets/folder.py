"""A folder of images: a folder for each class, or a table of files and labels."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import tensorflow as tf

from robust.core.errors import DataError
from robust.core.remedies import setting
from robust.datasets import checks, files, known_headers
from robust.datasets import transform as transforms
from robust.datasets.dataset import SPLITS, Dataset, fingerprint
from robust.datasets.folder_walk import check_name, class_name
from robust.datasets.layout import Row, found
from robust.datasets.order import ordered
from robust.datasets.stored_images import Encoded
from robust.datasets.table import listed
from robust.datasets.taxonomy import imagenet, superclasses
from robust.datasets.transform import Transform


def folder(
    *,
    path: str,
    labels: str = "",
    classes: list[str] | None = None,
    transform: Literal["imagenet"] | dict[str, float | str | bool] | None = None,
) -> Dataset:
    """A folder of images with a folder for each class, as { folder = "photos/" }.

    path: holds train/, validation/ and test/, or folders with other usual names of splits, with the folders of the
        classes in them; or these folders themselves, and all images are test. PNG, JPEG, WebP, GIF (the first frame)
        and BMP, 8 bits a channel. Hidden files and files that are no images are skipped and counted, links
        are followed, and an empty folder is a class without images: see `robust.datasets.folder_walk`.
    labels: a CSV file in the folder, or elsewhere, with the columns file and label and, optionally, split; in UTF-8,
        or UTF-16 with a byte order mark. Spaces around names are stripped.
    classes: the names in the model's order; left out, those that exist in alphabetical order,
        as in Keras and torchvision, or where a table has only numbers, in numerical order. WordNet ids of
        ImageNet's classes, if all names are such ids, are read in their order and shown as names.
    transform: for images of different sizes: "imagenet" (the shorter side to 256, the central 224 x 224),
        { size = 240, crop = "240/272", interpolation = "bicubic" }, or { size = 32 } for a plain resize; with
        antialias = false as `keras.utils.image_dataset_from_directory` does it.

    Ids are the files' paths within the folder. If all images are grey, they have one
    channel, else three. An EXIF orientation is ignored, and counted. The fingerprint covers every byte of the images.

    Raises DataError for a file that is not an image, for images of different sizes without a `transform`, and where
    splits cannot be distinguished from classes.
    """
    root, resize = Path(path), transforms.read(transform)
    if not root.is_dir():
        raise DataError(f"folder {path!r}: there is no such folder")
    check_name(root.resolve())
    rows, there, remarks = listed(root, labels) if labels else found(root, classes)
    numbers = labels and all(name.isdecimal() for name in there)
    if classes is not None:  # an empty folder with another name is no class of the model
        there = {row.label for row in rows}
    names = tuple(sorted(there, key=int if numbers else str))
    places = {name: place for place, name in enumerate(names)}
    shown = imagenet.readable(names)
    headers = known_headers.headers(root, [row.file for row in rows])
    shape = _image_shape(rows, headers, resize)
    ids = [Path(os.path.relpath(row.file, root)).as_posix() for row in rows]  # independent of the folder's location
    checks.check_ids(ids, len(rows))
    encoded = Encoded(partial(_read, rows, ids, places), partial(_decode, shape, resize), light=True)
    data = Dataset(
        name=root.resolve().name,
        classes=shown,
        image_shape=shape,
        sizes={split: n for split in SPLITS if (n := sum(row.split == split for row in rows))},
        read=encoded.read,
        fingerprint=fingerprint(
            repr((shown, shape, resize)).encode(),
            *(repr((*row[::2], i, each.digest)).encode() for row, i, each in zip(rows, ids, headers, strict=True)),
        ),
        superclasses=superclasses.of(shown),
        encoded=encoded,
        remarks=(*remarks, *files.orientation_remark(headers), *transforms.resize_remark(transform)),
    )
    return data if classes is None else ordered(data, [class_name(name) for name in classes])


def _image_shape(rows: list[Row], headers: list[files.Header], resize: Transform | None) -> tuple[int, int, int]:
    count = files.channels(headers)
    if resize is not None:
        for row, each in zip(rows, headers, strict=True):
            resize.check(each.height, each.width, row.file)
        return resize.size, resize.size, count
    first = headers[0]
    for row, each in zip(rows, headers, strict=True):
        if (each.height, each.width) != (first.height, first.width):
            raise DataError(
                f"{row.file} is {each.height} x {each.width} and {rows[0].file} {first.height} x {first.width}; "
                f"images of different sizes need {setting('transform', 'imagenet')} or "
                f"{setting('transform', {'size': 224})}"
            )
    return first.height, first.width, count


def _read(rows: list[Row], ids: list[str], places: Mapping[str, int], split: str) -> tf.data.Dataset:
    chosen = [(str(row.file), places[row.label], i) for row, i in zip(rows, ids, strict=True) if row.split == split]
    paths, labels, own = zip(*chosen, strict=True)
    return tf.data.Dataset.from_tensor_slices((list(paths), np.array(labels, np.int64), list(own)))


def _decode(shape: tuple[int, int, int], resize: Transform | None, path: tf.Tensor) -> tf.Tensor:
    image = files.pixels(path, shape[-1])
    return tf.ensure_shape(image if resize is None else resize(image), shape)
