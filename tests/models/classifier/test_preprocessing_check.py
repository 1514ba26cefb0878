"""A model that does not say how it wants its pixels, and is asked in the wrong range."""

import tomllib
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import robust
from robust.core.store import Store
from robust.models.classifier import Classifier
from robust.models.classifier.preprocessing_check import better
from robust.results.flags import FLAGS
from robust.suite.preprocessing import MODES, Preprocessing

pytestmark = pytest.mark.usefixtures("without_diagnostics")

random = np.random.default_rng(0)
IMAGES = random.uniform(0, 1, (300, 4, 4, 1)).astype(np.float32)
LABELS = np.digitize(IMAGES.mean(axis=(1, 2, 3)), [0.45, 0.55])


def graded(low, high):
    """Three classes by the mean grey: dark, middle, bright, of pixels from low to high."""
    inputs = keras.Input((4, 4, 1))
    grey = layers.Dense(1)
    head = layers.Dense(3)
    model = keras.Model(inputs, head(grey(layers.Flatten()(inputs))), name="graded")
    grey.set_weights([np.full((16, 1), 1 / 16), np.zeros(1)])
    one, two = (low + (high - low) * edge for edge in (0.45, 0.55))
    head.set_weights([np.array([[0.0, 1.0, 2.0]]), np.array([0.0, -one, -one - two])])  # dark, middle, bright
    return model


def found(classifier, images=IMAGES, labels=LABELS):
    """What `better` says of as many images as it asks for."""
    return better(classifier, lambda n: (images[:n], labels[:n]), len(images))


def black_box(model):
    return lambda x: model(x, training=False).numpy()


@pytest.mark.parametrize("wrapped", [lambda model: model, black_box])
@pytest.mark.parametrize(("low", "high"), [(0, 255), (-1, 1)])
def test_the_range_in_which_it_does_clearly_better_is_found(low, high, wrapped):
    doubt = found(Classifier(wrapped(graded(low, high)), 3))
    assert (doubt.preprocessing, doubt.other, doubt.n) == ((Preprocessing(low, high),), 1.0, 300) and doubt.own < 0.6
    assert str(doubt).endswith(f"100% with [{low}, {high}]: if that is intended, set preprocessing=[{low}, {high}]")
    assert doubt.reason.name == "wrong_preprocessing"


def test_nothing_is_said_where_the_range_is_right_or_no_range_helps():
    assert found(Classifier(graded(0, 1), 3)) is None
    assert found(Classifier(graded(0, 255), 3, preprocessing=(0, 255))) is None
    assert found(Classifier(graded(0, 255), 3), labels=random.permutation(LABELS)) is None


def test_what_is_declared_is_held_against_the_images_too():
    doubt = found(Classifier(graded(0, 255), 3, preprocessing=(0, 1)))
    assert (doubt.preprocessing, doubt.reason.name) == ((Preprocessing(0, 255),), "wrong_preprocessing")


def test_caffe_is_advised_and_not_the_range_that_is_half_right():
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.GlobalAveragePooling2D(), layers.Dense(3)])
    model.layers[-1].set_weights([np.eye(3), np.zeros(3)])  # the colour that is farthest above its mean
    images = random.uniform(0.3, 0.6, (300, 1, 1, 3)) * np.ones((1, 4, 4, 1))
    labels = (images[:, 0, 0, ::-1] * 255 - np.array(MODES["caffe"].mean)).argmax(axis=1)
    doubt = found(Classifier(model, 3), images.astype("float32"), labels)
    assert doubt.preprocessing == (MODES["caffe"],) and doubt.other == 1
    assert str(doubt).endswith(": if that is intended, set preprocessing='caffe'")
    assert found(Classifier(model, 3, preprocessing="caffe"), images.astype("float32"), labels) is None


def test_ways_that_do_equally_well_are_all_named_and_none_is_advised():
    model = keras.Sequential([keras.Input((4, 4, 3)), layers.GlobalAveragePooling2D(), layers.Dense(2)])
    model.layers[-1].set_weights([np.repeat([[-1.0, 1.0]], 3, axis=0), np.array([0.9, -0.9])])  # is it above 0.3?
    images = np.where(np.arange(200) % 2, 0.9, 0.2)[:, None, None, None] * np.ones((1, 4, 4, 3))
    doubt = found(Classifier(model, 2, preprocessing=(0, 255)), images.astype("float32"), np.arange(200) % 2)
    assert len(doubt.preprocessing) > 1 and doubt.other == 1 and doubt.reason.name == "wrong_preprocessing"
    assert " or " in str(doubt) and "if that is intended" not in str(doubt)


def test_of_few_images_there_is_a_suspicion():
    doubt = found(Classifier(graded(0, 255), 3), IMAGES[:8], LABELS[:8])
    assert doubt.reason.name == "preprocessing_guessed" and "which may be chance" in str(doubt)


@pytest.mark.slow
def test_a_function_that_refuses_other_ranges_is_believed():
    model = graded(0, 1)

    def strict(x):
        if x.max() > 1 or x.min() < 0:
            raise ValueError("pixels lie in [0, 1]")
        return model.predict(x, verbose=0)

    assert found(Classifier(strict, 3)) is None


def marks(table):
    return set(table["reliability"])


