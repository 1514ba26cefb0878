from dataclasses import replace

import numpy as np
import pytest

from robust.core.errors import DataError, SuiteError
from robust.core.signature import bind
from robust.core.store import Store, digest
from robust.datasets.dataset import from_splits
from robust.engine import blocks, case_data, keys, reference_predictions
from robust.engine.fitted import Fitted
from robust.models.classifier import Classifier
from robust.models.features import features
from robust.results.evaluation import Predictions
from robust.suite import Evaluation, read_case, read_model


@pytest.fixture
def data(problem):
    one, two = problem(70, seed=3), problem(30, seed=4)
    return from_splits({"train": (one.images, one.labels), "test": (two.images, two.labels)}, 3)


def test_the_answers_to_a_split_are_those_of_the_model(classifier, data, monkeypatch):
    monkeypatch.setattr(reference_predictions, "_CHUNK", 2)  # parts of 16 images
    found, examples = reference_predictions.predict(classifier, data, "train"), data.examples("train")
    assert (found.labels == examples.labels).all()
    assert found.logits == pytest.approx(classifier.logits(examples.images), abs=1e-5)
    assert found.features == pytest.approx(features(classifier, examples.images), abs=1e-5)


def test_of_a_large_split_as_many_of_each_class_are_looked_at(classifier, data, monkeypatch):
    monkeypatch.setattr(reference_predictions, "MOST", 12)
    found, examples = (
        reference_predictions.predict(classifier, data, "train"),
        data.examples("train", 12, balanced=True),
    )
    assert np.bincount(found.labels).tolist() == [4, 4, 4]
    assert found.logits == pytest.approx(classifier.logits(examples.images), abs=1e-5)


def test_a_model_asked_about_some_classes_knows_only_these():
    known = Predictions(np.array([0, 2, 1, 2]), np.arange(12.0).reshape(4, 3), np.arange(4.0)[:, None])
    some = reference_predictions.restricted(lambda split: known, [2, 0])("train")
    assert some.labels.tolist() == [1, 0, 0] and some.features[:, 0].tolist() == [0, 1, 3]
    assert some.logits.tolist() == [[2, 0], [5, 3], [11, 9]]


def test_without_features_there_are_logits(data):
    import keras

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(3)

        def call(self, inputs):
            return self.head(keras.ops.reshape(inputs, (-1, 36)))

    model = Own()
    model(data.examples("test").images)
    found = reference_predictions.predict(Classifier(model, 3, batch_size=8), data, "train")
    assert found.logits.shape == (70, 3) and found.features.shape == (70, 0)


def test_images_from_outside_must_have_the_same_shape(data):
    case = read_case("clean", {"ood": {"name": "digits"}, "metrics": ["outliers"]})
    with pytest.raises(DataError, match=r"case clean: outside: digits has images of shape \(28, 28, 1\), those of"):
        case_data.data_of(case, data)
    with pytest.raises(SuiteError, match="case plain: no images from outside; name them: in a suite, ood ="):
        case_data.outside_of(read_case("plain", {}), data)


def test_what_lies_outside_is_part_of_what_was_measured(data):
    tables = ({"name": "digits", "size": 6}, {"name": "digits", "size": 6}, None)
    cases = [read_case("c", {"ood": t, "metrics": ["outliers"]} if t else {}) for t in tables]
    one, same, without = (case_data.data_of(case, data).fingerprint for case in cases)
    assert one == same != without


def test_what_there_is_to_say_of_images_from_outside_is_said_with_their_name(data, monkeypatch):
    case = read_case("c", {"ood": {"name": "digits"}, "metrics": ["outliers"]})
    monkeypatch.setattr(
        case_data, "outside_of", lambda case, data: replace(data, name="far", remarks=("one is empty",))
    )
    assert case_data.data_of(case, replace(data, remarks=("own",))).remarks == ("own", "outside, far: one is empty")


