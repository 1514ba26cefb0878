"""Nothing here is timed: what a clock says is replaced, or only compared with itself."""

import itertools
import sys

import keras
import numpy as np
import pytest
from keras import layers

from robust.core import declared
from robust.core.errors import SuiteError
from robust.datasets.dataset import from_arrays
from robust.metrics.profile import speed
from robust.models.classifier import Classifier

DATA = from_arrays(np.zeros((3, 2, 2, 1)), [0, 1, 2], classes=3)


@pytest.fixture
def classifier():
    return Classifier(keras.Sequential([keras.Input((2, 2, 1)), layers.Flatten(), layers.Dense(3)]), 3)


@pytest.fixture
def clock(monkeypatch):
    """A clock by which passes last 2, 10, 4, 20, 6, 30 ... ms: batches of one and of many in turn."""
    lasts = itertools.cycle(range(1, 7))
    reads = (t for n in lasts for step in (2e-3 * n, 1e-2 * n) for t in (0.0, step))
    monkeypatch.setattr(sys.modules[speed.__module__].time, "perf_counter", lambda: next(reads))


def test_medians_and_their_intervals(classifier, clock):
    latency, throughput = speed(classifier, DATA, batch=5, repeats=6)
    assert (latency.metric, latency.unit, latency.n) == ("latency", "ms", 6)
    assert (latency.value, latency.ci_low, latency.ci_high) == pytest.approx((7, 2, 12))
    assert (throughput.metric, throughput.unit, throughput.n) == ("throughput", "images/s", 6)
    rates = 5 / (1e-2 * np.arange(1, 7))
    assert (throughput.value, throughput.ci_low, throughput.ci_high) == pytest.approx(
        (np.median(rates), rates.min(), rates.max())
    )
    assert latency.ci_method.startswith("order statistics 95 %, 20") and "CPUs" in latency.ci_method


def test_every_pass_is_counted_and_each_batch_is_traced_once(classifier):
    list(speed(classifier, DATA, batch=5, repeats=7))
    assert (classifier.n_forward, classifier.n_backward) == (8 * (1 + 5), 0)
    assert set(classifier.graphs.values()) == {1}


def test_one_image_twice_is_traced_once(classifier):
    list(speed(classifier, DATA, batch=1, repeats=6))
    assert set(classifier.graphs.values()) == {1}


def test_too_few_repeats_for_an_interval(classifier):
    with pytest.raises(SuiteError, match="repeats = 5: an interval of the median needs 6 or more"):
        list(speed(classifier, DATA, repeats=5))


def test_yields_what_it_declares(classifier):
    told = declared.yields("profile", "speed").all_names
    assert tuple(v.metric for v in speed(classifier, DATA, repeats=6)) == told