@pytest.mark.slow
@pytest.mark.parametrize("wrapped", [lambda model: model, black_box])
def test_every_number_is_marked_and_python_is_told(wrapped):
    with pytest.warns(UserWarning, match=r"100% with \[0, 255\]: if that is intended, set preprocessing=\[0, 255\]"):
        table = robust.evaluate(wrapped(graded(0, 255)), (IMAGES, LABELS), ["noise"], eps="1/255")
    assert marks(table) == {"invalid"} and {"clean", "noise"} == set(table["case"])
    assert (table.loc[table["subset"] == "wrong_preprocessing", "n"] == 300).all()
    table = robust.evaluate(wrapped(graded(0, 255)), (IMAGES, LABELS), ["noise"], eps="1/255", preprocessing=(0, 255))
    assert "invalid" not in marks(table) and robust.value(table, "top1", case="clean").value == 1
    assert marks(table[table["case"] == "clean"]) == {""}


@pytest.mark.slow
@pytest.mark.parametrize(("missing", "name"), [(0.1, "preprocessing_contradicted"), (0.5, "wrong_preprocessing")])
def test_a_model_that_sees_what_was_declared_is_in_doubt_where_another_way_suits_it_a_little_better(missing, name):
    """As where its averages have not settled: no other declaration would be the truth, so a bound may still pass."""
    net = graded(0, 1)

    def unsettled(x):
        right = net.predict(x / 255 if x.max() > 1 else x, verbose=0)
        odd = (x.max() > 1) & (IMAGES.shape[0] * x[:, 0, 0, 0] / 255 % 1 < missing)  # some of them, by a pixel
        return np.where(odd[:, None], np.roll(right, 1, axis=1), right)

    doubt = found(Classifier(unsettled, 3, preprocessing=(0, 255)))
    assert doubt.reason.name == name and doubt.other == 1 and abs(1 - doubt.own - missing) < 0.08
    assert found(Classifier(unsettled, 3, preprocessing=(0, 255))).used == Preprocessing(0, 255)
    assert FLAGS[name].level == ("suspect" if missing < 0.2 else "invalid")


@pytest.mark.slow
def test_few_images_are_marked_too():
    with pytest.warns(UserWarning, match="which may be chance"):
        table = robust.evaluate(graded(0, 255), (IMAGES[:8], LABELS[:8]))
    assert marks(table) == {"suspect"}


@pytest.mark.slow
def test_a_second_run_from_the_store_says_it_again(tmp_path):
    graded(0, 255).save(tmp_path / "net.keras")
    np.savez(tmp_path / "data.npz", x=IMAGES, y=LABELS)
    (tmp_path / "s.toml").write_text(
        'data = { arrays = "data.npz" }\n[model.net]\nkeras = "net.keras"\n[case.clean]\n'
        '[case.fog]\ncorruption = { name = "brightness" }\n'
    )
    for _ in range(2):
        with pytest.warns(UserWarning, match="net: .* if that is intended, set preprocessing"):
            table = robust.run(tmp_path / "s.toml", tmp_path / "out", store=Store(tmp_path / "store"))
        assert marks(table) == {"invalid"} and "mean_corruption_error" in set(table["metric"])
    page = (tmp_path / "out" / "index.html").read_text()
    assert "if that is intended, set preprocessing = [0, 255]" in page and "invalid" in page


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True])
def test_a_tflite_file_is_held_against_the_images_too(whole, tmp_path):
    """Floats say nothing of their range; whole numbers were calibrated on half of theirs."""
    converter = tf.lite.TFLiteConverter.from_keras_model(graded(0, 255) if not whole else graded(-1, 1))
    if whole:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None]] for image in IMAGES[:20] * 2 - 1)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        (tmp_path / "net.tflite").write_bytes(converter.convert())
    wanted = [-1, 1] if whole else [0, 255]
    if not whole:
        with pytest.warns(UserWarning, match=r"100% with \[0, 255\]: .* set preprocessing=\[0, 255\]"):
            table = robust.evaluate(tmp_path / "net.tflite", (IMAGES, LABELS), classes=3)
        assert marks(table) == {"invalid"}
    table = robust.evaluate(
        tmp_path / "net.tflite", (IMAGES, LABELS), classes=3, preprocessing=None if whole else wanted
    )
    assert "invalid" not in marks(table) and robust.value(table, "top1").value > 0.8
    with pytest.warns(UserWarning, match="if that is intended, set preprocessing"):
        table = robust.evaluate(tmp_path / "net.tflite", (IMAGES, LABELS), classes=3, preprocessing=(0, 1))
    assert marks(table) == {"invalid"}


@pytest.mark.slow
def test_a_callback_tells_once_and_the_remedy_is_right():
    """Trained on what its loader gives, grey levels, and watched with images in [0, 1]."""

    def fitted(**options):
        model = graded(0, 255)
        model.compile(keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        watch = robust.RobustAccuracy((IMAGES, LABELS), "fgsm", eps="1/255", max_images=300, **options)
        return model.fit(IMAGES * 255, LABELS, epochs=2, verbose=0, callbacks=[watch]).history["val_robust_accuracy"]

    with pytest.warns(UserWarning, match=r"graded: .* of 300 images .* with pixels \[0, 1\], 100%") as told:
        wrong = fitted()
    (said,) = [str(each.message) for each in told]
    remedy = tomllib.loads(said.partition("set ")[2])  # as it is to be typed
    assert remedy == {"preprocessing": [0, 255]}
    assert fitted(**remedy)[-1] > 0.9 > 0.6 > wrong[-1]


@pytest.mark.slow
def test_a_callback_tells_of_few_images_at_the_end():
    model = graded(0, 255)
    model.compile(keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    watch = robust.RobustAccuracy((IMAGES[:8], LABELS[:8]), "fgsm", eps="1/255")
    with pytest.warns(UserWarning, match="which may be chance") as told:
        model.fit(IMAGES[:8] * 255, LABELS[:8], epochs=2, verbose=0, callbacks=[watch])
    assert len(told) == 1
