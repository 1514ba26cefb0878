"""Files from strangers are data: without trust nothing of theirs is run or imported. A marker file would tell."""

import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

import robust
from robust import keras_file
from robust.classifier import Classifier
from robust.errors import ModelError, SuiteError
from robust.loading import fingerprint, load


@pytest.fixture
def marker(tmp_path):
    """Where the code in the files below leaves a trace."""
    return tmp_path / "marker"


@pytest.fixture
def shady(tmp_path, marker, linear):
    """A .keras file with a Lambda that writes the marker; saving it ran it, so that is wiped away."""
    wrote = f"lambda x: [__import__('pathlib').Path({str(marker)!r}).touch(), x][1]"  # a path of its own, no closure
    model = linear(keras.layers.Lambda(eval(wrote)))
    model.save(tmp_path / "shady.keras")
    marker.unlink(missing_ok=True)
    return tmp_path / "shady.keras"


@pytest.fixture
def saved(tmp_path, marker, linear):
    """A SavedModel whose graph writes the marker when it is asked."""
    model = linear()

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 1])])
    def serve(images):
        tf.io.write_file(str(marker), "here")
        return {"logits": model(images)}

    module = tf.Module()
    module.model = model
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=serve)
    marker.unlink(missing_ok=True)
    return tmp_path / "saved"


@pytest.fixture
def custom(tmp_path, monkeypatch):
    """A .keras file with a layer of a module that writes the marker when it is imported; saved elsewhere."""
    (tmp_path / "theirs.py").write_text(
        textwrap.dedent(
            """
            import pathlib
            import keras
            pathlib.Path(__file__).with_name("marker").touch()
            class Twice(keras.layers.Layer):
                def call(self, x):
                    return 2 * x
            """
        )
    )
    code = """
        import keras, theirs
        x = keras.Input((4, 4, 1))
        head = keras.layers.Dense(3)(keras.layers.Flatten()(theirs.Twice()(x)))
        keras.Model(x, head).save("custom.keras")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "marker").unlink()
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "custom.keras"
    sys.modules.pop("theirs", None)


def suite(path, key='keras = "{}"'):
    text = f'data = {{ arrays = "data.npz" }}\n[model.mine]\n{key.format(path.name)}\n[case.clean]\n'
    (path.parent / "s.toml").write_text(text)
    return path.parent / "s.toml"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("shady", "shady.keras holds a Lambda, which runs somebody's code"),
        ("saved", "saved is a SavedModel, whose graph can read and write files"),
        ("custom", "custom.keras holds theirs.Twice, which runs somebody's code"),
    ],
)
def test_code_in_a_file_runs_only_when_trusted(kind, told, request, marker, data, tmp_path, dozen, monkeypatch):
    path = request.getfixturevalue(kind)
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "store"))
    with pytest.raises(ModelError) as caught:
        load(path)
    assert str(caught.value) == f"{tmp_path}/{told}; if you trust whoever made it, say so: --trust, or trust=True"
    with pytest.raises(ModelError, match="say so: --trust"):
        robust.evaluate(path, str(data), classes=3)
    with pytest.raises(SuiteError) as refused:
        robust.load(suite(path))
    assert str(refused.value).startswith(f"{tmp_path}/s.toml:3: {tmp_path}/{told}; if you trust this suite, say so")
    assert not marker.exists() and "theirs" not in sys.modules
    classifier = Classifier(load(path, trust=True), 3)
    assert classifier.logits(dozen[0]).shape == (12, 3)
    assert marker.exists()
    assert robust.value(robust.run(suite(path), tmp_path / "out", trust=True), "top1").n == 12


def test_a_saved_model_has_gradients_and_its_files_identify_it(saved, dozen, data):
    images, logits, labels = dozen
    np.testing.assert_allclose(Classifier(load(saved, trust=True), 3).logits(images), logits, atol=1e-5)
    table = robust.evaluate(saved, (images, labels), ["pgd"], eps=0.3, trust=True)
    assert robust.value(table, "top1", case="clean").value == 1 > robust.value(table, "top1", case="pgd").value
    before = fingerprint(saved)
    (saved / "more").write_text("x")
    assert fingerprint(saved) != before


def test_a_layer_for_a_saved_model_is_understood_in_memory(saved, dozen):
    layer = keras.layers.TFSMLayer(str(saved), call_endpoint="serving_default")
    inputs = keras.Input((4, 4, 1))
    classifier = Classifier(keras.Model(inputs, layer(inputs)), 3)
    np.testing.assert_allclose(classifier.logits(dozen[0]), dozen[1], atol=1e-5)


def test_a_layer_for_a_saved_model_in_a_keras_file_is_refused_too(saved, tmp_path, marker):
    inputs = keras.Input((4, 4, 1))
    layer = keras.layers.TFSMLayer(str(saved), call_endpoint="serving_default")
    keras.Model(inputs, layer(inputs)["logits"]).save(tmp_path / "wrapped.keras")
    with pytest.raises(ModelError, match=r"wrapped.keras holds a SavedModel, which runs somebody's code"):
        load(tmp_path / "wrapped.keras")
    assert not marker.exists()


def test_a_class_that_this_process_has_registered_is_known(tmp_path):
    @keras.saving.register_keras_serializable("mine")
    class Thrice(keras.layers.Layer):
        def call(self, x):
            return 3 * x

    inputs = keras.Input((4, 4, 1))
    keras.Model(inputs, Thrice()(inputs), name="net").save(tmp_path / "mine.keras")
    assert load(tmp_path / "mine.keras").name == "net"
    assert keras_file.foreign(tmp_path / "mine.keras")


def test_a_tflite_file_with_operations_of_tensorflow_is_refused(tmp_path, marker):
    @tf.function(input_signature=[tf.TensorSpec([1, 4, 4, 1])])
    def serve(images):
        tf.io.write_file(str(marker), "here")
        return tf.reshape(images, [1, 16])[:, :3]

    module = tf.Module()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([serve.get_concrete_function()], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    (tmp_path / "flex.tflite").write_bytes(converter.convert())
    with pytest.raises(ModelError, match=r"flex.tflite: runs FlexWriteFile, operations of TensorFlow that may"):
        load(tmp_path / "flex.tflite")
    assert not marker.exists()


def test_a_folder_that_is_no_saved_model_and_files_that_are_no_models_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"is a folder without saved_model.pb, so no SavedModel; give a .keras file"):
        load(tmp_path, trust=True)
    (tmp_path / "x.keras").write_bytes(b"PK\3\4 no zip")
    with pytest.raises(ModelError, match=r"x.keras: cannot be loaded as data \("):
        load(tmp_path / "x.keras")
    with pytest.raises(ModelError, match=r"x.kers: there is no such file; did you mean '.*x.keras'\?"):
        load(tmp_path / "x.kers")


def test_the_command_line_asks_for_trust(shady, data, marker):
    command = [sys.executable, "-m", "robust", "evaluate", str(shady), "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "shady.keras holds a Lambda, which runs somebody's code" in done.stderr and "Traceback" not in done.stderr
    assert not marker.exists()
    done = subprocess.run([*command, "--trust"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert marker.exists()
