"""Each check on an attack, with attacks and models whose answer is known."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import keras
import numpy as np
import pytest

from robust.attacks import diagnostics
from robust.attacks.diagnostics import attack_checks as attack
from robust.attacks.diagnostics.fooled_but_not_returned import fooled_but_not_returned
from robust.attacks.diagnostics.stronger_attack import stronger_attack
from robust.attacks.iterative import Task
from robust.core.errors import ModelError
from robust.core.signature import Call, bind
from robust.models.classifier import Classifier, black_box
from robust.results.attack_result import AttackResult

PIXELS = 16


@dataclass(frozen=True)
class Fake(Call):
    """An attack that does what its function says, of (images, labels, eps)."""

    does: Callable = lambda images, labels, eps: images

    def __call__(self, classifier, images, labels, *, seeds, start, targets, eps=None):
        del seeds, start, targets
        made = self.does(classifier, images, labels, self.arguments["eps"])
        return AttackResult(
            made, *(getattr(AttackResult.of(images), k) for k in ("by", "n_forward", "n_backward", "trace"))
        )


def fake(does, eps, name="pgd"):
    return Fake("attacks", name, {"eps": eps, "norm": "linf"}, does)


@pytest.fixture(scope="module")
def task(affine):
    """Two classes by the sign of the sum of 16 pixels around 0.5, all right by a margin of 0.1 a pixel."""
    weights = np.stack([-np.ones(PIXELS), np.ones(PIXELS)], axis=1).astype("float32")
    classifier = Classifier(affine(weights, [PIXELS / 2, -PIXELS / 2]), 2, batch_size=100)
    labels = np.arange(100) % 2
    images = np.where(labels == 1, 0.6, 0.4)[:, None, None, None] * np.ones((1, 1, PIXELS, 1))
    return Task(classifier, images.astype(np.float32), labels, np.arange(100), None, None)


def up(classifier, images, labels, eps):
    """The best there is: every pixel against the label."""
    return np.clip(images + eps * np.where(labels == 1, -1, 1)[:, None, None, None], 0, 1).astype(np.float32)


def nothing(classifier, images, labels, eps):
    return images


def names(reasons):
    return [reason.name for reason in reasons]


@pytest.mark.slow
def test_an_attack_that_reaches_the_bound_is_believed(task):
    for eps in (0.05, 0.15):
        run = attack.run(task, fake(up, eps))
        assert run.is_adv.all() == (eps > 0.1)
        assert diagnostics.diagnose([run])[0].reasons == ()


@pytest.mark.slow
def test_an_attack_that_does_nothing_fails_without_a_limit(task):
    found = diagnostics.diagnose([attack.run(task, fake(nothing, 0.15))])[0]
    assert ("unbounded_fails", 1.0, 100) in found.reasons and found.level == "invalid"


def test_noise_that_fools_where_the_attack_did_not_is_told(task):
    near = Task(task.classifier, 0.5 + 0.01 * (task.images - 0.5), task.labels, task.seeds, None, None)
    (found,) = attack.noise_beats_attack(attack.run(near, fake(nothing, 0.3)))
    assert found.name == "noise_beats_attack" and found.value > 0.9
    assert names(attack.noise_beats_attack(attack.run(near, fake(up, 0.3)))) == []
    assert names(attack.noise_beats_attack(attack.run(task, fake(nothing, 0.05)))) == []  # no noise of this size can


def test_an_image_that_falls_at_a_small_eps_only_breaks_the_order(task):
    def shy(classifier, images, labels, eps):
        return up(classifier, images, labels, eps) if eps < 0.2 else images

    small, large = (attack.run(task, fake(shy, eps)) for eps in (0.15, 0.3))
    assert names(attack.not_monotone_in_eps(small, large)) == ["not_monotone_in_eps"]
    small, large = (attack.run(task, fake(up, eps)) for eps in (0.15, 0.3))
    assert names(attack.not_monotone_in_eps(small, large)) == []


class Decoy(keras.layers.Layer):
    """A linear model, but for the rim of the balls around two images, where the answer is that image's."""

    def __init__(self, linear, known, eps):
        super().__init__()
        self.linear, self.known, self.eps = linear, known, eps

    def call(self, x):
        far = keras.ops.stack([keras.ops.max(keras.ops.abs(x - each), axis=(1, 2, 3)) for each in self.known], axis=1)
        at_rim = keras.ops.logical_and(far > 0.9 * self.eps, far < 1.2 * self.eps)
        return self.linear(x) + 50 * keras.ops.cast(at_rim, "float32")


