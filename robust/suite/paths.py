"""Resolving the paths that a suite names."""

from pathlib import Path


def resolve_path(folder: Path, name: str) -> Path | None:
    """A path of a suite in this folder, relative to the suite or else to the current folder; None if in neither."""
    path = Path(name).expanduser()
    return next((place for place in (folder / path, path) if place.exists()), None)
