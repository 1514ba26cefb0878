"""The ladder of attacks on a trained network, and what the composition adds to its parts."""

from itertools import pairwise

import numpy as np
import pytest

from robust.attacks import apgd, apgd_t, autoattack, carlini_wagner, deepfool, fab, fgsm, foolbox, noise, pgd, square
from robust.attacks.autoattack import parts
from robust.models.classifier import Classifier

EPS = {"linf": 0.05, "l2": 0.4, "l1": 1.0}
QUERIES = 300
norms = pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
linf_by_default = pytest.mark.parametrize(
    "norm", ["linf", *(pytest.param(norm, marks=pytest.mark.slow) for norm in ("l2", "l1"))]
)


@pytest.fixture(scope="module")
def run(trained):
    """`run(attack, norm, ...)`: the attack on all images, kept for those who ask again."""
    known = {}

    def attack(attack, norm, **options):
        key = attack.__name__, norm, repr(options)
        if key not in known:
            options = {"seeds": trained.seeds, **options}
            known[key] = attack(*trained[:3], eps=EPS[norm], norm=norm, **options)
        return known[key]

    return attack


@pytest.fixture(scope="module")
def whole(run):
    return lambda norm: run(autoattack, norm, n_queries=QUERIES)


def _standing(found):
    return int((found.by == "").sum())


@pytest.mark.slow
@norms
def test_the_ladder(trained, run, whole, norm):
    clean = int((trained.classifier.logits(trained.images).argmax(axis=1) == trained.labels).sum())
    ladder = [
        clean,
        _standing(run(noise, norm)),
        _standing(run(fgsm, norm)),
        _standing(run(pgd, norm)),
        _standing(run(pgd, norm, steps=100)),
        _standing(run(apgd, norm)),
        _standing(whole(norm)),
    ]
    assert all(below <= above + 3 for above, below in pairwise(ladder)), ladder
    assert ladder[-1] + 10 < ladder[1] and ladder[-1] > 10, ladder  # a network between sure and lost
    for part, options in ((square, {"n_queries": QUERIES}), (fab, {}), (apgd_t, {})):
        assert ladder[-1] <= _standing(run(part, norm, **options)) + 3


@pytest.mark.slow
def test_the_ladder_of_a_hardened_network(trained, hardened):
    classifier, images, labels, seeds = hardened
    clean = int((classifier.logits(images).argmax(axis=1) == labels).sum())
    rungs = (
        (fgsm, {}),
        (pgd, {"steps": 20}),
        (pgd, {"steps": 100}),
        (apgd, {}),
        (autoattack, {"n_queries": QUERIES}),
    )
    found = [attack(classifier, images, labels, seeds=seeds, eps=0.05, **options) for attack, options in rungs]
    ladder = [clean, *map(_standing, found)]
    assert all(below <= above + 3 for above, below in pairwise(ladder)), ladder
    assert 10 < ladder[-1] < clean - 5, ladder
    plain = autoattack(*trained[:3], seeds=seeds, eps=0.05, n_queries=QUERIES)
    assert ladder[-1] > _standing(plain) + 3  # it is hardened


@pytest.mark.slow
@linf_by_default
def test_each_part_alone_never_beats_the_whole(trained, run, whole, norm):
    left = whole(norm).by == ""
    for i, part in enumerate(parts("standard", norm, 100, QUERIES).values()):
        alone = part(*trained[:3], seeds=trained.seeds + i, eps=EPS[norm], norm=norm)  # as the whole calls it
        assert (alone.by[left] == "").all() and (alone.by != "").any()


@pytest.mark.slow_after_first
@norms
def test_each_part_gets_what_the_ones_before_have_left(trained, run, whole, norm):
    found = whole(norm)
    assert set(found.by) <= {"", "apgd-ce", "apgd-t", "fab-t", "square"}
    first = run(apgd, norm, restarts=5 if norm == "l1" else 1)
    assert np.array_equal(found.by == "apgd-ce", first.by != "")
    is_adv = first.by != ""
    assert np.array_equal(found.images[is_adv], first.images[is_adv])
    assert np.array_equal(found.n_forward[is_adv], first.n_forward[is_adv])
    left = found.by == ""
    climbs, classes = (5, 5) if norm == "l1" else (1, 9)
    most = climbs * 101 + (1 + classes * 101) + (1 + 9 * 101) + QUERIES + 1
    assert (found.n_forward[left] == most).all()
    assert (found.n_backward[left] == 100 * (climbs + classes + 9)).all()
    assert found.trace.shape[0] == 64 and np.isfinite(found.trace[left]).all()


