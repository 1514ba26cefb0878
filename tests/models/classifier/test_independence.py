"""Each image is answered by itself, wherever in the batch it stands; and who answers by chance is told so."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import robust
from robust.core.errors import ModelError
from robust.models.classifier import Classifier, independence

random = np.random.default_rng(0)
IMAGES = random.uniform(0, 1, (9, 4, 4, 3)).astype(np.float32)
KERNEL = random.normal(size=(48, 3)).astype(np.float32)
BY_CHANCE = ("its outputs differ from call to call", "eot_iter = 10", "autoattack with version = rand")


class Of(keras.layers.Layer):
    """A function of the logits of a batch, or of its images."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


def linear(kernel=KERNEL, policy="float32"):
    layer = keras.layers.Dense(3, use_bias=False, dtype=policy)
    layer.build((None, 48))
    layer.set_weights([kernel])
    return layer


def net(after=None, before=None, head=None, **arguments):
    image = x = keras.Input(**(arguments or {"shape": (4, 4, 3)}))
    for layer in (before and Of(before), keras.layers.Flatten(), head or linear(), after and Of(after)):
        x = layer(x) if layer else x
    return keras.Model(image, x, name="net")


def look(model, size=7):
    return independence.examine(Classifier(model, 3, batch_size=size), IMAGES)


def places(z):
    return tf.cumsum(tf.ones_like(z[:, :1]), axis=0)


HANGING = {
    "another from the third place on": (lambda z: tf.where(places(z) > 2.5, z[:, ::-1], z), "at another position"),
    "another at one place": (lambda z: tf.where(places(z) == 5, z[:, ::-1], z), "at another position"),
    "a running sum": (lambda z: tf.cumsum(z, axis=0), "at another position"),
    "beside its neighbour": (lambda z: z + 0.8 * tf.concat([0 * z[:1], z[:-1]], axis=0), "at another position"),
    "beside the mean": (lambda z: z - 0.5 * tf.reduce_mean(z, axis=0, keepdims=True), "among other images"),
    "beside the largest": (lambda z: z / tf.reduce_max(tf.abs(z)), "among other images"),
    "by the number of images": (lambda z: z * (1 + tf.cast(tf.shape(z)[0], tf.float32)), "alone"),
}  # fmt: skip


@pytest.mark.parametrize("size", [7, 40])
@pytest.mark.parametrize("name", HANGING)
def test_what_hangs_on_the_batch_is_refused(name, size):
    function, where = HANGING[name]
    with pytest.raises(ModelError, match=f"model 'net' gives other outputs for an image {where}"):
        look(net(function), size)


def test_as_a_function_and_in_a_table_of_numbers_it_is_refused_too():
    model = net(HANGING["another from the third place on"][0])
    for given in (model, lambda images: model(images).numpy()):
        with pytest.raises(ModelError, match="other outputs for an image at another position in the batch: 4 of 9"):
            robust.evaluate(given, (IMAGES, np.zeros(9, int)), ["noise"], eps=0.1, classes=3)


def test_a_batch_of_fixed_size_is_asked_in_it_alone():
    assert look(net(batch_shape=(4, 4, 4, 3))) == ()
    with pytest.raises(ModelError, match="among other images"):
        look(net(HANGING["beside the mean"][0], batch_shape=(4, 4, 4, 3)))


@pytest.mark.parametrize("policy", ["float32", "float16", "bfloat16", "mixed_bfloat16"])
def test_other_roundings_in_another_batch_are_no_alarm(policy):
    """As processors have them: another order of sums for another place or size, here by hand, of a last digit."""
    step = {"float32": 2**-23, "float16": 2**-10}.get(policy, 2**-7)
    model = net(
        lambda z: z * tf.cast(1 + step * tf.sin(places(z) + tf.cast(tf.shape(z)[0], z.dtype)), z.dtype),
        head=linear(policy=policy),
    )
    assert look(model, 40) == ()


@pytest.mark.parametrize(
    "rounded", [lambda x: tf.round(255 * x) / 255, lambda x: tf.round(8 * x) / 8], ids=["a level", "an eighth"]
)
def test_rounding_inside_is_no_alarm(rounded):
    assert look(net(before=rounded), 40) == look(net(lambda z: tf.round(4 * z) / 4), 40) == ()


class Smoothed(keras.Model):
    """The share of random looks that vote for each class: two calls are often alike by chance."""

    def __init__(self, deviation, looks):
        super().__init__()
        self.net, self.deviation, self.looks = net(), deviation, looks

    def call(self, x):
        votes = [self.net(x + self.deviation * keras.random.normal(tf.shape(x))) for _ in range(self.looks)]
        return tf.add_n([tf.one_hot(tf.argmax(z, axis=1), 3) for z in votes])


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 40])
@pytest.mark.parametrize("deviation", [0.03, 0.1, 0.4])
def test_random_votes_are_chance_and_no_batch_normalisation(deviation, size):
    keras.utils.set_random_seed(1)
    model = Smoothed(deviation, 8)
    model(IMAGES)
    for _ in range(5):
        notes = look(model, size)
        assert len(notes) <= 1 and all(part in note for note in notes for part in BY_CHANCE)
    if (deviation, size) == (0.4, 40):
        (note,) = look(model, size)
        assert all(part in note for part in BY_CHANCE)


def test_where_memory_does_not_suffice_fewer_are_asked():
    def narrow(answer):
        def asked(images):
            if len(images) > 5:
                raise MemoryError
            return answer(images)

        return asked

    def sound(images):
        return images.reshape(-1, 48) @ KERNEL

    assert look(narrow(sound), 40) == ()
    with pytest.raises(ModelError, match="at another position in the batch"):
        look(narrow(lambda images: np.cumsum(sound(images), axis=0)), 40)


def test_infinite_answers_are_left_for_others_to_tell():
    with np.errstate(all="raise"):
        assert look(net(lambda z: z + np.inf)) == look(net(lambda z: z * np.nan)) == ()
