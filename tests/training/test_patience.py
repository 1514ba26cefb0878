"""The best epoch is kept and training stops where none is better, plainly and against an adversary."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from robust.api.train import Trained
from robust.core.errors import DataError
from robust.core.progress import Silent
from robust.training import loop, patience
from robust.training.fit import fit
from robust.training.recipes import Recipe


class Says(Silent):
    def __init__(self):
        self.said = []

    def say(self, line):
        self.said.append(line)


def accuracy(network, data):
    examples = data.examples("validation")
    return float(np.mean(np.asarray(network(examples.images)).argmax(1) == examples.labels))


@pytest.fixture(scope="module")
def stripes(stripes):
    """Its validation split has the names of its classes wrong, so that whatever is learned makes it worse."""

    def read(split):
        wrong = int(split == "validation")
        return stripes.read(split).map(lambda image, label, id: (image, (label + wrong) % 3, id))

    return dataclasses.replace(stripes, read=read)


@pytest.fixture
def wild(model):
    """Learns slowly."""
    return lambda **options: model(epochs=6, learning_rate=0.003, schedule="constant", warmup=0.0, **options)


@pytest.mark.slow
def test_the_best_epoch_is_kept_and_training_stops_after_it(stripes, wild):
    told = Says()
    network, history = fit(wild(patience=2), stripes, 0, told)
    values = history["val_accuracy"]
    best = hardest(values)
    assert len(values) < 6 and len(values) - 1 - values.index(max(values)) == 2
    assert accuracy(network, stripes) == pytest.approx(values[best]) and values[best] > values[-1]
    first = values.index(max(values)) + 1
    kept = ", whose weights are kept" if best + 1 == first else f"; the weights of epoch {best + 1}, which is as good,"
    (said,) = told.said
    assert said.startswith(
        f"net: stopped after epoch {len(values)}, as val_accuracy was never better than in epoch {first}{kept}"
    )


def hardest(values):
    return max(range(len(values)), key=lambda epoch: (values[epoch], epoch))


@pytest.mark.slow
def test_the_best_is_kept_without_patience_and_the_last_on_request(stripes, wild):
    kept, history = fit(wild(keep="best"), stripes, 0, Silent())
    last, same = fit(wild(), stripes, 0, Silent())
    assert history == same and len(history["loss"]) == 6
    assert accuracy(kept, stripes) == pytest.approx(max(history["val_accuracy"]))
    assert accuracy(last, stripes) == pytest.approx(history["val_accuracy"][-1])
    assert max(history["val_accuracy"]) > history["val_accuracy"][-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keep", "kept"),
    [("best", "; the weights of epoch 2, which is as good, are kept"), ("last", "; the weights of the last")],
)
def test_of_epochs_as_good_the_one_that_is_said_is_kept(stripes, model, monkeypatch, keep, kept):
    """Accuracies are made equal; the weights of each epoch are told apart by their sum."""
    sums, told, values = [], Says(), iter([0.5, 0.5, 0.4, 0.4])
    validator = loop.validator

    def even(run):
        validate = validator(run)

        def asked():
            sums.append(sum(float(np.abs(w).sum()) for w in run.learner.network.get_weights()))
            return {**validate(), "val_accuracy": next(values)}

        return asked

    monkeypatch.setattr(loop, "validator", even)
    network, history = fit(model(epochs=6, patience=3, keep=keep), stripes, 0, told)
    assert history["val_accuracy"] == [0.5, 0.5, 0.4, 0.4] and len(set(sums)) == 4
    ends = sum(float(np.abs(w).sum()) for w in network.get_weights())
    assert ends == sums[1 if keep == "best" else 3]
    assert told.said[0].startswith(
        f"net: stopped after epoch 4, as val_accuracy was never better than in epoch 1{kept}"
    )


@pytest.mark.slow
def test_averages_are_what_is_compared_and_kept(stripes, wild):
    network, history = fit(wild(keep="best", ema=0.9), stripes, 0, Silent())
    assert accuracy(network, stripes) == pytest.approx(max(history["val_accuracy"]))


@pytest.mark.slow
def test_one_that_was_stopped_goes_on_and_one_whose_patience_was_at_its_end_does_not(stripes, wild, stops_in, tmp_path):
    whole, history = fit(wild(patience=2), stripes, 0, Silent())
    with pytest.raises(KeyboardInterrupt):
        fit(wild(patience=2), stripes, 0, stops_in(6 * len(history["loss"])), unfinished=tmp_path)
    for _ in range(2):  # the second finds the checkpoint of the last epoch
        again, same = fit(wild(patience=2), stripes, 0, Silent(), unfinished=tmp_path)
        assert same == history
        assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), again.get_weights(), strict=True))


@pytest.mark.slow
def test_against_an_adversary_robust_accuracy_tells(stripes, model):
    job = model({"name": "fgsm", "eps": 0.05}, epochs=6, learning_rate=1e-9, warmup=0.0, patience=1)
    _, history = fit(job, stripes, 0, Silent())
    assert len(history["val_robust"]) == 2  # nothing is learned, so the second is no better
    assert patience.column(job.train, history) == "val_robust"
    plain = model({"name": "fgsm", "eps": 0.05}, keep="last")
    assert patience.column(plain.train, history) is None and patience.column(model().train, ["val_accuracy"]) is None


def test_without_a_validation_split_there_is_no_best(stripes, model):
    alone = dataclasses.replace(stripes, sizes={"train": 384})
    for options, told in (
        ({"patience": 3}, "patience = 3: stripes has no"),
        ({"keep": "best"}, 'keep = "best": stripes'),
    ):
        with pytest.raises(DataError, match=told):
            fit(model(**options), alone, 0, Silent())
    patience.check(Recipe(1, 1, 0.1), alone)


def test_the_epoch_that_is_kept_is_said():
    history = pd.DataFrame(
        {"epoch": [1, 2], "loss": [2, 1], "accuracy": [0.3, 0.4], "val_loss": [2, 3], "val_accuracy": [0.5, 0.4]}
    )
    lines = Trained(history, None, 0, kept_by="val_accuracy").in_words().splitlines()
    assert lines == ["train 0.3000, in epoch 1", "validation 0.5000; the best epoch is kept"]
    assert Trained(history, None, 0).in_words().splitlines()[0] == "train 0.4000, in the last epoch"
