"""A batch that does not fit in memory is halved, with a line that says so."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import robust
from robust.attacks import transfer
from robust.core.errors import ModelError
from robust.core.store import Store
from robust.engine import reference_predictions
from robust.models.classifier import Classifier
from robust.models.classifier.memory import halving_batches

pytestmark = pytest.mark.usefixtures("without_diagnostics")


class Narrow(keras.layers.Layer):
    """Runs out of memory for more than `fits` images at once; its gradient is that of the identity."""

    def __init__(self, fits):
        super().__init__()
        self.fits = fits

    def call(self, images):
        def look(x):
            if len(x) > self.fits:
                raise MemoryError(f"{len(x)} images")
            return x

        @tf.custom_gradient
        def guarded(x):
            return tf.ensure_shape(tf.numpy_function(look, [x], x.dtype), x.shape), lambda upstream: upstream

        return guarded(images)


class Told:
    """Remembers what it is told."""

    def __init__(self):
        self.lines = []

    def stage(self, name, total):
        pass

    def advance(self, note=""):
        pass

    def say(self, line):
        self.lines.append(line)


@pytest.mark.slow
def test_an_evaluation_goes_on_in_smaller_batches_and_says_so(linear, dozen):
    images, _, labels = dozen
    told = Told()
    attacks = [{"name": "pgd", "steps": 5, "random_start": False}]
    narrow = robust.evaluate(linear(Narrow(5)), (images, labels), attacks, eps=0.05, progress=told)
    assert [line for line in told.lines if "memory" in line] == [
        "model 'net': 12 images at once do not fit in memory; continuing with 6",
        "model 'net': 6 images at once do not fit in memory; continuing with 3",
    ]
    wide = robust.evaluate(linear(), (images, labels), attacks, eps=0.05)
    for case in ("clean", "pgd"):
        assert (
            robust.value(narrow, "top1", case=case, allow_invalid=True).value
            == robust.value(wide, "top1", case=case, allow_invalid=True).value
        )
    assert robust.value(wide, "top1", case="pgd", allow_invalid=True).value < 1


def test_each_graph_is_traced_anew_at_the_new_size_and_once(linear, dozen):
    classifier = Classifier(linear(Narrow(3)), 3, batch_size=8)
    logits = halving_batches(classifier, lambda: classifier.logits(dozen[0]), lambda line: None)
    np.testing.assert_allclose(logits, dozen[1], atol=1e-5)
    assert (classifier.batch_size, classifier.graphs) == (2, {"logits": 1})


def test_one_image_that_does_not_fit_is_an_error(linear, dozen):
    classifier = Classifier(linear(Narrow(0)), 3, batch_size=2)
    with pytest.raises(ModelError, match="model 'net': one image does not fit in memory; take smaller images"):
        halving_batches(classifier, lambda: classifier.logits(dozen[0]), lambda line: None)


def test_a_batch_that_the_model_insists_on_is_not_halved(dozen):
    inputs = keras.Input(batch_shape=(4, 4, 4, 1))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(Narrow(3)(inputs))), name="net")
    classifier = Classifier(model, 3)
    with pytest.raises(ModelError, match="model 'net': the 4 images it is built for do not fit in memory"):
        halving_batches(classifier, lambda: classifier.logits(dozen[0]), lambda line: None)


@pytest.mark.slow
def test_a_function_that_runs_out_of_memory_is_asked_for_less(dozen):
    images, _, labels = dozen

    def answer(x):
        if len(x) > 5:
            raise MemoryError
        return x[:, 0, :3, 0]

    told = Told()
    robust.evaluate(answer, (images, labels), ["noise"], eps=0.1, progress=told)
    assert sum("continuing with" in line for line in told.lines) == 2


def test_other_errors_of_tensorflow_are_left_as_they_are(linear, dozen):
    classifier = Classifier(linear(), 3, batch_size=2)

    def work():
        raise tf.errors.InternalError(None, None, "x")

    with pytest.raises(tf.errors.InternalError):
        halving_batches(classifier, work, lambda line: None)


@pytest.mark.slow
def test_under_a_transfer_the_batches_of_the_model_that_is_attacked_are_halved(linear, dozen):
    images, _, labels = dozen
    shown, made_on = Classifier(linear(), 3, batch_size=8), Classifier(linear(Narrow(3)), 3, batch_size=8)
    given = {"seeds": np.arange(12), "attack": "fgsm", "eps": 0.3}
    found = transfer(shown, images, labels, source=made_on, **given)
    assert (shown.batch_size, made_on.batch_size) == (8, 2)
    wide = transfer(shown, images, labels, source=Classifier(linear(), 3, batch_size=8), **given)
    np.testing.assert_allclose(found.images, wide.images, atol=1e-6)


@pytest.mark.slow
def test_images_from_outside_are_asked_about_again_in_smaller_batches(linear, dozen, tmp_path, monkeypatch):
    linear().save(tmp_path / "net.keras")
    np.savez(tmp_path / "other.npz", x=1 - dozen[0], y=dozen[2])
    halves = {f"{key}_{half}": of for key, of in (("x", dozen[0]), ("y", dozen[2])) for half in ("train", "test")}
    np.savez(tmp_path / "data.npz", **halves)
    (tmp_path / "s.toml").write_text(
        'data = { arrays = "data.npz" }\n[model.net]\nkeras = "net.keras"\n'
        '[case.c]\nmetrics = ["outliers"]\nood = { arrays = "other.npz" }\n'
    )
    save, failed = reference_predictions.save, []

    def once(*given):
        if not failed:
            failed.append(True)
            raise MemoryError
        save(*given)

    monkeypatch.setattr(reference_predictions, "save", once)
    robust.run(tmp_path / "s.toml", tmp_path / "out", store=Store(tmp_path / "store"))
    assert failed
