"""A folder of images: a folder for each class, or a table of files and labels."""

import csv
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf

from robust import imagenet
from robust.datasets import checks, files, superclasses
from robust.datasets import transform as transforms
from robust.datasets.dataset import SPLITS, Dataset, fingerprint
from robust.datasets.encoded import Encoded
from robust.datasets.transform import Transform
from robust.errors import DataError, suggest


class Row(NamedTuple):
    """One image: its split, its file and the name of its class."""

    split: str
    file: Path
    label: str


def folder(
    *,
    path: str,
    labels: str = "",
    classes: list[str] | None = None,
    transform: Literal["imagenet"] | dict[str, float | str] | None = None,
) -> Dataset:
    """A folder of images with a folder for each class, as { folder = "photos/" }.

    path: holds train/, validation/ and test/ with the folders of the classes in them; or these folders
        themselves, and all is test. PNG, JPEG, WebP, GIF (the first picture) and BMP, 8 bits a channel.
    labels: a CSV file in the folder, or elsewhere, with the columns file and label and, if wanted, split.
    classes: the names in the model's order; left out, those that are there in the order of the alphabet,
        as Keras and torchvision have it, or where a table has only numbers, in theirs. WordNet ids of
        ImageNet's classes, where all are, are read in their order and shown as names.
    transform: for images of different sizes: "imagenet" (the shorter side to 256, the central 224 x 224),
        { size = 240, crop = "240/272", interpolation = "bicubic" }, or { size = 32 } for a plain resize.

    Ids are the files' paths within the folder. If all images are grey, they have one channel, else three.
    The fingerprint covers every byte of the images.

    Raises DataError for a file that is not an image, and for images of different sizes without a `transform`.
    """
    root, resize = Path(path), transforms.read(transform)
    if not root.is_dir():
        raise DataError(f"folder {path!r}: there is no such folder")
    rows = _listed(root, labels) if labels else _found(root)
    there = {row.label for row in rows}
    numbers = labels and all(name.isdecimal() for name in there)
    names = tuple(classes or sorted(there, key=int if numbers else str))
    places = {name: place for place, name in enumerate(names)}
    shown = imagenet.readable(names)
    if unknown := [row for row in rows if row.label not in places]:
        raise DataError(f"{unknown[0].file}: its class is {unknown[0].label!r}{suggest(unknown[0].label, names)}")
    looks = [files.look(row.file) for row in rows]
    shape = _image_shape(rows, looks, resize)
    ids = [Path(os.path.relpath(row.file, root)).as_posix() for row in rows]  # wherever the folder lies
    checks.check_ids(ids, len(rows))
    encoded = Encoded(partial(_read, rows, ids, places), partial(_decode, shape, resize), light=True)
    return Dataset(
        name=root.resolve().name,
        classes=shown,
        image_shape=shape,
        sizes={split: n for split in SPLITS if (n := sum(row.split == split for row in rows))},
        read=encoded.read,
        fingerprint=fingerprint(
            repr((shown, shape, resize)).encode(),
            *(repr((*row[::2], i, each.digest)).encode() for row, i, each in zip(rows, ids, looks, strict=True)),
        ),
        superclasses=superclasses.of(shown),
        encoded=encoded,
    )


def _found(root: Path) -> list[Row]:
    """By folders: root/class/file, or root/split/class/file."""
    inner = _folders(root)
    named = {"val": "validation", **dict.fromkeys(SPLITS)}
    if inner and all(each.name in named for each in inner):
        splits = {named[each.name] or each.name: each for each in inner}
    else:
        splits = {"test": root}
    rows = [
        Row(split, file, of_class.name)
        for split, place in splits.items()
        for of_class in _folders(place)
        for file in files.images_in(of_class)
    ]
    if not rows:
        raise DataError(f'folder {str(root)!r}: no images; allowed: a folder for each class, or labels = "labels.csv"')
    return rows


def _folders(place: Path) -> list[Path]:
    return sorted(each for each in place.iterdir() if each.is_dir() and not each.name.startswith("."))


def _listed(root: Path, labels: str) -> list[Row]:
    """By a CSV file with a header."""
    table = next((place for place in (root / labels, Path(labels)) if place.is_file()), None)
    if table is None:
        raise DataError(f"labels = {labels!r}: there is no such file in {root} or {Path.cwd()}")
    with table.open(newline="", encoding="utf-8-sig") as file:
        lines = list(csv.DictReader(file))
    rows = []
    for number, line in enumerate(lines, 2):
        for column in ("file", "label"):
            if not line.get(column):
                said = f"has no {column!r}; its columns are {', '.join(map(str, line))}"
                raise DataError(f"{table}:{number}: {said}; allowed: file, label and, if wanted, split")
        if (split := line.get("split") or "test") not in SPLITS:
            raise DataError(f"{table}:{number}: a split {split!r}{suggest(split, SPLITS)}")
        if not (root / line["file"]).is_file():
            raise DataError(f"{table}:{number}: there is no file {line['file']!r} in {root}")
        rows.append(Row(split, root / line["file"], line["label"]))
    if not rows:
        raise DataError(f"{table}: names no image")
    return rows


def _image_shape(rows: list[Row], looks: list[files.Look], resize: Transform | None) -> tuple[int, int, int]:
    count = files.channels(looks)
    if resize is not None:
        return resize.size, resize.size, count
    first = looks[0]
    for row, each in zip(rows, looks, strict=True):
        if (each.height, each.width) != (first.height, first.width):
            raise DataError(
                f"{row.file} is {each.height} x {each.width} and {rows[0].file} {first.height} x {first.width}; "
                'images of different sizes need transform = "imagenet" or transform = { size = 224 }'
            )
    return first.height, first.width, count


def _read(rows: list[Row], ids: list[str], places: Mapping[str, int], split: str) -> tf.data.Dataset:
    chosen = [(str(row.file), places[row.label], i) for row, i in zip(rows, ids, strict=True) if row.split == split]
    paths, labels, own = zip(*chosen, strict=True)
    return tf.data.Dataset.from_tensor_slices((list(paths), np.array(labels, np.int64), list(own)))


def _decode(shape: tuple[int, int, int], resize: Transform | None, path: tf.Tensor) -> tf.Tensor:
    image = files.pixels(path, shape[-1])
    return tf.ensure_shape(image if resize is None else resize(image), shape)
