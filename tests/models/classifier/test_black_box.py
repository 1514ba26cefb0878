"""Models that give answers only: functions, TFLite files, models asked as such."""

import subprocess
import sys
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import layers
from scipy.special import softmax

import robust
from robust.api.cli import app
from robust.attacks import noise, pgd, square, transfer
from robust.core.errors import ContractError, ModelError
from robust.core.remedies import using_interface
from robust.core.store import Store
from robust.datasets.dataset import from_arrays
from robust.models import input_checks
from robust.models.classifier import Classifier, tflite
from robust.models.classifier.black_box import BlackBox
from robust.models.loading import load
from robust.suite.preprocessing import MODES, Preprocessing

pytestmark = pytest.mark.usefixtures("without_diagnostics")

NO_GRADIENT = "use a black-box attack: square, transfer or noise"


@pytest.fixture
def predict(linear):
    """Probabilities in float32, as a service gives them."""
    kernel = linear().get_layer("head").kernel.numpy()
    return lambda x: softmax(x.reshape(len(x), -1) @ kernel, axis=1).astype("float32")


def test_python_is_not_compiled_for_a_gpu(predict, dozen, monkeypatch):
    monkeypatch.setattr("robust.models.classifier.classifier._has_gpu", lambda: True)
    images, logits, _ = dozen
    np.testing.assert_allclose(Classifier(predict, 3).logits(images).argmax(axis=1), logits.argmax(axis=1))


def test_a_function_of_probabilities_answers_with_their_logarithms(predict, dozen):
    images, logits, _ = dozen
    classifier = Classifier(predict, 3, batch_size=8)
    found = classifier.logits(images)
    np.testing.assert_allclose(softmax(found, axis=1), softmax(logits, axis=1), atol=1e-5)
    assert (classifier.is_black_box, classifier.n_forward, classifier.n_backward) == (True, 16, 0)
    assert classifier.notes[0].startswith("a black box without gradients, for square, transfer or noise; ")


def test_logits_are_taken_as_they_are(dozen):
    images, *_ = dozen
    np.testing.assert_allclose(Classifier(lambda x: x[:, 0, :3, 0] * 9, 3).logits(images), images[:, 0, :3, 0] * 9)


def test_one_probability_is_that_of_the_second_class(dozen):
    images, *_ = dozen
    for answer in (lambda x: x[:, 0, 0, 0], lambda x: x[:, 0, 0]):
        found = softmax(Classifier(answer, 2).logits(images), axis=1)
        np.testing.assert_allclose(found[:, 1], images[:, 0, 0, 0], atol=1e-5)


def test_images_come_in_the_range_that_is_declared(dozen):
    seen = []

    def answer(x):
        seen.append(x)
        return x[:, 0, :3, 0]

    Classifier(answer, 3, preprocessing=(0, 255), batch_size=12).logits(dozen[0])
    np.testing.assert_allclose(seen[-1], dozen[0] * 255, rtol=1e-6)


@pytest.mark.slow
def test_attacks_by_answers_work_and_agree_with_those_on_the_model_itself(predict, linear, dozen):
    images, _, labels = dozen
    black, white = Classifier(predict, 3, batch_size=4), Classifier(linear(), 3, batch_size=4)
    seeds = np.arange(12)
    for attack, options in ((square, {"n_queries": 60}), (noise, {"repeats": 20})):
        found, same = (attack(c, images, labels, seeds=seeds, eps=0.1, **options) for c in (black, white))
        assert 0 < (found.by != "").sum() < 12
        assert (found.by == same.by).mean() > 0.9
        fooling = white.logits(found.images).argmax(axis=1) != labels
        assert np.array_equal(fooling, found.by != "")
    shown = transfer(black, images, labels, seeds=seeds, eps=0.3, source=white, attack={"name": "pgd", "steps": 5})
    assert (shown.by == "transfer").any()
    assert not black.graphs or max(black.graphs.values()) == 1


