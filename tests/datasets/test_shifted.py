"""A case on data of its own: the same classes, or some of them, which alone compete where the case says so."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import robust
from robust.api.cli.report import report
from robust.core.errors import DataError, SuiteError
from robust.core.progress import Silent
from robust.core.signature import Call
from robust.core.store import Store
from robust.datasets.dataset import from_arrays
from robust.engine.case_data import data_of
from robust.models.classifier import Classifier
from robust.suite import Case, InMemory, Model, Suite, read_case

pytestmark = pytest.mark.usefixtures("without_diagnostics")  # none of these is about them

random = np.random.default_rng(0)
X = random.uniform(0.3, 0.7, (40, 2, 2, 1)).astype(np.float32)
CLASSES = ("a", "b", "c", "d")


def network():
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(4)], name="net")
    weights = random.normal(size=(4, 4))
    model.layers[-1].set_weights([weights, -weights.sum(axis=0) / 2])  # all classes alike on grey
    return model


MODEL, TWO = network(), network()
LOGITS = MODEL.predict(X, verbose=0)


class Said(Silent):
    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


SAID = Said()


class Shifted(Call):
    """A call that gives the data it was made with, as a data set's function would."""

    def __call__(self):
        return self.arguments["data"]

    def key(self):
        return {}


def run(tmp_path, shifted, restrict=True, **case):
    given = Shifted("datasets", "fashion_mini", {"data": shifted})
    cases = tuple(
        Case(c.name, c.perturbations, data=given, restrict=restrict, metrics=c.metrics, profile=c.profile)
        for c in (read_case("plain", {}), *(read_case(name, table) for name, table in case.items()))
    )
    data = from_arrays(X, random.integers(0, 4, len(X)), CLASSES)
    suite = Suite("shifted", (Model("net", InMemory(MODEL), seeds=(0,)),), cases, data)
    return robust.run(suite, tmp_path / "out", store=Store(tmp_path / "store"), progress=SAID)


@pytest.mark.slow
def test_only_the_logits_of_its_classes_are_compared(tmp_path):
    kept = [3, 1]
    labels = LOGITS[:, kept].argmax(axis=1)
    labels[::4] = 1 - labels[::4]
    table = run(tmp_path, from_arrays(X, labels, ("d", "b")), fgsm={"attack": {"name": "fgsm", "eps": "16/255"}})
    expected = np.mean(LOGITS[:, kept].argmax(axis=1) == labels)
    assert robust.value(table, "top1", case="plain").value == pytest.approx(expected)
    # the logits are linear, so FGSM moves their difference by eps times the L1 norm of its weights, exactly
    weights = MODEL.layers[-1].get_weights()[0]
    margin = LOGITS[:, kept[0]] - LOGITS[:, kept[1]]
    reach = 16 / 255 * np.abs(weights[:, kept[0]] - weights[:, kept[1]]).sum()
    attacked = np.mean(np.where(labels == 0, margin, -margin) > reach)
    assert robust.value(table, "top1", case="fgsm").value == pytest.approx(attacked)
    assert 0.1 < attacked < expected == 0.75


@pytest.mark.slow
def test_all_classes_of_the_suite_compete_where_nothing_else_is_said(tmp_path):
    """As they do in use, whatever the images show: the numbers are those of the same labels among all classes."""
    labels = np.array([3, 1])[LOGITS[:, [3, 1]].argmax(axis=1)]
    case = {"fgsm": {"attack": {"name": "fgsm", "eps": "16/255"}}}
    some = from_arrays(X, np.searchsorted([1, 3], labels), ("b", "d"))
    table = run(tmp_path / "some", some, restrict=False, **case)
    whole = run(tmp_path / "whole", from_arrays(X, labels, CLASSES), restrict=False, **case)
    for name, metric in [(n, m) for n in ("plain", "fgsm") for m in ("top1", "nll")]:
        one, other = (robust.value(each, metric, case=name) for each in (table, whole))
        assert (one.value, one.ci_low, one.ci_high, one.n) == (other.value, other.ci_low, other.ci_high, other.n)
    assert robust.value(table, "top1", case="plain").value == np.mean(LOGITS.argmax(axis=1) == labels) < 1
    says = ("data arrays: has 2 of the 4 classes ", "all can be predicted", "restrict = true")
    assert any(all(part in line for part in says) for line in SAID.lines)
    run(tmp_path / "alone", some)
    says = ("data arrays, its classes alone: ", "has 2 of the 4 classes ", "only these can be predicted")
    assert any(all(part in line for part in says) for line in SAID.lines)


@pytest.mark.slow
def test_an_inspection_sees_all_outputs_where_all_compete(tmp_path):
    table = run(tmp_path, from_arrays(X, np.zeros(40, int), ("a", "b")), restrict=False, cost={"profile": ["cost"]})
    assert robust.value(table, "parameters", case="cost").value == 20


def test_it_is_the_classes_of_data_that_the_case_has():
    with pytest.raises(
        SuiteError, match="in a suite, restrict = true restricts predictions to the classes of a case's own data"
    ):
        read_case("plain", {"restrict": True})
    assert read_case("plain", {"restrict": True, "data": "fashion_mini"}).definition["restrict"]


@pytest.mark.slow
def test_the_order_of_the_classes_may_differ(tmp_path):
    order = [2, 0, 3, 1]
    labels = random.integers(0, 4, len(X))
    table = run(tmp_path, from_arrays(X, labels, tuple(CLASSES[i] for i in order)))
    assert robust.value(table, "top1").value == pytest.approx(np.mean(LOGITS[:, order].argmax(axis=1) == labels))


