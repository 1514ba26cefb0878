"""What in a .keras file would run somebody's code, read from its text; nothing is loaded or imported."""

import json
import math
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from robust import archives

_CODE = {"Lambda": "a Lambda", "__lambda__": "a Lambda", "TFSMLayer": "a SavedModel"}
_TEXT = 2**26  # bytes that config.json may have
_WIDE = ("units", "filters", "output_dim", "input_dim", "hidden_dim", "intermediate_dim", "key_dim", "value_dim")
_WIDTH = 2**26
_OURS = ("keras", "builtins")  # the modules that Keras itself brings


class Foreign(NamedTuple):
    """A part of a file that runs code: what it is, and for code of another module where it stands."""

    what: str
    module: str = ""
    name: str = ""


def foreign(path: Path) -> list[Foreign]:
    """The parts of a .keras file that run code from elsewhere: Lambdas, SavedModels, classes of other modules.

    A file that is no zip archive with a config.json has none: loading it will say what is wrong with it.
    """
    return list(dict.fromkeys(_foreign(_config(path))))


def named_only(path: Path) -> list[str]:
    """The functions and classes that a .keras file names without a module, as an activation of one's own."""
    return list(dict.fromkeys(_named_only(_config(path))))


def oversized(path: Path) -> str:
    """Why the archive would take more memory than it can mean; "" where it would not, or is no archive."""
    try:
        archives.check(path)
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _TEXT:
                return f"its config.json has more than {_TEXT:,} bytes"
            _weights(archive)
            widths = sorted(_widths(json.loads(archive.read("config.json"))))[-2:]
            return _too_wide(widths, archive.getinfo("model.weights.h5").file_size)
    except json.JSONDecodeError:
        pass
    except ValueError as error:
        return str(error)
    except (OSError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error):  # RecursionError is a RuntimeError
        pass  # loading it will say what is wrong with it
    return ""


def _widths(value: Any) -> Iterator[int]:
    """How wide layers are, as their configurations say: Keras makes room for their weights before it reads any."""
    if isinstance(value, dict):
        yield from (n for key, n in value.items() if key in _WIDE and type(n) is int and n > 0)
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _widths(each)


def _too_wide(widths: list[int], stored: int) -> str:
    """Of the two widest layers each unit has a weight, and may have one for each unit of the other."""
    most = math.prod(widths)
    if widths and (widths[-1] > max(_WIDTH, 2 * stored) or most > max(_WIDTH * 16, 8 * stored)):
        layers = " and ".join(f"{width:,}" for width in widths)
        return f"its layers have up to {layers} units, for which weights of {stored:,} bytes are too few"
    return ""


def _weights(archive: zipfile.ZipFile) -> None:
    """Raise ValueError where the weights claim sizes that their bytes cannot hold: HDF5 keeps what is empty in none."""
    import h5py

    sizes: list[int] = []
    with archive.open("model.weights.h5") as member, h5py.File(member, "r") as file:
        file.visititems(lambda _, each: sizes.append(each.nbytes) if isinstance(each, h5py.Dataset) else None)
    archives.sizes(sum(sizes), archive.getinfo("model.weights.h5").file_size)


def _config(path: Path) -> Any:
    """What config.json says, None where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _TEXT:
                return None
            return json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, RecursionError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None


def _named_only(value: Any) -> Iterator[str]:
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


def _foreign(value: Any) -> Iterator[Foreign]:
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
    """Why the file is not loaded without trust; "" where nothing in it runs code.

    `known`: classes, as "module.Class", whose code runs already.

    >>> refusal(Path("plain.keras"))
    ''
    """
    if not (found := [part.what for part in foreign(path) if part.what not in known]):
        return ""
    return f"{path} holds {', '.join(found)}, which runs somebody's code"
