"""Image files: which exist, their sizes, and their pixels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import ExifTags, Image

from robust.core.errors import DataError
from robust.datasets import pictures
from robust.datasets.quiet_decoding import silence

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
_GREY, _COLOUR = ("1", "L", "LA"), ("P", "RGB", "RGBA", "CMYK", "YCbCr", "PA")


@dataclass(frozen=True)
class Header:
    """The header of a file, and a hash of the whole file."""

    height: int
    width: int
    grey: bool
    digest: str
    turned: bool = False
    """Does its EXIF orientation request a rotation or reflection?"""


def read_header(path: Path) -> Header:
    """Open a file without decoding it; raises DataError where it is not a readable image."""
    with silence(), pictures.opened(path) as image:  # of odd metadata
        size, mode, turned = image.size, image.mode, _is_turned(image)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if mode not in (*_GREY, *_COLOUR):
        deep = "; of 16 bits Keras keeps the upper 8, torchvision clips at 255: convert it as in the model's training"
        what = f"its pixels are {mode!r} in Pillow's terms; allowed: 8 bits a channel"
        raise DataError(f"{path}: {what}{deep if mode.startswith('I;16') else ''}")
    return Header(size[1], size[0], mode in _GREY, digest, turned)


def _is_turned(image: Image.Image) -> bool:
    if "exif" not in image.info:  # Pillow would decode a PNG to search for it at the end
        return False
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
    except Exception:  # Pillow's readers raise various exceptions on damaged metadata
        return False


def orientation_remark(headers: Sequence[Header]) -> tuple[str, ...]:
    """A remark on images with an EXIF orientation, if there are any: they are read as stored."""
    if not (turned := sum(each.turned for each in headers)):
        return ()
    return (
        f"{turned} of {len(headers)} images with an EXIF orientation, read as stored, as Keras and torchvision do; to "
        "turn them: from PIL import Image, ImageOps; ImageOps.exif_transpose(Image.open(file)).save(file, quality=95)",
    )


def channels(headers: Sequence[Header]) -> int:
    """1 where all images are grey, else 3."""
    return 1 if all(each.grey for each in headers) else 3


def pixels(path: tf.Tensor, channels: int) -> tf.Tensor:
    """`load`, inside a pipeline."""
    image = tf.numpy_function(lambda name: load(name.decode(), channels), [path], tf.uint8)
    image.set_shape([None, None, channels])
    return image


def load(path: str | Path, channels: int) -> np.ndarray:
    """uint8 [H, W, channels] of the file; transparency and EXIF rotation are ignored.

    Uses Pillow: TensorFlow's own decoder gives wrong colours for BMP files with a palette, and takes WebP, GIF
    and BMP only in colour. Raises DataError where it cannot be decoded.
    """
    with silence(), pictures.opened(path) as image:  # of odd metadata, and of transparency in palettes
        try:
            wanted = "L" if channels == 1 else "RGB"
            levels = np.asarray(image if image.mode == wanted else image.convert(wanted))  # Pillow's own is a copy
        except Exception as error:  # Pillow's decoders raise various exceptions on damaged pixels
            raise DataError(f"{path}: cannot be decoded ({error or type(error).__name__})") from None
        return levels.reshape(*image.size[::-1], channels)
