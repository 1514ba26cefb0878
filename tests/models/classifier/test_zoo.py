"""Awkward models: each is understood, and says how, or is refused with the reason and what to do."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import robust
from robust.attacks import pgd
from robust.core.errors import ModelError
from robust.models.classifier import Classifier, independence, main_logits

SHAPE = (4, 4, 3)
random = np.random.default_rng(0)
IMAGES = random.uniform(0, 1, (9, *SHAPE)).astype(np.float32)
KERNEL, BIAS = random.normal(size=(48, 3)).astype(np.float32), np.array([0.5, -1, 2], np.float32)
LOGITS = IMAGES.reshape(9, 48) @ KERNEL + BIAS
PLAIN = "pixels [0, 1], since nothing else is known"


def dense(width=3, **arguments):
    """The last layer with the weights that LOGITS are made of."""
    layer = layers.Dense(width, **arguments)
    layer.build((None, 48))
    layer.set_weights([KERNEL[:, :width], BIAS[:width]])
    return layer


def functional(*parts, shape=SHAPE, name="net", **arguments):
    output = inputs = keras.Input(shape, **arguments)
    for part in parts:
        output = part(output)
    return keras.Model(inputs, output, name=name)


def asked(model, classes=3, **arguments):
    return Classifier(model, classes, batch_size=4, **arguments)


def refusal(model, classes=3, **arguments):
    with pytest.raises(ModelError) as caught:
        classifier = asked(model, classes, **arguments)
        independence.examine(classifier, IMAGES)
        classifier.logits(IMAGES)
    return str(caught.value)


HEADS = {
    "activation": lambda: [dense(activation="softmax", name="head")],
    "layer": lambda: [dense(), layers.Softmax(name="head")],
    "activation layer": lambda: [dense(), layers.Activation("softmax", name="head")],
    "Lambda": lambda: [dense(), layers.Lambda(lambda z: tf.nn.softmax(z), name="head")],
    "Lambda by hand": lambda: [dense(), layers.Lambda(_softmax_by_hand, name="head")],
}


def _softmax_by_hand(z):
    powers = tf.exp(z - tf.reduce_max(z, axis=1, keepdims=True))
    return powers / tf.reduce_sum(powers, axis=1, keepdims=True)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("build", [functional, lambda *parts: keras.Sequential([keras.Input(SHAPE), *parts])])
def test_a_softmax_is_taken_off(head, build):
    model = build(layers.Flatten(), *HEADS[head]())
    assert model(IMAGES).numpy().sum(axis=1) == pytest.approx(1)
    classifier = asked(model)
    np.testing.assert_allclose(classifier.logits(IMAGES), LOGITS, atol=1e-5)
    assert classifier.notes == ("softmax of 'head' taken off", PLAIN)


def test_a_softmax_of_keras_ops_is_taken_off():
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, keras.ops.softmax(dense()(layers.Flatten()(inputs))))
    np.testing.assert_allclose(asked(model).logits(IMAGES), LOGITS, atol=1e-5)


class _Same(keras.layers.Layer):
    """Of somebody's own."""

    def call(self, x, factor=1.0):
        return x * factor


BEHIND = {
    "linear activation": lambda: [layers.Activation("linear", dtype="float32")],
    "Reshape": lambda: [layers.Reshape((3,))],
    "Flatten": lambda: [layers.Flatten()],
    "Identity": lambda: [layers.Identity()],
    "Dropout": lambda: [layers.Dropout(0.5)],
    "Dropout that stays on": lambda: [lambda p: layers.Dropout(0.5)(p, training=True)],
    "Lambda": lambda: [layers.Lambda(lambda p: p)],
    "own": lambda: [_Same()],
    "noise": lambda: [layers.GaussianNoise(0.1)],
    "operation": lambda: [lambda p: keras.ops.reshape(p, (-1, 3))],
    "several": lambda: [layers.Dropout(0.1), layers.Activation("linear"), layers.Reshape((3,))],
}


