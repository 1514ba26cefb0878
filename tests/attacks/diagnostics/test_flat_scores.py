"""A search by answers that are alike all around an image is told; one by answers in floats is not."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from robust.attacks.diagnostics import attack_checks as attack
from robust.attacks.diagnostics.flat_scores import flat_scores
from robust.attacks.iterative import Task
from robust.core.signature import bind
from robust.models.classifier import Classifier
from robust.models.loading import load

SQUARE = {"name": "square", "eps": "4/255", "n_queries": 5}
CRUDE = {
    "hard labels": lambda p: np.eye(10)[p.argmax(axis=1)],
    "rounded to a tenth": lambda p: p.round(1),
    "rounded to two decimals": lambda p: p.round(2),
    "rounded to three decimals": lambda p: p.round(3),
    "eight bits": lambda p: np.rint(p * 256).clip(0, 255) / 256,
    "logits rounded to whole numbers": lambda p: np.log(p).round(),
}
FINE = {
    "probabilities": lambda p: p,
    "of a sure network": lambda p: p**4 / (p**4).sum(axis=1, keepdims=True),
    "logits": lambda p: np.log(p),
}


@pytest.fixture(scope="module")
def ran(trained, examples):
    """`ran(of, **settings)`: Square on the network's probabilities, as `of` gives them."""
    network = trained("lenet5", 0.5, 0, 2, False)

    def ran(of, target=None, **settings):
        def answer(images):
            return of(tf.nn.softmax(network(images)).numpy())

        images, labels = examples.images, examples.labels
        targets = None if target is None else (labels + target) % 10
        task = Task(Classifier(answer, 10), images, labels, np.arange(100), None, targets)
        return attack.run(task, bind("attacks", {**SQUARE, **settings}))

    return ran


@pytest.mark.slow
@pytest.mark.parametrize("of", CRUDE.values(), ids=CRUDE)
def test_answers_of_few_values_are_told(ran, of):
    run = ran(of)
    [found] = flat_scores(run)
    assert found.name == "flat_scores" and found.n == 100 and 0.15 < found.value <= (~run.is_adv).mean()


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"eps": "0.5/255"}, {"eps": 0.3, "norm": "l2"}, {"target": 1}], ids=str)
@pytest.mark.parametrize("of", FINE.values(), ids=FINE)
def test_answers_in_floats_are_not(ran, of, more):
    assert list(flat_scores(ran(of, **more))) == []


@pytest.mark.slow
def test_in_half_precision_and_to_six_decimals_a_ball_of_four_levels_has_enough_of_them(ran):
    assert list(flat_scores(ran(lambda p: p.astype(np.float16)))) == list(flat_scores(ran(lambda p: p.round(6)))) == []


@pytest.mark.slow
def test_it_is_the_margin_that_the_attack_climbs_which_counts(ran):
    def blind(p):
        """It answers in floats, and says of its last class only whether that is its answer."""
        return np.where(np.arange(10) == 9, np.where(p.argmax(axis=1) == 9, 0.0, -90.0)[:, None], np.log(p))

    assert list(flat_scores(ran(blind))) == []
    run = ran(CRUDE["hard labels"], target=1)
    assert next(flat_scores(run)).value > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["foolbox:BoundaryAttack", "pgd", "noise"])
def test_only_an_attack_that_compares_how_sure_the_answers_are_is_asked(ran, name):
    run = ran(CRUDE["hard labels"])
    assert list(flat_scores(replace(run, call=replace(run.call, name=name)))) == []


@pytest.mark.slow
def test_a_float_tflite_file_is_not_told(ran, trained, tmp_path):
    converter = tf.lite.TFLiteConverter.from_keras_model(trained("lenet5", 0.5, 0, 2, False))
    (tmp_path / "net.tflite").write_bytes(converter.convert())
    run = ran(CRUDE["hard labels"])
    file = Classifier(load(tmp_path / "net.tflite"), 10)
    assert list(flat_scores(run)) and list(flat_scores(replace(run, task=replace(run.task, classifier=file)))) == []
