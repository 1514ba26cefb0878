import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from robust.core.errors import ContractError, DataError
from robust.core.randomness import image_seeds
from robust.core.signature import Call, bind
from robust.datasets.dataset import from_arrays
from robust.engine import perturb
from robust.models.classifier import Classifier
from robust.results.attack_result import AttackResult
from robust.suite import Case

CLASSES = ("dark", "bright")
GREYS = np.array([0.1, 0.3, 0.45, 0.55, 0.7, 0.9, 0.6], np.float32)
LABELS = np.array([0, 0, 0, 1, 1, 1, 0])  # the last is an error of the model, which splits at 0.5
IMAGES = np.ones((7, 1, 4, 1), np.float32) * GREYS[:, None, None, None]


@dataclass
class Fake:
    """A call whose attack is `does(images, labels, targets) -> changes`, and which remembers whom it was given."""

    does: Any
    arguments: dict
    by: Any = "pgd"
    kind: str = "attacks"
    name: str = "pgd"
    asked: list = field(default_factory=list)

    def __call__(self, classifier, images, labels, *, seeds, start, targets):
        self.asked.append({"images": images, "labels": labels, "seeds": seeds, "start": start, "targets": targets})
        found = AttackResult.of(images)
        changed = (images + self.does(images, labels, targets)).astype(np.float32)
        by = np.full(len(images), self.by, object) if isinstance(self.by, str) else self.by
        spent = np.full(len(images), 7, np.int32)
        return AttackResult(changed, by, spent, spent - 1, found.trace)


def _across(size, by="pgd", norm="linf", eps=None):
    """Every pixel `size` towards the other class."""
    return Fake(
        lambda images, labels, _: np.where(labels == 0, size, -size)[:, None, None, None] * np.ones_like(images),
        {"eps": size if eps is None else eps, "norm": norm},
        by,
    )


@pytest.fixture(scope="module")
def split(affine):
    """Bright where the mean grey is over one half."""
    return Classifier(affine(np.array([[0, 1.0]] * 4), [2.0, 0]), 2, batch_size=4)


@pytest.fixture
def run(split):
    def outcomes(*calls, target=None, images=IMAGES, name="case"):
        data = from_arrays(images, LABELS, CLASSES)
        return list(perturb.outcomes(split, Case(name, tuple(calls), target), data, 0))

    return outcomes


def test_without_a_perturbation_the_clean_images_are_judged(run):
    (outcome,) = run()
    assert outcome.call is None and np.array_equal(outcome.original, IMAGES)
    assert np.array_equal(outcome.perturbed, IMAGES)
    assert outcome.result.clean is None and outcome.result.by is None
    assert outcome.result.predicted.tolist() == [0, 0, 0, 1, 1, 1, 1] and outcome.seconds > 0


def test_what_has_fallen_is_carried_and_not_attacked_again(run):
    weak, strong = _across(0.1), _across(0.25)
    one, two = run(weak, strong)
    assert one.result.by.tolist() == ["", "", "pgd", "pgd", "", "", "clean"]
    assert two.result.by.tolist() == ["", "pgd", "pgd", "pgd", "pgd", "", "clean"]
    assert strong.asked[0]["images"][:, 0, 0, 0].tolist() == GREYS[[0, 1, 4, 5]].tolist()
    np.testing.assert_allclose(two.result.linf, [0.25, 0.25, 0.1, 0.1, 0.25, 0.25, 0], atol=1e-6)
    np.testing.assert_allclose(two.result.l2, two.result.linf * 2, atol=1e-6)
    assert one.result.n_forward.tolist() == [7, 7, 7, 7, 7, 7, 0]
    assert two.result.n_forward.tolist() == [14, 14, 7, 7, 14, 14, 0]  # what led here is part of the budget
    assert two.result.n_backward.tolist() == [12, 12, 6, 6, 12, 12, 0]
    assert [o.result.clean.predicted.tolist() for o in (one, two)] == [[0, 0, 0, 1, 1, 1, 1]] * 2


