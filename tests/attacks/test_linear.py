"""Robust accuracy of a linear model in the box is known exactly: no attack reports less, the strong ones no more."""

import numpy as np
import pytest

from robust import catalog
from robust.classifier import Classifier
from robust.schema import bind

PIXELS, N, EPS = 12, 40, 0.1
random = np.random.default_rng(5)
WEIGHTS = random.normal(size=(PIXELS, 5)).astype(np.float32)
IMAGES = random.uniform(0, 1, (N, 1, PIXELS, 1)).astype(np.float32)
SLOW = ("autoattack", "square")
LINF = [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
    for name in catalog.names("attacks")
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
    fell = classifier.logits(found.images).argmax(axis=1) != labels
    assert not (fell & ~perhaps).any()
    if name in EXACT:
        assert fell[surely].all()
