"""What in a .keras or HDF5 file would run third-party code, read from its text; nothing is loaded or imported."""

import json
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from robust.core import archives, files, hdf5_files

ENDINGS = (".keras", ".h5", ".hdf5")
_CODE = {"Lambda": "a Lambda", "__lambda__": "a Lambda", "TFSMLayer": "a SavedModel"}
_TEXT = 2**23  # maximum bytes of config.json: eight times that of the largest networks of Keras
_SHORT = 2**16  # maximum bytes of metadata.json
_H5, _NPZ = "model.weights.h5", "model.weights.npz"
_OURS = ("keras", "builtins")  # the modules of Keras itself


class Foreign(NamedTuple):
    """A part of a file that runs code: what it is, and for code of another module, its module and name."""

    what: str
    module: str = ""
    name: str = ""


def foreign(path: Path) -> list[Foreign]:
    """The parts of a .keras or HDF5 file that run code from elsewhere: Lambdas, SavedModels, classes of other modules.

    A file that is no zip archive with a config.json has none: loading it raises the error.
    """
    return list(dict.fromkeys(_foreign(config(path))))


def named_only(path: Path) -> list[str]:
    """The functions and classes that a .keras file names without a module, such as a custom activation."""
    return list(dict.fromkeys(_named_only(config(path))))


def is_hdf5(path: Path) -> bool:
    """Is it an HDF5 file, as `model.save("x.h5")` and Keras 2 write? By its content, not its name."""
    try:
        at = hdf5_files.offset(files.regular(path))
        return at is not None and not any(start < at < end for start, end in members(path))
    except OSError:
        return False


def members(path: Path) -> list[tuple[int, int]]:
    """Start and end of each member of a zip archive; empty for any other file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [(info.header_offset, info.header_offset + info.compress_size) for info in archive.infolist()]
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile):
        return []


def saved_model(folder: Path) -> str:
    """The kind of a SavedModel: that of Keras 2 contains an additional file."""
    return "a SavedModel of Keras 2" if (folder / "keras_metadata.pb").is_file() else "a SavedModel"


def of_saved_model(folder: Path) -> str:
    """The same, and why it is not loaded without `allow_code`."""
    return f"{saved_model(folder)}, whose graph can read and write files"


def weights_only(path: Path) -> bool:
    """Does an HDF5 file lack the model's configuration, as written by `model.save_weights`?"""
    try:
        return not hdf5_files.attribute(path, "model_config")
    except (OSError, RuntimeError, ValueError):  # damaged: loading it raises the error
        return False


def of_keras_2(path: Path) -> str:
    """The version of Keras 2 (tf_keras) that wrote the file; "" for other versions, or if none is recorded."""
    try:
        if is_hdf5(path):
            return found if (found := hdf5_files.attribute(path, "keras_version")).startswith("2.") else ""
        with zipfile.ZipFile(path) as archive, archive.open("metadata.json") as member:
            found = json.loads(member.read(_SHORT))["keras_version"]
        return found if isinstance(found, str) and found.startswith("2.") else ""
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return ""


def oversized(path: Path) -> str:
    """Why a file would take an implausible amount of memory, or refers to others; "" otherwise, or for no model."""
    try:
        if is_hdf5(path) and members(path):
            return "is both an HDF5 file and a zip archive, so it is ambiguous; save the model again"
        if not is_hdf5(path):
            archives.check(path, archives.WEIGHTS)
        if (length := described(path)) > _TEXT:
            return f"its configuration has {length:,} bytes; at most {_TEXT:,}"
        numbers(path)
    except ValueError as error:
        return str(error)
    except (OSError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error):  # RecursionError is a RuntimeError
        pass  # loading it raises the error
    return ""


def described(path: Path) -> int:
    """The size of a file's configuration, in bytes."""
    if is_hdf5(path):
        return len(hdf5_files.attribute(path, "model_config"))
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo("config.json").file_size


def numbers(path: Path) -> int:
    """The number of parameters in a .keras or HDF5 file.

    Raises ValueError where they claim more than their bytes can hold, are in other files, or are pickled; KeyError,
    OSError, RuntimeError or zipfile.BadZipFile where there are none.
    """
    if is_hdf5(path):
        return hdf5_files.numbers(path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if _NPZ in names and _H5 not in names:
        raise ValueError(f"its weights are pickled, as {_NPZ}, which Keras does not read; save it with model.save")
    return hdf5_files.numbers(path, _H5)


def config(path: Path) -> object:
    """The content of config.json, or of the attribute of an HDF5 file; None where it cannot be read."""
    try:
        if is_hdf5(path):
            return files.parsed(hdf5_files.attribute(path, "model_config"))
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _TEXT:
                return None
            return files.parsed(archive.read("config.json"))
    except (OSError, KeyError, ValueError, RecursionError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None


def _named_only(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        registered = value.get("registered_name")
        if value.get("class_name") == "function" and isinstance(value.get("config"), str):
            yield value["config"]
        elif "class_name" in value and value.get("module") is None and isinstance(registered, str):
            yield registered
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _named_only(each)


def _foreign(value: object) -> Iterator[Foreign]:
    if isinstance(value, list):
        for each in value:
            yield from _foreign(each)
    elif isinstance(value, dict):
        name, module = value.get("class_name"), value.get("module")
        if isinstance(name, str) and name in _CODE:
            yield Foreign(_CODE[name])
        elif isinstance(name, str) and isinstance(module, str) and module.partition(".")[0] not in _OURS:
            yield Foreign(f"{module}.{name}", module, name)
        for each in value.values():
            yield from _foreign(each)


def refusal(path: Path, known: Collection[str] = ()) -> str:
    """Why the file is not loaded without `allow_code`; "" where nothing in it runs code.

    `known`: classes, as "module.Class", whose code runs already.

    >>> refusal(Path("plain.keras"))
    ''
    """
    if not (found := [part.what for part in foreign(path) if part.what not in known]):
        return ""
    return f"{path} holds {', '.join(found)}, which runs third-party code"