@pytest.mark.parametrize("behind", BEHIND)
def test_a_softmax_is_taken_off_with_what_hands_it_on(behind):
    model = functional(layers.Flatten(), dense(activation="softmax", name="head"), *BEHIND[behind]())
    classifier = asked(model)
    np.testing.assert_allclose(classifier.logits(IMAGES), LOGITS, atol=1e-5)
    assert classifier.notes[0] == "softmax of 'head' taken off"


@pytest.mark.parametrize("last", [layers.Reshape((3,)), layers.Flatten()])
def test_a_softmax_of_maps_of_one_pixel_is_taken_off(last):
    head = layers.Conv2D(3, 1, activation="softmax", name="head")
    model = functional(layers.Flatten(), layers.Reshape((1, 1, 48)), head, last)
    head.set_weights([KERNEL[:, :3][None, None], BIAS[:3]])
    np.testing.assert_allclose(asked(model).logits(IMAGES), LOGITS, atol=1e-5)


@pytest.mark.parametrize("behind", [lambda: [layers.Reshape((1,))], lambda: [layers.Dropout(0.5)]])
@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_one_number_handed_on_is_understood(behind, activation):
    model = functional(layers.Flatten(), dense(1, activation=activation, name="head"), *behind())
    np.testing.assert_allclose(asked(model, classes=2).logits(IMAGES)[:, 1], LOGITS[:, 0], atol=1e-5)


@pytest.mark.parametrize(
    "changes", [lambda p: _Same()(p, factor=2.0), layers.Rescaling(2.0), layers.Lambda(lambda p: p[:, ::-1])]
)
def test_what_changes_the_probabilities_stays(changes):
    model = functional(layers.Flatten(), dense(), layers.Softmax(), changes)
    assert main_logits.linear(model) is model


def test_a_softmax_inside_a_nested_model_is_taken_off():
    inner = functional(layers.Flatten(), dense(activation="softmax", name="head"), name="inner")
    for model in (functional(layers.Identity(), inner), keras.Sequential([keras.Input(SHAPE), inner])):
        classifier = asked(model)
        np.testing.assert_allclose(classifier.logits(IMAGES), LOGITS, atol=1e-5)
        assert classifier.notes[0] == "softmax of 'head' taken off"


def test_a_lambda_that_is_no_softmax_stays():
    model = functional(layers.Flatten(), dense(), layers.Lambda(lambda z: 2 * z))
    np.testing.assert_allclose(asked(model).logits(IMAGES), 2 * LOGITS, atol=1e-5)


@pytest.mark.slow_after_first
@pytest.mark.parametrize(
    ("head", "told"),
    [
        (lambda: [dense(1, activation="sigmoid", name="head")], "the sigmoid of 'head' taken off"),
        (lambda: [dense(1), layers.Activation("sigmoid", name="head")], "the sigmoid of 'head' taken off"),
        (lambda: [dense(1), layers.Lambda(tf.nn.sigmoid, name="head")], "the sigmoid of 'head' taken off"),
        (lambda: [dense(1, name="head")], "'head' gives one logit z"),
    ],
)
def test_one_output_becomes_the_logits_of_two_classes(head, told):
    model = functional(layers.Flatten(), *head())
    before = model(IMAGES).numpy()
    classifier = asked(model, classes=2)
    logits = classifier.logits(IMAGES)
    np.testing.assert_allclose(logits, np.stack([np.zeros(9), LOGITS[:, 0]], axis=1), atol=1e-5)
    assert classifier.notes[0] == f"{told}: two classes, of logits 0 and z"
    assert np.array_equal(model(IMAGES), before)  # the model itself stays as it is
    found = pgd(classifier, IMAGES, logits.argmax(axis=1), seeds=np.arange(9), eps=1.0, steps=10)
    assert (found.by != "").any()