def test_images_from_outside_may_be_asked_again_after_a_batch_that_did_not_fit(classifier, data, tmp_path):
    fitted = Fitted("id", classifier, {})
    case = read_case("c", {"ood": {"name": "digits", "size": 6}, "metrics": ["outliers"]})
    asked = []
    known = Predictions(np.zeros(6, int), np.zeros((6, 3)), np.zeros((6, 0)))

    def look(classifier, outside, split):
        asked.append((outside.image_shape, split))
        return known

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reference_predictions, "predict", look)
        for _ in range(2):
            assert blocks._predictions(fitted, case, data, tmp_path, "ood") is known
    assert asked == [((6, 6, 1), "test")] * 2 and any((tmp_path / "ood").iterdir())


KEYED = [
    {}, {"attack": {"name": "fgsm", "eps": 0.1}}, {"attack": {"name": "fgsm", "eps": 0.2}}, {"max_images": 9},
    {"attack": {"name": "pgd", "eps": 0.1, "target": "least-likely"}}, {"metrics": ["calibration"]},
    {"profile": ["cost"]},
    {"attack": {"name": "pgd", "eps": 0.1}}, {"minimal": {"name": "pgd", "eps": 0.1}},
]  # fmt: skip


def test_whatever_is_asked_of_whomever_makes_another_block(data):
    cell = Evaluation(read_case("c", {}), read_model("net", {"architecture": "lenet5"}), 0)
    found = [keys.key(0, replace(cell, case=read_case("c", table)), data, "id") for table in KEYED]
    found += [
        keys.key(0, cell, data, "other"),
        keys.key(1, cell, data, "id"),
        keys.key(0, cell, data, "id", "far"),
    ]
    found.append(keys.key(0, replace(cell, case=read_case("d", {})), data, "id"))
    found.append(keys.key(0, cell, replace(data, fingerprint="other"), "id"))
    assert len({digest(key) for key in found}) == len(found)
    assert keys.key(0, cell, data, "id") == found[0]
    bounded = replace(cell, case=read_case("c", {"expect": {"top1": ">= 0.5"}}))
    assert keys.key(0, bounded, data, "id") == found[0]  # a bound is judged anew


def test_where_a_number_stands_is_told_by_its_perturbation():
    fgsm = {"perturbation": "fgsm", "norm": "l2", "eps": 0.1, "severity": None}
    assert blocks._strength(bind("attacks", {"name": "fgsm", "eps": 0.1, "norm": "l2"})) == fgsm
    assert blocks._strength(bind("attacks", {"name": "fgsm", "eps": 0.1})) == {**fgsm, "norm": "linf"}
    fog = {"perturbation": "fog", "norm": "", "eps": None, "severity": 3}
    assert blocks._strength(bind("corruptions", {"name": "fog", "severity": 3})) == fog
    assert blocks._strength(None) == {"perturbation": "clean", "norm": "", "eps": None, "severity": None}


def test_a_split_that_is_not_there_is_named_with_the_remedy(classifier, data, tmp_path):
    fitted, model = Fitted("id", classifier, {}), read_model("net", {"architecture": "lenet5"})
    with pytest.raises(DataError, match=r"has no split 'validation', which a metric needs; add it, as"):
        reference_predictions.predictions(fitted, model, data, Store(tmp_path), "validation")


def test_the_answers_are_kept_in_the_store(classifier, data, tmp_path, monkeypatch):
    fitted, model = Fitted("id", classifier, {}), read_model("net", {"architecture": "lenet5"})
    once = reference_predictions.predictions(fitted, model, data, Store(tmp_path), "train")
    monkeypatch.setattr(reference_predictions, "predict", None)  # it is not asked again
    again = reference_predictions.predictions(fitted, model, data, Store(tmp_path), "train")
    assert isinstance(again.features, np.memmap) and (again.features == once.features).all()
    assert (again.labels == data.labels("train")).all()
