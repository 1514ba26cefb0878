"""A prepared set of tensorflow-datasets as a `Dataset`: its splits, its labels, their order."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from robust.core import files
from robust.core.errors import DataError
from robust.core.remedies import setting
from robust.datasets import checks, ranges, tfrecord
from robust.datasets.dataset import SPLITS, Dataset, fingerprint
from robust.datasets.stored_images import Encoded, Rows
from robust.datasets.taxonomy import imagenet, superclasses
from robust.datasets.transform import Transform

Builder = tfds.core.DatasetBuilder

SUBSETS = ("imagenet_a", "imagenet_r")
"""Sets whose labels name more classes than occur; their classes are those with images."""

_FORMATS = (tfds.core.FileFormat.TFRECORD, tfds.core.FileFormat.PARQUET)
_FILES = 10_000  # maximum number of files of a set: ten times those of ImageNet
_WHOLE, _HEAD = 2**30, 2**18  # bytes: up to here all is hashed, beyond it the beginning of each file


def dataset(
    builder: Builder, requested: Mapping[str, str], transform: Transform | None = None, ids: Path | None = None
) -> Dataset:
    """A prepared set; `requested`: the specs of train, validation and test; `ids`: a file that names the test images.

    Raises DataError for a set that is not of images with one label each, for splits that do not exist
    or share images, and for images of different sizes without a `transform`.
    """
    name = builder.info.full_name.rpartition("/")[0]
    image, label = _keys(builder, name)
    check_files(builder, name)
    test = requested.get("test") or default_test(builder, name, label)
    found = ranges.divide(name, builder.info.splits, requested, test, mixed=not builder.info.disable_shuffling)
    specs = {split: ranges.text(found[split]) for split in SPLITS if split in found}
    wanted = None if ids is None else _wanted(builder, name, specs["test"], ids)
    sizes = {split: ranges.size(found[split]) for split in specs} | ({} if wanted is None else {"test": len(wanted)})
    names, kept = _names(builder, name, label), _kept(builder, name, label)
    classes = imagenet.readable([names[i] for i in kept])
    new = np.full(len(names), -1, np.int64)
    new[kept] = np.arange(len(kept))

    def rows(split: str) -> tf.data.Dataset:
        only = wanted if split == "test" else None
        each = _features(builder, specs[split], image, label, *([] if only is None else ["file_name"]))
        each = each if only is None else each.filter(lambda e: tf.reduce_any(tf.equal(e["file_name"], only)))
        return each.map(lambda e: (e[image], tf.gather(new, e[label]), e["tfds_id"]))

    decode = partial(_decode, builder.info.features[image], transform)
    encoded = Encoded(rows, decode)
    if builder.info.file_format is tfds.core.FileFormat.TFRECORD:
        files = [str(path) for each in builder.info.splits.values() for path in each.filepaths]
        encoded = replace(encoded, places=partial(places, files, rows), fetch=partial(_fetch, files, image))
    made_of = repr((builder.info.full_name, specs, classes, transform, wanted)).encode()
    return Dataset(
        name=name,
        classes=classes,
        image_shape=_image_shape(builder, name, image, transform),
        sizes=sizes,
        read=encoded.read,
        fingerprint=fingerprint(made_of, *contents(Path(str(builder.data_path)))),
        superclasses=superclasses.of(classes) or _coarse(builder, name, specs["test"], label, classes),
        encoded=encoded,
    )


def check_files(builder: Builder, name: str) -> None:
    """Raise DataError for more files than any real set has, and for a format that cannot be read in order."""
    if (count := sum(len(split.shard_lengths) for split in builder.info.splits.values())) > _FILES:
        raise DataError(f"data set {name!r}: its dataset_info.json declares {count:,} files; at most {_FILES:,}")
    kind = builder.info.file_format or tfds.core.FileFormat.TFRECORD
    if kind not in _FORMATS:
        again = f"tfds.builder({builder.name!r}, data_dir=ANOTHER, file_format='tfrecord').download_and_prepare()"
        allowed = " and ".join(each.value for each in _FORMATS)
        raise DataError(
            f"data set {name!r}: its files are {kind.value}; allowed: {allowed}; prepare it again in another folder, "
            f'and set data_dir to it: python -c "import tensorflow_datasets as tfds; {again}"'
        )


def _keys(builder: Builder, name: str) -> tuple[str, str]:
    """The features that are the image and its label: the supervised keys, else the only ones of their type."""
    features = builder.info.features
    if not isinstance(features, tfds.features.FeaturesDict):
        raise DataError(f"data set {name!r} is not of images with a label")
    kinds = {
        kind: [key for key, feature in features.items() if type(feature) is kind]
        for kind in (tfds.features.Image, tfds.features.ClassLabel)
    }
    supervised = builder.info.supervised_keys or ()
    found = [[key for key in supervised if key in keys] or keys for keys in kinds.values()]
    if any(len(keys) != 1 for keys in found):
        listed = ", ".join(f"{key} ({type(feature).__name__})" for key, feature in features.items())
        raise DataError(f"data set {name!r} is not of images with one label each; its features are {listed}")
    return found[0][0], found[1][0]


def default_test(builder: Builder, name: str, label: str) -> str:
    """The default for test: the split of that name, unless its labels are not public."""
    splits = builder.info.splits
    if "test" in splits and (values(builder, "test[:1]", label) >= 0).all():
        return "test"
    if "validation" in splits:
        return "validation"
    raise DataError(
        f"data set {name!r} has no test split, only {', '.join(splits)}; "
        'choose one, as in test = "train[80%:]": train is then the remainder'
    )


def _features(builder: Builder, spec: str, *names: str) -> tf.data.Dataset:
    """Dictionaries of these features and `tfds_id`, images not decoded, in the order of the files."""
    features = builder.info.features
    undecoded: Any = {
        name: tfds.decode.SkipDecoding() for name in names if isinstance(features[name], tfds.features.Image)
    }
    return builder.as_dataset(
        split=spec,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding(dict.fromkeys(names, True), decoders=undecoded),
        # One file after the other; the automatic cache would warn about every reader that stops early.
        read_config=tfds.ReadConfig(add_tfds_id=True, interleave_cycle_length=1, try_autocache=False),
    )


def places(files: list[str], rows: Rows, split: str) -> tf.data.Dataset:
    """For each row, the place of its record as in `tfrecord.located`, its label and its id."""
    batches = rows(split).map(lambda image, label, id: (label, id)).batch(1024).as_numpy_iterator()
    labels, ids = map(np.concatenate, zip(*batches, strict=True))
    return tf.data.Dataset.from_tensor_slices((tfrecord.located(files, ids.tolist()), labels, ids))


def _fetch(files: list[str], image: str, place: tf.Tensor) -> tf.Tensor:
    return tf.io.parse_single_example(tfrecord.record(files, place), {image: tf.io.FixedLenFeature([], tf.string)})[
        image
    ]


def values(builder: Builder, spec: str, name: str) -> np.ndarray:
    """One feature of all records of a split."""
    batches = _features(builder, spec, name).map(lambda each: each[name]).batch(1024)
    return np.concatenate(list(batches.as_numpy_iterator()))


def _decode(feature: tfds.features.Image, transform: Transform | None, image: tf.Tensor) -> tf.Tensor:
    pixels = feature.decode_example(image)
    return pixels if transform is None else transform(pixels)


def _image_shape(builder: Builder, name: str, image: str, transform: Transform | None) -> tuple[int, int, int]:
    feature = builder.info.features[image]
    height, width, channels = feature.shape
    if feature.np_dtype != np.uint8 or channels is None:
        raise DataError(
            f"data set {name!r}: its images are {feature.np_dtype.__name__} of shape {feature.shape}; allowed: uint8"
        )
    if transform is not None:
        return transform.size, transform.size, channels
    if height is None or width is None:
        raise DataError(
            f"data set {name!r}: its images have different sizes; write {setting('transform', 'imagenet')} "
            f"(the shorter side to 256, the central 224 x 224) or {setting('transform', {'size': 224})}"
        )
    return height, width, channels


def _names(builder: Builder, name: str, label: str) -> list[str]:
    """The names of all values of a label; a set may declare only their number: they are generated, so it is limited."""
    if (count := builder.info.features[label].num_classes or 0) > checks.CLASSES:
        what = f"its features.json declares {count:,} classes for {label}"
        raise DataError(f"data set {name!r}: {what}; at most {checks.CLASSES:,}")
    return builder.info.features[label].names


def _kept(builder: Builder, name: str, label: str) -> np.ndarray:
    """The labels that are used as classes: all, or for the known subsets those with images, int64 [classes]."""
    if builder.name not in SUBSETS:
        return np.arange(len(_names(builder, name, label)))
    return np.unique(values(builder, "+".join(builder.info.splits), label))


def _wanted(builder: Builder, name: str, spec: str, ids: Path) -> list[str]:
    """The names of the test images that a file lists, one a line, as ".../ILSVRC2012_val_00000293.JPEG"."""
    if "file_name" not in builder.info.features:
        raise DataError(f"data set {name!r}: its images have no file names, so ids = {str(ids)!r} cannot choose them")
    listed = [line.split()[0].rpartition("/")[2] for line in _text(name, ids).splitlines() if line.strip()]
    there = {value.decode(errors="surrogateescape") for value in values(builder, spec, "file_name")}
    if missing := [line for line in listed if line not in there]:
        many = f"{len(missing)} of its {len(listed)} names are not in {spec}, as {missing[0]!r}"
        raise DataError(f"data set {name!r}: {ids}: {many}")
    if len(set(listed)) < len(listed) or not listed:
        raise DataError(f"data set {name!r}: {ids}: must name at least one image, and each image once")
    return listed


def _text(name: str, ids: Path) -> str:
    try:
        return files.text(ids)
    except (OSError, ValueError) as error:
        raise DataError(f"data set {name!r}: {ids}: cannot be read as text ({error})") from None


def _coarse(builder: Builder, name: str, spec: str, label: str, classes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The superclasses of a set that gives each image a coarse label, too, as CIFAR-100 does."""
    features = builder.info.features
    if "coarse_label" not in features or not isinstance(features["coarse_label"], tfds.features.ClassLabel):
        return {}
    coarse = dict(zip(values(builder, spec, label), values(builder, spec, "coarse_label"), strict=True))
    groups = _names(builder, name, "coarse_label")
    members = {group: tuple(classes[i] for i in sorted(coarse) if coarse[i] == g) for g, group in enumerate(groups)}
    return {group: names for group, names in members.items() if names}


def contents(folder: Path) -> list[bytes]:
    """Name, size and content of each file; if more than a GiB in total, the first 256 KiB of each."""
    there = sorted(path for path in folder.iterdir() if path.is_file())
    limit = -1 if sum(path.stat().st_size for path in there) <= _WHOLE else _HEAD
    parts = []
    for path in there:
        with path.open("rb") as file:
            parts += [f"{path.name} {path.stat().st_size}".encode(), file.read(limit)]
    return parts
