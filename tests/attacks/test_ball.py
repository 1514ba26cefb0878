import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from robust.attacks import ball
from robust.core.randomness import image_seeds

NORMS = ("linf", "l2")
SHAPE = (2, 3, 2, 1)
unit = arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32))
anything = arrays(np.float32, SHAPE, elements=st.floats(-3, 4, width=32))
radius = st.floats(0, 2, width=32)
norms = pytest.mark.parametrize("norm", NORMS)


def _sizes(change, norm):
    flat = change.astype(np.float64).reshape(len(change), -1)
    return np.abs(flat).max(axis=1) if norm == "linf" else np.linalg.norm(flat, axis=1)


def _project(points, centres, eps, norm):
    return ball.project(tf.constant(points), tf.constant(centres), tf.constant(eps, points.dtype), norm).numpy()


@pytest.mark.slow_after_first
@norms
@settings(deadline=None, derandomize=True, max_examples=50)
@given(points=anything, centres=unit, eps=radius)
def test_projection_lands_in_ball_and_box_and_stays_there(norm, points, centres, eps):
    once = _project(points, centres, eps, norm)
    assert once.min() >= 0 and once.max() <= 1
    assert (_sizes(once - centres, norm) <= eps * (1 + 1e-6) + 2e-7).all()
    np.testing.assert_allclose(_project(once, centres, eps, norm), once, rtol=0, atol=2e-7)


@norms
@settings(deadline=None, derandomize=True, max_examples=50)
@given(points=anything, centres=unit, eps=radius)
def test_projection_never_enlarges_a_change(norm, points, centres, eps):
    once = _project(points, centres, eps, norm)
    assert (np.abs(once - centres) <= np.abs(points - centres) * (1 + 1e-6) + 2e-7).all()


@norms
@settings(deadline=None, derandomize=True, max_examples=20)
@given(centres=unit, eps=st.floats(np.float32(0.01), 1, width=32))
def test_projection_leaves_alone_what_is_inside(norm, centres, eps):
    inside = (centres + (0.5 - centres) * np.float32(0.01) * np.float32(eps)).astype(np.float32)
    np.testing.assert_allclose(_project(inside, centres, eps, norm), inside, rtol=0, atol=1e-7)


def test_projection_on_the_sphere_is_a_rescaling():
    centres, points = np.full((1, 2, 1, 1), 0.5), np.array([0.5 + 0.3, 0.5 - 0.4]).reshape(1, 2, 1, 1)
    np.testing.assert_allclose(_project(points, centres, 0.1, "l2").ravel(), [0.56, 0.42], atol=1e-12)
    np.testing.assert_allclose(_project(points, centres, 0.1, "linf").ravel(), [0.6, 0.4], atol=1e-12)


@norms
@pytest.mark.parametrize("eps", [0.0, 1e-30, 1e-8, 1e-3, 1.0, 1e30])
def test_extreme_radii_in_single_precision(norm, eps):
    centres = np.array([0, 1e-30, 1e-8, 0.5, 1 - 6e-8, 1], np.float32).reshape(1, 6, 1, 1)
    for points in (centres, centres - 1, centres + 1, np.full_like(centres, 1e18)):
        found = _project(points, centres, eps, norm)
        assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1
        assert _sizes(found - centres, norm).max() <= eps * (1 + 1e-6) + 1e-7
        assert eps or found.tobytes() == centres.tobytes()


@norms
def test_steepest_has_unit_norm_and_climbs_fastest(norm):
    gradient = np.random.default_rng(0).normal(size=(5, 4, 4, 2))
    found = ball.steepest(tf.constant(gradient), norm).numpy()
    np.testing.assert_allclose(_sizes(found, norm), 1, rtol=1e-12)
    rise = (found * gradient).sum(axis=(1, 2, 3))
    dual = np.abs(gradient).sum(axis=(1, 2, 3)) if norm == "linf" else _sizes(gradient, "l2")
    np.testing.assert_allclose(rise, dual, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-32, 1e-20, 1e-13, 1e-11, 1e-3, 1, 1e15])
def test_steepest_does_not_hang_on_how_confident_the_model_is(scale):
    gradient = np.random.default_rng(0).normal(size=(5, 4, 4, 2)).astype(np.float32)
    plain, scaled = (ball.steepest(tf.constant(g), "l2").numpy() for g in (gradient, gradient * np.float32(scale)))
    np.testing.assert_allclose(scaled, plain, atol=1e-5)


@norms
def test_no_gradient_no_step(norm):
    images = tf.constant(np.random.default_rng(0).uniform(size=(2, 3, 3, 1)))
    found = ball.step(
        images, tf.zeros_like(images), images, tf.constant(0.1, images.dtype), tf.constant(0.1, images.dtype), norm
    )
    assert np.array_equal(found, images)


def _draw(norm, n, shape, eps, dtype=np.float32, centre=0.5):
    seeds = image_seeds(0, "ball", [str(i) for i in range(n)])
    centres = tf.fill((n, *shape), tf.constant(centre, dtype))
    return (
        ball.random_point(centres, tf.constant(seeds), tf.constant(0), tf.constant(eps, dtype), norm).numpy() - centre
    )


@norms
@pytest.mark.parametrize("centre", [0.0, 0.01, 0.5, 1.0])
def test_a_random_point_is_in_the_ball_and_in_the_box(norm, centre):
    change = _draw(norm, 200, (4, 4, 1), 0.1, centre=centre)
    assert (change + centre).min() >= 0 and (change + centre).max() <= 1
    assert _sizes(change, norm).max() <= 0.1 * (1 + 1e-6) + 1e-7
    assert len(np.unique(change, axis=0)) == 200


def test_a_random_point_of_the_cube_is_uniform():
    change = _draw("linf", 4000, (2, 2, 1), 0.25) / 0.25
    for place in change.reshape(4000, 4).T:
        assert stats.kstest(place, "uniform", (-1, 2)).pvalue > 0.001
    assert np.abs(np.corrcoef(change.reshape(4000, 4).T) - np.eye(4)).max() < 4.5 / np.sqrt(4000)


@pytest.mark.parametrize("shape", [(1, 2, 1), (3, 3, 2)])
def test_a_random_point_of_the_sphere_is_uniform(shape):
    """The radius to the power of n is uniform, every direction is as good as any other."""
    n = int(np.prod(shape))
    change = _draw("l2", 4000, shape, 0.25).reshape(4000, n) / 0.25
    assert stats.kstest(np.linalg.norm(change, axis=1) ** n, "uniform").pvalue > 0.001
    assert np.abs(change.mean(axis=0)).max() < 4.5 * np.sqrt(1 / (n + 2) / 4000)
    np.testing.assert_allclose(change.T @ change / 4000, np.eye(n) / (n + 2), atol=5 / (n + 2) / np.sqrt(4000) * 1.5)


def test_distances_are_those_of_the_norms():
    change = np.array([[3, -4, 0], [0, 0, 0]], np.float32).reshape(2, 3, 1, 1) / 10
    expected = {"linf": [0.4, 0], "l2": [0.5, 0], "l1": [0.7, 0], "l0": [2, 0]}
    assert set(ball.distances) == set(expected)
    for norm, sizes in expected.items():
        np.testing.assert_allclose(ball.distances[norm](change), sizes, rtol=1e-6)
