"""Where a path lies that a suite names."""

from pathlib import Path


def beside(folder: Path, name: str) -> Path | None:
    """What a suite in this folder means by a path: what is beside the suite, or else where we are; None for neither."""
    path = Path(name).expanduser()
    return next((place for place in (folder / path, path) if place.exists()), None)
