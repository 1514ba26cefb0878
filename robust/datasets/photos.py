"""Twelve photos of animals that come with the package, for ImageNet networks."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from robust.datasets.dataset import Dataset
from robust.datasets.folder import folder
from robust.datasets.taxonomy import imagenet

FOLDER = Path(__file__).parent / "data/photos"


def photos(*, transform: Literal["imagenet"] | dict[str, float | str | bool] = "imagenet") -> Dataset:
    """Twelve photos of animals with the 1,000 classes of ImageNet: a panda, a koala, a red panda ...

    transform: as in `folder`; EfficientNet-Lite0 requires { size = 224, crop = 0.875, interpolation = "bicubic" }.

    All are in the public domain or CC0; photos.csv, in the same folder, names author, licence and source of each.
    There is a test split only. Twelve images can demonstrate an attack, but not evaluate a network.

    >>> data = photos()
    >>> data.size("test"), data.image_shape, len(data.classes), len(data.superclasses)
    (12, (224, 224, 3), 1000, 50)
    """
    data = folder(path=str(FOLDER), labels="photos.csv", classes=list(imagenet.names()), transform=transform)
    return replace(data, name="photos")
