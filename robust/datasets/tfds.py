"""Any image-classification set of tensorflow-datasets."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from robust.datasets import prepare, records
from robust.datasets import transform as transforms
from robust.datasets.dataset import Dataset


def tfds(
    *,
    builder: str,
    train: str = "",
    validation: str = "",
    test: str | dict[str, str] = "",
    transform: Literal["imagenet"] | dict[str, float | str | bool] | None = None,
    data_dir: str = "",
) -> Dataset:
    """Any set of tensorflow-datasets by its own name, as { name = "cifar10" }; downloaded once.

    builder: its name, with optional configuration and version: "cifar10_corrupted/brightness_3".
    train, validation, test: other splits or parts of them: "train[:90%]", "test[:1000]". Where the set has
        no validation split, it is the last tenth of train; of a set prepared without shuffling, a tenth of each class.
        Test is the set's test split or, where that has no labels, its validation split. A table
        { split = "validation", ids = "5000.txt" } takes the images whose file names are listed in a file, one per line,
        as RobustBench does for ImageNet.
    transform: for images of different sizes: "imagenet" (the shorter side to 256, the central 224 x 224),
        { size = 240, crop = "240/272", interpolation = "bicubic" }, or { size = 32 } for a plain resize; with
        antialias = false as `keras.utils.image_dataset_from_directory` does it.
    data_dir: where prepared sets are stored; $TFDS_DATA_DIR or ~/tensorflow_datasets where it is left out.

    The order is that of the files, ids are those of tensorflow-datasets. The sets imagenet_a and imagenet_r
    have only the classes with images in them: on these sets, an ImageNet network is evaluated on these classes only
    (Hendrycks et al., CVPR 2021 and ICCV 2021). The fingerprint covers name, version, splits, transform and
    the files: all of their content up to a GiB, beyond it their sizes and the first 256 KiB of each.

    Raises DataError with a remedy for a set that is not prepared and cannot be downloaded.
    """
    chosen = {"split": test} if isinstance(test, str) else dict(test)
    specs = {"train": train, "validation": validation, "test": chosen.pop("split", "")}
    ids = chosen.pop("ids", None)
    found = records.dataset(
        prepare.prepared(builder, data_dir),
        {split: spec for split, spec in specs.items() if spec},
        transforms.read(transform),
        None if ids is None else Path(ids),
    )
    return replace(found, remarks=(*found.remarks, *transforms.resize_remark(transform)))