@pytest.mark.slow
def test_attacks_by_gradients_are_refused_with_the_way_out(predict, dozen):
    images, _, labels = dozen
    with pytest.raises(ModelError) as caught:
        pgd(Classifier(predict, 3, batch_size=4), images, labels, seeds=np.arange(12), eps=0.1)
    assert str(caught.value) == f"model 'lambda' has no gradient from its logits to its pixels; {NO_GRADIENT}"
    with pytest.raises(ModelError) as caught:
        robust.evaluate(predict, (images, labels), ["square", "pgd"], eps=0.1)
    told = "model 'lambda' gives outputs and no gradients, which pgd needs"
    assert str(caught.value) == f"{told}; {NO_GRADIENT}"
    with pytest.raises((ModelError, ContractError)):
        robust.evaluate(predict, (images, labels), ["foolbox:LinfPGD"], eps=0.1)


def test_evaluate_takes_a_function(predict, dozen, tmp_path):
    images, _, labels = dozen
    attacks = [{"name": "square", "n_queries": 30}, "noise"]
    table = robust.evaluate(predict, (images, labels), attacks, eps=0.3, out=tmp_path)
    assert robust.value(table, "top1", case="clean").value == 1
    assert robust.value(table, "top1", case="square", allow_invalid=True).value < 1
    assert (table["n_backward"] == 0).all()
    assert "a black box without gradients, for square, transfer or noise" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda x: x, r"float32 of shape \(\d+, 4, 4, 1\) for \d+ images; it must give a number for each class"),
        (lambda x: x[:1, 0, :3, 0], "float32 of shape \\(1, 3\\) for"),
        (lambda x: "no", "<U2 of shape \\(\\) for"),
        (lambda x: x[:, 0, 0, 0] - 7, "gives one number per image, from .* no probability; give that of"),
        (lambda x: 1 / 0, "failed when it was called: ZeroDivisionError: division by zero"),
        (lambda x: x[:, 0, :2, 0], r"gives outputs of shape \(2,\), but the data has 3 classes"),
    ],
)
def test_a_function_that_answers_otherwise_is_refused(answer, told, dozen):
    images, _, labels = dozen
    with pytest.raises(ModelError, match=f"^model 'lambda' (gives )?{told}"):
        robust.evaluate(answer, (images, labels))


@pytest.mark.slow
def test_an_error_in_the_middle_of_an_attack_is_told_in_its_own_words(dozen):
    images, _, labels = dozen
    asked = []

    def answer(x):
        asked.append(len(x))
        if len(asked) > 300:
            raise ConnectionError("the service has gone")
        return np.eye(3)[[0] * len(x)]

    with pytest.raises(ModelError, match=r"square\[answer\]: model 'answer' failed .*: ConnectionError"):
        robust.evaluate(answer, (images, 0 * labels), ["square"], eps=0.1, classes=3)


@pytest.mark.slow
def test_answers_by_chance_are_told(dozen):
    random = np.random.default_rng(0)
    lines = []
    progress = type(
        "Told", (), {"stage": lambda *_: None, "advance": lambda *_: None, "say": lambda _, line: lines.append(line)}
    )()
    robust.evaluate(lambda x: random.normal(size=(len(x), 3)), (dozen[0], dozen[2]), progress=progress)
    assert any("its outputs differ from call to call" in line for line in lines)


@pytest.mark.slow
def test_a_tflite_file_is_a_black_box_that_agrees_with_its_model(lite, dozen, tmp_path, data):
    images, logits, labels = dozen
    model = load(lite(tmp_path / "net.tflite"))
    assert isinstance(model, BlackBox)
    found = Classifier(model, 3, batch_size=5).logits(images)
    np.testing.assert_allclose(softmax(found, axis=1), softmax(logits, axis=1), atol=1e-5)
    table = robust.evaluate(tmp_path / "net.tflite", str(data), [{"name": "square", "n_queries": 30}], eps=0.3)
    assert (
        robust.value(table, "top1", case="clean").value
        == 1
        > robust.value(table, "top1", case="square", allow_invalid=True).value
    )
    with pytest.raises(ModelError, match=f"^model 'net' gives outputs and no gradients.*{NO_GRADIENT}"):
        robust.evaluate(tmp_path / "net.tflite", str(data), ["fgsm"], eps=0.3)
    assert (labels == found.argmax(axis=1)).all()


