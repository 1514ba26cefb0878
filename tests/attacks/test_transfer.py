"""Transfer: what fools the source is shown to the target, and only what fools the target counts."""

import keras
import numpy as np
import pytest

from robust.attacks import fgsm, pgd, transfer
from robust.core.errors import ModelError, SuiteError
from robust.models.classifier import Classifier

IMAGES = np.random.default_rng(0).uniform(0.2, 0.8, (20, 1, 6, 1)).astype(np.float32)
LABELS, SEEDS = np.arange(20) % 2, np.arange(20)


@pytest.fixture(scope="module")
def models(affine):
    """A target that looks at all pixels, and sources that look at the first half of them, or the other way round."""
    weights = np.array([[1.0, -1]] * 6)
    half = weights * (np.arange(6) < 3)[:, None]
    made = {"target": (weights, [-3, 3]), "near": (half, [-1.5, 1.5]), "far": (-weights, [3, -3])}  # split at grey
    return {name: Classifier(affine(*each), 2, batch_size=8) for name, each in made.items()}


def labels(models):
    return models["target"].logits(IMAGES).argmax(axis=1)


@pytest.mark.slow
def test_the_images_are_those_of_the_attack_on_the_source(models):
    y = labels(models)
    for inner, table in ((fgsm, "fgsm"), (pgd, {"name": "pgd", "steps": 5})):
        own = {} if table == "fgsm" else {"steps": 5}
        alone = inner(models["near"], IMAGES, y, seeds=SEEDS, eps=0.3, **own)
        shown = transfer(models["target"], IMAGES, y, seeds=SEEDS, source=models["near"], attack=table, eps=0.3)
        assert np.array_equal(alone.images, shown.images)
        assert np.array_equal(shown.n_forward, alone.n_forward + 1) and np.array_equal(
            shown.n_backward, alone.n_backward
        )


@pytest.mark.slow
def test_only_what_fools_the_target_has_fallen(models):
    y = labels(models)
    given = {"seeds": SEEDS, "attack": "fgsm", "eps": 0.3}
    found = transfer(models["target"], IMAGES, y, source=models["near"], **given)
    fools = models["target"].logits(found.images).argmax(axis=1) != y
    assert np.array_equal(found.by == "transfer", fools) and 0 < fools.sum() < len(y)
    white_box = fgsm(models["target"], IMAGES, y, seeds=SEEDS, eps=0.3)
    assert fools.sum() < (white_box.by != "").sum()
    other = transfer(models["target"], IMAGES, y, source=models["far"], **given)
    assert (other.by == "").all()  # what fools the opposite makes the target surer


def test_targets_and_norms_are_passed_on(models):
    y = labels(models)
    found = transfer(
        models["target"], IMAGES, y, seeds=SEEDS, targets=1 - y, source=models["near"], attack="pgd", eps=0.8, norm="l2"
    )
    sizes = np.sqrt(((found.images - IMAGES) ** 2).sum(axis=(1, 2, 3)))
    assert 0.3 < sizes.max() <= 0.8 * (1 + 1e-5)
    reached = models["target"].logits(found.images).argmax(axis=1) == 1 - y
    assert np.array_equal(found.by == "transfer", reached) and reached.any()


def test_a_start_that_fools_the_source_already_is_not_used(models):
    """Else the next eps of a list would stop at once at what the last one has left."""
    y = labels(models)
    given = {"seeds": SEEDS, "source": models["near"], "attack": "fgsm", "eps": 0.3}
    start = transfer(models["target"], IMAGES, y, **{**given, "eps": 0.1}).images
    again = transfer(models["target"], IMAGES, y, start=start, **given)
    assert np.array_equal(again.images, transfer(models["target"], IMAGES, y, **given).images)


@pytest.mark.slow
def test_a_keras_model_may_be_the_source(models, affine):
    y = labels(models)
    model = affine(np.array([[1.0, -1]] * 6), [-3, 3], name="other")
    assert isinstance(model, keras.Model)
    found = transfer(models["target"], IMAGES, y, seeds=SEEDS, source=model, attack="fgsm", eps=0.1)
    alone = fgsm(models["target"], IMAGES, y, seeds=SEEDS, eps=0.1)
    assert np.array_equal(found.by != "", alone.by != "")


def test_what_cannot_be_is_refused(models, affine):
    y = labels(models)
    with pytest.raises(ModelError, match="outputs of shape"):
        transfer(models["target"], IMAGES, y, seeds=SEEDS, source=affine(np.eye(6)[:, :3]), attack="fgsm", eps=0.1)
    with pytest.raises(SuiteError, match="write eps next to source"):
        transfer(
            models["target"], IMAGES, y, seeds=SEEDS, source=models["near"], attack={"name": "pgd", "eps": 1}, eps=0.1
        )
