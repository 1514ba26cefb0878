"""A file of weights -> its tensors by name, whatever its form; nothing in it is executed."""

import mmap
from pathlib import Path

from robust.core.errors import ModelError
from robust.core.files import placeholder
from robust.core.types import NewTable
from robust.models.pretrained import safetensors, torch_files
from robust.models.pretrained.tensor import Tensor

WRAPPERS = (
    "state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model_state_dict", "model", "net", "weights",
    "params", "teacher", "last",
)  # fmt: skip
"""The keys of the weights in a training checkpoint; averaged ones first, as timm and torchvision publish those."""


class Tensors(dict[str, Tensor]):
    """By name; `of` names the table of a checkpoint that they are from, if it has several, else ""."""

    of = ""


def read(path: str | Path) -> Tensors:
    """The tensors of a `.pth` (older and zip form) or `.safetensors` file, by name.

    A checkpoint's table of weights ("state_dict", "model", averaged ones first) is found in it, and
    so is a single one under another name. Values are only read from the file when they are used.

    Raises ModelError, which names the file, for one that is none of these, that is damaged, or that
    holds anything but tensors and plain data.

    >>> read("pyproject.toml")
    Traceback (most recent call last):
    robust.core.errors.ModelError: pyproject.toml: cannot be read as weights (ValueError: ...); is it whole?
    """
    try:
        if what := placeholder(Path(path)):
            raise ModelError(what)
        return _unwrapped(_read(Path(path)))
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except Exception as error:  # Python's readers raise errors of no common type for a damaged zip, pickle or header
        why = f"{type(error).__name__}: {str(error)[:200]}"
        raise ModelError(f"{path}: cannot be read as weights ({why}); is it whole?") from error


def _read(path: Path) -> NewTable:
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # lives as long as one of its tensors
        if data[:4] == b"PK\x03\x04":
            return torch_files.read_zip(file, data)
    return safetensors.read(path, data) if data[8:9] == b"{" else torch_files.read_legacy(data)


def _unwrapped(table: NewTable) -> Tensors:
    if holding := [key for key in WRAPPERS if holds(table.get(key))]:
        found = _unwrapped(table[holding[0]])
        found.of = found.of or (f"weights of {holding[0]!r}, not of {', '.join(holding[1:])}" if holding[1:] else "")
        return found
    if tensors := {name: tensor for name, tensor in table.items() if isinstance(tensor, Tensor)}:
        return Tensors(tensors)
    inner = [key for key, value in table.items() if holds(value)]
    if not inner:
        raise ModelError("it holds no tensors")
    if len(inner) > 1:
        listed = ", ".join(map(repr, inner[:5]))
        raise ModelError(
            f"it holds tensors under {listed}; save one of them: torch.save(checkpoint[{inner[0]!r}], file)"
        )
    return _unwrapped(table[inner[0]])


def holds(value: object) -> bool:
    """Is it a table with tensors, at whatever depth?"""
    return isinstance(value, dict) and any(isinstance(each, Tensor) or holds(each) for each in value.values())
