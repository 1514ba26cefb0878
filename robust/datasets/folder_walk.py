"""Walking a folder of images: what it contains, what is skipped, and where links lead.

One rule for every level, in line with `image_dataset_from_directory` of Keras and `ImageFolder` of torchvision:

- hidden files (a leading dot), and those an operating system leaves behind (`LEFT_BEHIND`), are skipped;
- links are followed; one that is broken, or leads back to a folder that contains it, is an error;
- in the folder of a class, at any depth, a file with one of `files.SUFFIXES` is an image or an error, an image
  with another suffix is an error, and every other file is skipped.

Whatever is skipped is counted and reported in `Walk.notes`.
"""

import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from robust.core import text as words
from robust.core.errors import DataError
from robust.datasets import pictures
from robust.datasets.files import SUFFIXES

LEFT_BEHIND = frozenset(
    ("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir", "lost+found", "__pycache__",
     "$recycle.bin", "system volume information")
)  # fmt: skip
"""In lower case."""
HIDDEN, OTHER = "hidden, or left by an operating system", "no images"
_PICTURES = (
    ".tif", ".tiff", ".jfif", ".jpe", ".jp2", ".heic", ".heif", ".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".svg",
    ".tga", ".ico", ".psd", ".eps", ".dcm", ".exr", ".hdr", ".dng", ".raw",
)  # fmt: skip
_SHOWN = 5  # names in a message


class Entry(NamedTuple):
    """An entry of a folder."""

    path: Path
    is_folder: bool


class Walk:
    """A walk through a folder, which lists each folder once and counts what it skips."""

    def __init__(self, root: Path):
        self._root = root
        self._listed: dict[Path, list[Entry]] = {}
        self._passed: dict[str, set[Path]] = {}

    def entries(self, place: Path) -> list[Entry]:
        """The entries of a folder that are not skipped, sorted by name.

        Raises DataError for a folder that cannot be read, a name that is not UTF-8, and a broken link.
        """
        if place not in self._listed:
            try:
                with os.scandir(place) as there:
                    self._listed[place] = [e for one in sorted(there, key=lambda e: e.name) if (e := self._entry(one))]
            except OSError as error:
                raise DataError(f"{shown(place)}: cannot be listed ({error.strerror or error})") from None
        return self._listed[place]

    def folders(self, place: Path) -> list[Path]:
        """The folders in a folder."""
        return [entry.path for entry in self.entries(place) if entry.is_folder]

    def own_images(self, place: Path) -> list[Path]:
        """The images directly in a folder."""
        return [entry.path for entry in self.entries(place) if not entry.is_folder and is_image(entry.path)]

    def images(self, of_class: Path) -> list[Path]:
        """The images of a class, sorted by name, including those of its inner and linked folders.

        Raises DataError for a link to a folder that contains it, and for an image with an unsupported suffix.
        """
        found: list[Path] = []
        waiting: list[tuple[Path, tuple[Path, ...]]] = [(of_class, (_real(of_class, (of_class.parent.resolve(),)),))]
        while waiting:
            place, above = waiting.pop()
            for path, is_folder in self.entries(place):
                if is_folder:
                    waiting.append((path, (*above, _real(path, above))))
                elif is_image(path):
                    found.append(path)
                else:
                    check_other(path)
                    self.pass_by(OTHER, [path])
        return sorted(found)

    def pass_by(self, why: str, paths: Iterable[Path]) -> None:
        """Count what is skipped."""
        self._passed.setdefault(why, set()).update(paths)

    @property
    def notes(self) -> list[str]:
        """What was skipped, a sentence for each reason."""
        found = []
        for why, paths in sorted(self._passed.items()):
            if paths:
                listed = sorted(shown(path.relative_to(self._root)) for path in paths)
                found.append(f"skipped, as {why}: {len(paths)} ({names(listed)})")
        return found

    def _entry(self, one: "os.DirEntry[str]") -> Entry | None:
        path = Path(one.path)
        if one.name.startswith(".") or one.name.lower() in LEFT_BEHIND:
            self.pass_by(HIDDEN, [path])
            return None
        check_name(path)
        if one.is_symlink() and not path.exists():
            what = f"{path}: a link that leads nowhere, to {shown(path.readlink())}"
            raise DataError(f"{what}; fetch its target (git annex get, dvc pull, a mount), or remove it")
        if is_image(path) and not one.is_dir() and not one.is_file():  # opening it would block
            raise DataError(f"{path}: not a regular file, but a pipe or a device")
        return Entry(path, one.is_dir())


def check_name(path: Path) -> None:
    """Raise DataError for a name that is not UTF-8, or has control characters: ids and tables could not hold it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise DataError(f"{shown(path)}: its name is not UTF-8; rename it (convmv does so for many)") from None
    check_words(str(path), str(path))


def check_words(text: str, where: str) -> None:
    """Raise DataError for a name with control characters: they break lines and are interpreted by terminals."""
    if odd := words.NOT_IN_A_LINE.search(text):
        raise DataError(f"{where!r}: a name with the control character {odd[0]!r}; rename it")


def shown(path: Path) -> str:
    """A path for a message, bytes that are not UTF-8 as \\xe9."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_image(path: Path) -> bool:
    """Has the file a supported image suffix?"""
    return path.suffix.lower() in SUFFIXES


def class_name(text: str) -> str:
    """The name of a class, however it was written: without spaces at its ends, letters and accents composed.

    >>> class_name(" lo\\u0308we ")
    'löwe'
    """
    return unicodedata.normalize("NFC", text.strip())


def names(listed: Sequence[str]) -> str:
    """A few names, and how many more there are.

    >>> names(["a", "b", "c", "d", "e", "f"])
    "'a', 'b', 'c', 'd', 'e' and 1 more"
    """
    more = len(listed) - _SHOWN
    return ", ".join(map(repr, listed[:_SHOWN])) + (f" and {more} more" if more > 0 else "")


def _real(path: Path, above: tuple[Path, ...]) -> Path:
    """The resolved path of a folder; `above`: those of the folders through which it was reached."""
    if not path.is_symlink():
        return above[-1] / path.name
    real = path.resolve()
    if any(one.is_relative_to(real) for one in above):
        raise DataError(f"{path}: a link to {shown(real)}, through which it was reached; remove it")
    return real


def check_other(path: Path) -> None:
    """Raise DataError for an image with an unsupported suffix: it would be missed."""
    if path.suffix.lower() not in _PICTURES and not _opens(path):
        return
    allowed = f"allowed: {', '.join(SUFFIXES)}"
    raise DataError(f"{path}: an image, but not with a supported suffix; {allowed}; rename or convert it")


def _opens(path: Path) -> bool:
    if not path.is_file():  # a pipe would block
        return False
    try:
        with pictures.opened(path):
            return True
    except DataError:
        return False