@pytest.mark.slow
def test_a_quantised_tflite_file_takes_and_gives_numbers_again(lite, dozen, tmp_path):
    images, logits, _ = dozen
    found = Classifier(load(lite(tmp_path / "q.tflite", quantised=True)), 3).logits(images)
    np.testing.assert_allclose(softmax(found, axis=1), softmax(logits, axis=1), atol=0.06)


@pytest.mark.slow
def test_a_suite_names_a_tflite_file(lite, data, tmp_path, monkeypatch):
    lite(tmp_path / "net.tflite")
    suite = tmp_path / "s.toml"
    suite.write_text(
        'data = { arrays = "data.npz" }\n[model.mine]\ntflite = "net.tflite"\n[case.square]\n'
        'attack = { name = "square", eps = "30/255", n_queries = 20 }\n'
    )
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "store"))
    assert robust.value(robust.run(suite, tmp_path / "out"), "top1", allow_invalid=True).n == 12
    suite.write_text(suite.read_text().replace('"net.tflite"', '"net.tflite"\ntrain = { recipe = "short" }'))
    with pytest.raises(robust.RobustError, match=r"s.toml:4: train: a model of a TFLite file cannot be trained"):
        robust.load(suite)


@pytest.mark.slow
def test_an_inspection_of_a_black_box_is_refused(lite, data, tmp_path):
    lite(tmp_path / "net.tflite")
    suite = tmp_path / "s.toml"
    suite.write_text('data = { arrays = "data.npz" }\n[model.m]\ntflite = "net.tflite"\n[case.c]\nprofile = ["cost"]\n')
    with pytest.raises(ModelError, match="gives outputs only, and cost needs its layers; leave out profile"):
        robust.run(suite, tmp_path / "out", store=Store(tmp_path / "store"))


@pytest.mark.parametrize("measure", ["structure", "clusters", "outliers"])
def test_a_measure_that_looks_at_features_is_refused_for_a_black_box(predict, dozen, measure):
    from robust.core.signature import bind
    from robust.engine.early_checks import check

    classifier = Classifier(predict, 3, batch_size=8)
    check(classifier, dozen[0][:1], [bind("metrics", "confusion")], print)
    with pytest.raises(ModelError, match=f"{measure} needs features; leave it out of metrics"):
        check(classifier, dozen[0][:1], [bind("metrics", measure)], print)


def test_what_is_no_tflite_file_is_refused(tmp_path):
    (tmp_path / "x.tflite").write_bytes(b"x" * 100)
    with pytest.raises(ModelError, match=r"x.tflite: is not a TFLite model that can be run \("):
        load(tmp_path / "x.tflite")
    with pytest.raises(ModelError, match=r"y.tflite: there is no such file"):
        load(tmp_path / "y.tflite")


