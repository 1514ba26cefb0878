"""Weights by a formula, files as Torch writes them, and the logits that Torch's networks gave with them."""

import importlib.util
import io
import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from safetensors.numpy import save

from robust.core.signature import Call, bind

HERE = Path(__file__).parent
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "int64": "LongStorage"}
VGGS = {"vgg11": {"width": 0.1}, "vgg11_bn": {"norm": "batch", "width": 0.1}}
SYMMETRIC = {"padding": "symmetric", "epsilon": 1e-5}
OPTIONS = {
    "torchvision": {"resnet50": {"form": "v1.5"}, "mobilenet_v2": SYMMETRIC, "efficientnet_b0": SYMMETRIC, **VGGS}
    | {name: {"padding": "symmetric"} for name in ("mobilenet_v3_large", "mobilenet_v3_small")},
    "timm": {"resnet50": {"form": "v1.5"}, "efficientnet_b0": SYMMETRIC, **VGGS}
    | dict.fromkeys(("mobilenetv2_100", "mobilenetv3_large_100", "mobilenetv3_small_100"), SYMMETRIC),
    "timm_tf": {},
}
"""What our architectures must be asked for with: written down here a second time."""


@cache
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("references", HERE.parents[2] / "tools/make_torch_references.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def formula() -> ModuleType:
    """The tool that has made the references, for its formulas."""
    return tool()


class Reference(NamedTuple):
    """A network of Torch's: its tensors, images for it, and what it says of them."""

    layout: str
    name: str
    architecture: str
    tensors: dict[str, np.ndarray]
    images: np.ndarray
    logits: np.ndarray

    def call(self, **options: Any) -> Call:
        """Our architecture with the options that fit, but for those that are given."""
        fitting = OPTIONS[self.layout].get(self.name, {})
        return bind("architectures", {"name": self.architecture, **fitting, **options})


@pytest.fixture(scope="session")
def reference() -> Callable[[str, str], Reference]:
    """`reference(layout, name)`: a stored network with its weights computed."""

    def build(layout: str, name: str) -> Reference:
        with np.load(HERE / f"references/{layout}.{name}.npz") as stored:
            about, shapes = json.loads(str(stored["about"])), json.loads(str(stored["tensors"]))
            logits = stored["logits"]
        tensors = {key: tool().weight(key, tuple(shape)) for key, shape, _ in shapes}
        assert [kind for *_, kind in shapes] == [str(tensor.dtype) for tensor in tensors.values()]
        return Reference(layout, name, about["architecture"], tensors, tool().images(about["side"]), logits)

    return build


class Raw(bytes):
    """Operations of a pickle, written as they stand."""


def code(value: Any) -> bytes:
    """A value in the operations that `torch.save` uses, without the memo."""
    match value:
        case Raw():
            return value
        case str():
            return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return b"\x8a\x0b" + value.to_bytes(11, "little", signed=True)
        case tuple():
            return b"(" + b"".join(map(code, value)) + b"t"
        case list():
            return b"](" + b"".join(map(code, value)) + b"e"
        case dict():
            return b"ccollections\nOrderedDict\n)R(" + b"".join(code(v) for pair in value.items() for v in pair) + b"u"
        case None:
            return b"N"
    raise TypeError(value)


def pickled(value: Any) -> bytes:
    return b"\x80\x02" + code(value) + b"."


def tensor(key: str, array: np.ndarray, *view: Any) -> Raw:
    """A tensor whose numbers stand elsewhere; view: what else a reference of the older form has."""
    strides = tuple(stride // array.itemsize for stride in np.empty(array.shape, array.dtype).strides)
    return rebuilt(storage(key, array, *view), 0, array.shape, strides)


def storage(key: str, array: np.ndarray, *view: Any) -> Raw:
    kind = Raw(f"ctorch\n{STORAGES[str(array.dtype)]}\n".encode())
    return Raw(code(("storage", kind, key, "cpu", array.size, *view)) + b"Q")


def rebuilt(numbers: Raw, *view: Any) -> Raw:
    return Raw(b"ctorch._utils\n_rebuild_tensor_v2\n" + code((numbers, *view, False, {})) + b"R")


def legacy(tensors: dict[str, Any]) -> bytes:
    """The older form: five pickles, then the storages. What is no array is written as it stands."""
    arrays = {str(number): value for number, value in enumerate(tensors.values()) if isinstance(value, np.ndarray)}
    tree = {
        name: tensor(str(number), value, None) if isinstance(value, np.ndarray) else value
        for number, (name, value) in enumerate(tensors.items())
    }
    system = {"protocol_version": PROTOCOL, "little_endian": True}
    head = b"".join(map(pickled, (MAGIC, PROTOCOL, system, tree, list(arrays))))
    return head + b"".join(array.size.to_bytes(8, "little") + array.tobytes() for array in arrays.values())


def zipped(tensors: dict[str, Any], compression: int = zipfile.ZIP_STORED, order: str = "little") -> bytes:
    """The zip form."""
    arrays = {str(number): array for number, array in enumerate(tensors.values())}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        tree = {name: tensor(key, array) for (name, array), key in zip(tensors.items(), arrays, strict=True)}
        archive.writestr("archive/data.pkl", pickled(tree))
        archive.writestr("archive/byteorder", order)
        for key, array in arrays.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())
    return out.getvalue()


def safetensors(tensors: dict[str, np.ndarray]) -> bytes:
    """The safetensors form."""
    return save({name: np.asarray(value) for name, value in tensors.items()}, {"format": "pt"})


@pytest.fixture(scope="session")
def form() -> dict[str, Callable[..., bytes]]:
    """The forms of a file: name -> writer of tensors."""
    return {"legacy": legacy, "zip": zipped, "safetensors": safetensors}


@pytest.fixture(scope="session")
def pickle_of() -> Callable[[Any], bytes]:
    """`pickle_of(value)`, where a value of type `raw` is operations."""
    return pickled


@pytest.fixture(scope="session")
def raw() -> type[bytes]:
    """`raw(operations)`: what a pickle holds as it stands."""
    return Raw


@pytest.fixture(name="tensor", scope="session")
def tensor_of() -> Callable[..., bytes]:
    """`tensor(key, array, ...)`: the operations of a tensor whose numbers stand elsewhere."""
    return tensor


@pytest.fixture
def viewed() -> Callable[..., bytes]:
    """`viewed(offset, shape, strides)`: the operations of such a tensor in the storage "0" of twelve floats."""
    return lambda *view: rebuilt(storage("0", np.zeros(12, np.float32), None), *view)
