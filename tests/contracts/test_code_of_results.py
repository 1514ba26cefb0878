"""What is kept is known by the code that made it: all of it, wherever it stands."""

import ast
from pathlib import Path

import pytest

from robust.engine import blocks, models

ROOT = Path(models.__file__).parents[1]
WITHOUT_NUMBERS = {
    "robust", "core.archives", "attacks", "suite.bounds", "core.registry", "core.errors", "core.files",
    "core.hdf5_files", "core.hdf5_heaps", "core.interface", "core.keras_files", "results.reliability", "core.progress",
    "core.arguments", "core.types", "results.tables", "core.signature", "core.store", "suite", "core.toml", "core.text",
}  # fmt: skip
BEHIND_THE_IDENTITY_OF_THE_MODEL = {"engine.models"}


def files(rooms) -> set[Path]:
    return {file for room in rooms for file in (*(ROOT / room).rglob("*.py"), (ROOT / room).with_suffix(".py"))}


def imports(file: Path) -> set[str]:
    """Modules of robust that this one imports, as "attacks.ball"; a catalogue imports its members later."""
    found = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("robust"):
            inner = node.module.removeprefix("robust").removeprefix(".")
            names = {".".join(filter(None, (inner, alias.name))) for alias in node.names}
            found |= {name for name in names if path(name)} or {inner or "robust"}
    return found


def path(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


@pytest.mark.parametrize(
    ("rooms", "without"),
    [(models._MADE_BY, WITHOUT_NUMBERS), (blocks._FOUND_BY, WITHOUT_NUMBERS | BEHIND_THE_IDENTITY_OF_THE_MODEL)],
)
def test_no_code_that_changes_a_number_is_left_out_of_the_key(rooms, without):
    there = {file for file in files(rooms) if file.is_file()}
    assert all((ROOT / room).is_dir() or (ROOT / room).with_suffix(".py").is_file() for room in rooms)
    used = {(name, path(name)) for file in there for name in imports(file)}
    left_out = {name for name, file in used if file not in there and name not in without}
    assert left_out == set()


def test_the_way_to_look_for_it_finds_something():
    found = {name for file in (ROOT / "training").glob("*.py") for name in imports(file)}
    assert found >= {"models.classifier.heads", "core.randomness", "training.augmentations"}
    assert imports(ROOT / "attacks/ball.py") >= {"attacks.box"}
