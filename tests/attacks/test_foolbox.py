import importlib
import inspect

import numpy as np
import pytest

from robust.attacks import carlini_wagner, deepfool, fgsm
from robust.core import foolbox_classes, signature
from robust.core.errors import ContractError, SuiteError
from robust.engine import perturb
from robust.models.classifier import Classifier
from robust.results.attack_result import AttackResult

N = 11  # a batch of 8 and a ragged one


@pytest.fixture(scope="module")
def data(problem):
    return problem(N, seed=2)


@pytest.fixture
def attack(classifier, data):
    """`attack("LinfDeepFoolAttack", eps=..., targets=...)`: through the schema, as a suite does it."""

    def run(name, targets=None, seeds=data.seeds, labels=data.labels, **table):
        call = signature.bind("attacks", {"name": f"foolbox:{name}", **table})
        found = call(classifier, data.images, labels, seeds=seeds, targets=targets)
        perturb.check(call, data.images, found.images)
        fools = classifier.logits(found.images).argmax(axis=1)
        assert np.array_equal(found.by != "", fools != data.labels if targets is None else fools == targets)
        return found

    return run


def _fell(found):
    return (found.by != "").sum()


def test_deepfool_finds_small_changes(attack, data):
    found = attack("LinfDeepFoolAttack", eps=0.15, steps=10)
    assert _fell(found) == N and set(found.by) == {"foolbox:LinfDeepFoolAttack"}
    assert np.abs(found.images - data.images).max(axis=(1, 2, 3)).min() < 0.06
    assert (found.n_backward > 0).all() and (found.n_forward > found.n_backward).all()


@pytest.mark.slow
def test_carlini_and_wagner(attack, data):
    table = {"steps": 20, "stepsize": 0.05, "binary_search_steps": 1, "initial_const": 10.0}
    plain, aimed = (attack("L2CarliniWagnerAttack", t, eps=1.0, **table) for t in (None, (data.labels + 1) % 3))
    assert _fell(plain) == N and _fell(aimed) > N / 2
    assert np.linalg.norm((plain.images - data.images).reshape(N, -1), axis=1).mean() < 0.8


@pytest.mark.parametrize(
    ("name", "norm", "eps"), [("LinfFastGradientAttack", "linf", 0.06), ("L2FastGradientAttack", "l2", 0.3)]
)
def test_fast_gradient_is_ours(attack, classifier, data, name, norm, eps):
    right = classifier.logits(data.images).argmax(axis=1) == data.labels
    theirs = attack(name, eps=eps)
    ours = fgsm(classifier, *data[:2], seeds=data.seeds, eps=eps, norm=norm)
    np.testing.assert_allclose(ours.images[right], theirs.images[right], atol=1e-6)
    assert np.array_equal(ours.by != "", theirs.by != "") and 0 < _fell(ours) < N
    assert (theirs.n_forward[0], theirs.n_backward[0]) == (2, 1)


@pytest.mark.slow
def test_decision_based_ones_need_no_gradient(attack):
    noise = attack("LinfRepeatedAdditiveUniformNoiseAttack", eps=0.4, norm="linf", repeats=5)
    assert _fell(noise) > 0 and set(noise.n_backward) == {0}
    assert set(noise.n_forward) <= {6, 7}  # a look at the images, five draws, and the final one
    jumps = attack("HopSkipJumpAttack", eps=2.0, norm="l2", steps=1, initial_gradient_eval_steps=10)
    assert _fell(jumps) > N / 2 and set(jumps.n_backward) == {0} and jumps.n_forward.min() > 10


def test_randomness_comes_from_the_seeds_alone(attack, data):
    table = {"eps": 0.3, "norm": "linf"}
    first = attack("LinfAdditiveUniformNoiseAttack", **table)
    state = np.random.get_state()[1].tobytes()
    again = attack("LinfAdditiveUniformNoiseAttack", **table)
    assert first.images.tobytes() == again.images.tobytes()
    assert np.random.get_state()[1].tobytes() == state
    other = attack("LinfAdditiveUniformNoiseAttack", seeds=data.seeds + 1, **table)
    assert (other.images != first.images).any(axis=(1, 2, 3)).all()


@pytest.mark.slow
def test_numpys_randomness_is_seeded_too(attack, data):
    aims = (data.labels + 1) % 3
    first = attack("GenAttack", aims, eps=0.3, steps=3, population=4)
    np.random.rand(7)
    again = attack("GenAttack", aims, eps=0.3, steps=3, population=4)
    assert first.images.tobytes() == again.images.tobytes()


@pytest.mark.slow
def test_labels_of_32_bits_do_no_harm(attack, data):
    found = attack("LinfDeepFoolAttack", eps=0.05, steps=2, labels=data.labels.astype(np.int32))
    assert np.array_equal(found.images, attack("LinfDeepFoolAttack", eps=0.05, steps=2).images)


def test_passes_are_counted_padding_included(classifier, attack):
    before = classifier.n_forward, classifier.n_backward
    found = attack("LinfProjectedGradientDescentAttack", eps=0.05, steps=3)
    looks = 16  # the two batches of our own look in `attack`
    assert set(found.n_forward) == {3 + 1} and set(found.n_backward) == {3}
    assert classifier.n_forward - before[0] == 16 * (3 + 1) + looks
    assert classifier.n_backward - before[1] == 16 * 3


def test_the_graph_of_the_classifier_is_used_as_it_is(classifier, attack):
    attack("LinfDeepFoolAttack", eps=0.05, steps=1)
    assert classifier.graphs["logits"] == 1


