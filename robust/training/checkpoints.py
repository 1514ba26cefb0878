"""An unfinished training on disk: all that it needs to go on as if nothing had happened."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from robust import files
from robust.training.step import Learner

_FILE = "training.npz"

History = dict[str, list[float]]


def save(folder: Path, learner: Learner, history: History) -> None:
    """Replace the checkpoint in a folder by the state after the epochs that the history tells of.

    Weights, the state of random layers, the optimiser's variables, averages; the order of the images and
    their augmentation follow from seed and epoch. Raises StoreError where it cannot be written.
    """
    state: dict[str, Any] = {f"v{i}": np.asarray(variable.numpy()) for i, variable in enumerate(learner.variables())}
    files.write(folder / _FILE, lambda path: np.savez(path, history=json.dumps(history), **state))


def restore(folder: Path, learner: Learner) -> History:
    """Put a checkpoint back, and return its history; an empty one where there is none."""
    if not (folder / _FILE).is_file():
        return {}
    with np.load(folder / _FILE, allow_pickle=False) as state:
        for i, variable in enumerate(learner.variables()):
            variable.assign(state[f"v{i}"])
        return json.loads(str(state["history"]))


def arrays(variables: list[Any]) -> list[np.ndarray]:
    """What the variables hold, to be put back later."""
    return [np.array(variable.numpy()) for variable in variables]
