"""The preprocessing of a model: range of the pixels, mean and standard deviation, order of the colour channels."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

from robust.core.errors import SuiteError, suggest
from robust.core.remedies import setting
from robust.core.types import Table, exact


class Preprocessing(NamedTuple):
    """x in [0, 1] becomes (low + (high - low) x - mean) / std, of each channel.

    low, high: the range of the pixels before normalisation.
    mean, std: one number a channel, in the order of the model's channels; empty: 0 and 1.
    order: of the colours. layout: of the axes.
    """

    low: float = 0.0
    high: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    order: str = "rgb"
    layout: str = "channels_last"

    def __str__(self) -> str:
        """A short description.

        >>> print(Preprocessing(0, 255, mean=(103.939, 116.779, 123.68), order="bgr"))
        [0, 255], minus (103.939, 116.779, 123.68), in the order BGR
        """
        words = [f"[{self.low:g}, {self.high:g}]"]
        words += [f"minus {listed(self.mean)}"] if self.mean else []
        words += [f"over {listed(self.std)}"] if self.std else []
        words += ["in the order BGR"] if self.order == "bgr" else []
        words += ["channels first"] if self.layout == "channels_first" else []
        return ", ".join(words)


MODES = {
    "tf": Preprocessing(-1.0, 1.0),
    "torch": Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "caffe": Preprocessing(0.0, 255.0, mean=(103.939, 116.779, 123.68), order="bgr"),
}
"""What `preprocess_input` of keras.applications does outside of the model, by the name of its mode."""

_KEYS = ("range", *Preprocessing._fields[2:])
_LEVELS = 255
_WORDS = {"order": ("rgb", "bgr"), "layout": ("channels_last", "channels_first")}


def read(value: object) -> Preprocessing:
    """Preprocessing from [lowest, highest], a mode of keras.applications, or a table; else SuiteError.

    >>> read([0, 255]), read("tf") == read((-1, 1)), read(["-1/2", 1]).low
    (Preprocessing(low=0.0, high=255.0, mean=(), std=(), order='rgb', layout='channels_last'), True, -0.5)
    >>> read({"range": [0, 255], "order": "bgr"}).order
    'bgr'
    """
    if isinstance(value, Preprocessing):
        return value
    if isinstance(value, str):
        if value not in MODES:
            raise SuiteError(f"preprocessing = {value!r}: not known{suggest(value, MODES)}", "preprocessing")
        return MODES[value]
    if isinstance(value, Mapping):
        return _table(value)
    low, high = _range(value, "preprocessing")
    return Preprocessing(low, high)


def _table(table: Table) -> Preprocessing:
    for key in table:
        if key not in _KEYS:
            raise SuiteError(f"preprocessing has no {key!r}{suggest(key, _KEYS)}", f"preprocessing.{key}")
    for key, allowed in _WORDS.items():
        if table.get(key, allowed[0]) not in allowed:
            raise SuiteError(
                f"preprocessing.{key} = {table[key]!r}{suggest(str(table[key]), allowed)}", f"preprocessing.{key}"
            )
    low, high = _range(table.get("range", (0, 1)), "preprocessing.range")
    mean, std = (_channels(table.get(key, ()), key) for key in ("mean", "std"))
    if not all(s > 0 for s in std) or (mean and std and len(mean) != len(std)):
        raise SuiteError(f"preprocessing.std = {list(std)}: must be positive, and as many as mean", "preprocessing.std")
    found = Preprocessing(low, high, mean, std, table.get("order", "rgb"), table.get("layout", "channels_last"))
    check_unit(found)
    return found


def check_unit(found: Preprocessing) -> None:
    """Refuse a mean or standard deviation impossible for this range: it was meant for [0, 255], or for [0, 1]."""
    low, high = found.low, found.high
    for key, numbers, least, most in (("mean", found.mean, low, high), ("std", found.std, 0.0, high - low)):
        if any(not least <= n <= most for n in numbers):
            of_levels = max(numbers) <= _LEVELS and min(numbers) >= 0 and high <= 1
            meant = f"; did you mean range = [0, {_LEVELS}]?" if of_levels else ""
            what = f"no pixels in {listed((low, high), '[]')} have such a {key}"
            raise SuiteError(f"preprocessing.{key} = {listed(numbers, '[]')}: {what}{meant}", f"preprocessing.{key}")
        if high - low > _LEVELS / 2 and any(numbers) and max(numbers) < 1:
            what = f"of pixels in [0, 1], and range = {listed((low, high), '[]')}; did you mean range = [0, 1]?"
            raise SuiteError(f"preprocessing.{key} = {listed(numbers, '[]')}: {what}", f"preprocessing.{key}")


def _range(value: object, key: str) -> tuple[float, float]:
    ends = _numbers(value)
    if ends is None or len(ends) != 2 or not -inf < ends[0] < ends[1] < inf:
        example = f"[0, {_LEVELS}]"
        if key == "preprocessing":
            example = " or ".join(setting(key, each) for each in ([0, _LEVELS], *MODES))
        raise SuiteError(f"{key} = {value!r}: must be the lowest and the highest, as in {example}", key)
    return ends[0], ends[1]


def _channels(value: object, key: str) -> tuple[float, ...]:
    if (numbers := _numbers(value)) is None:
        raise SuiteError(f"preprocessing.{key} = {value!r}: must be a number for each channel", f"preprocessing.{key}")
    return numbers


def _numbers(value: object) -> tuple[float, ...] | None:
    """Finite numbers; fractions may be strings. None for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None
    try:
        numbers = [exact(v) if isinstance(v, str) else v for v in value]
    except ValueError:
        return None
    right = all(isinstance(v, int | float) and not isinstance(v, bool) and -inf < v < inf for v in numbers)
    return tuple(map(float, numbers)) if right else None


def listed(numbers: Sequence[float], around: str = "()") -> str:
    """Numbers as they are written in a suite."""
    return f"{around[0]}{', '.join(f'{n:g}' for n in numbers)}{around[1]}"