@pytest.mark.slow
def test_a_model_whose_softmax_cannot_be_taken_off_can_be_asked_as_a_black_box(dozen):
    images, *_ = dozen
    inputs = keras.Input((4, 4, 1))
    powers = keras.ops.exp(keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
    model = keras.Model(inputs, {"p": powers / keras.ops.sum(powers, axis=1, keepdims=True), "x": powers}, name="net")
    labels = model(images)["p"].numpy().argmax(axis=1)
    with pytest.raises(ModelError, match="or set black_box=True"):
        robust.evaluate({"model": model, "output": "p"}, (images, labels), classes=3)
    asked = {"model": model, "output": "p", "black_box": True}
    table = robust.evaluate(asked, (images, labels), ["square"], eps=0.5, classes=3)
    assert (
        robust.value(table, "top1", case="clean").value
        == 1
        > robust.value(table, "top1", case="square", allow_invalid=True).value
    )
    with pytest.raises(ModelError, match=r"model: a model has no 'blak_box'; did you mean 'black_box'\?"):
        robust.evaluate({"model": model, "blak_box": True}, (images, labels))


def test_the_graph_of_a_model_is_not_asked_for_gradients_through_its_answers(linear, dozen):
    from robust.models.classifier import black_box

    classifier = Classifier(black_box.as_black_box(linear(activation="softmax"), 3), 3, batch_size=4)
    assert classifier.weights == Classifier(linear(activation="softmax"), 3).weights
    with pytest.raises(ModelError, match="has no gradient"):
        classifier.gradient(tf.constant(dozen[0]), tf.constant(dozen[2]), lambda z, y: z[:, 0])


def test_answers_are_probabilities_for_all_images_or_for_none():
    rows = np.tile(np.array([[0.2, 0.3, 0.5], [1.0, 2.0, 3.0]], np.float32), (6, 1))

    def answer(x):  # the first pixel tells which row
        return rows[x[:, 0, 0, 0].astype(int)]

    model = BlackBox(answer, "mixed")
    odd, even = np.ones((2, 4, 4, 1), np.float32), np.zeros((2, 4, 4, 1), np.float32)
    np.testing.assert_allclose(model(tf.constant(even)), np.log(rows[[0, 0]]), atol=1e-6)
    with pytest.raises(ModelError) as caught:
        model(tf.constant(np.concatenate([even, odd])))
    parts = ("model 'mixed' gave probabilities", "sum to 6, the smallest 1", "probabilities for every image, or logits")
    assert all(part in str(caught.value) for part in parts)
    model = BlackBox(answer, "logits")
    for batch in (np.concatenate([even, odd]), even):
        np.testing.assert_allclose(model(tf.constant(batch)), answer(batch))


@pytest.fixture
def details():
    """`details(dtype, scale, zero)`, as an interpreter gives them."""
    return lambda dtype, scale, zero: {"dtype": dtype, "quantization": (scale, zero)}


@pytest.mark.parametrize("classes", [4, 100, 1000])
def test_a_quantised_softmax_is_believed_as_it_stands(details, classes):
    true = softmax(6 * np.random.default_rng(0).normal(size=(200, classes)), axis=1)
    steps = np.clip(np.rint(256 * true), 0, 255).astype(np.uint8)
    p = tflite._plain(steps, details(np.uint8, 1 / 256, 0))
    total = steps.sum(axis=1, keepdims=True) / 256
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(p.max(axis=1), (steps / 256 / np.maximum(total, 1)).max(axis=1), rtol=5e-3)
    assert (p[(total < 1)[:, 0]] > 0).all() and (p <= np.maximum(steps, 0.5) / 256 / np.minimum(total, 1) + 1e-6).all()


def test_a_quantised_softmax_is_told_by_its_scale(details):
    steps = np.array([[0] * 997 + [10, 20, 30]], np.uint8)  # sums to 60 of 256: rounding swallowed the others
    p = tflite._plain(steps, details(np.uint8, 1 / 256, 0))
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(p[0, -1] / p[0, -3], 3, rtol=1e-5)
    assert 0 < p[0, 0] < p[0, -3] / 10
    np.testing.assert_allclose(tflite._plain(steps[:, -1:], details(np.uint8, 1 / 256, 0)), [[30 / 256]])
    np.testing.assert_allclose(tflite._plain(steps, details(np.uint8, 0.5, 0)), steps / 2)


@pytest.mark.parametrize(
    ("low", "high", "wants"),
    [
        (0, 1, Preprocessing()),
        (0, 0.83, Preprocessing()),
        (0, 255, Preprocessing(0, 255)),
        (0, 201, Preprocessing(0, 255)),
        (-1, 1, MODES["tf"]),
        (-0.9, 0.95, MODES["tf"]),
        (-2.1, 2.5, MODES["torch"]),
        (-120, 149, MODES["caffe"]),
    ],
)
def test_the_range_of_a_calibration_is_taken_for_the_usual_one_that_holds_it(details, low, high, wants):
    scale = (high - low) / 255
    given = {**details(np.uint8, scale, round(-low / scale)), "shape": [1, 8, 8, 3]}
    found, why = tflite._pixels(given)
    assert found == wants and why.endswith("the usual range nearest to that of its calibration")


def test_a_calibration_of_no_usual_range_is_taken_as_it_is(details):
    found, why = tflite._pixels({**details(np.uint8, 3.25 / 255, 33), "shape": [1, 8, 8, 1]})
    np.testing.assert_allclose((found.low, found.high), (-0.42, 2.83), atol=0.01)
    assert why == "from its calibration, since nothing else is known"
    assert tflite._pixels({**details(np.float32, 0.0, 0), "shape": [1, 8, 8, 1]}) == (None, "")
    found, why = tflite._pixels({**details(np.uint8, 0.0, 0), "shape": [1, 8, 8, 1]})
    assert (found, why) == (Preprocessing(0, 255), "from its inputs of type uint8")


def test_a_quantised_file_is_asked_in_the_usual_range(lite, tmp_path):
    found = Classifier(load(lite(tmp_path / "q.tflite", quantised=True)), 3)
    assert found.preprocessing == Preprocessing() and found.notes[-1].startswith(
        "pixels [0, 1], its calibration being [0, 0."
    )
    said = Classifier(load(tmp_path / "q.tflite"), 3, preprocessing=(0, 1))
    assert said.notes[-1] == "pixels [0, 1], as declared"


@pytest.mark.slow
def test_any_function_that_runs_tensorflow_answers_on_one_core(tmp_path):
    """Inside of a graph it would wait for itself: one thread between operations is held by the graph."""
    script = tmp_path / "one.py"
    script.write_text(
        "import keras, numpy as np, robust, tensorflow as tf\n"
        "tf.config.threading.set_inter_op_parallelism_threads(1)\n"
        "tf.config.threading.set_intra_op_parallelism_threads(1)\n"
        "m = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])\n"
        "x = np.random.default_rng(0).random((30, 4, 4, 1), 'float32')\n"
        "ask = lambda x: m.predict(x * 255, verbose=0)\n"
        "square = {'name': 'square', 'n_queries': 5}\n"
        "table = robust.evaluate(ask, (x, ask(x).argmax(1)), [square, 'noise'], eps='1/255', classes=3)\n"
        "print(robust.value(table, 'top1', case='clean').value)\n"
    )
    bound = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n" if sys.platform == "linux" else ""
    script.write_text(bound + script.read_text())
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=600)  # ends what hangs
    assert done.stdout.strip() == "1.0", done.stderr[-2000:]


