"""Robust accuracy while Keras trains: the value, who sees it, what it costs, and what is refused."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import robust
from robust.core.errors import DataError, ModelError, SuiteError
from robust.datasets import fashion_mini
from robust.datasets.dataset import from_arrays, from_splits

pytestmark = pytest.mark.usefixtures("without_diagnostics")

KEYS = ["val_robust_accuracy", "val_robust_accuracy_low", "val_robust_accuracy_high"]
QUICK = {"name": "pgd", "steps": 3}


@pytest.fixture
def train(problem):
    """`train(model, callbacks, ...)`: compile it for whatever it ends in, and fit it to 64 images."""

    def fit(model, callbacks, epochs=2, rate=0.1, loss="sparse_categorical_crossentropy", **options):
        data = problem(64, seed=2)
        keras.utils.set_random_seed(1)  # of the order of the images
        model.compile(keras.optimizers.SGD(rate, **options), loss)
        return model.fit(data.images, data.labels, epochs=epochs, verbose=0, callbacks=callbacks)

    return fit


@pytest.fixture
def held_out(problem):
    data = problem(48, seed=3)
    return data.images, data.labels


def softmax(activation="softmax"):
    """One hidden layer and a softmax head, initialised from a fixed seed."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(16, "relu"), keras.layers.Dense(3, activation)]
    return keras.Sequential([keras.Input((6, 6, 1)), *layers])


def evaluated(model, data, attack, eps):
    row = robust.value(
        robust.evaluate(model, data, [attack], eps=eps, preprocessing=(0, 1)), "top1", case="pgd", allow_invalid=True
    )
    return row.value, row.ci_low, row.ci_high


@pytest.mark.slow_after_first
@pytest.mark.parametrize("head", ["softmax", "a layer", "logits"])
def test_it_is_what_evaluate_says_of_the_model_as_it_is_by_then(head, train, held_out):
    model = softmax("softmax" if head == "softmax" else None)
    if head == "a layer":
        model.add(keras.layers.Softmax())
    watch = robust.RobustAccuracy(held_out, QUICK, eps="8/255")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=head == "logits")
    history = train(model, [watch], epochs=3, loss=loss).history
    seen = list(zip(*(history[key] for key in KEYS), strict=True))
    assert seen[-1] == evaluated(model, held_out, QUICK, "8/255")
    assert len(set(seen)) > 1  # it moves, so the weights are those of the moment
    assert all(low < value < high for value, low, high in seen)


@pytest.mark.slow
def test_one_sigmoid_is_two_classes_and_is_followed_while_it_learns(held_out):
    """Bright at the top against bright at the bottom, to which nothing but learning leads."""
    images, labels = held_out
    images, labels = images[labels != 1], labels[labels != 1] // 2
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy")
    watch = robust.RobustAccuracy((images, labels), "fgsm", eps="1/255")
    seen = model.fit(images, labels, epochs=8, verbose=0, callbacks=[watch]).history["val_robust_accuracy"]
    assert watch._built[2].classes == ("0", "1")
    assert seen[-1] > max(0.8, seen[0])


@pytest.mark.slow
def test_it_traces_once_over_all_epochs_and_again_for_another_model_only(train, held_out):
    watch = robust.RobustAccuracy(held_out, QUICK, preprocessing=(0, 1))
    model = softmax()
    train(model, [watch], epochs=4)
    _, classifier, _ = watch._built
    train(model, [watch], epochs=2)
    assert watch._built[1] is classifier
    assert set(classifier.graphs.values()) == {1}
    train(softmax(), [watch], epochs=1)
    assert watch._built[1] is not classifier


