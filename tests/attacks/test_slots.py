import numpy as np
import pytest

from robust.attacks import pgd, slots
from robust.core.signature import bind
from robust.models.classifier import Classifier


@pytest.fixture(scope="module")
def band():
    """Class 1 only within 0.04 of 0.5, in the mean of the image: a thin band that a step may jump over."""
    import keras

    inputs = keras.Input((2, 2, 1))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    distance = keras.layers.Dense(2, activation="relu")  # (mean - 0.5)+ and (0.5 - mean)+
    head = keras.layers.Dense(2)
    model = keras.Model(inputs, head(distance(mean)))
    distance.set_weights([np.array([[1.0, -1.0]]), np.array([-0.5, 0.5])])
    head.set_weights([np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([-0.04, 0.0])])
    return Classifier(model, 2, batch_size=4)


def _grey(*values):
    return np.stack([np.full((2, 2, 1), v, np.float32) for v in values])


def _climb(classifier, images, steps, **arguments):
    n = len(images)
    return pgd(
        classifier, images, np.zeros(n, np.int64), seeds=np.arange(n), eps=0.3, steps=steps, step_size=0.1,
        random_start=False, **arguments,
    )  # fmt: skip


def test_the_band_is_what_it_should_be(band):
    path = _grey(0.31, 0.41, 0.51, 0.41)  # a climb that does not stop goes to and fro
    assert band.logits(path).argmax(axis=1).tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("steps", [3, 5, 7, 11])
def test_an_iterate_that_fools_is_kept_though_the_last_would_not(band, steps):
    found = _climb(band, _grey(0.31), steps)
    assert found.by[0] == "pgd"
    np.testing.assert_allclose(found.images[0], 0.51, atol=1e-6)
    assert band.logits(found.images).argmax(axis=1).tolist() == [1]
    assert (found.n_forward[0], found.n_backward[0]) == (3, 3)


def test_an_iterate_that_only_the_last_look_sees_is_kept(band):
    found = _climb(band, _grey(0.31), 2)
    assert found.by[0] == "pgd" and (found.n_forward[0], found.n_backward[0]) == (3, 2)
    np.testing.assert_allclose(found.images[0], 0.51, atol=1e-6)


def test_who_never_meets_the_band_stands(band):
    found = _climb(band, _grey(0.35), 11)  # .45 and .55, for ever
    assert found.by[0] == "" and found.n_forward[0] == 12
    assert band.logits(found.images).argmax(axis=1).tolist() == [0]


def test_slots_are_refilled_and_everybody_is_served(band):
    starts = np.tile([0.31, 0.35, 0.51, 0.30, 0.2], 6)
    found, alone = _climb(band, _grey(*starts), 9), _climb(band, _grey(*starts[:5]), 9)
    expected = np.tile(np.where([True, False, True, True, True], "pgd", ""), 6)
    assert found.by.tolist() == expected.tolist()
    for part in ("images", "n_forward", "n_backward"):
        assert np.array_equal(getattr(found, part), np.concatenate([getattr(alone, part)] * 6))


def test_the_fallen_are_not_climbed_with(band):
    """Twenty images that are wrong already: one turn of each batch of four, and no last look."""
    before = band.n_forward, band.n_backward
    found = _climb(band, _grey(*[0.5] * 20), 20)
    assert set(found.by) == {"pgd"} and set(found.n_forward) == {1}
    assert (band.n_forward - before[0], band.n_backward - before[1]) == (20, 20)


def test_one_who_stands_does_not_hold_up_the_others(band):
    """One survivor of 20 steps beside eleven that fall at once: 20 turns, the others ride along."""
    before = band.n_backward
    _climb(band, _grey(0.35, *[0.5] * 11), 20)
    assert band.n_backward - before == 20 * 4


def test_slots_are_filled_anew_as_soon_as_enough_are_idle(band):
    """Of sixteen slots two: fourteen images that stand for 20 steps, and beside them 18 that fall at once."""
    wide = Classifier(band.model, 2, batch_size=16)
    _climb(wide, _grey(*[0.35] * 14, *[0.5] * 2), 20)
    assert wide.n_backward == 20 * 16
    before = wide.n_backward
    _climb(wide, _grey(*[0.35] * 14, *[0.5] * 18), 20)
    assert wide.n_backward - before == 20 * 16  # else the last would come after the fourteen


def test_there_are_as_many_slots_as_survivors(band):
    """At most 128, and equal batches: 129 images take 68 slots, and the 61 that follow 64."""
    for n, sizes in ((47, [48]), (128, [128]), (129, [68, 64])):
        wide = Classifier(band.model, 2)
        _climb(wide, _grey(*[0.35] * n), 20)
        assert wide.n_backward == 20 * sum(sizes)