def test_a_file_that_wants_bytes_gets_them(linear, dozen, tmp_path):
    bytes_in = linear(keras.layers.Rescaling(1 / 255), activation="softmax")
    converter = tf.lite.TFLiteConverter.from_keras_model(bytes_in)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    ends = [np.zeros((1, 4, 4, 1), np.float32), np.full((1, 4, 4, 1), 255, np.float32)]
    converter.representative_dataset = lambda: ([image] for image in [*ends, *(dozen[0][:, None] * 255)])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        (tmp_path / "bytes.tflite").write_bytes(converter.convert())
    classifier = Classifier(load(tmp_path / "bytes.tflite"), 3)
    np.testing.assert_allclose((classifier.preprocessing.low, classifier.preprocessing.high), (0, 255), atol=0.01)
    np.testing.assert_allclose(softmax(classifier.logits(dozen[0]), axis=1), softmax(dozen[1], axis=1), atol=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["python", "command"])
def test_of_several_outputs_the_remedy_is_the_same_from_python_and_the_command_line(how, dozen, tmp_path, monkeypatch):
    images = dozen[0]
    image = keras.Input(images.shape[1:])
    flat = layers.Flatten()(image)
    names = ("kind", "pose")
    keras.utils.set_random_seed(1)  # each class is answered
    heads = [layers.Dense(3, "softmax", name=name)(flat) for name in names]
    model = keras.Model(image, dict(zip(names, heads, strict=True)), name="net")
    model.save(tmp_path / "net.keras")
    labels = model(images)["kind"].numpy().argmax(axis=1)
    np.savez(tmp_path / "d.npz", x=images, y=labels)
    monkeypatch.chdir(tmp_path)

    def asked(**options):
        if how == "python":
            return robust.evaluate(model, (images, labels), black_box=True, preprocessing=(0, 1), **options)
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        command = [
            "evaluate",
            "net.keras",
            "--data",
            "d.npz",
            "--black-box",
            "--preprocessing",
            "0",
            "1",
            "--out",
            "out",
        ]
        assert app([*command, *words], result_action="return_value", exit_on_error=False) == 0
        return pd.read_csv("out/results.csv")

    with (
        pytest.raises(ModelError, match="has 2 outputs, kind, pose; specify which one classifies, as in ") as told,
        using_interface(how),
    ):
        asked()
    remedy = str(told.value).partition("as in ")[2]
    assert remedy == {"python": "output='kind'", "command": "--output kind"}[how]
    table = asked(output="kind")
    assert table.loc[table["metric"] == "top1", "value"].iloc[0] == 1


