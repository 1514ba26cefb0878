"""Augmentations: what training does to its images, so that no epoch shows the same one twice.

The contract: `augmentation(images, *, seeds, ...) -> images`, graph-pure TensorFlow, float32 [B, H, W, C] in
[0, 1] of a fixed H, W, C. `seeds` is int64 [B]; all that is random about an image depends on its own, so results
do not change with the order of the images, with parallel calls, or after a run is resumed.

One with an argument `labels` blends each image with another one of its batch, and their labels: it takes
and returns `(images, labels [B, classes])`.
"""

import ast
from typing import TYPE_CHECKING

from robust.core import registry

if TYPE_CHECKING:
    from robust.training.augmentations.chains import augmix as augmix
    from robust.training.augmentations.chains import rand_augment as rand_augment
    from robust.training.augmentations.colour import pca_colour as pca_colour
    from robust.training.augmentations.colour import photometric_distortion as photometric_distortion
    from robust.training.augmentations.crops import area_and_aspect_crop as area_and_aspect_crop
    from robust.training.augmentations.crops import flip as flip
    from robust.training.augmentations.crops import pad_and_crop as pad_and_crop
    from robust.training.augmentations.crops import scale_jitter as scale_jitter
    from robust.training.augmentations.erasing import random_erasing as random_erasing
    from robust.training.augmentations.mixing import cutmix as cutmix
    from robust.training.augmentations.mixing import mixup as mixup

registry.contents(__name__)


def takes_labels(name: str) -> bool:
    """Does an augmentation, one of these or "their.module:function", change the labels, too?

    >>> takes_labels("mixup"), takes_labels("flip")
    (True, False)
    """
    function = registry.definition("augmentations", name)
    return isinstance(function, ast.FunctionDef) and "labels" in [each.arg for each in function.args.args]