def test_one_sigmoid_before_a_reshape_is_understood_all_the_same():
    inputs = keras.Input(SHAPE)
    z = layers.Reshape((1,))(dense(1)(layers.Flatten()(inputs)))
    model = keras.Model(inputs, layers.Activation("sigmoid")(z))
    np.testing.assert_allclose(asked(model, classes=2).logits(IMAGES)[:, 1], LOGITS[:, 0], atol=1e-5)


def test_one_number_that_nothing_explains_is_refused_with_the_way_out():
    model = functional(layers.Flatten(), dense(1), layers.Lambda(lambda z: 1 / (1 + 3**-z), name="odd"))
    message = refusal(model, classes=2)
    parts = ("'odd' ends the model in one number", "end it in Dense(1) or Dense(1, 'sigmoid')", "set black_box=True")
    assert all(part in message for part in parts)


def test_several_sigmoids_are_refused():
    model = functional(layers.Flatten(), dense(activation="sigmoid", name="head"))
    message = refusal(model)
    parts = ("'head' ends the model in a sigmoid", "end it in a logit per class", "without activation")
    assert all(part in message for part in parts)


def two_heads(structure):
    inputs = keras.Input(SHAPE)
    flat = layers.Flatten()(inputs)
    main, side = dense(activation="softmax", name="right"), layers.Dense(5, name="side")
    return keras.Model(inputs, structure(main(flat), side(flat)), name="net")


@pytest.mark.parametrize(
    ("structure", "output", "told"),
    [
        (lambda main, side: {"aux": side, "predictions": main}, None, "output 'predictions' of aux, predictions"),
        (lambda main, side: {"a": side, "b": main}, "b", "output 'b' of a, b"),
        (lambda main, side: {"a": side, "b": main}, "right", "output 'right' of a, b"),
        (lambda main, side: [side, main], "right", "output 'right' of side, right"),
        (lambda main, side: [side, main], None, "output 'right' of side, right: it has 3 numbers"),
        (lambda main, side: {"main": main, "aux": side}, None, "output 'main' of main, aux"),
        (lambda main, side: {"z": main, "side": side, "a": side}, "z", "output 'z' of z, side, a"),
        (lambda main, side: {"side": main, "right": side}, "side", "output 'side' of side, right"),
        (lambda main, side: {"only": main}, None, None),
        (lambda main, side: [main], None, None),
    ],
)
def test_of_several_outputs_the_one_that_classifies_is_found(structure, output, told):
    classifier = asked(two_heads(structure), output=output)
    np.testing.assert_allclose(classifier.logits(IMAGES), LOGITS, atol=1e-5)
    assert classifier.notes == (*([told] if told else []), "softmax of 'right' taken off", PLAIN)


def test_an_auxiliary_head_of_as_many_classes_must_be_told_from_the_main_one():
    inputs = keras.Input(SHAPE)
    flat = layers.Flatten()(inputs)
    model = keras.Model(inputs, [dense(name="one")(flat), layers.Dense(3, name="two")(flat)], name="net")
    message = refusal(model)
    assert all(part in message for part in ("model 'net' has 2 outputs, one, two;", "as in output='one'"))
    assert refusal(model, output="onn") == "model 'net' has no output 'onn'; did you mean 'one'?"
    np.testing.assert_allclose(asked(model, output="one").logits(IMAGES), LOGITS, atol=1e-5)


class Subclassed(keras.Model):
    """Layers one after the other; `wrap` makes the answer of what comes out."""

    def __init__(self, *parts, wrap=lambda x: x, training=None, **arguments):
        super().__init__(**arguments)
        self.parts, self.wrap, self.training = parts, wrap, training

    def call(self, images):
        for part in self.parts:
            modes = {"training": True} if self.training and isinstance(part, self.training) else {}
            images = part(images, **modes)
        return self.wrap(images)


def subclassed(*parts, **arguments):
    model = Subclassed(layers.Flatten(), *parts, name="net", **arguments)
    model(IMAGES)
    return model