def bright(x):
    return np.asarray(x).mean(axis=(1, 2, 3))


def greys(count=40):
    """Dark images, whose negatives are bright."""
    images = np.random.default_rng(0).uniform(0.05, 0.45, (count, 4, 4, 1)).astype("float32")
    return images, np.arange(count) % 3


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["probabilities", "logits"])
@pytest.mark.parametrize("told", [np.nan, np.inf, "refused", "zeros"])
def test_no_answer_to_images_of_ours_decides_or_fails_anything(answer, told, predict):
    def plain(x):
        return predict(x) if answer == "probabilities" else np.log(predict(x)) + 1

    def ask(x):
        found = plain(x)
        if told == "refused" and (bright(x) > 0.5).any():
            raise ValueError("too bright")
        found[bright(x) > 0.5] = 0 if isinstance(told, str) else told
        return found

    images, labels = greys()
    for some in (images, images[:1]):
        data = from_arrays(some, labels[: len(some)], ("a", "b", "c"))
        found, same = (Classifier(each, 3, batch_size=len(some)) for each in (ask, plain))
        assert input_checks.at(found, data) == input_checks.at(same, data) == ([], [])
        np.testing.assert_array_equal(found.logits(some), same.logits(some))
        assert found.model.gives_probabilities == (answer == "probabilities")


@pytest.mark.slow
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("places", [[0], [5], [0, 1, 30], range(30), range(40)])
def test_a_function_without_numbers_for_some_images_is_named_with_how_many(bad, places, predict):
    images, labels = greys()
    images[list(places), 0, 0, 0] = 0.99
    for answer in (predict, lambda x: predict(x) * 3, lambda x: predict(x)[:, 1]):

        def ask(x, answer=answer):
            found = answer(x)
            found[x[:, 0, 0, 0] > 0.98] = bad
            return found

        classifier = Classifier(ask, 3 if answer(images).ndim == 2 else 2)
        input_checks.at(classifier, from_arrays(images, labels % classifier.classes))
        assert all(np.isfinite(doubt.value) and doubt.n <= 40 - len(places) for doubt in classifier.doubts)
        with pytest.raises(ModelError) as caught:
            classifier.logits(images)
        assert str(caught.value) == f"model 'ask' gives NaN or infinite outputs for {len(places)} of 40 images"


@pytest.mark.slow
def test_evaluate_names_a_function_that_gives_nan(predict):
    images, labels = greys()
    images[30:33, 0, 0, 0] = 0.99
    with pytest.raises(ModelError, match=r"model 'ask' gives NaN or infinite outputs for 3 of 40 images$"):
        robust.evaluate(named_ask(predict), (images, labels))


def named_ask(predict):
    def ask(x):
        return np.where(x[:, :1, 0, 0] > 0.98, np.nan, predict(x))

    return ask


def test_no_black_box_is_asked_for_the_layers_of_its_logarithm(predict):
    images, _ = greys()
    box = BlackBox(lambda x: predict(x) * (3 if len(x) == 7 else 1), "moody")
    classifier = Classifier(box, 3, batch_size=7)
    assert (classifier.logits(images[:7]) > 1).any()
    classifier.batch_size = 8
    with pytest.raises(ModelError, match="model 'moody' gave other numbers at first, and now probabilities; it must"):
        classifier.logits(images[:8])