def test_the_batch_shrinks_when_slots_are_done_and_nothing_waits(band):
    wide = Classifier(band.model, 2)
    found = _climb(wide, _grey(*[0.35] * 40, *[0.5] * 40), 20)
    assert found.by.tolist() == [""] * 40 + ["pgd"] * 40
    assert wide.n_backward == 80 + 19 * 40
    assert set(wide.graphs.values()) == {1}


@pytest.mark.parametrize("n", [60, 100, 200, 1000])
def test_nine_of_ten_passes_are_needed(band, n):
    """Images that are fooled at once, after some steps and never, as of a hardened network."""
    wide = Classifier(band.model, 2)
    starts = np.random.default_rng(n).choice([0.5, 0.31, 0.2, 0.35], n, p=[0.2, 0.05, 0.05, 0.7])
    found = _climb(wide, _grey(*starts), 100)
    assert found.n_forward.sum() / wide.n_forward > 0.9


def test_a_climb_cut_into_short_walks_is_the_same_climb(band, monkeypatch):
    """Ctrl-C waits for a walk, so that none is long."""
    whole = _climb(band, _grey(0.35), 9)
    monkeypatch.setattr(slots, "CHECK_EVERY", 2)
    before = band.n_backward
    found = _climb(band, _grey(0.35), 9)
    assert np.array_equal(found.images, whole.images) and np.array_equal(found.trace, whole.trace, equal_nan=True)
    assert band.n_backward - before == 9 * 4


def test_no_restart_without_survivors(band):
    before = band.n_forward
    found = _climb(band, _grey(0.31, 0.5), 8, restarts=5)
    assert found.n_forward.tolist() == [3, 1] and band.n_forward - before == 3 * 4


def test_the_images_given_are_not_those_returned(band):
    images = _grey(0.31, 0.35)
    found = _climb(band, images, 0 + 3)
    found.images[:] = 0
    assert np.array_equal(images, _grey(0.31, 0.35))


def test_a_model_without_a_gradient_is_named():
    import keras

    from robust.core.errors import ModelError

    class Wall(keras.layers.Layer):
        def call(self, images):
            return keras.ops.stop_gradient(images)

    model = keras.Sequential(
        [keras.Input((2, 2, 1)), Wall(), keras.layers.Flatten(), keras.layers.Dense(2)], name="walled"
    )
    with pytest.raises(ModelError) as caught:
        _climb(Classifier(model, 2, batch_size=4), _grey(0.3), 3)
    said = str(caught.value)
    assert all(part in said for part in ("model 'walled' has no gradient", "use a black-box attack: square, "))


@pytest.mark.slow
@pytest.mark.parametrize("search", ["float32", pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_nothing_is_traced_more_than_once_in_a_run_of_ragged_sizes(trained, more, search):
    """Cases of several attacks, radii and numbers of images, as a suite runs them, on one classifier."""
    from robust.datasets.dataset import from_arrays
    from robust.engine.perturb import outcomes
    from robust.suite import Case

    classifier = Classifier(trained.classifier.model, 10, batch_size=16, attack_precision=search)
    tables = (
        {"name": "fgsm"}, {"name": "pgd", "steps": 6}, {"name": "apgd", "steps": 6}, {"name": "fab", "steps": 3},
        {"name": "square", "n_queries": 9}, {"name": "noise"}, {"name": "apgd_t", "steps": 5, "classes": 2},
    )  # fmt: skip
    for n in (1, 16, 37, 50):
        data = from_arrays(*more(n, n), 10)
        for table in tables:
            calls = tuple(bind("attacks", {**table, "eps": eps}) for eps in (0.01, 0.03, 0.05))
            for target in (None, "least-likely"):
                list(outcomes(classifier, Case("x", calls, target), data, 0))
    assert len(classifier.graphs) > 12 and set(classifier.graphs.values()) == {1}, classifier.graphs


@pytest.mark.slow
def test_an_image_that_only_the_final_look_sees_fooled_is_written_back(trained):
    """Of an image that stands, the best point is left; of one that fell at the very end, the one that fools."""
    late = 0
    for steps in (1, 2, 3, 5):
        call = bind("attacks", {"name": "apgd", "eps": 0.04, "steps": steps})
        found = call(trained.classifier, trained.images, trained.labels, seeds=trained.seeds)
        fools = trained.classifier.logits(found.images).argmax(axis=1) != trained.labels
        assert (fools | (found.by == "")).all()
        late += ((found.by != "") & (found.n_backward == steps)).sum()
    assert late > 5
