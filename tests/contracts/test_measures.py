"""The exam of every measure: what it declares, a perfect and a constant predictor, order, and what it counts."""

from dataclasses import replace

import numpy as np
import pytest

from robust.core import declared, registry, signature, statistics
from robust.results.evaluation import EvaluationResult, Predictions, Value
from robust.results.summaries import pairing

CLASSES = ("a", "b", "c", "d", "e", "f", "g")
SUPERCLASSES = {"vowel": ("a", "e"), "other": ("b", "c", "d", "f", "g")}
N = 211  # no multiple of anything
random = np.random.default_rng(0)
LABELS = random.integers(0, 7, N)
LOGITS = random.normal(size=(N, 7)) + 2 * np.eye(7)[LABELS]
every = pytest.mark.parametrize("measure", registry.names("metrics"))


def _result(logits=LOGITS, labels=LABELS, **more):
    features = 0.3 * logits**2 + logits
    ids = np.array([f"id{i}" for i in range(len(labels))])
    clean = EvaluationResult(CLASSES, ids, labels, LOGITS[: len(labels)], get_features=lambda: features)
    attacked = replace(
        clean, logits=logits, clean=clean, by=np.where(np.arange(len(labels)) % 3, "", "pgd"),
        linf=np.zeros(len(labels)), l2=np.zeros(len(labels)),
        n_forward=np.ones(len(labels), int), n_backward=np.ones(len(labels), int),
        rounded=np.arange(len(labels)) % 2 == 0,
    )  # fmt: skip
    asking = replace(attacked, superclasses=SUPERCLASSES, get_features=lambda: features, get_predictions=_answers)
    searched = replace(asking, distance=np.abs(logits).max(axis=1).astype(np.float32), limit=4.0, norm="l2")
    return replace(searched, **more)


def _answers(split):
    """Of another sample of images; those from outside have answers like any."""
    own = np.random.default_rng({"train": 1, "validation": 2, "ood": 3}[split])
    labels = own.integers(0, 7, 150)
    logits = own.normal(size=(150, 7)) + 2 * np.eye(7)[labels] * (split != "ood")
    return Predictions(labels, logits, 0.3 * logits**2 + logits)


def _measured(measure, result):
    return list(signature.bind("metrics", measure)(result))


def _is_declared(about, value):
    """Is it a value of all images or of a subset that the metric names, and a share where it says so?"""
    name, subset = value.metric, value.subset
    pair = subset.split(" -> ")
    told = name in about.dynamic or name in about.radii or subset in about.of(name, CLASSES, SUPERCLASSES)
    told |= name in about.per_pair and len(pair) == 2 and {*pair} <= {*CLASSES}
    return (told if subset else name in about.names) and (value.unit == "proportion") == (name in about.shares)


@every
def test_yields_what_it_declares_and_nothing_else(measure):
    told = set(declared.yields("metrics", measure).all_names)
    plain, aimed = _measured(measure, _result()), _measured(measure, _result(targets=(LABELS + 1) % 7))
    assert {value.metric for value in plain + aimed} == told
    assert all(isinstance(value, Value) for value in plain)
    for value in plain + aimed:
        assert _is_declared(declared.yields("metrics", measure), value), value
    keys = [(value.metric, value.subset) for value in plain]
    assert len(set(keys)) == len(keys)


@every
def test_what_it_says_can_be_paired_is_paired(measure):
    outcomes = _result(targets=(LABELS + 1) % 7).outcomes(
        model="m", seed=0, case="c", perturbation="fgsm", norm="linf", eps=0.1, severity=None
    )
    for metric in declared.yields("metrics", measure).paired:
        assert np.isfinite(pairing.values(outcomes, metric, SUPERCLASSES)["value"].astype(float)).all()


@every
def test_values_are_plain_numbers_in_their_ranges(measure):
    for value in _measured(measure, _result()):
        assert type(value.value) is float and isinstance(value.n, int) and isinstance(value.subset, str)
        assert 0 < value.n <= N and np.isfinite(value.value)
        if value.unit == "proportion":
            assert 0 <= value.value <= 1


@every
def test_every_proportion_carries_its_exact_interval(measure):
    shares = [v for v in _measured(measure, _result()) if v.unit == "proportion"]
    for value in shares:
        low, high = statistics.clopper_pearson(round(value.value * value.n), value.n)
        if value.ci_method == "exact 95 %":
            assert (value.ci_low, value.ci_high) == (low, high)
        else:
            assert value.ci_method == "exact 95 %, simultaneous" and value.ci_high - value.ci_low > (high - low) / 2
        assert value.ci_low <= value.value <= value.ci_high


@every
def test_the_order_of_the_images_does_not_matter(measure):
    order = random.permutation(N)
    one = _measured(measure, _result())
    two = _measured(
        measure, _result(logits=LOGITS[order], labels=LABELS[order], ids=np.array([f"id{i}" for i in order]))
    )
    assert [(v.metric, v.subset, v.n) for v in one] == [(v.metric, v.subset, v.n) for v in two]
    for mine, other in zip(one, two, strict=True):
        assert mine.value == pytest.approx(other.value, rel=1e-12)


@every
def test_a_perfect_predictor(measure):
    perfect = declared.yields("metrics", measure).perfect
    for value in _measured(measure, _result(logits=100.0 * np.eye(7)[LABELS])):
        assert value.value == pytest.approx(perfect.get(value.metric, value.value), abs=1e-40, nan_ok=True)
        assert value.metric != "confused", "nothing is confused"


@every
def test_a_constant_predictor(measure):
    always, share = np.tile([0, 9.0, 0, 0, 0, 0, 0], (N, 1)), float((LABELS == 1).mean())
    for value in _measured(measure, _result(logits=always)):
        match value.metric:
            case "top1" | "top1_error":
                assert value.value == pytest.approx(share if value.metric == "top1" else 1 - share)
            case "recall":
                assert value.value == (value.subset == "b")
            case "precision":
                assert value.n == (N if value.subset == "b" else 0)
                assert value.value == pytest.approx(share) if value.subset == "b" else np.isnan(value.value)
            case "confused":
                assert value.value == value.subset.endswith(" -> b")
            case "nll":
                assert value.value > np.log(7)


@every
@pytest.mark.parametrize("n", [1, 2, 36])
def test_a_few_images_are_enough(measure, n):
    for value in _measured(measure, _result(logits=LOGITS[:n], labels=LABELS[:n])):
        assert value.n <= n or value.metric == "temperature", "which is fitted on other images"
        assert value.n == 0 or np.isfinite(value.value)