def test_those_that_stand_go_on_from_where_they_were_left(run):
    weak, strong = _across(0.1), _across(0.25)
    run(weak, strong)
    assert weak.asked[0]["start"] is None
    np.testing.assert_allclose(strong.asked[0]["start"][:, 0, 0, 0], [0.2, 0.4, 0.6, 0.8], atol=1e-6)


def test_clean_errors_are_never_attacked_and_count_as_lost(run):
    call = _across(0.01)
    (outcome,) = run(call)
    assert len(call.asked[0]["images"]) == 6
    assert outcome.result.by[6] == "clean" and outcome.result.predicted[6] != LABELS[6]
    assert (outcome.result.linf[6], outcome.result.n_forward[6]) == (0, 0)
    assert (outcome.result.predicted == LABELS).tolist() == [True] * 6 + [False]


def test_a_lucky_answer_of_a_random_model_brings_nothing_back():
    """What was wrong or has fallen stays lost, though the model would answer otherwise if it were asked again."""
    import keras

    class Coin(keras.layers.Layer):
        def call(self, images):
            return keras.random.normal((keras.ops.shape(images)[0], 2))

    model = keras.Sequential([keras.Input((1, 4, 1)), keras.layers.Flatten(), Coin()])
    images, labels = np.tile(IMAGES, (30, 1, 1, 1)), np.tile(LABELS, 30)
    case = Case("case", tuple(_across(eps, by="") for eps in (0.01, 0.02, 0.03)))
    data = from_arrays(images, labels, CLASSES)
    found = [o.result for o in perturb.outcomes(Classifier(model, 2, batch_size=64), case, data, 0)]
    lost = [found[0].clean.predicted != labels, *(result.predicted != labels for result in found)]
    assert all((before <= after).all() and before.sum() < after.sum() for before, after in itertools.pairwise(lost))
    assert (found[-1].by[lost[0]] == "clean").all() and lost[-1].mean() > 0.85  # 15 in 16 coins


def test_seeds_are_those_of_the_case_and_the_example(run):
    call, other = _across(0.1), _across(0.1)
    run(call, name="a"), run(other, name="b")
    expected = image_seeds(0, "a", [f"{i:05d}" for i in range(6)])
    assert np.array_equal(call.asked[0]["seeds"], expected)
    assert not np.isin(expected, other.asked[0]["seeds"]).any()


def test_where_all_have_fallen_nobody_is_attacked(run):
    first, second = _across(0.45), _across(0.5)
    before, outcome = run(first, second)
    assert second.asked == [] and outcome.result.n_forward.tolist() == before.result.n_forward.tolist()
    assert (outcome.result.predicted != LABELS).all()


@pytest.mark.parametrize("claim", ["pgd", ""])
def test_an_attack_that_lies_is_corrected_by_the_last_look(run, claim):
    weak, strong = _across(0.1, by=claim), _across(0.25, by=claim)
    one, two = run(weak, strong)
    assert one.result.by.tolist() == ["", "", "pgd", "pgd", "", "", "clean"]
    assert two.result.by.tolist() == ["", "pgd", "pgd", "pgd", "pgd", "", "clean"]
    assert len(strong.asked[0]["images"]) == 4


