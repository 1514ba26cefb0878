"""A radius for each image is the same attack as one radius for all, image by image."""

from dataclasses import replace

import numpy as np
import pytest

from robust.core.signature import bind

TABLES = [
    {"name": "fgsm"}, {"name": "fgsm", "random_start": True}, {"name": "mifgsm", "steps": 4}, {"name": "noise"},
    {"name": "pgd", "steps": 5, "restarts": 2}, {"name": "pgd", "steps": 5, "norm": "l2"},
    {"name": "pgd", "steps": 5, "norm": "l1"}, {"name": "apgd", "steps": 8}, {"name": "apgd", "steps": 8, "norm": "l1"},
    {"name": "apgd_t", "steps": 5, "classes": 2}, {"name": "square", "n_queries": 20},
    {"name": "square", "n_queries": 20, "norm": "l2"}, {"name": "autoattack", "steps": 5, "n_queries": 10},
]  # fmt: skip
LARGE = {"linf": 0.06, "l2": 0.3, "l1": 1.5}


@pytest.mark.slow_after_first
@pytest.mark.parametrize("table", TABLES, ids=lambda table: "-".join(map(str, table.values())))
def test_each_image_is_attacked_at_its_own_radius(classifier, problem, table):
    data, norm = problem(10, 3), table.get("norm", "linf")
    radii = np.linspace(0.1, 1, 10) * LARGE[norm]
    call = bind("attacks", {**table, "eps": 0.5})

    def attacked(rows, eps):
        images, labels, seeds = (each[rows] for each in data)
        at = replace(call, arguments={**call.arguments, "eps": eps})
        return at(classifier, images, labels, seeds=seeds)

    together = attacked(np.arange(10), radii)
    apart = [attacked([i], float(radii[i])) for i in range(10)]
    assert together.by.tolist() == [one.by[0] for one in apart]
    np.testing.assert_allclose(together.images, np.concatenate([one.images for one in apart]), atol=1e-5)
    assert together.n_forward.tolist() == [one.n_forward[0] for one in apart]
