"""Opening untrusted images: only of listed formats, and no larger than memory can hold.

Pillow detects a format by the content, not by the name, and starts an external program, Ghostscript, for one of its
formats. So only these formats are opened, whatever the file's name.
"""

import io
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from robust.core import files
from robust.core.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""The formats that Pillow may detect; all are decoded in this process."""

LARGEST = 2**26
"""The maximum number of pixels of an image, 8,192 x 8,192: decoded, they are 256 MiB."""

FREE, RATIO = 2**24, 200
"""An image of more pixels than the first must have at least one byte per RATIO pixels: a single colour is compressed
1,000 to 1, a photograph never is."""


WORDIEST, WORDY = 2**22, 100
"""A GIF of at least 4 MiB may have at most WORDY bytes per pixel: its comments, which Pillow collects before decoding
anything, take 34 times as much memory."""


def opened(source: str | Path | BinaryIO, called: str | Path = "") -> Image.Image:
    """An image that is not decoded yet; to be used in a `with`.

    called: the name in error messages, where the source is not a path.

    Raises DataError for anything but an image of these formats, and for one that is too large.
    """
    try:
        here = files.regular(Path(source)) if isinstance(source, str | Path) else source
        check_gif(here)
        image = Image.open(here, formats=FORMATS)
    except Exception as error:  # Pillow's readers raise various exceptions on a damaged header
        reason = f"{error or type(error).__name__}; allowed: {', '.join(FORMATS)}"
        raise DataError(f"{called or source}: cannot be read as an image ({reason})") from None
    if why := too_large(image.width * image.height, source):
        size = f"{image.height:,} x {image.width:,} pixels"
        image.close()
        raise DataError(f"{called or source}: has {size}, and {why}; make it smaller")
    return image


def too_large(pixels: int, source: str | Path | BinaryIO) -> str:
    """Why an image with so many pixels is refused; "" where it is not."""
    if pixels > LARGEST:
        return f"at most {LARGEST:,} are allowed"
    if pixels > FREE and pixels > RATIO * (size := _size(source)):
        return f"only {size:,} bytes"
    return ""


def check_gif(source: Path | BinaryIO) -> None:
    """Raise ValueError for a GIF with few pixels and megabytes of comments."""
    if (size := _size(source)) < WORDIEST:
        return
    if isinstance(source, Path):
        with source.open("rb") as file:
            head = file.read(10)
    else:
        place, head = source.tell(), source.read(10)
        source.seek(place)
    width, height = (int.from_bytes(head[at : at + 2], "little") for at in (6, 8))
    if head.startswith(b"GIF8") and size > WORDY * width * height:
        raise ValueError(f"a GIF of {height:,} x {width:,} pixels and {size:,} bytes: save the image without comments")


def _size(source: str | Path | BinaryIO) -> int:
    if isinstance(source, str | Path):
        return Path(source).stat().st_size
    place, end = source.tell(), source.seek(0, io.SEEK_END)
    source.seek(place)
    return end