@pytest.mark.slow
@pytest.mark.parametrize("targets", [None, "other"])
def test_what_falls_in_half_of_the_ball_and_stands_in_all_of_it_is_told(task, targets):
    """It falls from 0.1 on, and stands again from 0.216."""
    image = keras.Input((1, PIXELS, 1))
    decoy = keras.Model(image, Decoy(task.classifier.model, (0.4, 0.6), 0.24)(image))
    targets = None if targets is None else 1 - task.labels
    known = replace(task, classifier=Classifier(decoy, 2, batch_size=100), targets=targets)
    run = attack.run(known, fake(up, 0.24))
    assert not run.is_adv.any()
    assert list(attack.half_eps(run)) == [("half_eps", 1.0, 100)]
    assert diagnostics.diagnose([run])[0].level != "reliable"
    for sound in (
        attack.run(known, fake(up, 0.15)),
        attack.run(task, fake(up, 0.24)),
        attack.run(task, fake(up, 0.09)),
    ):
        assert list(attack.half_eps(sound)) == []
    assert list(attack.half_eps(replace(run, call=replace(run.call, name="square")))) == []


@pytest.mark.parametrize(("count", "told"), [(2, False), (3, True)])
def test_three_images_of_a_hundred_that_fall_in_half_of_the_ball_tell(task, monkeypatch, count, told):
    made = []

    def some_fall(task, call, rows):
        made.append(call)
        return None, np.arange(len(rows)) < count

    monkeypatch.setattr(attack, "attacked_again", some_fall)
    run = ran(task, bind("attacks", {"name": "pgd", "norm": "l2", "eps": 0.5}), np.empty((100, 0)), [""] * 100)
    assert names(attack.half_eps(run)) == ["half_eps"] * told
    assert made == [Call("attacks", "apgd", {"eps": 0.25, "norm": "l2", "steps": 20})]


def ran(task, does, trace, by):
    """A run in which nothing fell, with this trace, and `by` as what felled the images of the whole case."""
    return attack.AttackRun(task, does, np.eye(2)[task.labels], np.zeros(100, bool), trace, np.array(by, object))


def test_square_after_the_others_counts_within_autoattack_alone(task):
    for name, count, told in (("autoattack", 4, True), ("autoattack", 3, False), ("square", 4, False)):
        run = ran(task, fake(nothing, 0.1, name), np.empty((100, 0)), ["square"] * count + [""] * (100 - count))
        assert names(attack.square_beats_gradients(run)) == ["square_beats_gradients"] * told


def test_steps_that_do_not_suffice_are_told(task):
    few = bind("attacks", {"name": "pgd", "eps": 0.15, "steps": 3, "step_size": 0.03, "random_start": False})
    assert list(attack.more_steps(attack.run(task, few))) == [("too_few_steps", 1.0, 100)]  # 0.09 < 0.1 < 0.18
    enough = bind("attacks", {"name": "pgd", "eps": 0.15, "steps": 20, "step_size": 0.03})
    assert names(attack.more_steps(attack.run(task, enough))) == []


@pytest.mark.parametrize(
    ("table", "ill", "experiment"),
    [
        ({"name": "fgsm"}, "one_step", "pgd with 20 steps"),
        ({"name": "square", "n_queries": 10}, "too_few_queries", "twice the queries"),
        (
            {"name": "autoattack", "steps": 2, "n_queries": 10},
            "targeted_beats_autoattack",
            "apgd_t with twice the steps",
        ),
        ({"name": "pgd", "steps": 2}, "too_few_steps", "twice the steps, at least 20"),
    ],
)
def test_a_reason_names_the_experiment_that_was_made(task, monkeypatch, table, ill, experiment):
    made = []

    def all_fall(task, call, rows):
        made.append(call)
        return None, np.ones(len(rows), bool)

    monkeypatch.setattr(attack, "attacked_again", all_fall)
    call = bind("attacks", {**table, "eps": 0.15})
    [reason] = attack.more_steps(ran(task, call, np.empty((100, 0)), [""] * 100))
    assert reason == (ill, 1.0, 100) and experiment in str(reason)
    assert made[0].name in str(reason) or made[0].name == call.name