@pytest.mark.slow
def test_dropout_is_off_and_batch_statistics_stay_as_training_left_them(build, train, held_out):
    left = []
    for callbacks in ([], [robust.RobustAccuracy(held_out, QUICK)]):
        model = build()
        train(model, callbacks, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        left.append(model.get_weights())
    for without, with_it in zip(*left, strict=True):
        np.testing.assert_array_equal(without, with_it)


@pytest.mark.slow
def test_early_stopping_and_checkpoints_go_by_it(build, train, held_out, tmp_path):
    """A network that is right, and a learning rate that ruins it: the first epoch is the best."""
    model, best = build(), tmp_path / "best.keras"
    stop = keras.callbacks.EarlyStopping("val_robust_accuracy", patience=2, mode="max", restore_best_weights=True)
    keep = keras.callbacks.ModelCheckpoint(best, monitor="val_robust_accuracy", mode="max", save_best_only=True)
    watch = robust.RobustAccuracy(held_out, QUICK, eps="4/255")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    history = train(model, [watch, stop, keep], epochs=8, rate=-0.05, loss=loss).history
    seen = history["val_robust_accuracy"]
    assert len(seen) == 1 + int(np.argmax(seen)) + 2 < 8
    loaded = keras.saving.load_model(best)
    for restored, kept in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(restored, kept)
    assert evaluated(loaded, held_out, QUICK, "4/255")[0] == max(seen)


@pytest.mark.slow
def test_who_comes_before_it_does_not_see_it(train, held_out):
    stop = keras.callbacks.EarlyStopping("val_robust_accuracy", mode="max")
    with pytest.warns(UserWarning, match="val_robust_accuracy` which is not available"):
        train(softmax(), [stop, robust.RobustAccuracy(held_out, QUICK, preprocessing=(0, 1))], epochs=1)


@pytest.mark.slow
def test_who_comes_after_it_sees_it_in_the_logs_of_the_epoch(train, held_out):
    """TensorBoard logs whatever stands there."""
    seen = []
    after = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs)))
    history = train(softmax(), [robust.RobustAccuracy(held_out, QUICK, preprocessing=(0, 1)), after], epochs=1).history
    assert seen == [{key: values[0] for key, values in history.items()}]
    assert set(KEYS) < set(history)


@pytest.mark.slow
def test_averaged_weights_are_asked_about_where_they_are_swapped_in_before(train, held_out):
    watch, averages, model = robust.RobustAccuracy(held_out, QUICK, preprocessing=(0, 1)), [], softmax()
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    after = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: averages.append(model.get_weights()))
    history = train(model, [swap, watch, after], epochs=2, use_ema=True, ema_momentum=0.9).history
    model.set_weights(averages[-1])
    assert evaluated(model, held_out, QUICK, "8/255")[0] == history["val_robust_accuracy"][-1]


@pytest.mark.slow
def test_between_two_looks_stands_nan_and_the_first_epoch_is_always_looked_at(train, held_out):
    watch, model = robust.RobustAccuracy(held_out, QUICK, every=3), softmax()
    seen = train(model, [watch], epochs=5).history["val_robust_accuracy"]
    assert [math.isnan(value) for value in seen] == [False, True, True, False, True]
    images, labels = held_out
    again = model.fit(images, labels, initial_epoch=5, epochs=7, verbose=0, callbacks=[watch])
    assert [math.isnan(value) for value in again.history["val_robust_accuracy"]] == [False, True]


@pytest.mark.slow
def test_of_a_data_set_it_takes_a_choice_of_the_validation_split(train, problem):
    data = problem(64, seed=5)
    splits = {"train": (data.images, data.labels), "validation": (data.images[:40], data.labels[:40])}
    watch = robust.RobustAccuracy(from_splits(splits, 3), QUICK, max_images=9, balanced=True)
    assert sorted(watch._examples.labels) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert all(name.startswith("validation-") for name in watch._examples.ids)
    history = train(softmax(), [watch], epochs=1).history
    low, high = history[KEYS[1]][0], history[KEYS[2]][0]
    assert high - low > 0.3  # of nine images nothing is known exactly


def test_fewer_images_than_asked_are_all_taken_and_batches_of_tf_data_will_do(held_out):
    watch = robust.RobustAccuracy(tf.data.Dataset.from_tensor_slices(held_out).batch(7), QUICK)
    np.testing.assert_array_equal(watch._examples.images, held_out[0])


@pytest.mark.slow
def test_classes_that_the_images_lack_are_counted_from_the_model(train, held_out):
    images, labels = held_out
    watch = robust.RobustAccuracy((images[labels < 2], labels[labels < 2]), QUICK)
    train(softmax(), [watch], epochs=1)
    assert watch._built[2].classes == ("0", "1", "2")


