import numpy as np
import pytest
import tensorflow as tf

from robust.attacks import apgd, apgd_t, auto_step, ball, sparse_step
from robust.attacks.iterative import StepOutput
from robust.models.classifier import Classifier

PIXELS = 12
EPS = {"linf": 0.05, "l2": 0.15, "l1": 1.6}
random = np.random.default_rng(0)
WEIGHTS = random.normal(size=(PIXELS, 2)).astype(np.float32)
DIFFERENCE = (WEIGHTS[:, 1] - WEIGHTS[:, 0]).astype(np.float64)
IMAGES = random.uniform(0.4, 0.6, (19, 1, PIXELS, 1)).astype(np.float32)
LABELS, SEEDS = np.zeros(19, np.int64), np.arange(19)
CENTRE = IMAGES[:1]


@pytest.fixture(scope="module")
def certain(affine):
    """Two classes and a bias that no image in reach can undo: every climb is a full one."""
    return Classifier(affine(WEIGHTS, [9.0, 0.0]), 2, batch_size=8)


def _highest_rise(image, norm):
    """The largest change of z_1 - z_0 in the ball and the box, in closed form."""
    slope, x = np.abs(DIFFERENCE), image.ravel()
    room = np.where(DIFFERENCE > 0, 1 - x, x)
    if norm == "linf":
        return EPS[norm] * slope.sum()
    if norm == "l2":
        return EPS[norm] * np.linalg.norm(slope)
    order = np.argsort(-slope)  # pixel after pixel up to black or white
    before = np.cumsum(room[order]) - room[order]
    return (slope[order] * np.clip(EPS[norm] - before, 0, room[order])).sum()


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("attack", [apgd, apgd_t])
def test_reaches_the_highest_point_of_a_linear_model(certain, attack, norm):
    found = attack(certain, IMAGES, LABELS, seeds=SEEDS, eps=EPS[norm], norm=norm)
    assert set(found.by) == {""}
    rise = (found.images.astype(np.float64) - IMAGES).reshape(19, -1) @ DIFFERENCE
    best = np.array([_highest_rise(image, norm) for image in IMAGES])
    assert (rise <= best + 1e-5).all()
    np.testing.assert_allclose(rise, best, rtol={"linf": 1e-4, "l2": 1e-3, "l1": 1e-2}[norm])


def _drive(losses, steps, norm="linf", eps=0.1):
    """The steps on a made-up loss: what is remembered after each of them."""
    hyperparameters = {"eps": eps, **auto_step.hyperparameters(steps)}
    state = {k: tf.constant(v) for k, v in auto_step.memory(CENTRE, hyperparameters).items()}
    hyperparameters = {k: tf.constant(float(v)) for k, v in hyperparameters.items()}
    state |= {"point": tf.constant(CENTRE), "centre": tf.constant(CENTRE)}
    gradient, history = tf.constant(DIFFERENCE.reshape(CENTRE.shape), tf.float32), []
    for turn in range(steps):
        state["left"] = tf.constant([steps - turn])
        output = StepOutput(tf.constant([losses(turn)], tf.float32), tf.zeros([1, 2]), gradient)
        state = state | auto_step.step(state, output, hyperparameters, norm)
        history.append({k: v.numpy() for k, v in state.items()})
    return history


def _halvings(history):
    sizes = [float(state["size"].item()) for state in history]
    return [turn for turn in range(1, len(sizes)) if sizes[turn] < sizes[turn - 1]], sizes


CHECKS = [22, 41, 57, 70, 80, 87, 93, 99]  # windows of 22, 19, 16, 13, 10, 7, 6, 6


@pytest.mark.slow
def test_a_loss_that_always_rises_halves_nothing():
    halvings, sizes = _halvings(_drive(lambda turn: turn, 100))
    assert halvings == [] and sizes[-1] == pytest.approx(0.2)


@pytest.mark.slow
def test_a_loss_that_never_rises_halves_at_the_end_of_each_window():
    history = _drive(lambda turn: -turn, 100)
    halvings, sizes = _halvings(history)
    assert halvings == CHECKS
    assert sizes[-1] == pytest.approx(0.2 / 2**8)
    assert history[-1]["best"].tobytes() == CENTRE.tobytes()  # the first point was the best
    for turn in CHECKS:  # and each time the search goes on from there
        assert history[turn]["previous"].tobytes() == CENTRE.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize(("falls", "halves"), [(5, False), (6, True)])