@pytest.mark.parametrize(
    ("wrap", "output"),
    [
        (lambda x: x, None),
        (lambda x: {"logits": x, "features": x[:, :1]}, None),
        (lambda x: {"a": x[:, :1], "b": x}, "b"),
        (lambda x: [x[:, :1], x], "1"),
        (lambda x: (x,), None),
    ],
)
def test_a_subclassed_model_is_taken_at_its_word(wrap, output):
    np.testing.assert_allclose(asked(subclassed(dense(), wrap=wrap), output=output).logits(IMAGES), LOGITS, atol=1e-5)


def test_outputs_of_a_subclassed_model_that_nothing_tells_apart_are_refused():
    model = subclassed(dense(), wrap=lambda x: {"a": x, "b": x})
    assert refusal(model) == "model 'net' gives a, b; specify which one classifies, as in output='a'"


# What the inputs range over. The twin takes [0, 1]; each of these must answer as it does.


def preprocessed(mode):
    """LOGITS behind the very `preprocess_input` of keras.applications, undone inside."""

    def undo(x):
        if mode == "caffe":
            return (x + tf.constant([103.939, 116.779, 123.68]))[..., ::-1] / 255
        if mode == "torch":
            return x * tf.constant([0.229, 0.224, 0.225]) + tf.constant([0.485, 0.456, 0.406])
        return (x + 1) / 2

    return functional(layers.Lambda(undo), layers.Flatten(), dense())


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("caffe", "pixels [0, 255], minus (103.939, 116.779, 123.68), in the order BGR, as declared"),
        ("torch", "pixels [0, 1], minus (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225), as declared"),
        ("tf", "pixels [-1, 1], as declared"),
    ],
)
def test_the_modes_of_keras_applications_are_declared_by_name(mode, told):
    classifier = asked(preprocessed(mode), preprocessing=mode)
    np.testing.assert_allclose(classifier.logits(IMAGES), LOGITS, atol=1e-4)
    assert classifier.notes == (told,)
    theirs = keras.applications.imagenet_utils.preprocess_input(IMAGES * 255, data_format="channels_last", mode=mode)
    np.testing.assert_allclose(classifier.inputs(tf.constant(IMAGES)), theirs, atol=1e-3)


@pytest.mark.parametrize(
    ("pixels", "undo"),
    [
        ((0, 255), lambda x: x / 255),
        ((-1, 1), lambda x: (x + 1) / 2),
        ({"mean": [0.4], "std": [0.2]}, lambda x: x * 0.2 + 0.4),
        ({"range": [0, 255], "mean": [1, 2, 3], "std": [4, 5, 6]}, lambda x: (x * [4.0, 5, 6] + [1.0, 2, 3]) / 255),
        ({"order": "bgr"}, lambda x: x[..., ::-1]),
    ],
)
def test_other_inputs_are_declared(pixels, undo):
    classifier = asked(functional(layers.Lambda(undo), layers.Flatten(), dense()), preprocessing=pixels)
    np.testing.assert_allclose(classifier.logits(IMAGES), LOGITS, atol=1e-4)
    assert classifier.notes[-1].endswith(", as declared")


@pytest.mark.parametrize(
    ("first", "asked_with"),
    [
        (layers.Rescaling(1 / 255, name="first"), IMAGES),
        (layers.Normalization(mean=0.0, variance=255.0**2, name="first"), IMAGES),
        (layers.Normalization(mean=[127.5] * 3, variance=[127.5**2] * 3, name="first"), 2 * IMAGES - 1),
    ],
)
def test_a_first_layer_that_says_it_is_believed(first, asked_with):
    model = functional(first, layers.Flatten(), dense())
    classifier = asked(model)
    np.testing.assert_allclose(classifier.logits(IMAGES), asked_with.reshape(9, 48) @ KERNEL + BIAS, atol=1e-4)
    assert classifier.notes == ("pixels [0, 255], from its layer 'first'",)


