"""What data lacks for a training is said before it begins."""

import dataclasses

import numpy as np
import pytest

from robust.core.progress import Silent
from robust.core.signature import bind
from robust.datasets.dataset import from_splits
from robust.training import data_warnings
from robust.training.fit import fit


def without(data, split):
    return dataclasses.replace(data, sizes={k: v for k, v in data.sizes.items() if k != split})


def test_data_that_lacks_nothing_is_silent(stripes):
    assert list(data_warnings.of(stripes, bind("adversaries", {"name": "pgd", "eps": 0.1}))) == []


def test_a_validation_split_that_is_not_there_says_what_it_costs(stripes):
    (plain,) = data_warnings.of(without(stripes, "validation"), None)
    (hard,) = data_warnings.of(without(stripes, "validation"), bind("adversaries", {"name": "pgd", "eps": 0.1}))
    assert plain.startswith("stripes has no validation split, so nothing shows") and "robust" not in plain
    assert "overfitting to the adversary goes unnoticed" in hard and "of the last epoch are kept" in hard


@pytest.mark.parametrize(("classes", "told"), [(3, "of 'c1': "), (9, "of 'c1', 'c3', 'c4', 'c5', 'c6' and 2 more: ")])
def test_classes_of_which_train_has_no_image_are_named(classes, told):
    images = np.zeros((12, 8, 8, 1), "uint8")
    data = from_splits(
        {"train": (images, [0, 2] * 6), "validation": (images, [0] * 12)}, [f"c{i}" for i in range(classes)]
    )
    (line,) = data_warnings.of(data, None)
    assert line.startswith("train of arrays has no image ") and told in line


@pytest.mark.slow
def test_fit_says_it(stripes, model):
    said = []

    class Says(Silent):
        def say(self, line):
            said.append(line)

    noted = dataclasses.replace(without(stripes, "validation"), notes=("a note",))
    fit(model({"name": "fgsm", "eps": 0.1}, epochs=1), noted, 0, Says())
    assert said[0] == "net: a note" and said[1].startswith("net: stripes has no validation split")
