"""Robust accuracy of a linear model in the box is known exactly: no attack reports less, the strong ones no more."""

import numpy as np
import pytest
from scipy.optimize import linprog

from robust.core import registry
from robust.core.signature import bind
from robust.models.classifier import Classifier

PIXELS, N, EPS = 12, 40, 0.1
random = np.random.default_rng(5)
WEIGHTS = random.normal(size=(PIXELS, 5)).astype(np.float32)
IMAGES = random.uniform(0, 1, (N, 1, PIXELS, 1)).astype(np.float32)
SLOW = ("autoattack", "square")
LINF = [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
    for name in registry.names("attacks")
    if name not in ("carlini_wagner", "transfer")
]
EXACT = ("apgd_t", "autoattack")  # an untargeted loss may lead to a farther class


def vulnerable(logits, labels, eps):
    """Can any change within eps, in the box, lift another logit above that of the label? The best change is known."""
    at, slopes = IMAGES.reshape(N, -1).astype(np.float64), WEIGHTS.T.astype(np.float64)
    across = slopes[None] - slopes[labels][:, None]  # [N, classes, pixels]
    change = np.clip(eps * np.sign(across), -at[:, None], 1 - at[:, None])
    ahead = logits - logits[np.arange(N), labels][:, None] + (across * change).sum(axis=2)
    ahead[np.arange(N), labels] = -np.inf
    return ahead.max(axis=1) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", LINF)
def test_no_attack_reports_less_than_the_exact_robust_accuracy_of_a_linear_model(affine, name):
    classifier = Classifier(affine(WEIGHTS), 5, batch_size=16)
    logits = classifier.logits(IMAGES).astype(np.float64)
    labels = logits.argmax(axis=1)
    surely, perhaps = (vulnerable(logits, labels, EPS * share) for share in (0.99, 1.0001))
    assert 5 < surely.sum() < N - 5
    found = bind("attacks", {"name": name, "norm": "linf", "eps": EPS})(
        classifier, IMAGES, labels, seeds=np.arange(N), targets=None
    )
    is_adv = classifier.logits(found.images).argmax(axis=1) != labels
    assert not (is_adv & ~perhaps).any()
    if name in EXACT:
        assert is_adv[surely].all()


def reachable(aims, eps):
    """Can any change within eps, in the box, lift the logit of the aim above all others? A linear programme knows."""
    at, slopes = IMAGES.reshape(N, -1).astype(np.float64), WEIGHTS.T.astype(np.float64)
    found = np.zeros(N, bool)
    for row, aim in enumerate(aims):
        others = np.delete(slopes, aim, axis=0) - slopes[aim]
        sides = [(max(x - eps, 0), min(x + eps, 1)) for x in at[row]]
        best = linprog(
            [*np.zeros(PIXELS), -1], np.hstack([others, np.ones((4, 1))]), np.zeros(4), bounds=[*sides, (None, None)]
        )
        found[row] = best.x[-1] > 0
    return found


@pytest.mark.slow
@pytest.mark.parametrize("call", [{"name": "apgd_t"}, {"name": "apgd", "loss": "dlr"}])
def test_a_target_is_reached_by_what_was_wrong_before_too(affine, call):
    """There the aim must pass other classes than the label."""
    classifier = Classifier(affine(WEIGHTS), 5, batch_size=16)
    labels, aims = np.argsort(classifier.logits(IMAGES), axis=1)[:, :2].T  # the least likely, and the next
    surely, perhaps = (reachable(aims, 3 * EPS * share) for share in (0.95, 1.0001))
    assert 5 < surely.sum() < N - 5
    found = bind("attacks", {"norm": "linf", "eps": 3 * EPS, **call})(
        classifier, IMAGES, labels, seeds=np.arange(N), targets=aims
    )
    reached = classifier.logits(found.images).argmax(axis=1) == aims
    assert reached[surely].all() and not (reached & ~perhaps).any()