def test_a_loss_that_rises_to_the_end_is_told_and_one_that_settles_is_not(task):
    def run(curve, places=10):
        trace = np.tile(curve(np.linspace(0, 1, places)), (100, 1))
        return ran(task, fake(nothing, 0.1), trace, [""] * 100)

    assert attack.late_rise(run(lambda t: t)) == pytest.approx(4 / 9)
    assert attack.late_rise(run(lambda t: 1 - np.exp(-8 * t))) < 0.02
    assert attack.late_rise(run(lambda t: 0 * t)) is None  # it does not rise at all
    assert attack.late_rise(run(lambda t: t, places=4)) is None
    assert names(attack.more_steps(run(lambda t: t))) == ["incomplete"]
    assert names(attack.more_steps(run(lambda t: np.minimum(t, 0.2)))) == []


@pytest.mark.parametrize(("falling", "expected"), [(0, []), (1, ["incomplete"]), (9, ["incomplete", "too_few_steps"])])
def test_a_loss_that_rises_late_counts_where_twice_the_steps_fell_more(task, monkeypatch, falling, expected):
    monkeypatch.setattr(attack, "attacked_again", lambda task, call, rows: (None, np.arange(len(rows)) < falling))
    late = np.tile(np.linspace(0, 1, 25), (100, 1))
    for name, told in (("apgd", expected), ("apgd_t", [])):  # the one with as many steps as AutoAttack gives it
        call = bind("attacks", {"name": name, "eps": 0.15, "norm": "l2", "steps": 100})
        assert names(attack.more_steps(ran(task, call, late, [""] * 100))) == told


def test_a_slow_climb_on_a_real_model_is_told(task):
    slow = bind("attacks", {"name": "pgd", "eps": 0.15, "steps": 24, "step_size": 0.003, "random_start": False})
    found = diagnostics.diagnose([attack.run(task, slow)])[0]
    assert found.level == "suspect" and set(names(found.reasons)) == {"incomplete", "too_few_steps"}


def test_twice_the_steps_of_one_step_is_pgd():
    call = attack.doubled(bind("attacks", {"name": "fgsm", "eps": 0.1}))
    assert call.name == "pgd" and call.arguments == {"eps": 0.1, "norm": "linf", "steps": 20}
    for steps, more in ((1, 20), (7, 20), (30, 60)):
        assert attack.doubled(bind("attacks", {"name": "pgd", "eps": 0.1, "steps": steps})).arguments["steps"] == more
    assert attack.doubled(bind("attacks", {"name": "square", "eps": 0.1})) is None
    for n_queries, more in ((5, 200), (300, 600)):
        call = bind("attacks", {"name": "square", "eps": 0.1, "n_queries": n_queries})
        assert attack.doubled(call).arguments["n_queries"] == more


def test_in_l1_fewer_than_100_steps_are_few(task):
    """Three of a hundred that more fell are too many then; with 100 it takes eight."""
    for steps, more in ((20, 100), (60, 120), (100, 200)):
        call = bind("attacks", {"name": "pgd", "eps": 1, "norm": "l1", "steps": steps})
        assert attack.doubled(call).arguments["steps"] == more
        assert attack.below_usual_budget(call) == (steps < 100)
    ten = bind("attacks", {"name": "autoattack", "eps": 1, "norm": "l1", "steps": 10})
    assert attack.doubled(ten).arguments["steps"] == 100
    assert not attack.below_usual_budget(bind("attacks", {"name": "pgd", "eps": 1, "norm": "l2", "steps": 20}))


@pytest.mark.parametrize("name", ["autoattack", "apgd_t", "fab"])
def test_a_part_of_autoattack_is_doubled_where_it_has_fewer_than_its_100_steps(name):
    assert attack.doubled(bind("attacks", {"name": name, "eps": 0.1})) is None
    call = attack.doubled(bind("attacks", {"name": name, "eps": 0.1, "norm": "l2", "steps": 7}))
    assert call.name == ("apgd_t" if name == "autoattack" else name)
    assert {k: call.arguments[k] for k in ("eps", "norm", "steps")} == {"eps": 0.1, "norm": "l2", "steps": 20}


def test_a_point_that_fooled_and_was_not_given_back_is_told(task):
    def forgetful(classifier, images, labels, eps):
        import tensorflow as tf

        classifier.compiled("logits", lambda: classifier.__call__)(tf.constant(up(classifier, images, labels, eps)))
        return images

    assert names(fooled_but_not_returned(attack.run(task, fake(forgetful, 0.15, "foolbox:LinfPGD")))) == [
        "fooled_but_not_returned"
    ]
    assert names(fooled_but_not_returned(attack.run(task, fake(up, 0.15, "foolbox:LinfPGD")))) == []
    assert (
        names(fooled_but_not_returned(attack.run(task, fake(forgetful, 0.05, "foolbox:LinfPGD")))) == []
    )  # nothing in the ball fools


