from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from robust.core.errors import DataError, SuiteError
from robust.datasets.taxonomy import imagenet, trees, wordnet
from robust.metrics import hierarchy
from robust.results.evaluation import EvaluationResult
from robust.suite import read_case

CLASSES = ("cat", "dog", "deer", "car", "ship")
TREE = {"animal": {"pet": ["cat", "dog"], "wild": ["deer"]}, "vehicle": ["car", "ship"]}
#         right, inside pet, inside animal, leaving, right, inside vehicle, leaving
LABELS = np.array([0, 0, 0, 1, 2, 3, 4])
PREDICTED = np.array([0, 1, 2, 3, 2, 4, 0])


def _values(predicted=PREDICTED, labels=LABELS, tree=TREE, level=None, **more):
    ids = np.array([str(i) for i in range(len(labels))])
    result = EvaluationResult(CLASSES, ids, labels, np.eye(5)[predicted], **more)
    return {(v.metric, v.subset): v for v in hierarchy(result, tree=tree, level=level)}


def test_by_hand():
    values = _values()
    assert values["superclass_accuracy", ""].value == 5 / 7
    assert values["superclass_recall", "animal"].value == 4 / 5 and values["superclass_recall", "vehicle"].value == 0.5
    assert (values["within_superclass_error_share", ""].value, values["cross_superclass_error_share", ""].value) == (
        3 / 5,
        2 / 5,
    )
    assert values["within_superclass_error_share", ""].n == 5
    # cat for dog: pet, 1; cat for deer: animal, 2; car for ship: vehicle, 1; two that leave: the top, 3
    assert values["mistake_severity", ""].value == pytest.approx((1 + 2 + 1 + 3 + 3) / 5)


def test_the_superclasses_are_those_of_the_level_that_is_asked_for():
    second = _values(level=2)
    assert second["superclass_accuracy", ""].value == 4 / 7  # now the deer for the cat leaves, too
    assert {group for metric, group in second if metric == "superclass_recall"} == {"pet", "wild", "vehicle"}
    assert second["mistake_severity", ""] == _values()["mistake_severity", ""]
    assert _values(level=1) == _values()


def test_groups_of_one_name_in_two_larger_ones_are_two():
    tree = {"animal": {"small": ["cat", "dog"], "big": ["deer"]}, "vehicle": {"small": ["car"], "big": ["ship"]}}
    found = trees.superclasses(tree, trees.paths(tree, CLASSES), CLASSES, 2)
    assert found == ["animal / small"] * 2 + ["animal / big", "vehicle / small", "vehicle / big"]


@pytest.mark.parametrize("level", [0, -1, 3])
def test_a_level_that_is_not_there_is_refused(level):
    with pytest.raises(DataError, match=rf"level = {level}: there are 2, and 1 is that of the largest groups"):
        _values(level=level)


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
    case = read_case("clean", {"metrics": [{"name": "hierarchy", "tree": "own.csv"}]})
    assert case.metrics[0].arguments["tree"] == {"pet": ["cat", "dog"]}
    with pytest.raises(SuiteError, match=r"tree = 'other.csv': is neither in . nor in"):
        read_case("clean", {"metrics": [{"name": "hierarchy", "tree": "other.csv"}]})


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"pet": ["cat", "dgo"]}, "there is no class 'dgo'; did you mean 'dog'"),
        ({"pet": ["cat"], "other": ["cat"]}, "'cat' is both in 'pet' and in 'other'"),
        ({"pet": ["cat", "dog"]}, "'deer' is in no group; in all, 3 of 5 classes"),
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
        ("a.csv", 'cat,"pet\ndog,pet\n', r"a.csv: cannot be read as a hierarchy \(unexpected end of data\)"),
        ("a.csv", 'cat,"pet\nor so"\ndog\n', r"a.csv:3: 'dog' has no group"),
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


@pytest.fixture
def nouns(tmp_path):
    """entity > animal > ape; a panda is an animal, gibbon and orangutan are apes; dog and shoe are another entity."""
    lines = ["  1 the licence"]
    above = {1: 0, 2: 1, 3: 2, 2510455: 2, 2483362: 3, 2480495: 3, 5: 1, 4120489: 5, 2085620: 5}
    for offset, parent in above.items():
        pointers = f"001 @ {parent:08d} n 0000" if parent else "000"
        lines.append(f"{offset:08d} 05 n 01 word{offset} 0 {pointers} | said")
    (tmp_path / "data.noun").write_text("\n".join(lines) + "\n")
    return str(tmp_path / "data.noun")


def test_wordnet_tells_how_bad_a_mistake_is_among_the_classes_of_imagenet(nouns):
    classes = ("giant panda", "gibbon", "n02480495")
    result = EvaluationResult(classes, np.array(["a", "b"]), np.array([0, 1]), np.eye(3)[[1, 2]])
    values = {v.metric: v.value for v in hierarchy(result, tree=nouns) if not v.subset}
    assert values["mistake_severity"] == 1.5  # a gibbon for a panda: 2; an orangutan for a gibbon: 1
    with pytest.raises(DataError, match="ImageNet has no class 'shoe'"):
        list(hierarchy(replace(result, classes=("shoe", "gibbon", "n02480495")), tree=nouns))


def test_the_superclasses_of_imagenet_are_its_50_groups_and_not_the_top_of_wordnet(nouns):
    """997 of its 1,000 classes are physical entities: nearly no mistake would leave that superclass."""
    classes = ("giant panda", "gibbon", "n02480495", "Chihuahua", "n04120489")
    result = EvaluationResult(classes, np.array(["a", "b"]), np.array([0, 1]), np.eye(5)[[1, 2]])
    values = {(v.metric, v.subset): v.value for v in hierarchy(result, tree=nouns)}
    assert values["superclass_accuracy", ""] == 0.5 and values["superclass_recall", "primate"] == 1
    largest = {v.subset for v in hierarchy(result, tree=nouns, level=1)}
    assert largest == {"", "word2 (n00000002)", "word5 (n00000005)"}


def test_classes_of_one_group_are_told_apart_by_the_tree(nouns):
    paths = trees.above(nouns, {}, ("gibbon", "n02480495"))
    assert {*trees.superclasses(nouns, paths, ("gibbon", "n02480495"))} == {"word3 (n00000003)"}


def test_each_class_of_imagenet_has_one_superclass_and_none_holds_nearly_all():
    classes = imagenet.names()
    found = trees.superclasses("wordnet", [("physical entity",)] * 1000, classes)
    sizes = Counter(found)
    assert len(found) == 1000 and len(sizes) == 50 and max(sizes.values()) < 150
    assert sum(size**2 for size in sizes.values()) / 1000**2 < 0.06  # what an answer at random gets right


@pytest.mark.skipif(not wordnet.DEBIAN.is_file(), reason="needs Debian's wordnet-base")
def test_answers_at_random_are_in_the_right_superclass_as_often_as_chance_has_it():
    random, classes, n = np.random.default_rng(0), imagenet.names(), 5000
    result = EvaluationResult(
        classes, np.arange(n).astype(str), random.integers(0, 1000, n), random.normal(0, 1, (n, 1000))
    )
    assert next(iter(hierarchy(result, tree="wordnet"))).value < 0.07
