"""The pickles in Torch's files, read as data by a machine that cannot call anything.

Python's own unpickler would do with a few names allowed, but it still allocates whatever
numbers a file declares. This one knows the operations that `torch.save` writes for tensors, and no more.
"""

import pickletools
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from robust.core.errors import ModelError
from robust.models.pretrained.tensor import BFLOAT16

STORAGES = {
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.HalfStorage": np.dtype("<f2"),
    "torch.BFloat16Storage": BFLOAT16,
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ShortStorage": np.dtype("<i2"),
    "torch.CharStorage": np.dtype("i1"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
}
MADE = 100_000
"""The most tensors and tables a pickle may make: several times those of the largest classifier with its optimizer."""

OPERATIONS = 2_000_000
"""The most operations it may have, each of which may make a number, a list or a table.

`torch.save` writes 34 for a tensor, so that this is room for 58,000.
"""

REBUILT = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"}
WRAPPED = {"torch._utils._rebuild_parameter", "torch.nn.parameter.Parameter", "torch.Size"}
"""What only wraps its first argument."""
_NUMPY = {f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")}
IGNORED = {
    *_NUMPY, "numpy.dtype", "numpy.ndarray", "argparse.Namespace", "_codecs.encode", "copy_reg._reconstructor",
    "copyreg._reconstructor", "__builtin__.object", "builtins.object", "torch.device", "__builtin__.set",
    "builtins.set",
}  # fmt: skip
"""What trainings save in addition to tensors, as arguments and single numbers: skipped, and never made."""
TABLES = {"collections.OrderedDict", "collections.Counter", "collections.defaultdict"}
KNOWN = {*STORAGES, *REBUILT, *WRAPPED, *IGNORED, *TABLES, "__builtin__.dict", "builtins.dict"}

_LITERALS = {
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINSTRING",
    "SHORT_BINSTRING", "SHORT_BINBYTES", "BINBYTES",
}  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Name:
    """A function or class that the file names."""

    text: str


@dataclass(frozen=True)
class Skipped:
    """An object of no use here that the file requests: it is not made."""

    name: str


@dataclass(frozen=True)
class Storage:
    """A run of `count` numbers that is elsewhere in the file, under `key`."""

    key: str
    dtype: np.dtype
    count: int


@dataclass(frozen=True)
class View:
    """A tensor: numbers of a storage, from `offset` on, with strides (in numbers) that stay within it."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self):
        numbers = (self.offset, *self.shape, *self.strides)
        if any(type(n) is not int or n < 0 for n in numbers) or not len(self.shape) == len(self.strides) <= 8:
            raise ModelError("a tensor's offset, shape or strides are not whole numbers >= 0, or not of one length")
        size, count = prod(self.shape), self.storage.count
        reach = sum((side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True))
        if size > count or (size and self.offset + reach >= count):
            raise ModelError(f"a tensor of shape {self.shape} reaches beyond its {count} numbers")


class Machine:
    """Reads one pickle: numbers, strings, lists, tuples, tables, and tensors as `View`s."""

    def __init__(self):
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}
        self.made = 0

    def read(self, stream: Any) -> Any:
        """The object; the stream, a file or a mmap, is then positioned after it.

        Raises ModelError for what is not plain data or a tensor.
        """
        for count, (operation, argument, _) in enumerate(pickletools.genops(stream)):
            if count == OPERATIONS:
                raise ModelError(f"the pickle has more than {OPERATIONS:,} operations")
            if operation.name == "STOP":
                return self.stack.pop()
            self.step(operation.name, argument)
        raise ModelError("the pickle has no end")

    def step(self, name: str, argument: Any) -> None:
        """Do one operation, by its name in `pickletools`."""
        match name:
            case "PROTO" | "FRAME":
                pass
            case "GLOBAL":
                self.stack.append(_named(argument.replace(" ", ".", 1)))
            case "STACK_GLOBAL":
                self.stack.append(_named(".".join(self.popped(len(self.stack) - 2))))
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                self.stack.append(self.memo[argument])
            case "MARK":
                self.marks.append(len(self.stack))
            case "BINPERSID":
                self.stack.append(self.stored(self.stack.pop()))
            case "REDUCE" | "NEWOBJ":
                arguments = self.stack.pop()
                self.made += 1 + entries(arguments)
                if self.made > MADE:
                    raise ModelError(f"the pickle makes more than {MADE:,} tensors and entries of tables")
                self.stack.append(made(self.stack.pop(), arguments))
            case "BUILD":  # attributes of a table or a parameter: nothing that we need
                self.stack.pop()
            case _:
                self.data(name, argument)

    def data(self, name: str, argument: object) -> None:
        """Do an operation that makes or fills numbers, strings, tuples, lists and tables."""
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            self.stack.append(tuple(self.popped(len(self.stack) - _TUPLES[name])))
        elif name == "TUPLE":
            self.stack.append(tuple(self.popped(self.marks.pop())))
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            self.stack.append([] if name == "EMPTY_LIST" else {})
        elif name in ("APPEND", "APPENDS"):
            items = self.popped(len(self.stack) - 1 if name == "APPEND" else self.marks.pop())
            self.stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = self.popped(len(self.stack) - 2 if name == "SETITEM" else self.marks.pop())
            self.stack[-1].update(_table(zip(items[::2], items[1::2], strict=True)))
        else:
            raise ModelError(f"the pickle holds the operation {name}, which no file of weights needs")

    def popped(self, start: int) -> list[Any]:
        """The items on the stack from `start` on, removed from it."""
        if start < 0:
            raise ModelError("the pickle takes more than it has")
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def stored(self, reference: Any) -> Storage:
        """The storage that ("storage", type, key, place, count) refers to; a sixth part must be None."""
        match reference:
            case ("storage", Name(kind), str(key), _, int(count), *views) if kind in STORAGES and not any(views):
                storage = Storage(key, STORAGES[kind], count)
            case _:
                raise ModelError("the pickle refers to something that is not a storage of numbers")
        if count < 0 or self.storages.setdefault(key, storage) != storage:
            raise ModelError(f"the storage {key[:99]!r} is declared in two different ways")
        return storage


def entries(arguments: object) -> int:
    """How many entries a table that is made of them may have: one list in the file can make many tables."""
    return sum(len(each) for each in arguments if isinstance(each, list)) if isinstance(arguments, tuple) else 0


def _named(name: str) -> Name:
    if name not in KNOWN:
        raise ModelError(
            f"it refers to {name[:200]!r}, and only tensors are read: nothing of it was imported or run. Save the "
            "weights separately: torch.save(model.state_dict(), file), or as .safetensors"
        )
    return Name(name)


def made(function: Any, arguments: Any) -> Any:
    """What the file requests to make of the arguments; made here, for the few functions that are known."""
    match function, arguments:
        case Name(name), tuple() if name in IGNORED:
            return Skipped(name)
        case Name("collections.defaultdict"), (Name("__builtin__.dict" | "builtins.dict"),):
            return {}
        case Name("collections.Counter"), (dict() as counts,):
            return counts
        case Name("collections.OrderedDict"), ():
            return {}
        case Name("collections.OrderedDict"), ([*pairs],):
            return _table(pairs)
        case Name(name), (Storage() as storage, int(offset), tuple(shape), tuple(strides), *_) if name in REBUILT:
            return View(storage, offset, shape, strides)
        case Name(name), ((View() | tuple()) as inner, *_) if name in WRAPPED:
            return inner
    raise ModelError("the pickle makes something that is not a tensor")


def _table(pairs: Iterable[tuple[object, Any]]) -> dict[str | int, Any]:
    table = {}
    for key, value in pairs:
        if not isinstance(key, str | int):  # a tuple of tuples of tuples takes forever to hash
            raise ModelError(f"a table has a {type(key).__name__} as a key; only names and numbers are read")
        table[key] = value
    return table