def test_without_a_limit_a_fixed_step_grows_along(task):
    for name in ("pgd", "foolbox:LinfPGD"):
        step = {"step_size": 1e-3} if name == "pgd" else {"abs_stepsize": 1e-3}
        call = bind("attacks", {"name": name, "eps": 0.01, "steps": 10, "norm": "linf", **step})
        assert names(attack.unbounded_fails(task, call)) == []


def test_targets_are_what_counts_as_fallen(task):
    aimed = Task(task.classifier, task.images, task.labels, task.seeds, None, 1 - task.labels)
    assert attack.run(aimed, fake(up, 0.15)).is_adv.all()
    assert not attack.run(aimed, fake(nothing, 0.15)).is_adv.any()


NOISE = ("noise", "foolbox:LinfAdditiveUniformNoiseAttack")


@pytest.mark.slow
def test_a_control_is_not_asked_to_be_strong(task):
    for name in NOISE:
        weak = bind("attacks", {"name": name, "eps": 0.05, "norm": "linf"})
        assert diagnostics.diagnose([attack.run(task, weak)])[0].level == "reliable"


@pytest.mark.parametrize("name", NOISE)
def test_noise_alone_is_no_attack_where_one_fells_more(task, name):
    found = diagnostics.diagnose([attack.run(task, bind("attacks", {"name": name, "eps": 0.11, "norm": "linf"}))])[0]
    assert found.reasons == (("control_only", 1.0, 100),) and found.level == "suspect"


@pytest.mark.slow
def test_where_there_are_no_gradients_square_is_asked(affine):
    weights = np.stack([-np.ones(PIXELS), np.ones(PIXELS)], axis=1).astype("float32")

    def answer(images):
        logits = np.asarray(images).reshape(len(images), -1) @ weights + np.array([PIXELS / 2, -PIXELS / 2])
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    labels = np.arange(20) % 2
    images = np.where(labels == 1, 0.55, 0.45)[:, None, None, None] * np.ones((1, 1, PIXELS, 1), "float32")
    blind = Task(Classifier(answer, 2, batch_size=20), images.astype(np.float32), labels, np.arange(20), None, None)
    found, alone = stronger_attack(attack.run(blind, bind("attacks", {"name": "noise", "eps": 0.06})))
    assert found.name == "control_only" and found.value > 0.9
    assert alone == ("no_model_gradients", 1.0, 20)
    assert names(stronger_attack(attack.run(blind, bind("attacks", {"name": "noise", "eps": 0.049})))) == [
        "no_model_gradients"
    ]
    square = attack.run(blind, bind("attacks", {"name": "square", "eps": 0.03, "n_queries": 1}))
    assert not square.is_adv.any() and names(stronger_attack(square)) == ["no_model_gradients"]


@pytest.mark.parametrize(("left", "told"), [(0, False), (2, False), (3, True)])
def test_what_stands_where_no_gradients_could_be_asked_is_in_doubt(task, left, told):
    """Of a hundred; what has fallen has fallen, whoever made it fall."""

    def outputs_of(images):
        return np.asarray(task.classifier.logits(np.asarray(images, np.float32)))

    blind = replace(task, classifier=Classifier(black_box.wrapped(outputs_of), task.classifier.classes, batch_size=25))
    found = ran(blind, bind("attacks", {"name": "square", "eps": 0.1}), np.empty((100, 0)), [""] * 100)
    found = replace(found, is_adv=np.arange(100) >= left)
    assert list(stronger_attack(found)) == ([("no_model_gradients", left / 100, 100)] if told else [])


@pytest.mark.parametrize(("left", "told"), [(2, False), (3, True), (100, True)])
def test_three_images_of_a_hundred_that_another_attack_fells_are_too_many(task, left, told):
    """Ours stops short of some images that fall at this eps."""

    def short(classifier, images, labels, eps):
        far = up(classifier, images, labels, eps)
        far[:left] = images[:left]
        return far

    found = list(stronger_attack(attack.run(task, fake(short, 0.15))))
    assert found == ([("stronger_attack", pytest.approx(left / 100), 100)] if told else [])


