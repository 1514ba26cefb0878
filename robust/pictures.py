"""Opening pictures of others: by a list of formats, and no larger than memory can hold.

Pillow tells a format by the content, not by the name, and starts a program, Ghostscript, for one of those
that it knows. So what is opened is one of these formats, whatever the file is called.
"""

from pathlib import Path
from typing import BinaryIO

from PIL import Image

from robust.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""What Pillow may take a file for; all are decoded in this very process."""

LARGEST = 2**26
"""So many pixels an image may have, 8,192 x 8,192: decoded, they are 256 MiB."""


def opened(source: str | Path | BinaryIO, called: str | Path = "") -> Image.Image:
    """An image that is not decoded yet; to be used in a `with`.

    called: the name for the message, of what is no path.

    Raises DataError for what is no image of these formats, and for one that is too large.
    """
    try:
        image = Image.open(source, formats=FORMATS)
    except Exception as error:  # what a damaged head makes of Pillow's readers has no common name
        said = f"{error or type(error).__name__}; allowed: {', '.join(FORMATS)}"
        raise DataError(f"{called or source}: cannot be read as an image ({said})") from None
    if image.width * image.height > LARGEST:
        size = f"{image.height:,} x {image.width:,} pixels"
        image.close()
        raise DataError(f"{called or source}: has {size}, and {LARGEST:,} are the most; make it smaller")
    return image
