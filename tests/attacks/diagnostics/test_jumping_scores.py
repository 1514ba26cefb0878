"""Where the answer changes, the margin of a sound model is 0; scores that jump there do not tell decisions."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from robust.attacks import diagnostics
from robust.attacks.diagnostics.jumping_scores import _sides, jumping_scores
from robust.attacks.diagnostics.probes import outputs_of
from robust.attacks.iterative import Task
from robust.models.classifier import Classifier

SQUARE = {"name": "square", "eps": "8/255", "n_queries": 5}


def two(trained):
    return trained("lenet5", 0.5, 0, 2, False), trained("mlp", 1.0, 0, 2, False)


def swapped(decides, scores):
    """The logits of the one, of which two are exchanged so that the largest is where the other has it."""

    def answer(x):
        p, q = decides(x), scores(x)
        own, there = tf.one_hot(tf.argmax(p, axis=1), 10), tf.one_hot(tf.argmax(q, axis=1), 10)
        at_own, at_there = (tf.reduce_sum(q * each, axis=1, keepdims=True) for each in (own, there))
        return q + own * (at_there - at_own) + there * (at_own - at_there)

    return answer


def ordered(decides, scores):
    """The logits of the one, in the order of the other's."""

    def answer(x):
        rank = tf.argsort(tf.argsort(decides(x), axis=1), axis=1)
        return tf.gather(tf.sort(scores(x), axis=1), rank, batch_dims=1)

    return answer


def irrelevant(decides, _):
    """The confidence is a wave of the mean of the pixels."""

    def answer(x):
        sure = (0.5 + 0.4 * tf.sin(40 * tf.reduce_mean(x, axis=(1, 2, 3))))[:, None]
        first = tf.one_hot(tf.argmax(decides(x), axis=1), 10)
        return tf.math.log(first * sure + (1 - first) * (1 - sure) / 9)

    return answer


def against_attackers(period, bend):
    """Chen et al. 2022: the answer stays, the margin is bent within periods, to mislead who climbs it."""

    def of(decides, _):
        def answer(x):
            z = decides(x)
            largest = tf.sort(z, axis=1)[:, -2:]
            margin = largest[:, 1] - largest[:, 0]
            at = (tf.floor(margin / period) + 0.5) * period
            first = tf.one_hot(tf.argmax(z, axis=1), 10)
            return first * (largest[:, :1] + bend(margin, at, period)[:, None]) + (1 - first) * z

        return answer

    return of


def sine(margin, at, period):
    return at - 0.35 * period * tf.sin(np.pi * (1 - 2 * (margin - at) / period))


def line(margin, at, period):
    del period
    return 2 * at - margin


BAD = {
    "two exchanged": swapped,
    "in another order": ordered,
    "an irrelevant confidence": irrelevant,
    "a sine against attackers": against_attackers(6.0, sine),
    "a line against attackers": against_attackers(6.0, line),
}


def as_model(function):
    class Of(keras.layers.Layer):
        def call(self, x):
            return function(x)

    image = keras.Input((28, 28, 1))
    return keras.Model(image, Of()(image))


def asked(function, examples, black_box=False):
    given = (lambda x: function(tf.constant(x)).numpy()) if black_box else as_model(function)
    task = Task(Classifier(given, 10, batch_size=100), examples.images, examples.labels, np.arange(100), None, None)
    return list(jumping_scores(task, outputs_of(task.classifier, task.images)))


@pytest.mark.slow
@pytest.mark.parametrize("black_box", [False, True], ids=["a model", "a function"])
@pytest.mark.parametrize("name", BAD)
def test_scores_that_do_not_tell_decisions_are_told(name, black_box, trained, examples):
    [found] = asked(BAD[name](*two(trained)), examples, black_box)
    assert found.name == "jumping_scores" and found.n == 20 and found.value > 0.3


