from dataclasses import replace

import numpy as np
import pytest

from robust import trees
from robust.errors import DataError, SuiteError
from robust.measures import hierarchy
from robust.suite import read_case
from robust.trial import Trial

CLASSES = ("cat", "dog", "deer", "car", "ship")
TREE = {"animal": {"pet": ["cat", "dog"], "wild": ["deer"]}, "vehicle": ["car", "ship"]}
#         right, inside pet, inside animal, leaving, right, inside vehicle, leaving
LABELS = np.array([0, 0, 0, 1, 2, 3, 4])
PREDICTED = np.array([0, 1, 2, 3, 2, 4, 0])


def _values(predicted=PREDICTED, labels=LABELS, tree=TREE, **more):
    ids = np.array([str(i) for i in range(len(labels))])
    trial = Trial(CLASSES, ids, labels, np.eye(5)[predicted], **more)
    return {(v.metric, v.group): v for v in hierarchy(trial, tree=tree)}


def test_by_hand():
    values = _values()
    assert values["superclass_accuracy", ""].value == 5 / 7
    assert values["superclass_recall", "animal"].value == 4 / 5 and values["superclass_recall", "vehicle"].value == 0.5
    assert (values["errors_inside", ""].value, values["errors_leaving", ""].value) == (3 / 5, 2 / 5)
    assert values["errors_inside", ""].n == 5
    # cat for dog: pet, 1; cat for deer: animal, 2; car for ship: vehicle, 1; two that leave: the top, 3
    assert values["mistake_severity", ""].value == pytest.approx((1 + 2 + 1 + 3 + 3) / 5)


def test_a_root_above_all_classes_changes_nothing():
    assert _values(tree={"entity": {"object": TREE}}) == _values()
    assert trees.paths({"all": {"all of it": ["a", "b"]}}, ["a", "b"]) == [("all of it",)] * 2


def test_without_mistakes_there_is_no_severity():
    values = _values(predicted=LABELS)
    assert values["superclass_accuracy", ""].value == 1
    assert values["mistake_severity", ""].n == 0 and np.isnan(values["mistake_severity", ""].value)


def test_the_superclasses_of_the_data_are_a_tree_of_two_levels():
    own = {"animal": ("cat", "dog", "deer"), "vehicle": ("car", "ship")}
    assert _values(tree=None, superclasses=own)["mistake_severity", ""].value == pytest.approx((1 + 1 + 1 + 2 + 2) / 5)


def test_a_file_says_the_same_as_a_table(tmp_path):
    (tmp_path / "own.csv").write_text("cat,pet,animal\ndog,pet,animal\ndeer,wild,animal\ncar,vehicle\nship,vehicle\n")
    (tmp_path / "own.toml").write_text('vehicle = ["car", "ship"]\n[animal]\npet = ["cat", "dog"]\nwild = ["deer"]\n')
    assert trees.read(tmp_path / "own.csv") == trees.read(tmp_path / "own.toml") == TREE
    assert _values(tree=str(tmp_path / "own.csv")) == _values()


def test_what_is_in_the_file_counts_not_its_name(tmp_path, monkeypatch):
    (tmp_path / "own.csv").write_text("cat,pet\ndog,pet\n")
    monkeypatch.chdir(tmp_path)
    case = read_case("clean", {"measure": [{"name": "hierarchy", "tree": "own.csv"}]})
    assert case.measures[0].arguments["tree"] == {"pet": ["cat", "dog"]}
    with pytest.raises(SuiteError, match=r"tree = 'other.csv': is neither in . nor in"):
        read_case("clean", {"measure": [{"name": "hierarchy", "tree": "other.csv"}]})


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"pet": ["cat", "dgo"]}, "there is no class 'dgo'; did you mean 'dog'"),
        ({"pet": ["cat"], "other": ["cat"]}, "'cat' stands in 'pet' and in 'other'"),
        ({"pet": ["cat", "dog"]}, "'deer' stands in no group; 3 of 5 classes do not"),
        ({"pet": "cat"}, "'cat' must be a table of groups, or a list of names"),
        (None, "the data has no superclasses; write tree ="),
    ],
)
def test_a_tree_that_does_not_fit_is_refused(tree, message):
    with pytest.raises(DataError, match=message):
        _values(tree=tree)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "cat\n", r"a.csv:1: 'cat' has no group; write class,group"),
        ("a.csv", "cat,pet,animal\ndog,animal\n", r"a.csv:2: 'animal' holds groups and classes"),
        ("a.toml", "= 3", "cannot be read as a hierarchy"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        trees.read(tmp_path / name)


def test_a_thousand_classes_cost_nothing():
    random, classes = np.random.default_rng(0), tuple(f"c{i}" for i in range(1000))
    labels, predicted = random.integers(0, 1000, (2, 3000))
    groups = {f"g{g}": list(classes[g::50]) for g in range(50)}
    severities = trees.severities(trees.paths(groups, classes), labels, predicted)
    same = np.where(labels == predicted, 0, np.where(labels % 50 == predicted % 50, 1, 2))
    assert (severities == same).all()


def test_wordnet_tells_how_bad_a_mistake_is_among_the_classes_of_imagenet(tmp_path):
    lines = ["  1 the licence"]
    above = {1: 0, 2: 1, 3: 2, 2510455: 2, 2483362: 3, 2480495: 3}  # entity > animal > ape; panda, gibbon, orangutan
    for offset, parent in above.items():
        pointers = f"001 @ {parent:08d} n 0000" if parent else "000"
        lines.append(f"{offset:08d} 05 n 01 word{offset} 0 {pointers} | said")
    (tmp_path / "data.noun").write_text("\n".join(lines) + "\n")
    classes = ("giant panda", "gibbon", "n02480495")
    trial = Trial(classes, np.array(["a", "b"]), np.array([0, 1]), np.eye(3)[[1, 2]])
    values = {v.metric: v.value for v in hierarchy(trial, tree=str(tmp_path / "data.noun")) if not v.group}
    assert values["mistake_severity"] == 1.5  # a gibbon for a panda: 2; an orangutan for a gibbon: 1
    with pytest.raises(DataError, match="ImageNet has no class 'shoe'"):
        list(hierarchy(replace(trial, classes=("shoe", "gibbon", "n02480495")), tree=str(tmp_path / "data.noun")))
