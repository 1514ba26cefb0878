"""The page: one self-contained `index.html`, rendered from a report folder of `run`."""

from collections.abc import Iterable
from pathlib import Path

from robust.core.types import Table

__all__ = ["of_architectures", "write"]


def write(folder: Path, sections: Iterable[str | Table] = ()) -> Path:
    """Render `index.html` into the folder, atomically, and return its path.

    The same folder gives the same bytes. The page works offline; TensorFlow is not needed to render it.

    Args:
        folder: a folder that `robust run SUITE --out DIR` has filled, or `robust describe --all --out DIR`.
        sections: third-party ones, in addition to the built-in ones: "their.module:function", or a table with its
            arguments; see `robust.report.sections`. Their code runs, so name only what you trust.

    Raises ReportError where a file of the folder is missing or damaged, and StoreError where the page
    cannot be written.
    """
    from robust.core.signature import bind
    from robust.report import architectures, page

    calls = [bind("sections", one) for one in sections]
    return architectures.write(Path(folder)) if of_architectures(folder) else page.write(Path(folder), calls)


def of_architectures(folder: Path) -> bool:
    """Is it what `robust describe --all` has filled, which has no bounds?"""
    from robust.report import architectures

    return (Path(folder) / architectures.TABLE).is_file()