IMAGES, LABELS = np.zeros((4, 6, 6, 1), np.float32), [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("data", "options", "error", "words"),
    [
        ((IMAGES, LABELS), {"attack": "pdg"}, SuiteError, "no attacks named 'pdg'; did you mean 'pgd'?"),
        ((IMAGES, LABELS), {"attack": {"name": "pgd", "step": 3}}, SuiteError, "did you mean 'steps'?"),
        ((IMAGES, LABELS), {"attack": 5}, SuiteError, "must be a name, or a table with a name"),
        ((IMAGES, LABELS), {"attack": {"name": "pgd", "target": "next"}}, SuiteError, "an attack without one"),
        ((IMAGES, LABELS), {"eps": -1}, SuiteError, "a number >= 0"),
        ((IMAGES, LABELS), {"eps": ["2/255", "8/255"]}, SuiteError, "2 of them; one curve is logged"),
        ((IMAGES, LABELS), {"every": 0}, SuiteError, "every = 0: must be a number >= 1"),
        ((IMAGES, LABELS), {"max_images": 0}, SuiteError, "max_images = 0: must be a number >= 1"),
        ((IMAGES, LABELS), {"seed": "x"}, SuiteError, "seed = 'x'"),
        ((IMAGES + 2, LABELS), {}, DataError, "[0, 1]"),
        ((IMAGES, [0, 1]), {}, DataError, "labels: 2 of them for 4 images"),
        (IMAGES, {}, DataError, "got a ndarray"),
        (from_splits({"train": (IMAGES, LABELS), "test": (IMAGES, LABELS)}), {}, DataError, "no validation split"),
    ],
)
def test_what_is_wrong_is_said_before_there_is_a_model(data, options, error, words):
    with pytest.raises(error) as raised:
        robust.RobustAccuracy(data, **options)
    assert words in str(raised.value)


def test_a_model_that_does_not_fit_is_told_before_the_first_epoch(train):
    began = []
    begin = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: began.append(epoch))
    watch = robust.RobustAccuracy(from_arrays(IMAGES, LABELS, classes=5), QUICK)
    with pytest.raises(ModelError, match="the data has 5 classes"):
        train(softmax(), [begin, watch])
    assert began == []


def test_a_training_that_diverged_is_told(train, held_out):
    with pytest.raises(ModelError, match="NaN or infinite numbers; did its training diverge"):
        train(softmax(), [robust.RobustAccuracy(held_out, QUICK)], rate=1e38, epochs=5)


@pytest.mark.slow
def test_a_small_lenet_on_clothes(tmp_path):
    data = fashion_mini()
    images = data.examples("train", 500)
    keras.utils.set_random_seed(0)
    model = robust.models.architectures.lenet5(input_shape=data.image_shape, classes=10, width=0.5)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    watch = robust.RobustAccuracy(data, "fgsm", eps="1/255", max_images=50)
    history = model.fit(images.images, images.labels, epochs=2, verbose=0, callbacks=[watch]).history
    assert len(history["val_robust_accuracy"]) == 2
    assert history["val_robust_accuracy"][-1] > 0.2  # twice what guessing gives


@pytest.mark.slow
def test_of_several_outputs_one_is_named(held_out):
    image = keras.Input((6, 6, 1))
    flat = keras.layers.Flatten()(image)
    model = keras.Model(image, {"kind": keras.layers.Dense(3)(flat), "pose": keras.layers.Dense(3)(flat)})
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images, labels = held_out
    fit = {"x": images, "y": {"kind": labels, "pose": labels}, "epochs": 1, "verbose": 0}
    with pytest.raises(ModelError, match="specify which one classifies, as in output='kind'"):
        model.fit(**fit, callbacks=[robust.RobustAccuracy(held_out, QUICK, eps=0.05)])
    watch = robust.RobustAccuracy(held_out, QUICK, eps=0.05, output="pose")
    found = model.fit(**fit, callbacks=[watch]).history[KEYS[0]][-1]
    asked = {"model": model, "output": "pose"}
    table = robust.evaluate(asked, held_out, [QUICK], eps=0.05, classes=3)
    assert found == robust.value(table, "top1", case="pgd", allow_invalid=True).value
