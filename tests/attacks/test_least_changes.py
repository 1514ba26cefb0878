"""Least changes of a trained network: what more steps buy, and what the attacks find together."""

import numpy as np
import pytest

from robust.attacks.minimal.search import smallest_changes
from robust.core.signature import bind

LARGE = {"linf": 0.3, "l2": 3.0}


def far(trained, norm, name, steps):
    right = trained.classifier.logits(trained.images).argmax(axis=1) == trained.labels
    images, labels, seeds = (each[right] for each in (trained.images, trained.labels, trained.seeds))
    call = bind("attacks", {"name": name, "norm": norm, "eps": LARGE[norm], "steps": steps})
    found = smallest_changes(call, trained.classifier, images, labels, seeds=seeds)
    assert (found.by == name).all()
    change = (found.images - images).reshape(len(images), -1)
    return np.linalg.norm(change, ord=np.inf if norm == "linf" else 2, axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_more_steps_find_less_and_all_attacks_nearly_the_same(trained, norm):
    few, many, fab = (far(trained, norm, *how) for how in (("apgd", 17), ("apgd", 100), ("fab", 30)))
    assert many.mean() < 0.9995 * few.mean() and np.median(many) < 1.0005 * np.median(few)
    least = np.minimum(np.minimum(few, many), fab)
    for each in (few, many, fab):
        assert np.median(each / least) < 1.01 and np.quantile(each / least, 0.9) < 1.05