@pytest.mark.parametrize("name", ["apgd_t", "autoattack"])
def test_an_attack_that_contains_the_other_is_not_compared_with_it(task, name):
    for steps, made in ((20, 0), (19, 1)):
        run = ran(task, bind("attacks", {"name": name, "eps": 0.15, "steps": steps}), np.empty((100, 0)), [""] * 100)
        assert len(list(stronger_attack(run))) == made


@pytest.mark.parametrize(
    ("name", "steps", "aimed", "others"),
    [
        ("pgd", 20, False, ["apgd_t"]), ("pgd", 50, True, ["apgd_t", "apgd"]), ("apgd", 50, True, ["apgd_t"]),
        ("apgd", 49, True, ["apgd_t", "apgd"]), ("apgd_t", 50, True, ["apgd"]), ("apgd_t", 20, False, []),
        ("autoattack", 50, True, []), ("autoattack", 49, True, ["apgd_t", "apgd"]),
    ],
)  # fmt: skip
def test_with_a_target_the_cross_entropy_is_climbed_too(task, monkeypatch, name, steps, aimed, others):
    """The margin that `apgd_t` climbs reached 52 of 100 images where `apgd` reached 62."""
    asked, targets = [], 1 - task.labels if aimed else None
    run = ran(task, bind("attacks", {"name": name, "eps": 0.1, "steps": steps}), np.empty((100, 0)), [""] * 100)
    run = replace(run, task=replace(task, targets=targets), is_adv=np.arange(100) >= 10)

    def attacked_again(task, call, rows):
        assert bool({*task.seeds} & {*run.task.seeds}) != aimed  # with a target it begins elsewhere
        asked.append(call)
        return None, np.arange(len(rows)) < (2 if call.name == "apgd_t" else 3)

    monkeypatch.setattr("robust.attacks.diagnostics.stronger_attack.attacked_again", attacked_again)
    told = list(stronger_attack(run))
    assert [call.name for call in asked] == others and all(
        call.arguments["steps"] == (50 if aimed else 20) for call in asked
    )
    assert told == ([("stronger_attack", 0.03, 100)] if "apgd" in others else [])


def test_one_step_is_one_step_whatever_its_name():
    one = [
        {"name": "fgsm"}, {"name": "pgd", "steps": 1}, {"name": "apgd", "steps": 1}, {"name": "mifgsm", "steps": 1},
        {"name": "foolbox:LinfPGD", "steps": 1}, {"name": "foolbox:LinfFastGradientAttack"},
    ]  # fmt: skip
    assert all(attack.one_step(bind("attacks", {**table, "eps": 0.1})) for table in one)
    more = [{"name": "pgd"}, {"name": "pgd", "steps": 2}, {"name": "noise"}, {"name": "square"}, {"name": "autoattack"}]
    assert not any(attack.one_step(bind("attacks", {**table, "eps": 0.1})) for table in more)


@pytest.mark.parametrize("table", [{"name": "fgsm"}, {"name": "pgd", "steps": 1}, {"name": "mifgsm", "steps": 1}])
@pytest.mark.parametrize(("count", "told"), [(2, False), (3, True)])
def test_of_an_attack_of_few_steps_three_images_of_a_hundred_tell(task, monkeypatch, table, count, told):
    monkeypatch.setattr(attack, "attacked_again", lambda task, call, rows: (None, np.arange(len(rows)) < count))
    run = ran(task, bind("attacks", {**table, "eps": 0.15}), np.empty((100, 0)), [""] * 100)
    assert names(attack.more_steps(run)) == ["one_step"] * told


def test_a_decision_attack_of_foolbox_is_asked_for_no_gradients():
    asked = [attack.gradient_based(Call("attacks", f"foolbox:{name}")) for name in ("BoundaryAttack", "LinfPGD")]
    assert asked == [False, True]


def noisy(affine, function):
    """A linear model that sees a function of the image, with noise."""
    import tensorflow as tf

    class Noise(keras.layers.Layer):
        def call(self, x):
            return function(x) + 0.1 * tf.random.normal(tf.shape(x))

    image = keras.Input((1, PIXELS, 1))
    inner = affine(np.eye(PIXELS, 2).astype("float32"))
    return Classifier(keras.Model(image, inner(Noise()(image))), 2, batch_size=20)


AVERAGED = [
    {"name": "apgd", "eps": 0.1, "steps": 4, "eot_iter": 20},
    {"name": "autoattack", "eps": 0.1, "steps": 4, "version": "rand"},
]


