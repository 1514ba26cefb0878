"""What a case demands of its data is told before anything runs."""

from dataclasses import replace

import numpy as np
import pytest

from robust.core.errors import DataError, SuiteError
from robust.datasets.dataset import from_arrays, from_splits
from robust.engine import requirements
from robust.suite import Suite, read_case

DATA = from_arrays(np.zeros((4, 2, 2, 1), np.float32), [0, 1, 0, 1], ("cat", "dog"))  # a test split only


def _check(table, data=DATA):
    requirements.check(Suite("s", (), (), data), read_case("c", table), data, data)


@pytest.mark.parametrize(
    ("measure", "split"),
    [("structure", "train"), ("clusters", "train"), ("outliers", "train"), ("temperature", "validation")],
)
def test_a_split_that_a_measure_asks_for(measure, split):
    outside = {"ood": "digits"} if measure == "outliers" else {}
    with pytest.raises(DataError) as error:
        _check({"metrics": [measure], **outside})
    parts = (f"{measure} needs the split '{split}'", "arrays does not have", "it has test", "Add the split, or leave")
    assert all(part in str(error.value) for part in parts)


def test_a_hierarchy_needs_groups_of_all_classes():
    with pytest.raises(DataError, match="the data has no superclasses; write tree = "):
        _check({"metrics": ["hierarchy"]})
    with pytest.raises(DataError, match="'dog' is in no group"):
        _check({"metrics": [{"name": "hierarchy", "tree": {"pet": ["cat"]}}]})
    _check({"metrics": [{"name": "hierarchy", "tree": {"pet": ["cat", "dog"]}}]})


def test_bounds_on_groups_that_only_the_answers_tell():
    splits = {split: (np.zeros((4, 2, 2, 1), np.float32), [0, 1, 0, 1]) for split in ("train", "test")}
    data = from_splits(splits, ("cat", "dog"))
    bounds = {
        "cluster_recall[cat #3]": ">= 0.1",
        "bin_accuracy[(0.4, 0.467]]": ">= 0",
        "bin_confidence[(0, 0.1]]": ">= 0",
    }
    _check({"metrics": ["clusters", "calibration"], "expect": bounds}, data)
    with pytest.raises(SuiteError, match=r"cluster_recall\[cat #3\] >= 80: a proportion is in \[0, 1\]"):
        _check({"metrics": ["clusters"], "expect": {"cluster_recall[cat #3]": ">= 80"}}, data)
    with pytest.raises(SuiteError, match="'cluster_recall' is not a value of this case; name the class"):
        _check({"metrics": ["clusters"], "expect": {"cluster_recall": ">= 0.8"}}, data)


@pytest.mark.parametrize(
    "text", ["<= 25", "< 1.5", ">= -1", "> -0.5", "> 1", "< 0", ">= 80", "in [0, 100]", "low >= -1"]
)
def test_a_bound_on_a_share_that_nothing_could_miss_or_meet_is_told(text):
    with pytest.raises(SuiteError, match=r"a proportion is in \[0, 1\]; 80 % is 0.80"):
        _check({"expect": {"top1_error": text}})
    _check({"expect": {"top1_error": "<= 0.25", "top1": "in [0.5, 1]", "nll": "<= 25"}})


def test_two_sets_of_one_name_are_told_apart_or_refused():
    suite = Suite("s", (), (), DATA, path="s.toml")
    other = from_arrays(np.ones((4, 2, 2, 1), np.float32), [0, 1, 0, 1], ("cat", "dog"))
    requirements.distinct(suite, {"a": DATA, "b": DATA, "c": replace(other, name="bright")})
    with pytest.raises(SuiteError, match=r"^s\.toml: .* case\.a and of case\.c differ, .* called 'arrays'"):
        requirements.distinct(suite, {"a": DATA, "b": DATA, "c": other})


def test_where_it_stands_is_told():
    suite, case = Suite("s", (), (), DATA, path="s.toml"), replace(read_case("c", {"metrics": ["temperature"]}), line=7)
    with pytest.raises(DataError, match=r"^s.toml:7: temperature needs the split 'validation'"):
        requirements.check(suite, case, DATA, DATA)


def test_a_pair_is_of_classes_and_a_superclass_in_it_is_refused():
    data = replace(DATA, superclasses={"pet": ("cat", "dog")})
    _check({"metrics": ["confusion"], "expect": {"confused[cat -> dog]": "<= 1"}}, data)
    for pair in ("cat -> pet", "pet -> dog"):
        with pytest.raises(SuiteError, match="there is no class 'pet'"):
            _check({"metrics": ["confusion"], "expect": {f"confused[{pair}]": "<= 0.01"}}, data)


def test_top_5_of_five_classes_is_told_to_need_six():
    with pytest.raises(SuiteError, match=r"expect: 'top5' is not a value .* six classes, and arrays has 2"):
        _check({"expect": {"top5": ">= 0.5"}})