@pytest.mark.slow
def test_a_double_precision_model(build, data):
    classifier = Classifier(build("float64"), 3, batch_size=8)
    call = signature.bind("attacks", {"name": "foolbox:LinfDeepFoolAttack", "eps": 0.15, "steps": 5})
    found = call(classifier, data.images, data.labels, seeds=data.seeds)
    assert found.images.dtype == np.float32 and _fell(found) > N / 2
    classifier.logits(data.images)
    assert classifier.graphs == {"logits": 1}


def test_the_norm_is_said_to_attacks_that_leave_the_choice(attack, data):
    found = attack("LinearSearchContrastReductionAttack", eps=0.02, norm="linf", steps=5)
    assert np.abs(found.images - data.images).max() == pytest.approx(0.02, abs=1e-6)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"name": "LinfDeepFoolAttack", "norm": "l2"},
            'foolbox:LinfDeepFoolAttack has the norm linf, not l2; write norm = "linf"',
        ),
        (
            {"name": "HopSkipJumpAttack", "norm": "l1"},
            'foolbox:HopSkipJumpAttack has the norm l2, not l1; write norm = "l2"',
        ),
        (
            {"name": "DatasetAttack", "norm": "l2"},
            "foolbox:DatasetAttack refused: DatasetAttack can only be called after",
        ),
        ({"name": "GenAttack"}, "foolbox:GenAttack refused: unsupported criterion"),
    ],
)
def test_what_foolbox_refuses_is_said_in_its_words(attack, table, message):
    table = {"eps": 0.1, **table}
    with pytest.raises(ContractError) as caught:
        attack(table.pop("name"), **table)
    assert str(caught.value).startswith(message)


def test_a_word_that_foolbox_does_not_know_is_refused_before_it_runs(attack):
    with pytest.raises(SuiteError, match=r"loss = 'hinge': .* (crossentropy, logits|logits, crossentropy)"):
        attack("LinfDeepFoolAttack", eps=0.1, loss="hinge")


@pytest.mark.parametrize("error", [AttributeError("no dtype"), ImportError("no numba"), AssertionError("no dtype")])
def test_whatever_breaks_inside_foolbox_is_said_with_the_name_of_the_attack(attack, monkeypatch, error):
    def run(*args, **kwargs):
        raise error

    monkeypatch.setattr("foolbox.attacks.LinfDeepFoolAttack.run", run)
    with pytest.raises(ContractError, match=rf"^foolbox:LinfDeepFoolAttack refused: {error}$"):
        attack("LinfDeepFoolAttack", eps=0.1)


def test_a_targeted_fgsm_is_refused(attack, data):
    with pytest.raises(ContractError, match=r"^foolbox:LinfFastGradientAttack refused: unsupported criterion$"):
        attack("LinfFastGradientAttack", (data.labels + 1) % 3, eps=0.1)


def test_options_are_checked_before_anything_runs():
    with pytest.raises(SuiteError, match=r"takes no 'stepz'; did you mean 'steps'\?"):
        signature.bind("attacks", {"name": "foolbox:LinfDeepFoolAttack", "eps": 0.1, "stepz": 3})
    with pytest.raises(SuiteError, match="did you mean 'foolbox:LinfDeepFoolAttack'"):
        signature.bind("attacks", {"name": "foolbox:LinfDepFoolAttack", "eps": 0.1})


CARLINI_WAGNER = {"searches": "binary_search_steps", "step_size": "stepsize", "constant": "initial_const"}
DEEPFOOL = {"steps": "steps", "overshoot": "overshoot", "candidates": "candidates"}
NAMED = [
    (carlini_wagner, "l2", "L2CarliniWagnerAttack", {"steps": "steps", **CARLINI_WAGNER}),
    (deepfool, "l2", "L2DeepFoolAttack", DEEPFOOL),
    (deepfool, "linf", "LinfDeepFoolAttack", DEEPFOOL),
]


@pytest.mark.parametrize(("attack", "norm", "name", "options"), NAMED)
def test_those_with_a_name_of_their_own_hand_on_all_they_are_given(
    monkeypatch, classifier, data, attack, norm, name, options
):
    got = {}

    def run(classifier, images, labels, **given):
        got.update(given)
        return AttackResult.of(images)

    monkeypatch.setattr(importlib.import_module(f"robust.attacks.{attack.__name__}"), "foolbox_attack", run)
    values = {key: 2 + place for place, key in enumerate(options)}
    values |= {"candidates": 2} if "candidates" in options else {}
    given = {"seeds": data.seeds, "start": data.images, "targets": data.labels, "eps": 0.3, "norm": norm}
    attack(classifier, data.images, data.labels, **given, **values)
    assert got == {**given, "attack": name, **{theirs: values[ours] for ours, theirs in options.items()}}


@pytest.mark.parametrize(("attack", "name", "options"), [
    (carlini_wagner, "L2CarliniWagnerAttack", CARLINI_WAGNER), (deepfool, "L2DeepFoolAttack", DEEPFOOL),
])  # fmt: skip
def test_those_with_a_name_of_their_own_begin_as_foolbox_does(attack, name, options):
    ours, theirs = (inspect.signature(f).parameters for f in (attack, getattr(foolbox_classes.library().attacks, name)))
    assert {key: ours[key].default for key in options} == {key: theirs[options[key]].default for key in options}


def test_deepfool_considers_no_more_classes_than_there_are(classifier, data):
    found = deepfool(classifier, data.images, data.labels, seeds=data.seeds, eps=1.0, candidates=10)
    assert set(found.by) <= {"", "deepfool"} and (found.by == "deepfool").sum() > N / 2
