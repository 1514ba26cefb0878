"""An unfinished training on disk: all that it needs to resume as if it had never been interrupted."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from robust.core import archives, files
from robust.core.types import NewTable
from robust.training.step import Learner, State

_FILE = "training.npz"

History = dict[str, list[float]]


def save(folder: Path, learner: Learner, history: History) -> None:
    """Replace the checkpoint in a folder by the state after the epochs in the history.

    Weights, the state of random layers, the optimiser's variables, averages; the order of the images and
    their augmentation follow from seed and epoch. Raises StoreError if it cannot be written.
    """
    state: NewTable = {f"v{i}": np.asarray(variable.numpy()) for i, variable in enumerate(learner.variables())}
    files.write(folder / _FILE, lambda path: np.savez(path, history=json.dumps(history), **state))


def restore(folder: Path, learner: Learner) -> History:
    """Restore a checkpoint, and return its history; an empty one if there is none.

    A damaged one is renamed, with a message on stderr.
    """
    if not (path := folder / _FILE).is_file():
        return {}
    try:
        values, history = read(path, [tuple(variable.shape) for variable in learner.variables()])
    except Exception as error:  # readers raise errors of no common type for a damaged archive
        path.replace(aside := path.with_suffix(".damaged"))
        what = f"{path}: is damaged ({' '.join(str(error).split())}); renamed to {aside.name}"
        print(f"robust: {what}, the training starts again", file=sys.stderr)
        return {}
    for variable, value in zip(learner.variables(), values, strict=True):
        variable.assign(value)
    return history


def read(path: Path, shapes: list[tuple[int | None, ...]]) -> tuple[list[np.ndarray], History]:
    """The variables, all of them before any is restored, and the history; raises any error if it is damaged."""
    with archives.arrays(path) as state:
        values, history = [state[f"v{i}"] for i in range(len(shapes))], json.loads(str(state["history"]))
    if wrong := [value.shape for value, shape in zip(values, shapes, strict=True) if value.shape != shape]:
        raise ValueError(f"a variable has another shape, {list(wrong[0])}")
    lists = isinstance(history, dict) and [each for each in history.values() if isinstance(each, list)]
    if not lists or len(lists) < len(history) or any(type(v) not in (int, float) for each in lists for v in each):
        raise ValueError("its history is invalid")
    return values, history


def arrays(variables: Iterable[State]) -> list[np.ndarray]:
    """The values of the variables, to be restored later."""
    return [np.array(variable.numpy()) for variable in variables]
