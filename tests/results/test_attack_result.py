import numpy as np
import pytest

from robust.results.attack_result import is_within


@pytest.mark.parametrize(
    ("size", "eps", "inside"),
    [
        (1.0, 1.0, True), (1.0000105, 1.0, True), (1.0000115, 1.0, False),  # one part in 10^5, and 10^-6
        (9e-7, 0.0, True), (1.1e-6, 0.0, False),
        (100.00099, 100.0, True), (100.0011, 100.0, False),
    ],
)  # fmt: skip
def test_the_ball_ends_where_the_rounding_of_single_precision_does(size, eps, inside):
    assert bool(is_within(np.float64(size), eps)) is inside
