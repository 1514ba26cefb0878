import numpy as np
import pytest

from robust.attacks import targets
from robust.core.errors import SuiteError

CLASSES = ("Sandal", "Sneaker", "Boot")
LABELS = np.array([0, 1, 2, 0])
LOGITS = np.array([[3.0, 1, 2], [0, 5, 1], [2, 1, 3], [-1, 4, 3]])
IDS = np.array(["a", "b", "c", "d"])


def choose(target, seed=0, ids=IDS, labels=LABELS):
    return targets.choose(target, CLASSES, labels, LOGITS[: len(labels)], seed, ids).tolist()


def test_least_likely_is_the_smallest_logit_but_the_label_and_leaves_nothing_out():
    """Of the last image the label itself is the least likely: left out, it would be missed where errors are counted."""
    assert choose("least-likely") == [1, 0, 1, 2]


def test_next_goes_round():
    assert choose("next") == [1, 2, 0, 1]


def test_a_class_for_all_that_are_not_of_it():
    assert choose("Sneaker") == [1, -1, 1, 1]


def test_a_mapping_keeps_only_its_sources():
    assert choose({"Sandal": "Sneaker", "Boot": "Sandal"}) == [1, -1, 0, 1]
    assert choose({"Boot": "Boot"}) == [-1, -1, -1, -1]


def test_random_is_any_other_class_by_the_seed_of_the_image():
    ids, labels = np.array([str(i) for i in range(3000)]), np.arange(3000) % 3
    logits = np.zeros((3000, 3))
    chosen = targets.choose("random", CLASSES, labels, logits, 0, ids)
    assert (chosen != labels).all() and chosen.min() == 0 and chosen.max() == 2
    away = np.bincount((chosen - labels) % 3, minlength=3)
    assert away[0] == 0 and abs(away[1] - 1500) < 4 * np.sqrt(3000) / 2
    order = np.random.default_rng(0).permutation(3000)
    assert np.array_equal(targets.choose("random", CLASSES, labels[order], logits, 0, ids[order]), chosen[order])
    assert (targets.choose("random", CLASSES, labels, logits, 1, ids) != chosen).any()


@pytest.mark.parametrize("target", [*targets.WORDS, "Boot", {"Boot": "Sandal"}])
def test_targets_are_int64_and_never_the_label(target):
    found = targets.choose(target, CLASSES, LABELS, LOGITS, 0, IDS)
    assert found.dtype == np.int64 and (found != LABELS).all()
    targets.check(target, CLASSES)


def test_a_name_that_is_no_class_is_refused_with_what_was_meant():
    with pytest.raises(SuiteError, match=r"target: there is no class 'Sneeker'; did you mean 'Sneaker'\?") as caught:
        targets.check("Sneeker", CLASSES)
    assert caught.value.key == "attack.target"
    with pytest.raises(SuiteError, match=r"no class 'nxt'; did you mean 'next'\?"):
        targets.check("nxt", CLASSES)
    with pytest.raises(
        SuiteError, match=r"no class 'x'; allowed: least-likely, random, next, all, Sandal, Sneaker, Boot"
    ):
        targets.check("x", CLASSES)


def test_a_mapping_may_only_name_classes_on_either_side():
    with pytest.raises(SuiteError, match=r"no class 'next'; allowed: Sandal, Sneaker, Boot"):
        targets.check({"Sandal": "next"}, CLASSES)
    with pytest.raises(SuiteError, match=r"no class 'Boots'; did you mean 'Boot'\?"):
        targets.check({"Boots": "Sandal"}, CLASSES)


def test_all_is_every_image_to_every_other_class():
    rows, aims = targets.pairs(LABELS, 3)
    assert rows.tolist() == [0, 0, 1, 1, 2, 2, 3, 3] and aims.tolist() == [1, 2, 0, 2, 0, 1, 1, 2]
    targets.check("all", CLASSES)


def test_all_is_refused_where_it_would_be_too_many():
    many = tuple(f"class {i}" for i in range(21))
    targets.check("all", many[:20])
    with pytest.raises(SuiteError) as caught:
        targets.check("all", many)
    message = str(caught.value)
    assert message.startswith('target: "all"') and "20 classes" in message
    assert message.endswith("\"target\": {'class 0': 'class 1'}")
