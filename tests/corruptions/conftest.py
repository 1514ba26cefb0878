"""Two implementations that are not ours, as tools/make_corruption_references.py has run them."""

from pathlib import Path

import numpy as np
import pytest

from robust.corruptions import severities


class Legacy(np.random.RandomState):
    """NumPy's frozen stream, which the references were made with, under the names of today."""

    def standard_normal(self, shape, dtype=np.float64):
        return super().standard_normal(shape)

    def integers(self, low, high=None, size=None):
        return self.randint(low, high, size)


@pytest.fixture(scope="session")
def references():
    with np.load(Path(__file__).with_name("references.npz")) as file:
        return dict(file)


@pytest.fixture
def same_stream(monkeypatch):
    """Let the corruptions draw what the references have drawn: call it with the seed."""

    def seeded(seed):
        monkeypatch.setattr(severities, "generator", lambda _: Legacy(seed))

    return seeded
