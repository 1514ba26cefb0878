import pytest

from robust.core.errors import DataError
from robust.datasets.taxonomy import trees


@pytest.mark.parametrize(
    ("paths", "below"),
    [
        ([("all", "pet"), ("all", "wild")], [("pet",), ("wild",)]),
        ([("all", "big", "pet"), ("all", "big", "wild")], [("pet",), ("wild",)]),
        ([("animal", "pet"), ("vehicle", "car")], [("animal", "pet"), ("vehicle", "car")]),
        ([("all",), ("all", "wild")], [("all",), ("all", "wild")]),
    ],
)
def test_only_groups_that_hold_all_and_are_not_the_nearest_are_left_out(paths, below):
    assert trees.below_the_root(paths) == below


def test_a_class_of_two_groups_is_refused():
    with pytest.raises(DataError, match="hierarchy: 'cat' is both in 'pet' and in 'wild'"):
        trees.paths({"animal": {"pet": ["cat"], "wild": ["cat"]}}, ["cat"])
