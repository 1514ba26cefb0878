"""The mean and deviation of pixels that a release was trained with, if not its layout's: its name shows it."""

import re
from pathlib import Path

from robust.models.pretrained.prefixes import Normalisation

_HALVES: Normalisation = ((0.5,) * 3, (0.5,) * 3)
KNOWN: tuple[tuple[str, Normalisation, str], ...] = (
    (r"(?:^|[._-])ap(?:[._-]|$)|advprop", _HALVES, "AdvProp"),
    (r"(?:^|[._-])ra4(?:[._-]|$)", _HALVES, "ra4"),
    (r"(?:^|[._-])miil(?:[._-]|$)", ((0.0,) * 3, (1.0,) * 3), "miil"),
    (r"vgg16_features|imagenet1k_features", ((0.48235, 0.45882, 0.40784), (1 / 255,) * 3), "VGG16's features"),
)
"""By a pattern in the name: mean and deviation of [0, 1] pixels, and what the release is called."""


def of(file: Path) -> tuple[Normalisation, str] | None:
    """Mean and deviation that the name of a file, or of a folder around it, implies; None if it implies nothing.

    A cache of downloads keeps the name of the release in a folder: models--timm--tf_efficientnet_b0.ap_in1k.

    >>> of(Path("tf_efficientnet_b0_ap-f262efe1.pth"))
    (((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), 'AdvProp')
    """
    for name in (file.name, *(folder.name for folder in file.parents[:4])):
        for pattern, found, release in KNOWN:
            if re.search(pattern, name.lower()):
                return found, release
    return None