@pytest.mark.parametrize("attack", ["pgd", "autoattack", SQUARE], ids=["pgd", "autoattack", "square"])
@pytest.mark.parametrize("name", ["two exchanged", "an irrelevant confidence"])
@pytest.mark.slow
def test_no_number_of_theirs_is_reliable(name, attack, trained, examples):
    classifier = Classifier(as_model(BAD[name](*two(trained))), 10, batch_size=100)
    call = {"eps": "8/255", "steps": 5, "name": attack} if isinstance(attack, str) else attack
    found = diagnostics.examine(classifier, call, examples.images, examples.labels)
    assert "jumping_scores" in {reason.name for reason in found.reasons} and found.level != "reliable"


def jpeg(quality):
    def of(image):
        whole = tf.cast(tf.round(255 * image), tf.uint8)
        return tf.cast(tf.io.decode_jpeg(tf.io.encode_jpeg(whole, quality=quality)), tf.float32) / 255

    return lambda x: tf.map_fn(of, tf.clip_by_value(x, 0.0, 1.0))


SOUND = {
    "as it is": lambda net: net,
    "a thousand times as sure": lambda net: lambda x: 1000 * net(x),
    "probabilities": lambda net: lambda x: tf.nn.softmax(net(x)),
    "probabilities of two decimals": lambda net: lambda x: tf.round(100 * tf.nn.softmax(net(x))) / 100,
    "whole numbers": lambda net: lambda x: tf.round(net(x)),
    "hard labels, of which others tell": lambda net: lambda x: tf.one_hot(tf.argmax(net(x), axis=1), 10),
    "at the ends of a tanh": lambda net: lambda x: tf.tanh(net(x)),
    "eight bits": lambda net: lambda x: tf.clip_by_value(tf.round(net(x) * 4), -128, 127),
    "in half precision": lambda net: lambda x: tf.cast(tf.cast(net(x), tf.bfloat16), tf.float32),
    "rounded pixels": lambda net: lambda x: net(tf.round(255 * x) / 255),
    "rounded to nine levels": lambda net: lambda x: net(tf.round(8 * x) / 8),
    "JPEG inside": lambda net: lambda x: net(jpeg(50)(x)),
    "a high frequency": lambda net: lambda x: net(x + 0.02 * tf.sin(1000 * x)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUND)
def test_scores_that_do_are_not(name, trained, examples):
    """What is measured of the margins at the images, of nets of lenet5 and mlp: at most 5 %; of k-WTA, 20 %."""
    for net in two(trained):
        assert asked(SOUND[name](net), examples, black_box=True) == []


@pytest.mark.slow
def test_of_too_few_answers_nothing_is_said(trained, examples):
    bad = BAD["two exchanged"](*two(trained))
    one = replace(examples, images=examples.images[:1].repeat(100, axis=0))
    assert asked(bad, one) == []


@pytest.mark.slow
def test_an_attack_that_asks_for_labels_only_or_for_nothing_is_not_touched(trained, examples):
    classifier = Classifier(as_model(BAD["two exchanged"](*two(trained))), 10, batch_size=100)
    found = diagnostics.examine(classifier, {"name": "noise", "eps": "1/255"}, examples.images, examples.labels)
    assert "jumping_scores" not in {reason.name for reason in found.reasons}


@pytest.mark.parametrize("place", [0.05, 0.1, 0.9])
def test_the_place_of_the_change_is_found_to_a_two_millionth_of_the_line(place):
    """Two logits that are equal where the first pixel has gone this far."""

    def scores(images):
        gone = np.asarray(images)[:, 0, 0, 0]
        return np.stack([place - gone, gone - place], axis=1)

    images = np.stack([np.zeros((1, 1, 1)), np.ones((1, 1, 1))])
    task = Task(Classifier(scores, 2, batch_size=2), images, np.arange(2), np.arange(2), None, None)
    before, after = _sides(task, np.array([0]), np.array([1]), np.array([0]))[:, 0]
    assert before.argmax() == 0 and after.argmax() == 1
    assert after[1] - before[1] < 1.5 * 6.0**-8
