"""What is searched on a copy is found for the model itself: bfloat16, folded BatchNorm, other batch shapes."""

import keras
import numpy as np
import pytest

from robust.attacks import apgd, autoattack, fab, losses, pgd, slots, square
from robust.attacks.iterative import IterativeAttack, ascend
from robust.attacks.minimal import search, search_state
from robust.core.signature import bind
from robust.models.classifier import Classifier
from robust.results.attack_result import AttackResult

layers = keras.layers
EDGE = 0.503  # bfloat16 knows 0.5 and 0.5039 and nothing between


@pytest.fixture(scope="module")
def edge():
    """Class 1 where the mean grey is over the edge, as a model that its half-precision copy gets wrong."""
    inputs = keras.Input((2, 2, 1))
    mean, head = layers.Dense(1), layers.Dense(2)
    model = keras.Model(inputs, head(mean(layers.Flatten()(inputs))))
    mean.set_weights([np.full((4, 1), 0.25), np.zeros(1)])
    head.set_weights([np.array([[0.0, 1000.0]]), np.array([0.0, -1000 * EDGE])])
    return Classifier(model, 2, batch_size=4, attack_precision="bfloat16")


def _climb(classifier, eps, n=1):
    images = np.full((n, 2, 2, 1), 0.4, np.float32)
    return pgd(
        classifier, images, np.zeros(n, np.int64), seeds=np.arange(n), eps=eps, steps=4, step_size=0.1025,
        random_start=False,
    )  # fmt: skip


def _answers(classifier, grey):
    return classifier.logits(np.full((1, 2, 2, 1), grey, np.float32)).argmax(axis=1).item()


def test_the_copy_is_wrong_between_the_numbers_it_knows(edge):
    assert _answers(edge, 0.5025) == 0 and _answers(edge.lean(), 0.5025) == 1
    assert _answers(edge, 0.51) == _answers(edge.lean(), 0.51) == 1


@pytest.mark.slow
def test_what_fools_the_copy_alone_stands(edge):
    found = _climb(edge, 0.1025, n=5)
    assert set(found.by) == {""} and (edge.logits(found.images).argmax(axis=1) == 0).all()


def test_what_fools_the_copy_alone_is_attacked_on_the_model_itself(edge):
    """The copy stops at 0.5025; the model is fooled a step later."""
    found = _climb(edge, 0.11, n=5)
    assert set(found.by) == {"pgd"} and (edge.logits(found.images).argmax(axis=1) == 1).all()
    assert (found.n_forward == 2 + 1 + 2).all() and (found.n_backward == 2 + 2).all()  # the copy, a look, the model


def test_the_point_and_the_class_that_fooled_the_copy_are_kept_through_later_restarts(edge):
    """The second search begins there, and heads first for the class that the first one headed for."""
    images, aims = np.full((5, 2, 2, 1), 0.4, np.float32), np.tile([1, 0], (5, 1))
    task = slots.Task(edge, images, np.zeros(5, np.int64), np.arange(5), None, None, aims)
    method = IterativeAttack(
        "pgd", "linf", 4, {"eps": 0.1025, "size": 0.1025}, losses.leave, ascend, n_clean_starts=2, restarts=2
    )
    result = AttackResult.of(images, trace_length=1)
    doubtful, begun = slots.search(task, method, edge.lean(), np.arange(5), result)
    assert doubtful.tolist() == [0, 1, 2, 3, 4] and begun.classes_to_try.tolist() == aims.tolist()
    np.testing.assert_allclose(begun.start, 0.5025)
    assert slots.rolled(np.array([[4, 5, 6], [7, 8, 9]]), np.array([1, 5])).tolist() == [[5, 6, 4], [9, 7, 8]]


@pytest.mark.slow
def test_a_distance_goes_on_from_what_fools_the_copy_alone_until_the_model_is_fooled(edge, monkeypatch):
    """The copy is fooled from 0.502 on, the model from 0.503 on: for an image near the edge that is far."""
    greys = np.array([0.49, 0.495, 0.499], np.float32)
    images = np.ones((3, 2, 2, 1), np.float32) * greys[:, None, None, None]
    call = bind("attacks", {"name": "fab", "eps": 0.05, "steps": 20})
    found = search.smallest_changes(call, edge, images, np.zeros(3, np.int64), seeds=np.arange(3))
    assert set(found.by) == {"fab"} and (edge.logits(found.images).argmax(axis=1) == 1).all()
    change = np.abs(found.images - images).max(axis=(1, 2, 3))
    assert (change < 1.1 * (EDGE - greys)).all()
    monkeypatch.setattr(search_state, "FURTHER", (1.01,))
    assert set(search.smallest_changes(call, edge, images, np.zeros(3, np.int64), seeds=np.arange(3)).by) == {""}


