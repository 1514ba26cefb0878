"""Shared by all corruptions: the choice of the published constants, and processing image by image with its own seed.

The constants of images from 64 pixels on are those of ImageNet-C (make_imagenet_c.py), the others those of
CIFAR-10-C (make_cifar_c.py), both in the authors' repository hendrycks/robustness.

Source: Hendrycks & Dietterich, Benchmarking neural network robustness to common corruptions and perturbations,
ICLR 2019.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from robust.core.errors import DataError

SMALL = 64  # pixels of the longer side, from which the constants for 224 pixels apply
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue, ITU-R BT.601

Constant = TypeVar("Constant")


def constant(shape: Sequence[int], severity: int, imagenet: Sequence[Constant], cifar: Sequence[Constant]) -> Constant:
    """The constant of a severity, 1 to 5, for images of this shape [N, H, W, C].

    Raises DataError for images that are neither grey nor RGB.

    >>> constant((8, 28, 28, 1), 5, (0.08, 0.12, 0.18, 0.26, 0.38), (0.04, 0.06, 0.08, 0.09, 0.10))
    0.1
    """
    if shape[-1] not in (1, 3):
        raise DataError(f"a corruption takes grey or RGB images, with 1 or 3 channels; these have {shape[-1]}")
    return (cifar if max(shape[1:3]) < SMALL else imagenet)[severity - 1]


def generator(seed: np.int64) -> np.random.Generator:
    """The random numbers of an image, from its seed alone."""
    return np.random.default_rng(seed.view(np.uint64))


def each(
    images: np.ndarray, seeds: np.ndarray, one: Callable[[np.ndarray, np.random.Generator], np.ndarray]
) -> np.ndarray:
    """Apply `one` to every image [H, W, C], with its own generator; clipped to [0, 1].

    One by one, so that the result for an image is bitwise the same in any batch.
    """
    found = np.empty_like(images)
    for out, image, seed in zip(found, images, seeds, strict=True):
        np.clip(one(image, generator(seed)), 0, 1, out=out, casting="same_kind")
    return found


def pale(colour: tuple[int, int, int], channels: int) -> np.ndarray:
    """An RGB colour of 0 to 255 as [channels] in [0, 1]; for a grey image, its luminance."""
    rgb = np.array(colour, np.float32) / 255
    return rgb if channels == 3 else (rgb @ LUMINANCE)[None]


def luminance(image: np.ndarray) -> np.ndarray:
    """The luminance of the pixels of an image [H, W, C], [H, W, 1]."""
    return image if image.shape[-1] == 1 else (image @ LUMINANCE)[..., None]
