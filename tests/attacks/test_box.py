"""The exact moves in the box, against SciPy's solvers of the programs they solve."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize

from robust.attacks import ball, box

random = np.random.default_rng(0)
N = 8
CENTRES = random.uniform(size=(20, 2, 4, 1))
CENTRES[::3] = (CENTRES[::3] * 1.6 - 0.3).clip(0, 1)  # some pixels black or white
POINTS = CENTRES + random.normal(scale=0.6, size=CENTRES.shape)
SLOPES = random.normal(size=CENTRES.shape)
SLOPES[::4, 0, :2] = 0.0


def _constant(values):
    return tf.constant(values, tf.float64)


def _nearest_in_l1(point, centre, eps):
    """The quadratic program: variables z and t >= |z - centre|, with sum t <= eps."""
    eye, n = np.eye(N), N
    linear = [
        optimize.LinearConstraint(np.hstack([eye, -eye]), -np.inf, centre),
        optimize.LinearConstraint(np.hstack([-eye, -eye]), -np.inf, -centre),
        optimize.LinearConstraint(np.hstack([np.zeros(n), np.ones(n)]), -np.inf, eps),
    ]
    found = optimize.minimize(
        lambda v: ((v[:n] - point) ** 2).sum(), np.hstack([centre, np.zeros(n)]),
        jac=lambda v: np.hstack([2 * (v[:n] - point), np.zeros(n)]), method="SLSQP",
        bounds=[(0, 1)] * n + [(0, None)] * n, constraints=linear, options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    assert found.success, found.message
    return found.x[:n]


@pytest.mark.parametrize("eps", [0.05, 0.4, 1.5])
def test_the_nearest_point_of_the_l1_ball_in_the_box(eps):
    found = box.onto_l1_ball(_constant(POINTS), _constant(CENTRES), eps).numpy().reshape(-1, N)
    for z, point, centre in zip(found, POINTS.reshape(-1, N), CENTRES.reshape(-1, N), strict=True):
        best = _nearest_in_l1(point, centre, eps)
        np.testing.assert_allclose(z, best, atol=2e-5)
        assert np.abs(z - centre).sum() <= eps + 1e-9 and z.min() >= 0 and z.max() <= 1
        assert ((z - point) ** 2).sum() <= ((best - point) ** 2).sum() + 1e-7


def test_a_point_inside_the_l1_ball_stays():
    inside = (CENTRES + 0.01 * SLOPES).clip(0, 1)
    np.testing.assert_allclose(box.onto_l1_ball(_constant(inside), _constant(CENTRES), 5.0), inside, atol=1e-15)
    nowhere = box.onto_l1_ball(_constant(POINTS), _constant(CENTRES), 0.0).numpy()
    assert nowhere.tobytes() == CENTRES.tobytes()


def test_the_l1_radius_may_differ_from_image_to_image():
    eps = np.linspace(0.1, 2, 20).reshape(20, 1, 1, 1)
    found = box.onto_l1_ball(_constant(POINTS), _constant(CENTRES), _constant(eps)).numpy()
    for i in (0, 7, 19):
        alone = box.onto_l1_ball(_constant(POINTS[[i]]), _constant(CENTRES[[i]]), eps[i].item()).numpy()
        np.testing.assert_allclose(found[i], alone[0], atol=1e-8)


@pytest.mark.parametrize("size", [0.1, 0.7, 2.5])
def test_the_steepest_l1_step_is_the_best_of_the_linear_program(size):
    found = box.steepest_l1(_constant(CENTRES), _constant(SLOPES), size).numpy().reshape(-1, N)
    for d, slope, at in zip(found, SLOPES.reshape(-1, N), CENTRES.reshape(-1, N), strict=True):
        up_and_down = np.hstack([1 - at, at])
        best = optimize.linprog(
            np.hstack([-slope, slope]),
            np.ones((1, 2 * N)),
            [size],
            bounds=list(zip(0 * up_and_down, up_and_down, strict=True)),
        )
        assert abs(d @ slope + best.fun) < 1e-9
        assert np.abs(d).sum() <= size + 1e-9 and (at + d).min() >= -1e-12 and (at + d).max() <= 1 + 1e-12


def _nearest_on_plane(at, normal, gap, norm):
    """The least size of a change that meets the plane, as a linear or a quadratic program; None if none does."""
    if norm == "l2":
        flat = optimize.LinearConstraint(normal[None], gap, gap)
        found = optimize.minimize(
            lambda d: (d**2).sum(), gap * normal / (normal @ normal), jac=lambda d: 2 * d, method="SLSQP",
            bounds=list(zip(-at, 1 - at, strict=True)), constraints=[flat], options={"ftol": 1e-15, "maxiter": 500},
        )  # fmt: skip
        return np.sqrt(found.fun) if found.success else None
    eye, one, n = np.eye(N), np.ones((N, 1)), 1 if norm == "linf" else N
    size = one if norm == "linf" else eye
    found = optimize.linprog(
        np.hstack([np.zeros(N), np.ones(n)]),
        np.vstack([np.hstack([eye, -size]), np.hstack([-eye, -size])]), np.zeros(2 * N),
        np.hstack([normal, np.zeros(n)])[None], [gap],
        bounds=[*zip(-at, 1 - at, strict=True), *[(0, None)] * n],
    )  # fmt: skip
    return found.fun if found.success else None


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("gap", [0.3, -1.2, 2.5])
def test_the_nearest_point_of_a_plane_in_the_box(norm, gap):
    change = box.onto_plane(_constant(CENTRES), _constant(SLOPES), _constant(np.full(20, gap)), norm)
    sizes, met = ball.size(change, norm).numpy().ravel(), 0
    for d, size, slope, at in zip(
        change.numpy().reshape(-1, N), sizes, SLOPES.reshape(-1, N), CENTRES.reshape(-1, N), strict=True
    ):
        assert (at + d).min() >= -1e-12 and (at + d).max() <= 1 + 1e-12
        reach = np.where(slope * gap > 0, 1 - at, at) @ np.abs(slope)
        if reach < abs(gap):  # out of reach: as near as the box lets it
            np.testing.assert_allclose(d @ slope, np.sign(gap) * reach, atol=1e-9)
            continue
        met += 1
        np.testing.assert_allclose(d @ slope, gap, atol=1e-9)
        best = _nearest_on_plane(at, slope, gap, norm)
        if best is not None:
            assert abs(size - best) < 1e-6
    assert met > 5


def test_a_flat_margin_moves_nothing():
    change = box.onto_plane(_constant(CENTRES), _constant(0 * SLOPES), _constant(np.full(20, 1.0)), "l2").numpy()
    assert (change == 0).all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_faint_slopes_do_not_vanish_in_single_precision(norm):
    def moved(scale):
        slopes, gaps = SLOPES * scale, np.full(20, 0.3 * scale)
        return box.onto_plane(*(tf.constant(v, tf.float32) for v in (CENTRES, slopes, gaps)), norm).numpy()

    np.testing.assert_allclose(moved(1e-25), moved(1.0), atol=1e-5)


def test_a_random_point_of_the_l1_ball_is_uniform():
    """The radius to the power of n is uniform."""
    from scipy import stats

    from robust.core.randomness import image_seeds

    seeds = tf.constant(image_seeds(0, "l1", [str(i) for i in range(4000)]))
    centres = tf.fill((4000, 2, 3, 1), tf.constant(0.5, tf.float64))
    change = (ball.random_point(centres, seeds, tf.constant(0), 0.25, "l1") - 0.5).numpy().reshape(4000, 6) / 0.25
    assert stats.kstest(np.abs(change).sum(axis=1) ** 6, "uniform").pvalue > 0.001
    assert np.abs(change.mean(axis=0)).max() < 4.5 * change.std() / np.sqrt(4000)