def test_every_pass_is_counted_those_of_the_copy_and_the_looks_too(edge):
    before = edge.n_forward, edge.n_backward
    _climb(edge, 0.11, n=4)
    assert (edge.n_forward - before[0], edge.n_backward - before[1]) == (4 * (2 + 1 + 2), 4 * (2 + 2))


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.05), ("l2", 0.4), ("l1", 1.0)])
@pytest.mark.parametrize("attack", [pgd, apgd, fab, square])
def test_successes_in_bfloat16_are_successes(trained, attack, norm, eps):
    classifier, images, labels, seeds = trained
    half = Classifier(classifier.model, 10, batch_size=32, attack_precision="bfloat16")
    options = {"n_queries": 200} if attack is square else {"steps": 20}
    found, exact = (attack(c, images, labels, seeds=seeds, eps=eps, norm=norm, **options) for c in (half, classifier))
    is_adv = classifier.logits(found.images).argmax(axis=1) != labels
    assert np.array_equal(found.by != "", is_adv) and is_adv.sum() > 5
    assert abs(int(is_adv.sum()) - int((exact.by != "").sum())) <= 2
    change = (found.images.astype(np.float64) - images).reshape(64, -1)
    sizes = np.linalg.norm(change, ord={"linf": np.inf, "l2": 2, "l1": 1}[norm], axis=1)
    assert sizes.max() <= eps * (1 + 1e-6) + 1e-6 and found.images.min() >= 0 and found.images.max() <= 1


@pytest.mark.slow
def test_autoattack_in_bfloat16_fells_as_many(trained):
    half = Classifier(trained.classifier.model, 10, batch_size=32, attack_precision="bfloat16")
    found, exact = (
        autoattack(c, *trained[1:3], seeds=trained.seeds, eps=0.05, n_queries=100, steps=30)
        for c in (half, trained.classifier)
    )
    assert abs(int((found.by != "").sum()) - int((exact.by != "").sum())) <= 2
    assert np.array_equal(half.logits(found.images).argmax(axis=1) != trained.labels, found.by != "")
    assert set(half.graphs.values()) == {1}


@pytest.fixture
def normed(trained):
    """A network with BatchNorm after each convolution, its statistics those of the images."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((8, 8, 2)), layers.Conv2D(16, 3), layers.BatchNormalization(momentum=0.5), layers.ReLU(),
        layers.Flatten(), layers.Dense(10),
    ])  # fmt: skip
    for _ in range(10):
        model(trained.images, training=True)
    return model


@pytest.mark.slow
def test_folded_batch_norm_changes_no_verdict(trained, normed):
    classifier = Classifier(normed, 10, batch_size=32)
    labels = classifier.logits(trained.images).argmax(axis=1)
    plain = Classifier(normed, 10, batch_size=32)
    plain._lean = plain
    found, exact = (apgd(c, trained.images, labels, seeds=trained.seeds, eps=0.01) for c in (classifier, plain))
    assert classifier.lean() is not classifier and 5 < (exact.by != "").sum() < 60
    assert np.array_equal(found.by, exact.by)
    is_adv = exact.by != ""
    assert np.array_equal(found.n_forward[is_adv], exact.n_forward[is_adv] + 1)  # the look that confirms
    assert np.array_equal(found.n_forward[~is_adv], exact.n_forward[~is_adv])
    np.testing.assert_allclose(found.images[is_adv], exact.images[is_adv], atol=0.02)


@pytest.mark.slow
def test_a_model_that_is_trained_further_is_attacked_as_it_is_by_then(trained, normed):
    classifier = Classifier(normed, 10, batch_size=32)
    labels = classifier.logits(trained.images).argmax(axis=1)
    arguments = {"seeds": trained.seeds, "eps": 0.01, "steps": 5}
    apgd(classifier, trained.images, labels, **arguments)
    normed.set_weights([w[..., ::-1] for w in normed.get_weights()])
    labels = classifier.logits(trained.images).argmax(axis=1)
    found = apgd(classifier, trained.images, labels, **arguments)
    fresh = apgd(Classifier(normed, 10, batch_size=32), trained.images, labels, **arguments)
    assert found.images.tobytes() == fresh.images.tobytes() and np.array_equal(found.by, fresh.by)


@pytest.mark.slow
@pytest.mark.parametrize("attack", [pgd, apgd])
def test_across_batch_shapes_two_verdicts_in_a_thousand_may_differ(trained, more, attack):
    images, labels = more(1000, 3)
    verdicts = {
        size: attack(
            Classifier(trained.classifier.model, 10, batch_size=size),
            images, labels, seeds=np.arange(1000), eps=0.05, steps=20,
        ).by != ""
        for size in (256, 100, 7)
    }  # fmt: skip
    assert 200 < verdicts[256].sum() < 980
    for size in (100, 7):
        differ = np.flatnonzero(verdicts[size] != verdicts[256]).tolist()
        print(f"{attack.__name__}: batches of {size} and 256 differ on images {differ}")
        assert len(differ) <= 2, differ