def test_three_quarters_of_the_steps_must_improve(falls, halves):
    """Of the 22 steps of the first window 17 are enough, 16 are not."""
    history = _drive(lambda turn: -turn if turn <= falls else 10 * turn, 100)
    assert (22 in _halvings(history)[0]) == halves


def test_a_best_loss_that_stays_halves_though_the_steps_improve():
    """Up to a first peak, then rising towards it, for ever below: only the second condition sees that."""
    halvings, _ = _halvings(_drive(lambda turn: turn if turn <= 22 else 22 - 1 / (turn - 21.5), 100))
    assert halvings[0] == 41


def test_each_step_is_the_formula():
    history = _drive(lambda turn: turn, 30)
    points = [CENTRE.astype(np.float64)] + [state["point"].astype(np.float64) for state in history]
    sign = np.sign(DIFFERENCE).reshape(CENTRE.shape)

    def project(x):
        return np.clip(np.clip(x, CENTRE - np.float64(0.1), CENTRE + np.float64(0.1)), 0, 1)

    for k in range(1, 30):
        share = 0.75
        plain = project(points[k] + 0.2 * sign)
        expected = project(points[k] + share * (plain - points[k]) + (1 - share) * (points[k] - points[k - 1]))
        np.testing.assert_allclose(points[k + 1], expected, atol=1e-6)
    np.testing.assert_allclose(points[1], project(points[0] + 0.2 * sign), atol=1e-6)  # without momentum


@pytest.mark.slow_after_first
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 100])
def test_in_l1_the_ball_shrinks_to_eps_and_the_best_point_is_inside(steps):
    hyperparameters = {"eps": 0.5, **sparse_step.hyperparameters(steps)}
    state = {k: tf.constant(v) for k, v in sparse_step.memory(CENTRE, hyperparameters).items()}
    hyperparameters = {k: tf.constant(float(v)) for k, v in hyperparameters.items()}
    state |= {"point": tf.constant(CENTRE), "centre": tf.constant(CENTRE)}
    gradient, sizes = tf.constant(DIFFERENCE.reshape(CENTRE.shape), tf.float32), []
    for turn in range(steps):
        loss = tf.reduce_sum(gradient * state["point"], axis=[1, 2, 3])
        state["left"] = tf.constant([steps - turn])
        state = state | sparse_step.step(state, StepOutput(loss, tf.zeros([1, 2]), gradient), hyperparameters, "l1")
        sizes.append(ball.size(state["point"] - CENTRE, "l1").numpy().item())
    assert ball.size(state["best"] - CENTRE, "l1").numpy().item() <= 0.5 * (1 + 1e-6)
    assert sizes[-1] <= 0.5 * (1 + 1e-6)
    if steps == 100:
        assert 1.4 < max(sizes[:29]) <= 1.5 + 1e-6 and 0.9 < max(sizes[30:59]) <= 1 + 1e-6


def test_in_l1_the_balls_and_the_windows_are_those_of_the_paper():
    """Three, two and one eps, for 30, 30 and 40 % of the steps, with a look after each 4 % of a ball's steps."""
    known = {"steps": 1000, "two": 300, "one": 600, "window": 12, "last_window": 16}
    assert sparse_step.hyperparameters(1000) == known
    for steps, radius in ((1000, 3), (3, 2), (1, 1)):  # few steps leave no time for the larger balls
        begun = sparse_step.memory(CENTRE, {"eps": 0.5, **sparse_step.hyperparameters(steps)})
        assert begun["size"].item() == radius * 0.5


@pytest.mark.slow
def test_in_l1_the_next_steps_go_over_two_thirds_of_the_pixels_that_the_best_point_changes():
    """A fifth at first; told anew at the end of each window, and as a smaller ball takes over."""
    hyperparameters = {"eps": 0.5, "steps": 100, "two": 30, "one": 60, "window": 7, "last_window": 7}
    state = {k: tf.constant(v) for k, v in sparse_step.memory(CENTRE, hyperparameters).items()}
    hyperparameters = {k: tf.constant(float(v)) for k, v in hyperparameters.items()}
    state |= {"point": tf.constant(CENTRE), "centre": tf.constant(CENTRE)}
    gradient, shares = tf.constant(DIFFERENCE.reshape(CENTRE.shape), tf.float32), [1.0]
    for turn in range(70):
        loss = tf.reduce_sum(gradient * state["point"], axis=[1, 2, 3])
        state["left"] = tf.constant([100 - turn])
        state = state | sparse_step.step(state, StepOutput(loss, tf.zeros([1, 2]), gradient), hyperparameters, "l1")
        told = np.count_nonzero(state["best"].numpy() != CENTRE) / PIXELS / 1.5
        begun = max(b for b in (0, 30, 60) if b <= turn)
        anew = turn > 0 and (turn - begun) % 7 == 0
        assert state["share"].numpy() == pytest.approx(0.2 if turn == 0 else told if anew else shares[-1])
        shares.append(state["share"].numpy().item())
    assert len(set(shares)) > 2


