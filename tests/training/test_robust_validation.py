"""Robust accuracy while training, and the alarm for catastrophic overfitting."""

from dataclasses import replace

import numpy as np
import pytest

from robust import attacks
from robust.core.progress import Silent
from robust.core.signature import bind
from robust.models.classifier import Classifier
from robust.training import robust_validation
from robust.training.fit import fit


class Heard(Silent):
    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def share_right(network, images, labels):
    return np.mean(Classifier(network, 3).logits(images).argmax(1) == labels)


PGD = {"name": "pgd", "eps": 0.1, "steps": 3}


@pytest.mark.slow
def test_it_is_watched_only_where_there_is_a_ball_and_a_validation_split(stripes, model):
    assert "val_robust" not in fit(model(epochs=1), stripes, 0, Silent())[1]
    assert len(fit(model(PGD, epochs=2), stripes, 0, Silent())[1]["val_robust"]) == 2
    sizes = {key: size for key, size in stripes.sizes.items() if key != "validation"}
    assert set(fit(model(PGD, epochs=1), replace(stripes, sizes=sizes), 0, Silent())[1]) == {"loss", "accuracy"}
    assert not robust_validation.is_watched(
        bind("adversaries", {"name": "pgd", "eps": 0.1}), replace(stripes, sizes=sizes)
    )
    assert not robust_validation.is_watched(None, stripes)


@pytest.mark.slow
def test_it_is_the_share_that_is_right_after_pgd(stripes, model):
    network, _ = fit(model(epochs=6), stripes, 0, Silent())
    adversary = bind("adversaries", {"name": "fgsm", "eps": 0.1})
    found = robust_validation.robust_accuracy(network, stripes, adversary, 32)()
    examples, classifier = stripes.examples("validation"), Classifier(network, 3)
    seeds = np.arange(len(examples.labels))
    theirs = attacks.pgd(classifier, examples.images, examples.labels, seeds=seeds, eps=0.1, steps=10)
    assert found == pytest.approx(share_right(network, theirs.images, examples.labels), abs=0.05)
    clean = robust_validation.robust_accuracy(network, stripes, bind("adversaries", {"name": "fgsm", "eps": 0}), 32)()
    assert clean == pytest.approx(share_right(network, examples.images, examples.labels))
    assert found < clean - 0.2


@pytest.mark.slow
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_epoch_that_was_hardest_to_fool_is_kept(stripes, model, monkeypatch, ema):
    told = [0.3, 0.5, 0.5, 0.1]
    left = []
    monkeypatch.setattr(robust_validation, "robust_accuracy", lambda *_: lambda: left.pop(0))
    options = {"ema": ema, "schedule": "constant", "warmup": 0.0, "learning_rate": 0.01}
    ends = []
    for epochs in (4, 3):  # at a constant rate, the third epoch is the same in both
        left[:] = told
        ends.append(fit(model(PGD, epochs=epochs, **options), stripes, 0, Silent()))
    (network, history), (until_then, _) = ends
    assert history["val_robust"] == told
    assert all(np.array_equal(a, b) for a, b in zip(network.get_weights(), until_then.get_weights(), strict=True))
    left[:] = sorted(told)
    last, _ = fit(model(PGD, epochs=4, **options), stripes, 0, Silent())
    assert not np.array_equal(last.get_weights()[-1], network.get_weights()[-1])


@pytest.mark.slow
def test_what_is_kept_survives_a_stop_and_is_bit_equal(stripes, model, stops_in, monkeypatch, tmp_path):
    told = {"left": [0.2, 0.6, 0.1]}
    monkeypatch.setattr(robust_validation, "robust_accuracy", lambda *_: lambda: told["left"].pop(0))
    whole, history = fit(model(PGD, epochs=3), stripes, 0, Silent())
    told["left"] = [0.2, 0.6, 0.1]
    with pytest.raises(KeyboardInterrupt):
        fit(model(PGD, epochs=3), stripes, 0, stops_in(15), unfinished=tmp_path)  # an epoch has six steps
    again, same = fit(model(PGD, epochs=3), stripes, 0, Silent(), unfinished=tmp_path)
    assert same == history
    assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), again.get_weights(), strict=True))


def test_the_alarm_sounds_once_where_robustness_collapses_while_the_loss_falls():
    history = {"loss": [2.0, 1.5, 1.0, 0.8, 0.7], "val_robust": [0.1, 0.4, 0.1, 0.05, 0.3]}
    heard = [robust_validation.overfitting({k: v[:n] for k, v in history.items()}) for n in range(1, 6)]
    assert [line is not None for line in heard] == [False, False, True, False, False]
    parts = (
        "in epoch 3 robust accuracy",
        "to 0.100 from 0.400 in epoch 2",
        "catastrophic overfitting",
        "train against pgd, or with a random start",
        "a smaller step_size",
    )
    assert all(part in heard[2] for part in parts)


@pytest.mark.parametrize(
    "history",
    [
        {"loss": [1.0, 0.5], "val_robust": [0.4, 0.21]},  # more than half is left
        {"loss": [1.0, 1.2], "val_robust": [0.4, 0.0]},  # it does not learn at all
        {"loss": [1.0, 0.5]},
        {"loss": [1.0, 0.5], "val_robust": [0.0, 0.0]},
    ],
)
def test_the_alarm_is_silent_otherwise(history):
    assert robust_validation.overfitting(history) is None


@pytest.mark.slow
def test_it_is_shown_while_training(stripes, model):
    notes = []

    class Shown(Silent):
        def advance(self, note=""):
            notes.append(note)

    _, history = fit(model(PGD, epochs=2), stripes, 0, Shown())
    assert notes[-1] == f"epoch 1/2  loss {history['loss'][0]:.3f}  robust {history['val_robust'][0]:.3f}"


@pytest.mark.slow
def test_the_alarm_is_heard_while_training(stripes, model, monkeypatch):
    left, heard = [0.4, 0.1], Heard()
    monkeypatch.setattr(robust_validation, "robust_accuracy", lambda *_: lambda: left.pop(0))
    fit(model(PGD, epochs=2), stripes, 0, heard)
    assert [line for line in heard.lines if line.startswith("net: in epoch 2 robust accuracy on the validation")]