def test_the_part_that_felled_an_image_is_kept(run):
    parts = np.array(["apgd", "apgd", "square", "square", "apgd", ""], object)
    assert run(_across(0.1, by=parts))[0].result.by.tolist() == ["", "", "square", "square", "", "", "clean"]


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (0.08, {"eps": 0.07, "norm": "linf"}, "pgd left the ball: a change of 0.08 where eps is 0.07"),
        (0.06, {"eps": 0.1, "norm": "l2"}, "pgd left the ball: a change of 0.12 where eps is 0.1"),
        (0.03, {"eps": 0.1, "norm": "l1"}, "pgd left the ball: a change of 0.12 where eps is 0.1"),
        (
            0.03,
            {"eps": 0.1, "norm": "l3"},
            "pgd has norm = 'l3', in which no ball is checked; allowed: linf, l2, l1, l0",
        ),
        (0.01, {"eps": 3, "norm": "l0"}, "pgd left the ball: a change of 4 where eps is 3"),
        (-0.2, {"eps": 0.3, "norm": "linf"}, "pgd left [0, 1]: its pixels range from -0.1 to 0.7"),
        (0.2, {"eps": 0.3, "norm": "linf"}, "pgd left [0, 1]: its pixels range from 0.3 to 1.1"),
        (np.nan, {"eps": 0.3, "norm": "linf"}, "pgd left [0, 1]: its pixels range from nan to nan"),
    ],
)
def test_a_broken_promise_is_an_error(run, change, arguments, message):
    call = Fake(lambda images, *_: np.full_like(images, change), arguments)
    with pytest.raises(ContractError) as caught:
        run(call)
    assert str(caught.value) == message


@pytest.mark.parametrize(("size", "norm"), [(0.1, "linf"), (0.05, "l2"), (0.025, "l1")])
def test_rounding_is_no_broken_promise(run, size, norm):
    assert run(_across(size, norm=norm, eps=0.1))[0].result.linf[0] == pytest.approx(size)


def test_another_shape_is_an_error(split):
    call = Fake(None, {"eps": 0.1})
    with pytest.raises(ContractError) as caught:
        perturb.check(call, IMAGES, IMAGES[:3])
    assert str(caught.value) == "pgd made images of shape (3, 1, 4, 1) from (7, 1, 4, 1)"


def test_corruptions_are_held_to_the_box_and_to_nothing_else(run):
    (outcome,) = run(bind("corruptions", {"name": "gaussian_noise", "severity": 5}))
    assert set(outcome.result.by) == {""} and set(outcome.result.n_forward) == {0}
    assert outcome.result.linf.max() > 0.1 and outcome.result.clean.predicted.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert len(outcome.perturbed) == 7  # clean errors are corrupted like the others


@dataclass
class FakeCorruption:
    change: float
    kind: str = "corruptions"
    name: str = "fog"
    arguments: dict = field(default_factory=lambda: {"severity": 3})

    def __call__(self, images, *, seeds):
        return images + self.change


def test_a_corruption_that_leaves_the_box_is_an_error(run):
    with pytest.raises(ContractError, match=r"^fog left \[0, 1\]: its pixels range from 0\.3"):
        run(FakeCorruption(0.2))
    assert run(FakeCorruption(0.05))[0].result.linf == pytest.approx([0.05] * 7)


def test_severities_begin_from_the_clean_images_each(run):
    one, two = run(FakeCorruption(0.05), FakeCorruption(0.1))
    assert np.allclose(one.perturbed - IMAGES, 0.05) and np.allclose(two.perturbed - IMAGES, 0.1)


def test_a_target_keeps_the_images_that_have_one(run):
    call = _across(0.25)
    (outcome,) = run(call, target={"dark": "bright"})
    result = outcome.result
    assert result.labels.tolist() == [0, 0, 0, 0] and result.targets.tolist() == [1, 1, 1, 1]
    assert result.clean.targets.tolist() == [1, 1, 1, 1] and len(result.clean.labels) == 4
    assert result.ids.tolist() == ["00000", "00001", "00002", "00006"]
    assert result.by.tolist() == ["", "pgd", "pgd", "clean"]  # the last is taken for its target anyway
    assert call.asked[0]["targets"].tolist() == [1, 1, 1]
    np.testing.assert_allclose(outcome.original, IMAGES[[0, 1, 2, 6]])