@pytest.mark.parametrize(("share", "steepest"), [(1.0, 8), (0.5, 4), (0.25, 2), (0.125, 1), (0.0, 1)])
def test_in_l1_a_step_goes_over_the_steepest_pixels_alone(share, steepest):
    slopes = np.array([3.0, -8, 1, 6, -2, 7, 4, -5], np.float32)
    step = sparse_step.sparse_sign(tf.constant(slopes.reshape(1, 2, 4, 1)), tf.constant([share])).numpy().ravel()
    np.testing.assert_allclose(step, np.sign(slopes) * (np.abs(slopes) > 8 - steepest) / steepest, rtol=1e-6)


@pytest.mark.slow
def test_the_targeted_form_heads_for_the_likeliest_classes_and_any_error_counts(affine):
    weights = np.random.default_rng(3).normal(size=(PIXELS, 5)).astype(np.float32)
    classifier = Classifier(affine(weights), 5, batch_size=8)
    labels = classifier.logits(IMAGES).argmax(axis=1)
    few, more, all_ = (apgd_t(classifier, IMAGES, labels, seeds=SEEDS, eps=0.04, steps=6, classes=c) for c in (1, 2, 9))
    assert (few.by != "").sum() <= (more.by != "").sum() <= (all_.by != "").sum()
    stood = all_.by == ""
    assert stood.any() and (all_.n_forward[stood] == 1 + 4 * 7).all()  # a look at the clean image, then four climbs


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("options", [{"loss": "ce"}, {"loss": "dlr"}])
def test_few_classes_change_the_loss_instead_of_crashing(affine, classes, options):
    weights = np.random.default_rng(3).normal(size=(PIXELS, classes)).astype(np.float32)
    classifier = Classifier(affine(weights), classes, batch_size=8)
    labels = classifier.logits(IMAGES).argmax(axis=1)
    for found in (
        apgd(classifier, IMAGES, labels, seeds=SEEDS, eps=0.3, steps=8, **options),
        apgd_t(classifier, IMAGES, labels, seeds=SEEDS, eps=0.3, steps=8),
    ):
        assert (found.by != "").all()


@pytest.mark.slow
def test_the_mean_of_several_passes_counts_them_all(certain):
    before = certain.n_forward, certain.n_backward
    one = apgd(certain, IMAGES[:8], LABELS[:8], seeds=SEEDS[:8], eps=0.05, steps=4)
    middle = certain.n_forward, certain.n_backward
    five = apgd(certain, IMAGES[:8], LABELS[:8], seeds=SEEDS[:8], eps=0.05, steps=4, eot_iter=5)
    assert (five.n_forward == 5 * 4 + 1).all() and (five.n_backward == 5 * 4).all()
    assert (middle[0] - before[0], middle[1] - before[1]) == (8 * 5, 8 * 4)
    assert (certain.n_forward - middle[0], certain.n_backward - middle[1]) == (8 * 21, 8 * 20)
    np.testing.assert_allclose(five.images, one.images, atol=1e-6)  # of a model that always says the same


def test_on_the_logit_ratio_just_the_images_fall_whose_boundary_lies_within_eps(affine):
    """Of a linear model the distance is known: the least gap over the L1 norm of its slope."""
    weights = np.random.default_rng(3).normal(size=(PIXELS, 3)).astype(np.float32)
    classifier = Classifier(affine(weights), 3, batch_size=len(IMAGES))
    logits = classifier.logits(IMAGES).astype(np.float64)
    labels = logits.argmax(axis=1)
    slopes = np.abs(weights.T[None] - weights.T[labels][:, None]).sum(axis=2)
    gaps = logits[np.arange(19), labels][:, None] - logits
    distance = np.where(slopes > 0, gaps / np.maximum(slopes, 1e-9), np.inf).min(axis=1)
    near = np.arange(19) % 2 == 0
    eps = np.where(near, 1.5, 0.95) * distance
    found = apgd(classifier, IMAGES, labels, seeds=SEEDS, eps=eps, steps=20, loss="dlr")
    assert np.array_equal(found.by != "", near)
