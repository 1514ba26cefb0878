"""A picture of what training sees: images and their augmented versions, epoch by epoch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from robust.core import files, randomness, registry
from robust.core.errors import SuiteError, suggest
from robust.core.signature import Call, bind
from robust.datasets.dataset import Dataset
from robust.training.pipeline import augmented, example_seeds

_SMALL, _GAP = 96, 4  # pixels: images up to this side are enlarged by a whole factor; the white gap between two


def augmentations(names: Sequence[str]) -> list[Call]:
    """The named augmentations, each by itself or all of a recipe, in their order.

    A recipe may be named without its year: "alexnet" is alexnet2012.

    Raises SuiteError for a name that is neither, and for a recipe that leaves images as they are.

    >>> [call.name for call in augmentations(["pad_and_crop", "flip"])]
    ['pad_and_crop', 'flip']
    """
    return [call for name in names for call in _named(name)]


def _named(name: str) -> list[Call]:
    if name in (own := registry.names("augmentations")) or registry.is_foreign(name):
        return [bind("augmentations", name)]
    recipes = {key: recipe for recipe in registry.names("recipes") for key in (recipe.rstrip("0123456789"), recipe)}
    if name not in recipes:
        raise SuiteError(f"--augment {name}: no augmentation or recipe has that name{suggest(name, [*own, *recipes])}")
    listed = bind("recipes", recipes[name]).arguments.get("augment")
    if not listed:
        raise SuiteError(f"--augment {name}: the recipe {recipes[name]} leaves images as they are")
    return [bind("augmentations", each) for each in listed]


def picture(
    data: Dataset, augment: Sequence[Call], out: Path, *, images: int = 8, epochs: int = 8, seed: int = 0
) -> Path:
    """Write a PNG: a row for each image, first as it is, then as training sees it in epoch after epoch.

    Args:
        data: the images are the first of each class in turn, of its training split.
        augment: of the catalogue `augmentations`, applied from left to right.
        out: the file. images: rows. epochs: columns after the first.
        seed: of the training.

    Mixing augmentations mix these images with each other; in training, the whole batch.

    Raises DataError where the data has no training split, or fewer images.
    """
    examples = data.examples("train", images)
    seeds, labels = example_seeds(tf.constant(examples.ids), seed), tf.constant(examples.labels)
    prepare = tf.function(augmented(data, augment), autograph=False)
    seen = [prepare(examples.images, labels, randomness.fold(seeds, epoch))[0].numpy() for epoch in range(epochs)]
    sheet = _sheet(np.stack([examples.images, *seen], axis=1))
    return files.write(out, lambda path: Image.fromarray(sheet).save(path, "PNG"))


def _sheet(images: np.ndarray) -> np.ndarray:
    """Images [rows, columns, H, W, C] in [0, 1] as one of 256 levels, [..., 3], on white."""
    times = max(1, _SMALL // max(images.shape[2:4]))
    large = np.repeat(np.repeat(images, times, axis=2), times, axis=3)
    gap = [(0, 0), (0, 0), (_GAP, 0), (_GAP, 0), (0, 0)]
    framed = np.pad(np.rint(large * 255).astype(np.uint8), gap, constant_values=255)
    rows, columns, height, width, channels = framed.shape
    sheet = framed.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    sheet = np.pad(sheet, [(0, _GAP), (0, _GAP), (0, 0)], constant_values=255)
    return np.broadcast_to(sheet, (*sheet.shape[:2], 3)) if channels == 1 else sheet