def test_with_a_target_only_reaching_it_counts(affine):
    """Three classes by brightness: past the middle one the target lies."""
    weights = np.array([[0.0, 1, 2]] * 4)
    classifier = Classifier(affine(weights, [0.0, -1.2, -4.0]), 3, batch_size=4)  # splits at 0.3 and 0.7
    images = np.ones((2, 1, 4, 1), np.float32) * np.array([0.1, 0.25], np.float32)[:, None, None, None]
    data = from_arrays(images, [0, 0], ("ci_low", "middle", "ci_high"))
    calls = (_across(0.3), _across(0.5))
    case = Case("aimed", calls, "ci_high")
    one, two = perturb.outcomes(classifier, case, data, 0)
    assert one.result.predicted.tolist() == [1, 1] and one.result.by.tolist() == ["", ""]
    assert two.result.predicted.tolist() == [1, 2] and two.result.by.tolist() == ["", "pgd"]


def test_a_target_that_leaves_nobody_is_an_error(run):
    with pytest.raises(DataError, match=r"^case case: the target \{'dark': 'dark'\} leaves no image to attack$"):
        run(_across(0.1), target={"dark": "dark"})


def test_a_real_attack_through_the_real_call(split):
    calls = tuple(bind("attacks", {"name": "pgd", "eps": eps}) for eps in (0.04, 0.06, 0.19, 0.21, 0.39, 0.41))
    data = from_arrays(IMAGES, LABELS, CLASSES)
    found = list(perturb.outcomes(split, Case("pgd", calls), data, 0))
    assert isinstance(calls[0], Call)
    # each falls between the strengths on both sides of its distance to 0.5
    fallen = [(o.result.predicted != LABELS)[:6].tolist() for o in found]
    edges = np.abs(GREYS[:6] - 0.5)
    for call, fell in zip(calls, fallen, strict=True):
        assert fell == (edges < call.arguments["eps"]).tolist()


def test_who_still_fools_after_rounding_to_8_bits(run):
    """Means of 127.55 and 127.75 grey levels lie above the edge of 127.5; rounded, they are 127.25 and 127.75."""
    levels = {0: [127.4, 127.4, 127.4, 128.0], 1: [127.4, 127.6, 128.0, 128.0]}

    def does(images, labels, _):
        made = np.array([levels[i % 2] for i in range(len(images))], np.float32) / 255
        return np.where(labels == 0, 1, 0)[:, None, None, None] * (made[:, None, :, None] - images)

    (outcome,) = run(Fake(does, {"eps": 1.0, "norm": "linf"}))
    assert outcome.result.attack_success.tolist() == [True, True, True, False, False, False, False]
    assert outcome.result.rounded.tolist() == [False, True, False, False, False, False, False]


@pytest.mark.slow
def test_a_search_gives_every_image_its_distance(split):
    """Of uniform grey images the distance is how far the grey lies from one half: |grey - 0.5| in each pixel."""
    data = from_arrays(IMAGES, LABELS, CLASSES)
    for norm, factor in (("linf", 1), ("l2", 2), ("l1", 4)):
        call = bind("attacks", {"name": "fab", "norm": norm, "eps": 0.25 * factor, "steps": 12})
        (outcome,) = perturb.outcomes(split, Case("far", minimal=call), data, 0)
        result = outcome.result
        expected = np.where(np.abs(GREYS - 0.5) < 0.25, np.abs(GREYS - 0.5) * factor, np.inf)
        expected[6] = 0  # a clean error
        np.testing.assert_allclose(result.distance, expected, rtol=0.02)
        assert (result.limit, result.norm, result.distance.dtype) == (0.25 * factor, norm, np.float32)
        assert result.by.tolist() == ["", "fab", "fab", "fab", "fab", "", "clean"] and outcome.call is call
        assert np.array_equal(outcome.perturbed[[0, 5, 6]], IMAGES[[0, 5, 6]])  # nothing was found, or needed
        assert (result.predicted != LABELS).tolist() == (np.isfinite(result.distance)).tolist()