@pytest.mark.slow
def test_channels_first_is_seen_by_the_shape():
    back = layers.Permute((2, 3, 1))
    model = functional(back, layers.Flatten(), dense(), shape=(3, 4, 4))
    classifier = asked(model)
    np.testing.assert_allclose(classifier.logits(IMAGES), LOGITS, atol=1e-5)
    assert classifier.notes == ("pixels [0, 1], channels first, since nothing else is known",)
    table = robust.evaluate(model, (IMAGES, LOGITS.argmax(axis=1)), ["fgsm"], eps=0.1)
    assert robust.value(table, "top1", case="clean").value == 1


def test_channels_first_of_unknown_size_is_declared():
    pool = layers.GlobalAveragePooling2D(data_format="channels_first")
    model = functional(pool, layers.Dense(3), shape=(3, None, None))
    logits = asked(model, preprocessing={"layout": "channels_first"}).logits(IMAGES)
    np.testing.assert_allclose(logits, model(IMAGES.transpose(0, 3, 1, 2)), atol=1e-6)


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        ("cafe", "preprocessing = 'cafe': not known; did you mean 'caffe'?"),
        (
            (255, 0),
            (
                "preprocessing = (255, 0): must be the lowest and the highest, as in preprocessing=[0, 255] or "
                "preprocessing='tf' or preprocessing='torch' or preprocessing='caffe'"
            ),
        ),
        ({"oder": "bgr"}, "preprocessing has no 'oder'; did you mean 'order'?"),
        ({"order": "bgrr"}, "preprocessing.order = 'bgrr'; did you mean 'bgr'?"),
        ({"mean": "x"}, "preprocessing.mean = 'x': must be a number for each channel"),
        ({"std": [0, 1, 1]}, "preprocessing.std = [0.0, 1.0, 1.0]: must be positive, and as many as mean"),
        ({"mean": [0.1, 0.2]}, "preprocessing.mean: 2 numbers, and model 'net' takes 3 channels"),
    ],
)
def test_what_cannot_be_read_is_refused(pixels, told):
    assert refusal(functional(layers.Flatten(), dense()), preprocessing=pixels) == told


