import numpy as np
import pytest

from robust.attacks import ball, noise

EPS = {"linf": 0.3, "l2": 1.5, "l1": 5.0}
norms = pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
kinds = pytest.mark.parametrize("kind", ["uniform", "gaussian"])


@pytest.mark.slow_after_first
@norms
@kinds
def test_stays_in_the_ball_and_stops_at_the_first_draw_that_fools(classifier, problem, norm, kind):
    data = problem(40, seed=5)
    common = {"seeds": data.seeds, "eps": EPS[norm], "norm": norm, "kind": kind}
    few, more = (noise(classifier, *data[:2], **common, repeats=n) for n in (3, 12))
    for found in (few, more):
        sizes = ball.distances[norm](found.images - data.images)
        assert sizes.max() <= EPS[norm] * (1 + 1e-5) + 1e-6 and (sizes > 0).all()
        assert np.array_equal(found.by != "", classifier.logits(found.images).argmax(axis=1) != data.labels)
        assert (found.n_backward == 0).all()
    is_adv = few.by != ""
    assert np.array_equal(few.images[is_adv], more.images[is_adv])  # the draws are the same ones
    assert (more.by != "").sum() > is_adv.sum() > 0
    assert (more.n_forward[more.by == ""] == 13).all() and (more.n_forward[more.by != ""] <= 13).all()


def test_uniform_noise_fills_the_cube(certain_noise):
    change = certain_noise("linf", "uniform") / 0.1
    assert abs(np.mean(change**2) - 1 / 3) < 0.02 and np.abs(change).max() <= 1 + 1e-5


def test_normal_noise_has_half_the_radius_as_its_deviation_and_is_cut_there(certain_noise):
    change = certain_noise("linf", "gaussian") / 0.1
    assert abs((np.abs(change) > 1 - 1e-5).mean() - 0.0455) < 0.01  # beyond two deviations
    assert abs((np.abs(change) < 0.5).mean() - 0.6827) < 0.02


@pytest.mark.slow_after_first
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_normal_noise_is_as_long_as_the_radius(certain_noise, norm):
    np.testing.assert_allclose(ball.distances[norm](certain_noise(norm, "gaussian")), 0.1, rtol=1e-4)


@pytest.fixture
def certain_noise(affine):
    """What noise of radius 0.1 is left on grey images of a model that nothing fools."""
    from robust.models.classifier import Classifier

    classifier = Classifier(affine(np.zeros((144, 2)), [9.0, 0.0]), 2, batch_size=8)
    images, n = np.full((40, 1, 144, 1), 0.5, np.float32), 40

    def random_point(norm, kind):
        found = noise(classifier, images, np.zeros(n, int), seeds=np.arange(n), eps=0.1, norm=norm, kind=kind)
        return found.images - images

    return random_point
