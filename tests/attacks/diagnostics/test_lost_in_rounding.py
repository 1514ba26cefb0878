"""Changes of the pixels that never reach the answers are told, and those that do are not."""

import keras
import numpy as np
import pytest

from robust.attacks import diagnostics
from robust.attacks.diagnostics import attack_checks as attack
from robust.attacks.diagnostics.lost_in_rounding import lost_in_rounding, per_pixel
from robust.attacks.iterative import Task
from robust.core.signature import Call, bind
from robust.models.classifier import Classifier

RANDOM = np.random.default_rng(0)
IMAGES = (RANDOM.integers(130, 250, (40, 6, 6, 1)) / 255).astype("float32")
LABELS = RANDOM.integers(0, 3, 40)


def network(policy):
    """A perceptron on pixels of 0 to 255, which it scales itself."""
    keras.utils.set_random_seed(0)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        inner = [keras.layers.Dense(16, "relu"), keras.layers.Dense(3, dtype="float32")]
        return keras.Sequential(
            [keras.Input((6, 6, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), *inner]
        )
    finally:
        keras.config.set_dtype_policy(before)


def ills(model, eps, name="fgsm", **more):
    task = Task(Classifier(model, 3, batch_size=40), IMAGES, LABELS, np.arange(40), None, None)
    return {
        reason.name: reason
        for reason in lost_in_rounding(attack.run(task, bind("attacks", {"name": name, "eps": eps, **more})))
    }


@pytest.mark.slow_after_first
@pytest.mark.parametrize(
    ("policy", "eps", "told"),
    [
        ("mixed_bfloat16", 0.3 / 255, True),
        ("mixed_bfloat16", 0.1 / 255, True),
        ("mixed_bfloat16", 1 / 255, False),
        ("mixed_float16", 0.03 / 255, True),
        ("mixed_float16", 0.3 / 255, False),
        ("float32", 0.3 / 255, False),
        ("float32", 0.03 / 255, False),
    ],
)
def test_what_half_precision_does_not_see_is_told(policy, eps, told):
    assert ("lost_in_rounding" in ills(network(policy), eps)) == told


@pytest.mark.slow
def test_its_remedy_is_typed_and_arrives():
    model = network("mixed_bfloat16")
    assert ills(model, 0.3 / 255)["lost_in_rounding"].value > 0.9
    for layer in model.layers:
        layer.dtype_policy = "float32"
    assert "lost_in_rounding" not in ills(model, 0.3 / 255)


@pytest.mark.slow
def test_in_l2_it_is_what_each_pixel_gets():
    model = network("mixed_bfloat16")
    assert "lost_in_rounding" in ills(model, 6 * 0.3 / 255, norm="l2")
    assert "lost_in_rounding" not in ills(model, 6 * 1.0 / 255, norm="l2")


def whole(images):
    """A function that takes whole grey levels."""
    levels = np.round(np.asarray(images) * 255).reshape(len(images), -1)[:, :3] / 255
    return np.exp(5 * levels) / np.exp(5 * levels).sum(axis=1, keepdims=True)


def test_a_black_box_of_whole_grey_levels_is_told():
    assert ills(whole, 0.3 / 255, "square", n_queries=1)["lost_in_rounding"].value == 1
    assert not ills(whole, 2 / 255, "square", n_queries=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["noise", "pgd"])
def test_it_is_part_of_every_verdict(name):
    classifier = Classifier(network("mixed_bfloat16"), 3, batch_size=40)
    found = diagnostics.examine(classifier, {"name": name, "eps": 0.3 / 255}, IMAGES, LABELS)
    assert "lost_in_rounding" in [reason.name for reason in found.reasons] and found.level != "reliable"


@pytest.mark.parametrize(("norm", "share"), [("linf", 1), ("l2", 6), ("l1", np.inf)])
def test_each_pixel_gets_its_share_of_eps(norm, share):
    assert per_pixel(Call("attacks", "pgd", {"eps": 0.6, "norm": norm}), IMAGES) == pytest.approx(0.6 / share)
