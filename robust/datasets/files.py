"""Image files: which there are, what size they have, and their pixels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import ExifTags, Image

from robust import pictures
from robust.datasets.silence import silence
from robust.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
_GREY, _COLOUR = ("1", "L", "LA"), ("P", "RGB", "RGBA", "CMYK", "YCbCr", "PA")


@dataclass(frozen=True)
class Look:
    """What the head of a file says, and a hash of all of it."""

    height: int
    width: int
    grey: bool
    digest: str
    turned: bool = False
    """Does its EXIF ask whoever shows it to turn or mirror it?"""


def look(path: Path) -> Look:
    """Open a file without decoding it; raises DataError where it is not an image we can read."""
    with silence(), pictures.opened(path) as image:  # of odd metadata
        size, mode, turned = image.size, image.mode, _is_turned(image)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if mode not in (*_GREY, *_COLOUR):
        deep = "; of 16 bits Keras keeps the upper 8, torchvision clips at 255: write it anew as the model knew it"
        what = f"its pixels are {mode!r} in Pillow's terms; allowed: 8 bits a channel"
        raise DataError(f"{path}: {what}{deep if mode.startswith('I;16') else ''}")
    return Look(size[1], size[0], mode in _GREY, digest, turned)


def _is_turned(image: Image.Image) -> bool:
    if "exif" not in image.info:  # Pillow would decode a PNG to look for it at the end
        return False
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
    except Exception:  # what damaged metadata makes of Pillow's readers has no common name
        return False


def said_of_turned(looks: Sequence[Look]) -> tuple[str, ...]:
    """A sentence on images that a camera held otherwise, where there are some: they are read as they are stored."""
    if not (turned := sum(each.turned for each in looks)):
        return ()
    return (
        f"{turned} of {len(looks)} images with an EXIF orientation, read as stored, as Keras and torchvision do; to "
        "turn them: from PIL import Image, ImageOps; ImageOps.exif_transpose(Image.open(file)).save(file, quality=95)",
    )


def channels(looks: Sequence[Look]) -> int:
    """1 where all images are grey, else 3."""
    return 1 if all(each.grey for each in looks) else 3


def pixels(path: tf.Tensor, channels: int) -> tf.Tensor:
    """`load`, inside a pipeline."""
    image = tf.numpy_function(lambda name: load(name.decode(), channels), [path], tf.uint8)
    image.set_shape([None, None, channels])
    return image


def load(path: str | Path, channels: int) -> np.ndarray:
    """uint8 [H, W, channels] of the file; transparency and EXIF rotation are left out of it.

    By Pillow: TensorFlow's own decoder gives wrong colours for BMP files with a palette, and takes WebP, GIF
    and BMP only in colour. Raises DataError where it cannot be decoded.
    """
    with silence(), pictures.opened(path) as image:  # of odd metadata, and of transparency in palettes
        try:
            wanted = "L" if channels == 1 else "RGB"
            levels = np.asarray(image if image.mode == wanted else image.convert(wanted))  # Pillow's own is a copy
        except Exception as error:  # what damaged pixels make of Pillow's decoders has no common name
            raise DataError(f"{path}: cannot be decoded ({error or type(error).__name__})") from None
        return levels.reshape(*image.size[::-1], channels)