def test_other_cases_have_no_distances(run):
    assert run(_across(0.1))[0].result.distance is None and run()[0].result.distance is None


def test_a_search_that_leaves_its_ball_is_an_error(split, monkeypatch):
    call = bind("attacks", {"name": "fab", "eps": 0.1})
    monkeypatch.setattr(perturb, "smallest_changes", lambda call, *a, **k: _across(0.2)(*a, **k))
    with pytest.raises(ContractError, match=r"^fab left the ball: a change of 0\.2 where eps is 0\.1$"):
        list(perturb.outcomes(split, Case("far", minimal=call), from_arrays(IMAGES, LABELS, CLASSES), 0))


def test_all_targets_send_every_image_to_each_other_class(affine):
    """Three classes by brightness, split at 0.3 and 0.7: who is sent where hangs on the distance alone."""
    classifier = Classifier(affine(np.array([[0.0, 1, 2]] * 4), [0.0, -1.2, -4.0]), 3, batch_size=4)
    images = np.ones((3, 1, 4, 1), np.float32) * np.array([0.2, 0.6, 0.9], np.float32)[:, None, None, None]
    data = from_arrays(images, [0, 1, 1], ("ci_low", "middle", "ci_high"))  # the last is an error: it is taken for high
    call = bind("attacks", {"name": "pgd", "eps": 0.25})
    (outcome,) = perturb.outcomes(classifier, Case("sent", (call,), "all"), data, 0)
    result = outcome.result
    assert result.ids.tolist() == ["00000"] * 2 + ["00001"] * 2 + ["00002"] * 2
    assert result.targets.tolist() == [1, 2, 0, 2, 0, 2] and result.labels.tolist() == [0, 0, 1, 1, 1, 1]
    assert (result.predicted == result.targets).tolist() == [True, False, False, True, False, True]
    assert result.by.tolist() == ["pgd", "", "", "pgd", "", "clean"]
    assert len(result.clean.logits) == len(result.outcomes(model="m", seed=0, case="sent")) == 6


@pytest.mark.slow
def test_a_search_towards_all_targets(affine):
    classifier = Classifier(affine(np.array([[0.0, 1, 2]] * 4), [0.0, -1.2, -4.0]), 3, batch_size=4)
    images = np.full((1, 1, 4, 1), 0.2, np.float32)
    data = from_arrays(images, [0], ("ci_low", "middle", "ci_high"))
    call = bind("attacks", {"name": "fab", "eps": 0.6, "norm": "linf", "steps": 12})
    (outcome,) = perturb.outcomes(classifier, Case("far", target="all", minimal=call), data, 0)
    np.testing.assert_allclose(outcome.result.distance, [0.1, 0.5], rtol=0.02)


def test_an_attack_towards_a_class_mends_nothing_that_was_wrong_before(affine):
    """It ends at the label of an image, and that counts as wrong still, at each eps; the image is given back."""
    model = Classifier(affine(np.array([[0, 1.0, 0]] * 4), [2.0, 0, -100]), 3, batch_size=4)
    data = from_arrays(IMAGES, LABELS, (*CLASSES, "never"))
    darker = [
        Fake(lambda images, *_, by=by: -np.minimum(by, images), {"eps": by, "norm": "linf"}) for by in (0.15, 0.2)
    ]
    found = list(perturb.outcomes(model, Case("c", tuple(darker), "never"), data, 0))
    for outcome in found:
        assert outcome.result.clean.predicted[-1] == outcome.result.predicted[-1] == 1 != LABELS[-1]
        assert outcome.result.linf[-1] == 0 and np.array_equal(outcome.perturbed[-1], IMAGES[-1])
    assert (darker[1].asked[0]["images"].shape, darker[1].asked[0]["start"][-1, 0, 0, 0]) == ((7, 1, 4, 1), GREYS[-1])