def test_of_which_outputs_the_classes_are_is_part_of_what_was_measured():
    """The same images of classes a and b, asked of models with other outputs, are other blocks."""
    given = Shifted("datasets", "fashion_mini", {"data": from_arrays(X, np.arange(40) % 2, ("a", "b"))})
    case = Case("plain", (), data=given, restrict=True)
    suites = [from_arrays(X, np.arange(40) % 4, names) for names in (CLASSES, CLASSES, ("b", "a", "c", "d"))]
    one, again, other = (data_of(case, data).fingerprint for data in suites)
    assert one == again != other
    assert data_of(Case("plain", (), data=given), suites[0]).fingerprint not in (one, other)


def test_a_restricted_classifier_counts_for_itself():
    whole = Classifier(MODEL, 4, batch_size=8)
    part = whole.restricted([2, 0])
    assert np.array_equal(part.logits(X), whole.logits(X)[:, [2, 0]])
    assert (part.classes, part.n_forward, whole.n_forward) == (2, 40, 40)


def test_a_class_that_the_model_has_not_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"case plain: arrays has a class 'bb' .* did you mean 'b'\?"):
        run(tmp_path, from_arrays(X, np.zeros(40, int), ("a", "bb")))
    with pytest.raises(DataError, match=r"has images of shape \(4, 1, 1\), those of arrays have \(2, 2, 1\)"):
        run(tmp_path, from_arrays(X.reshape(40, 4, 1, 1), np.zeros(40, int), ("a",)))
    with pytest.raises(DataError, match=r"case cost: a profile .* arrays has 2 of the 4 classes"):
        run(tmp_path, from_arrays(X, np.zeros(40, int), ("a", "b")), cost={"profile": ["cost"]})


def both(tmp_path, baseline=None, **case):
    """Cases on the same images with three of four classes, restricted to these and not, each with clean ones."""
    labels = TWO.predict(X, verbose=0)[:, :3].argmax(axis=1)
    given = Shifted("datasets", "fashion_mini", {"data": from_arrays(X, labels, CLASSES[:3])})
    cases = tuple(
        replace(read_case(f"{name}-{way}", table), data=given, baseline=baseline, restrict=way == "alone")
        for way in ("among", "alone")
        for name, table in (("clean", {}), *case.items())
    )
    suite = Suite(
        "s", (Model("net", InMemory(MODEL)), Model("two", InMemory(TWO))), cases, from_arrays(X, labels, CLASSES)
    )
    return robust.run(suite, tmp_path / "out", store=Store(tmp_path / "store"), progress=Silent())


@pytest.mark.slow
def test_a_restricted_case_is_compared_with_restricted_ones(tmp_path):
    """Its data bears another name in the tables, by which they tell what is of the same images."""
    table = both(tmp_path, "two", fog={"corruption": {"name": "brightness", "severity": 5}})
    for way in ("among", "alone"):
        bad, clean = (
            {net: robust.value(table, "top1_error", case=f"{name}-{way}", model=net).value for net in ("net", "two")}
            for name in ("fog", "clean")
        )
        rises = [bad[net] - clean[net] for net in ("net", "two")]
        found = robust.value(table, "relative_error_increase", subset="brightness", case=f"fog-{way}", model="net")
        assert found.value == pytest.approx(rises[0] / rises[1] if rises[1] > 0 else np.nan, nan_ok=True)
    assert rises[1] > 0  # of those restricted, which the clean errors among all classes would not give
    assert set(table["data"]) == {"arrays", "arrays, its classes alone"}


@pytest.mark.slow
def test_a_restricted_search_is_not_held_against_one_among_all_classes(tmp_path):
    table = both(tmp_path, far={"minimal": {"name": "fab", "eps": "64/255"}})
    assert set(table.loc[table["case"].str.startswith("far"), "reliability"]) == {"reliable"}


@pytest.mark.slow
def test_a_difference_is_of_the_superclasses_that_the_case_s_data_has(tmp_path):
    """And they are part of what was measured: other ones are measured anew."""
    labels = random.integers(0, 4, len(X))
    table = {"metrics": ["accuracy", "hierarchy"], "expect": {"superclass_accuracy": "no worse than two by 0.9"}}
    nets, found = (Model("net", InMemory(MODEL)), Model("two", InMemory(TWO))), []
    for groups in ({"p": ("a", "b"), "q": ("c", "d")}, {"p": ("a", "c"), "q": ("b", "d")}):
        shifted = replace(from_arrays(X, labels, CLASSES), superclasses=groups)
        case = replace(read_case("own", table), data=Shifted("datasets", "fashion_mini", {"data": shifted}))
        whole = replace(from_arrays(X, labels, CLASSES), superclasses={"p": ("a", "d"), "q": ("b", "c")})
        results = robust.run(
            Suite("s", nets, (case,), whole), tmp_path, store=Store(tmp_path / "store"), progress=Silent()
        )
        place = {c: name for name, members in groups.items() for c in members}
        group = np.array([place[c] for c in CLASSES])
        right = [np.mean(group[net.predict(X, verbose=0).argmax(axis=1)] == group[labels]) for net in (MODEL, TWO)]
        values = [robust.value(results, "superclass_accuracy", model=name).value for name in ("net", "two")]
        assert values == pytest.approx(right)
        row = robust.value(results, "difference", subset="superclass_accuracy vs two", model="net")
        assert row.value == pytest.approx(right[0] - right[1])
        assert report(tmp_path) == 0
        found.append(right)
    assert found[0] != found[1]
