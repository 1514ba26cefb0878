"""Evidence: what one unit of work found, as arrays with one row per image, written once and read memory-mapped."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from robust.core import files
from robust.core.types import NewTable, Table

_ABOUT = "about.json"


def write(out: Path, arrays: Mapping[str, np.ndarray | None], about: Table) -> None:
    """Fill the folder of an evidence: `<name>.npy` for each array that is not None, and what else there is to say."""
    for name, values in arrays.items():
        if values is not None:
            np.save(out / f"{name}.npy", values.astype(str) if values.dtype == object else values)
    files.write(out / _ABOUT, json.dumps(dict(about)))


def about(folder: Path) -> NewTable:
    """What is written beside the arrays of an evidence."""
    return json.loads((folder / _ABOUT).read_text("utf-8"))


def has(folder: Path, name: str) -> bool:
    """Does the evidence have this array?"""
    return (folder / f"{name}.npy").is_file()


def array(folder: Path, name: str) -> np.ndarray:
    """One array of an evidence, memory-mapped."""
    return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)


def joined(folders: Sequence[Path], name: str) -> np.ndarray | None:
    """An array of several evidences, one after the other; None where they do not have it.

    Traces may differ in length from shard to shard: the shorter ones end in NaN.
    """
    if not has(folders[0], name):
        return None
    parts = [array(folder, name) for folder in folders]
    if name == "trace":
        parts = [*_of_one_length(parts)]
    return np.concatenate(parts)


def _of_one_length(traces: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    longest = max(trace.shape[1] for trace in traces)
    for trace in traces:
        short = np.full((len(trace), longest - trace.shape[1]), np.nan, trace.dtype)
        yield np.hstack([trace, short])


def kept(folders: Iterable[Path], names: Iterable[str]) -> dict[str, tuple[str, np.ndarray]]:
    """Of these examples the target and the perturbed image, by id, as far as they were kept."""
    wanted, found = set(names), {}
    for folder in folders:
        ids, targets, images = (array(folder, name) for name in ("kept_ids", "kept_targets", "kept"))
        for i, name in enumerate(ids.tolist()):
            if name in wanted:
                found[name] = str(targets[i]), np.array(images[i])
    return found
