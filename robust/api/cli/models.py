"""A model as it is given to commands."""

from pathlib import Path

from robust.api.cli.preprocessing import parsed
from robust.core import keras_files
from robust.core.types import NewTable


def kind(model: str) -> str:
    """The key of a suite's [model.NAME] for this file or folder."""
    return "tflite" if model.endswith(".tflite") else "keras"


def is_file(model: str) -> bool:
    """Is it a file or folder, or named like one, and not the name of published weights?"""
    return model.endswith((*keras_files.ENDINGS, ".tflite")) or Path(model).exists()


def options(preprocessing: list[str] | None, output: str | None, black_box: bool) -> NewTable:
    """How it is called, as the keys of a suite's [model.NAME]."""
    given: NewTable = {"output": output, "black_box": black_box or None}
    if preprocessing is not None:
        given["preprocessing"] = parsed(preprocessing)
    return {key: value for key, value in given.items() if value is not None}