def given(n=20):
    images = np.random.default_rng(0).random((n, 1, PIXELS, 1), "float32")
    return images, (images[:, 0, 1, 0] > images[:, 0, 0, 0]).astype(np.int64)


@pytest.mark.slow
@pytest.mark.parametrize("call", AVERAGED, ids=["apgd", "rand"])
def test_a_randomised_model_whose_gradient_is_averaged_is_not_accused_of_that(affine, call):
    classifier = noisy(affine, lambda x: x)
    assert names(diagnostics.examine(classifier, {**AVERAGED[0], "eot_iter": 1}, *given()).reasons) == ["randomised"]
    assert names(diagnostics.examine(classifier, call, *given()).reasons) == []


@pytest.mark.parametrize(
    ("more", "again", "steps", "told"), [(30, 0, 1, True), (30, 28, 1, False), (7, 0, 19, True), (6, 0, 19, False),
                                         (7, 0, 20, False), (8, 0, 20, True), (30, 0, 100, False)],
)  # fmt: skip
def test_more_steps_are_compared_with_the_same_again_where_answers_hang_on_chance(
    task, monkeypatch, more, again, steps, told
):
    asked = []

    def attacked_again(task, call, rows):
        asked.append(call)
        return None, np.arange(len(rows)) < (more if call.arguments["steps"] > steps else again)

    monkeypatch.setattr(attack, "attacked_again", attacked_again)
    call = bind("attacks", {"name": "apgd", "eps": 0.1, "steps": steps, "eot_iter": 7})
    found = list(attack.more_averaged_steps(ran(task, call, np.empty((100, 0)), [""] * 100)))
    assert found == ([("too_few_averaged_steps", (more - again) / 100, 100)] if told else [])
    if steps < 100:
        longer = asked[0].arguments
        assert (longer["steps"], longer["eot_iter"], longer["eps"]) == (max(2 * steps, 20), 7, 0.1) and asked[1] is call


@pytest.mark.slow
def test_a_single_averaged_step_is_in_doubt(affine):
    """A bent model, of which one step tells too little."""
    import tensorflow as tf

    classifier = noisy(affine, lambda x: x + 0.3 * tf.sin(40 * x))
    call = {"name": "apgd", "eps": 0.1, "steps": 1, "eot_iter": 20}
    assert "too_few_averaged_steps" in names(diagnostics.examine(classifier, call, *given(100)).reasons)


@pytest.mark.slow
@pytest.mark.parametrize("call", AVERAGED, ids=["apgd", "rand"])
def test_averaging_hides_no_other_ill(affine, call):
    import tensorflow as tf

    found = diagnostics.examine(noisy(affine, lambda x: tf.sign(x - 0.5)), call, *given())
    assert "zero_gradients" in names(found.reasons)


@pytest.mark.parametrize(
    ("n_queries", "count", "told"), [(300, 3, True), (300, 2, False), (1000, 3, False), (1000, 8, True)]
)
def test_of_few_queries_three_more_images_of_a_hundred_tell(task, monkeypatch, n_queries, count, told):
    """With JPEG inside a model 300 queries left 77 %, 600 left 72 %, and gradients through a stand-in 65 %."""
    monkeypatch.setattr(attack, "attacked_again", lambda task, call, rows: (None, np.arange(len(rows)) < count))
    call = bind("attacks", {"name": "square", "eps": 0.1, "n_queries": n_queries})
    run = ran(task, call, np.empty((100, 0)), [""] * 100)
    assert names(attack.more_steps(run)) == ["too_few_queries"] * told


def test_in_l0_no_noise_is_drawn(task):
    call = Call("attacks", "pgd", {"eps": 3, "norm": "l0"})
    assert list(attack.noise_beats_attack(replace(ran(task, call, np.empty((100, 0)), [""] * 100)))) == []


def test_square_stands_in_for_gradients_with_500_queries(task, monkeypatch):
    asked = []

    def attacked(task, call, rows):
        asked.append(call)
        if call.name != "square":
            raise ModelError("it has no gradients")
        return None, np.zeros(len(rows), bool)

    monkeypatch.setattr(sys.modules[stronger_attack.__module__], "attacked_again", attacked)
    run = ran(task, bind("attacks", {"name": "noise", "eps": 0.1}), np.empty((100, 0)), [""] * 100)
    assert names(stronger_attack(run)) == ["no_model_gradients"]
    assert (asked[-1].name, asked[-1].arguments["n_queries"], asked[-1].arguments["eps"]) == ("square", 500, 0.1)
