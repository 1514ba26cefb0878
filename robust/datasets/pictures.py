"""Opening pictures of others: by a list of formats, and no larger than memory can hold.

Pillow tells a format by the content, not by the name, and starts a program, Ghostscript, for one of those
that it knows. So what is opened is one of these formats, whatever the file is called.
"""

import io
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from robust.core import files
from robust.core.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""What Pillow may take a file for; all are decoded in this very process."""

LARGEST = 2**26
"""So many pixels an image may have, 8,192 x 8,192: decoded, they are 256 MiB."""

FREE, RATIO = 2**24, 200
"""An image of more pixels than the first has a byte for so many of them as the second: one colour is packed 1,000
to 1, and nothing that was ever photographed is."""


WORDIEST, WORDY = 2**22, 100
"""So many bytes a pixel a GIF may have beyond 4 MiB: its comments, which Pillow gathers before anything is decoded,
take 34 times as much."""


def opened(source: str | Path | BinaryIO, called: str | Path = "") -> Image.Image:
    """An image that is not decoded yet; to be used in a `with`.

    called: the name for the message, of what is no path.

    Raises DataError for what is no image of these formats, and for one that is too large.
    """
    try:
        here = files.regular(Path(source)) if isinstance(source, str | Path) else source
        check_gif(here)
        image = Image.open(here, formats=FORMATS)
    except Exception as error:  # what a damaged head makes of Pillow's readers has no common name
        said = f"{error or type(error).__name__}; allowed: {', '.join(FORMATS)}"
        raise DataError(f"{called or source}: cannot be read as an image ({said})") from None
    if why := too_large(image.width * image.height, source):
        size = f"{image.height:,} x {image.width:,} pixels"
        image.close()
        raise DataError(f"{called or source}: has {size}, and {why}; make it smaller")
    return image


def too_large(pixels: int, source: str | Path | BinaryIO) -> str:
    """What speaks against so many pixels; "" where nothing does."""
    if pixels > LARGEST:
        return f"{LARGEST:,} are the most"
    if pixels > FREE and pixels > RATIO * (size := _size(source)):
        return f"only {size:,} bytes"
    return ""


def check_gif(source: Path | BinaryIO) -> None:
    """Raise ValueError for a GIF of next to no pixels and megabytes of comments."""
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
        raise ValueError(f"a GIF of {height:,} x {width:,} pixels and {size:,} bytes: save its picture alone")


def _size(source: str | Path | BinaryIO) -> int:
    if isinstance(source, str | Path):
        return Path(source).stat().st_size
    place, end = source.tell(), source.seek(0, io.SEEK_END)
    source.seek(place)
    return end
