"""What data lacks for a training, and what that costs: reported before it begins."""

import math
from collections.abc import Iterator

import numpy as np

from robust.core.signature import Call
from robust.datasets.dataset import Dataset

READ = 2**30
"""Bytes of images of a training split, beyond which it is not read for its labels alone."""
SHOWN = 5
"""Names of classes, at most."""


def of(data: Dataset, adversary: Call | None) -> Iterator[str]:
    """Lines on a missing validation split, and on classes of which train has no image.

    adversary: what is trained against; None trains plainly.
    """
    if "validation" not in data.sizes:
        lost = "nothing shows how it does on images that it does not learn"
        if adversary is not None:
            lost += (
                ", robust accuracy is not watched: overfitting to the adversary goes unnoticed, and the weights of "
                "the last epoch are kept, not of the best"
            )
        yield f"{data.name} has no validation split, so {lost}; name one, or give train 5 images of a class or more"
    if missing := _missing(data):
        shown = ", ".join(map(repr, missing[:SHOWN])) + (f" and {len(missing) - SHOWN} more" * (len(missing) > SHOWN))
        yield f"train of {data.name} has no image of {shown}: the network cannot learn what it looks like"


def _missing(data: Dataset) -> list[str]:
    light = data.encoded is not None and data.encoded.light
    if not light and data.size("train") * math.prod(data.image_shape) > READ:
        return []
    seen = np.bincount(data.labels("train"), minlength=len(data.classes))
    return [name for name, count in zip(data.classes, seen, strict=True) if not count]
