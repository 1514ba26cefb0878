"""A distance is held against another search; the linear model here has its boundary at .1 in Linf."""

from dataclasses import replace

import numpy as np
import pytest

from robust.attacks import diagnostics
from robust.attacks.diagnostics import attack_checks as attack
from robust.attacks.diagnostics.smaller_distance import smaller_distance_found
from robust.attacks.iterative import Task
from robust.core.signature import bind
from robust.models.classifier import Classifier

PIXELS, N = 4, 40


@pytest.fixture(scope="module")
def task():
    """Two classes by the sum of four pixels; images .1 from the boundary, on either side."""
    import keras

    net = keras.Sequential([keras.Input((1, PIXELS, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    net.set_weights([np.stack([-np.ones(PIXELS), np.ones(PIXELS)], axis=1), np.array([PIXELS / 2, -PIXELS / 2])])
    labels = np.arange(N) % 2
    images = np.where(labels == 1, 0.6, 0.4)[:, None, None, None] * np.ones((1, 1, PIXELS, 1))
    return Task(Classifier(net, 2, batch_size=N), images.astype(np.float32), labels, np.arange(N), None, None)


LEAST = {"linf": 0.1, "l2": 0.1 * PIXELS**0.5, "l1": 0.1 * PIXELS}


def searched(task, sizes, name="pgd", norm="linf"):
    """A search that found changes of these sizes."""
    more = {"n_queries": 20} if name == "square" else {} if name == "noise" else {"steps": 20}
    call = bind("attacks", {"name": name, "eps": 1.0, "norm": norm, **more})
    is_adv = np.isfinite(sizes)
    before = task.classifier.logits(task.images)
    return attack.AttackRun(task, call, before, is_adv, np.empty((N, 0)), np.full(N, "pgd"), sizes)


@pytest.mark.slow
@pytest.mark.parametrize("norm", LEAST)
@pytest.mark.parametrize("name", ["pgd", "apgd", "fab", "square"])
def test_a_search_near_the_least_is_believed_and_one_far_from_it_is_not(task, name, norm):
    near, far = np.full(N, 1.05 * LEAST[norm]), np.full(N, 1.3 * LEAST[norm])
    assert list(smaller_distance_found(searched(task, near, name, norm))) == []
    assert list(smaller_distance_found(searched(task, far, name, norm))) == [("smaller_distance_found", 1.0, 32)]


@pytest.mark.parametrize(("count", "told"), [(4, False), (5, True)])
def test_five_of_thirty_two_are_more_than_chance(task, count, told):
    sizes = np.where(np.arange(N) < count, 0.2, 0.1001)
    assert list(smaller_distance_found(searched(task, sizes))) == (
        [("smaller_distance_found", 5 / 32, 32)] if told else []
    )


def test_where_none_was_found_and_where_nothing_was_searched_there_is_nothing_to_compare(task):
    assert list(smaller_distance_found(searched(task, np.full(N, np.inf)))) == []
    assert list(smaller_distance_found(replace(searched(task, np.full(N, 0.2)), sizes=None))) == []


@pytest.mark.slow_after_first
@pytest.mark.parametrize("standing", [0, 1, N])
def test_that_answers_alone_led_the_search_is_said_once(task, standing):
    """Whether it found something for all images, for all but one, which is no reason of its own, or for none."""

    def answers(images):
        return np.asarray(task.classifier.logits(np.asarray(images, np.float32)))

    blind = replace(task, classifier=Classifier(answers, 2, batch_size=N))
    sizes = np.where(np.arange(N) < standing, np.inf, 0.1)
    [found] = diagnostics.diagnose([searched(blind, sizes, "square")])
    assert [reason.name for reason in found.reasons].count("no_model_gradients") == 1 and found.level != "reliable"


def test_a_search_by_noise_is_held_against_another_too(task):
    [found] = diagnostics.diagnose([searched(task, np.full(N, 0.3), "noise")])
    assert "smaller_distance_found" in {reason.name for reason in found.reasons}
