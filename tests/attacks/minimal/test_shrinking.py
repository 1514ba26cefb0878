"""The radii of the balls, where the attack is an oracle that succeeds from a known radius on."""

from types import SimpleNamespace

import numpy as np
import pytest

from robust.attacks.minimal import shrinking
from robust.core.signature import Call


def state(sizes, eps=4.5):
    rows, call = np.arange(len(sizes)), Call("attacks", "pgd", {"eps": eps, "norm": "linf"})
    return SimpleNamespace(
        call=call, sizes=np.array(sizes), all_rows=rows, task=SimpleNamespace(images=np.zeros(len(sizes)), start=None),
        box_diameter=100.0, bisect=lambda rows: None, shrunk=lambda rows, factors: None,
    )  # fmt: skip


@pytest.mark.parametrize(("first", "radii"), [(1.0, [1, 0.5, 2, 4, 8]), (4.4, [4.4, 2.2, 8.8]), (4.5, [4.5])])
def test_balls_grow_until_one_contains_all_of_eps(monkeypatch, first, radii):
    """1, 1/2, 2, 4, 8 times the first radius; a first one of eps or more is tried once."""
    asked = []
    monkeypatch.setattr(shrinking, "first_radii", lambda state: np.array([first]))
    monkeypatch.setattr(
        shrinking, "_try", lambda state, rows, radii, begin: asked.extend(radii) or np.zeros(len(rows), bool)
    )
    shrinking.find(state([np.inf]))
    assert asked == pytest.approx(radii)


def test_the_known_distance_shrinks_to_the_least_radius_that_succeeds(monkeypatch):
    least, asked = np.array([0.3, 0.9, 0.5]), []

    def within(state, rows, radii, begin):
        asked.extend(rows)
        fell = radii >= least[rows]
        state.sizes[rows] = np.where(fell, radii, state.sizes[rows])
        return fell

    monkeypatch.setattr(shrinking, "_attack_within", within)
    made = state([1.0, 1.0, np.inf])
    shrinking.tighten(made)
    assert (least[:2] <= made.sizes[:2]).all() and (made.sizes[:2] < least[:2] * (1 + 1 / 64)).all()
    assert 2 not in asked  # without a known distance there is no ball to shrink
