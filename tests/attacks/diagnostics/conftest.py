"""Networks that are trained on fashion_mini for a few seconds, each once a session."""

import functools
from collections.abc import Callable

import keras
import pytest

from robust.core.progress import Silent
from robust.datasets import fashion_mini
from robust.datasets.dataset import Examples
from robust.suite import read_model
from robust.training.fit import fit

FGSM = {"name": "fgsm", "eps": "8/255", "random_start": True}


@functools.cache
def _trained(architecture: str, width: float, seed: int, epochs: int, hardened: bool) -> keras.Model:
    train = {"recipe": "short", "epochs": epochs, **({"adversary": FGSM} if hardened else {})}
    model = read_model("net", {"architecture": {"name": architecture, "width": width}, "train": train})
    return fit(model, fashion_mini(), seed, Silent())[0]


@pytest.fixture(scope="session")
def trained() -> Callable[..., keras.Model]:
    """`trained(architecture, width, seed, epochs, hardened)`."""
    return _trained


@pytest.fixture(scope="session")
def examples() -> Examples:
    """A hundred test images, ten of each class."""
    return fashion_mini().examples("test", 100)