@pytest.mark.slow
def test_who_felled_an_image_is_recorded():
    """A front whose gradient is zero: only the search that asks for answers gets through."""
    import keras

    class Front(keras.layers.Layer):
        def call(self, images):
            return keras.ops.stop_gradient(images) + 0 * images

    random = np.random.default_rng(0)
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(Front()(inputs))))
    model.set_weights([random.normal(size=(16, 3)), np.zeros(3)])
    classifier = Classifier(model, 3, batch_size=16)
    images = random.uniform(0.3, 0.7, (16, 4, 4, 1)).astype(np.float32)
    labels = classifier.logits(images).argmax(axis=1)
    found = autoattack(classifier, images, labels, seeds=np.arange(16), eps=0.1, steps=10, n_queries=300)
    assert (found.by == "square").sum() > 5 and "fab-t" not in found.by


@pytest.mark.slow
@pytest.mark.parametrize("version", ["plus", "rand"])
def test_the_other_versions(trained, version):
    few = [part[:16] for part in trained[1:]]
    found = autoattack(
        trained.classifier, *few[:2], seeds=few[2], eps=EPS["linf"], version=version, steps=5, n_queries=20
    )
    parts = {"plus": {"apgd-ce", "apgd-dlr", "fab-t", "square", "apgd-t"}, "rand": {"apgd-ce", "apgd-dlr"}}[version]
    assert set(found.by) - {""} <= parts
    left = found.by == ""
    spent = {"plus": 5 * 6 + 5 * 6 + (1 + 45 * 6) + 21 + (1 + 9 * 6), "rand": 2 * 101}[version]
    assert left.any() and (found.n_forward[left] == spent).all()


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_few_classes(affine, classes):
    random = np.random.default_rng(0)
    classifier = Classifier(affine(random.normal(size=(12, classes))), classes, batch_size=8)
    images = random.uniform(0.3, 0.7, (9, 1, 12, 1)).astype(np.float32)
    labels = classifier.logits(images).argmax(axis=1)
    for version in ("standard", "plus", "rand"):
        tiny = autoattack(
            classifier, images, labels, seeds=np.arange(9), eps=1e-4, version=version, steps=5, n_queries=8
        )
        assert set(tiny.by) == {""} and np.isfinite(tiny.images).all()


@norms
def test_any_order_and_company_gives_the_same_bytes(rows_apart, trained, run, whole, norm):
    rows = np.random.default_rng(0).permutation(64)[:40]
    alone = autoattack(
        trained.classifier, trained.images[rows], trained.labels[rows], seeds=trained.seeds[rows],
        eps=EPS[norm], norm=norm, n_queries=QUERIES,
    )  # fmt: skip
    for part in ("images", "n_forward", "n_backward"):
        assert getattr(alone, part).tobytes() == getattr(whole(norm), part)[rows].tobytes()
    assert np.array_equal(alone.by, whole(norm).by[rows])


@pytest.mark.slow
def test_nothing_is_traced_twice(trained, whole):
    whole("linf"), whole("l2")
    assert set(trained.classifier.graphs.values()) == {1}


@pytest.mark.slow
def test_those_of_foolbox_are_its_own(trained):
    common = {"seeds": trained.seeds[:40], "eps": 0.4, "norm": "l2"}
    few = trained.images[:40], trained.labels[:40]
    for ours, name, options, theirs in (
        (deepfool, "L2DeepFoolAttack", {"steps": 10}, {"steps": 10}),
        (
            carlini_wagner, "L2CarliniWagnerAttack", {"steps": 20, "searches": 2, "constant": 1.0},
            {"steps": 20, "binary_search_steps": 2, "initial_const": 1.0},
        ),
    ):  # fmt: skip
        found = ours(trained.classifier, *few, **common, **options)
        expected = foolbox.foolbox_attack(trained.classifier, *few, **common, attack=name, **theirs)
        assert found.images.tobytes() == expected.images.tobytes()
        assert set(found.by) == {"", ours.__name__} and np.array_equal(found.by != "", expected.by != "")