@pytest.mark.parametrize(
    ("pixels", "told", "meant"),
    [
        (
            {"mean": [123.0, 117.0, 104.0], "std": [58.4, 57.1, 57.4]},
            "preprocessing.mean = [123, 117, 104]: no pixels in [0, 1] have such a mean; "
            "did you mean range = [0, 255]?",
            {"range": [0, 255]},
        ),
        (
            {"std": [58.4, 57.1, 57.4]},
            "preprocessing.std = [58.4, 57.1, 57.4]: no pixels in [0, 1] have such a std; "
            "did you mean range = [0, 255]?",
            {"range": [0, 255]},
        ),
        (
            {"range": [0, 255], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
            "preprocessing.mean = [0.485, 0.456, 0.406]: of pixels in [0, 1], and range = [0, 255]; "
            "did you mean range = [0, 1]?",
            {"range": [0, 1]},
        ),
        (
            {"range": [0, 255], "std": [0.229]},
            "preprocessing.std = [0.229]: of pixels in [0, 1], and",
            {"range": [0, 1]},
        ),
        (
            {"range": [-1, 1], "mean": [-1.5]},
            "preprocessing.mean = [-1.5]: no pixels in [-1, 1] have such a mean",
            {"mean": [0]},
        ),
    ],
)
def test_a_mean_of_other_pixels_is_refused_with_what_was_meant(pixels, told, meant):
    model = functional(layers.Flatten(), layers.Dense(3))
    assert refusal(model, preprocessing=pixels).startswith(told)
    assert asked(model, preprocessing={**pixels, **meant}).logits(IMAGES).shape == (9, 3)


@pytest.mark.slow
def test_any_size_of_images_will_do_where_the_model_takes_it():
    model = functional(layers.Conv2D(3, 3), layers.GlobalAveragePooling2D(), shape=(None, None, 3))
    classifier = asked(model)
    np.testing.assert_allclose(classifier.logits(IMAGES), model(IMAGES), atol=1e-5)
    table = robust.evaluate(model, (IMAGES, model(IMAGES).numpy().argmax(axis=1)), ["fgsm"], eps=0.1)
    assert robust.value(table, "top1", case="clean").value == 1


def test_a_model_built_for_a_batch_of_one_size_is_asked_in_that():
    inputs = keras.Input(batch_shape=(2, *SHAPE))
    classifier = Classifier(keras.Model(inputs, dense()(layers.Flatten()(inputs))), 3)
    assert classifier.batch_size == 2
    assert independence.examine(classifier, IMAGES) == ()
    np.testing.assert_allclose(classifier.logits(IMAGES), LOGITS, atol=1e-5)


@pytest.mark.parametrize("policy", ["float16", "bfloat16", "mixed_float16", "mixed_bfloat16"])
def test_half_precision_policies_are_asked_with_single_precision_images(policy):
    inputs = keras.Input(SHAPE)
    head = layers.Dense(3, "softmax", dtype=policy, name="head")
    model = keras.Model(inputs, head(layers.Flatten(dtype=policy)(inputs)))
    head.set_weights([KERNEL, BIAS])
    classifier = asked(model)
    logits = classifier.logits(IMAGES)
    assert (logits.dtype, classifier.dtype) == (np.float32, tf.float32)
    np.testing.assert_allclose(logits, LOGITS, atol=0.15)
    assert classifier.notes[0] == "softmax of 'head' taken off"


def test_dropout_that_was_built_with_training_on_is_asked_as_by_predict():
    inputs = keras.Input(SHAPE)
    drop = layers.Dropout(0.5, name="drop")
    model = keras.Model(inputs, dense()(drop(layers.Flatten()(inputs), training=True)))
    classifier = asked(model)
    np.testing.assert_allclose(classifier.logits(IMAGES), LOGITS, atol=1e-5)
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), LOGITS, atol=1e-5)
    assert classifier.notes[0] == "drop: called with training=True, evaluated in inference mode as by predict"


def test_augmentation_that_nobody_called_with_training_on_is_not_said_to_be():
    """Its default is training=True; predict asks it with False, and so do we."""
    inputs = keras.Input(SHAPE)
    flipped = layers.RandomFlip("horizontal")(layers.RandomRotation(0.2)(inputs))
    model = keras.Model(inputs, dense()(layers.Flatten()(flipped)))
    classifier = asked(model)
    np.testing.assert_allclose(classifier.logits(IMAGES), model.predict(IMAGES, verbose=0), atol=1e-5)
    assert not any("training" in said for said in classifier.notes)


def test_dropout_left_on_inside_is_told():
    model = subclassed(layers.Dropout(0.5), dense(), training=layers.Dropout)
    (told,) = independence.examine(asked(model), IMAGES)
    parts = ("its outputs differ from call to call", "eot_iter = 10", "autoattack with version = rand")
    assert all(part in told for part in parts)
    assert independence.examine(asked(subclassed(layers.Dropout(0.5), dense())), IMAGES) == ()


def test_batch_normalisation_in_training_mode_is_refused():
    model = subclassed(layers.BatchNormalization(), dense(), training=layers.BatchNormalization)
    message = refusal(model)
    assert message.startswith("model 'net' is changed by a call: a layer runs in training mode; ")
    assert message.endswith("write training=False, or pass the argument on: layer(x, training=training)")
    assert independence.examine(asked(subclassed(layers.BatchNormalization(), dense())), IMAGES) == ()


def test_an_answer_that_hangs_on_the_company_is_refused():
    model = subclassed(layers.Lambda(lambda x: x - tf.reduce_mean(x, axis=0, keepdims=True)), dense())
    assert refusal(model).startswith("model 'net' gives other outputs for an image among other images: ")
