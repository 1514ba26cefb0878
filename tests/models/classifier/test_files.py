"""Files from strangers are data: without trust nothing of theirs is run or imported. A marker file would tell."""

import importlib
import re
import subprocess
import sys
import textwrap
import warnings
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import robust
from robust.api import cli
from robust.api.cli import main
from robust.core import keras_files
from robust.core.errors import ModelError, SuiteError
from robust.core.progress import Silent
from robust.core.signature import bind
from robust.core.store import Store
from robust.engine import prepare_models
from robust.models.classifier import Classifier
from robust.models.loading import fingerprint, load
from robust.suite import Model, Python, read_data, read_model

pytestmark = pytest.mark.usefixtures("without_diagnostics")


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
def custom(tmp_path, monkeypatch, linear):
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
        import keras, numpy, theirs
        x = keras.Input((4, 4, 1))
        head = keras.layers.Dense(3, use_bias=False)
        model = keras.Model(x, head(keras.layers.Flatten()(theirs.Twice()(x))))
        head.set_weights([numpy.load("kernel.npy")])
        model.save("custom.keras")
    """
    np.save(tmp_path / "kernel.npy", linear().get_layer("head").kernel)
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "marker").unlink()
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "custom.keras"
    sys.modules.pop("theirs", None)


def suite(path, key='keras = "{}"'):
    text = f'data = {{ arrays = "data.npz" }}\n[model.mine]\n{key.format(path.name)}\n[case.clean]\n'
    (path.parent / "s.toml").write_text(text)
    return path.parent / "s.toml"


@pytest.mark.slow_after_first
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("shady", "shady.keras holds a Lambda, which runs third-party code"),
        ("saved", "saved is a SavedModel, whose graph can read and write files"),
        ("custom", "custom.keras holds theirs.Twice, which runs third-party code"),
    ],
)
def test_code_in_a_file_runs_only_when_trusted(kind, told, request, marker, data, tmp_path, dozen, monkeypatch):
    path = request.getfixturevalue(kind)
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "store"))
    with pytest.raises(ModelError) as caught:
        load(path)
    assert str(caught.value) == f"{tmp_path}/{told}; if you trust its author, set allow_code=True"
    with pytest.raises(ModelError, match="set allow_code=True"):
        robust.evaluate(path, str(data), classes=3)
    with pytest.raises(SuiteError) as refused:
        robust.load(suite(path))
    assert str(refused.value).startswith(f"{tmp_path}/s.toml:3: {tmp_path}/{told}; if you trust this suite, set")
    assert not marker.exists() and "theirs" not in sys.modules
    classifier = Classifier(load(path, allow_code=True), 3)
    assert classifier.logits(dozen[0]).shape == (12, 3)
    assert marker.exists()
    assert robust.value(robust.run(suite(path), tmp_path / "out", allow_code=True), "top1").n == 12


@pytest.mark.slow
def test_a_saved_model_has_gradients_and_its_files_identify_it(saved, dozen, data):
    images, logits, labels = dozen
    np.testing.assert_allclose(Classifier(load(saved, allow_code=True), 3).logits(images), logits, atol=1e-5)
    table = robust.evaluate(saved, (images, labels), ["pgd"], eps=0.3, allow_code=True)
    assert (
        robust.value(table, "top1", case="clean").value
        == 1
        > robust.value(table, "top1", case="pgd", allow_invalid=True).value
    )
    before = fingerprint(saved)
    (saved / "more").write_text("x")
    assert fingerprint(saved) != before


@pytest.fixture(params=["Keras 2", "Keras 3"])
def exported(request, tmp_path):
    """`exported(activation)`: the folder of a SavedModel that tells dark, middle and bright, and what it is called."""

    def export(activation=None):
        its = keras if request.param == "Keras 3" else pytest.importorskip("tf_keras")
        image = its.Input((8, 8, 3))
        head = its.layers.Dense(3, activation=activation)
        model = its.Model(image, head(its.layers.GlobalAveragePooling2D()(image)))
        head.set_weights([np.array([[-20.0, 0.0, 20.0]] * 3) / 3, np.array([8.0, 0.0, -14.0])])
        folder = str(tmp_path / "exported")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.export(folder, verbose=False) if its is keras else model.save(folder, save_format="tf")
        return "a SavedModel of Keras 2" if its is not keras else "a SavedModel"

    return export


def typed(capfd, monkeypatch, *words):
    """What `robust` gives and says; TensorFlow writes to the same stream."""
    monkeypatch.setattr(sys, "argv", ["robust", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code, "".join(capfd.readouterr())


@pytest.mark.slow
def test_a_saved_model_is_named_and_one_image_is_attacked_on_it(exported, tmp_path, monkeypatch, capfd):
    kind = exported()
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((8, 8, 3), 100, np.uint8)).save("grey.png")
    words = ["attack", "grey.png", "--model", "exported", "--eps", "60/255"]
    code, said = typed(capfd, monkeypatch, *words)
    assert code == 2 and f"exported is {kind}, whose graph can read and write files; if you trust" in said
    for attack in ("pgd", "apgd", "square"):
        code, said = typed(capfd, monkeypatch, *words, "--allow-code", "--attack", attack)
        assert code == 0 and "\nfooled: read back, the PNG is " in said, said
        assert f"{kind}: its graph is called by 'serving_default', with gradients" in said


@pytest.mark.slow
def test_a_saved_model_that_ends_in_a_softmax_is_asked_for_answers(exported, tmp_path, monkeypatch, capfd):
    exported("softmax")
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((8, 8, 3), 100, np.uint8)).save("grey.png")
    words = ["attack", "grey.png", "--model", "exported", "--eps", "60/255", "--allow-code"]
    code, said = typed(capfd, monkeypatch, *words)
    assert code == 2 and "gives probabilities" in said and "or set --black-box, for attacks that need" in said
    remedy = re.search(r"or, in Python, pass (keras\.Model.*) with --allow-code; or set", said)[1]
    images = np.random.default_rng(0).random((30, 8, 8, 3), "float32")
    logits = eval(remedy, {"keras": keras})
    labels = np.asarray(logits(images)).argmax(axis=1)
    table = robust.evaluate(logits, (images, labels), ["pgd"], eps="60/255", preprocessing=(0, 1), allow_code=True)
    assert (
        robust.value(table, "top1", case="clean").value
        == 1
        > robust.value(table, "top1", case="pgd", allow_invalid=True).value
    )
    code, said = typed(capfd, monkeypatch, *words, "--black-box")
    assert code == 2 and "use --attack square or --attack noise" in said
    code, said = typed(capfd, monkeypatch, *words, "--black-box", "--attack", "square", "--set", "n_queries=200")
    assert code == 0 and "\nfooled: read back, the PNG is " in said


@pytest.mark.slow
def test_a_case_of_a_suite_attacks_a_saved_model(exported, tmp_path, data, monkeypatch):
    kind = exported()
    levels, labels = np.linspace(0, 1, 12, dtype="float32"), np.repeat([0, 1, 2], [5, 3, 4])
    images = np.broadcast_to(levels[:, None, None, None], (12, 8, 8, 3))
    np.savez(tmp_path / "levels.npz", images=images, labels=labels)
    text = 'data = { arrays = "levels.npz" }\n[model.m]\nkeras = "exported"\n[case.c]\n'
    (tmp_path / "s.toml").write_text(text + 'attack = { name = "apgd", eps = [0, "60/255"], steps = 5 }\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SuiteError, match=f"exported is {kind}, whose graph"):
        robust.load("s.toml")
    table = robust.run("s.toml", "out", allow_code=True, store=Store(tmp_path / "store"))
    clean, attacked = (robust.value(table, "top1", eps=eps, allow_invalid=True).value for eps in (0, "60/255"))
    known = images[:, 0, 0, 0] * 20 * np.array([[-1], [0], [1]]) + np.array([[8], [0], [-14]])
    assert clean == np.mean(known.argmax(axis=0) == labels) > attacked
    assert f"{kind}: its graph is called by" in (tmp_path / "out/index.html").read_text().replace("&#39;", "'")


def test_a_layer_for_a_saved_model_is_understood_in_memory(saved, dozen):
    layer = keras.layers.TFSMLayer(str(saved), call_endpoint="serving_default")
    inputs = keras.Input((4, 4, 1))
    classifier = Classifier(keras.Model(inputs, layer(inputs)), 3)
    np.testing.assert_allclose(classifier.logits(dozen[0]), dozen[1], atol=1e-5)


def test_a_layer_for_a_saved_model_in_a_keras_file_is_refused_too(saved, tmp_path, marker):
    inputs = keras.Input((4, 4, 1))
    layer = keras.layers.TFSMLayer(str(saved), call_endpoint="serving_default")
    keras.Model(inputs, layer(inputs)["logits"]).save(tmp_path / "wrapped.keras")
    with pytest.raises(ModelError, match=r"wrapped.keras holds a SavedModel, which runs third-party code"):
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
    assert keras_files.foreign(tmp_path / "mine.keras")


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
    with pytest.raises(ModelError, match=r"is a folder without saved_model.pb, so not a SavedModel"):
        load(tmp_path, allow_code=True)
    (tmp_path / "x.keras").write_bytes(b"PK\3\4 no zip")
    with pytest.raises(ModelError, match=r"x.keras: is not a .keras archive \(11 bytes\); was it cut off\?"):
        load(tmp_path / "x.keras")
    (tmp_path / "h.keras").write_bytes(b"\x89HDF\r\n")
    with pytest.raises(ModelError, match=r"h.keras: is not a .keras archive \(6 bytes\); was it cut off\?"):
        load(tmp_path / "h.keras")
    with zipfile.ZipFile(tmp_path / "z.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ModelError, match=r"z.keras: cannot be loaded as data \("):
        load(tmp_path / "z.keras")
    with pytest.raises(ModelError, match=r"x.kers: there is no such file; did you mean '.*x.keras'\?"):
        load(tmp_path / "x.kers")


@pytest.mark.slow
def test_the_command_line_asks_for_trust(shady, data, marker, robust_command):
    command = ["evaluate", shady, "--data", data]
    done = robust_command(*command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "shady.keras holds a Lambda, which runs third-party code" in done.stderr and "Traceback" not in done.stderr
    assert not marker.exists()
    done = robust_command(*command, "--allow-code")
    assert done.returncode == 0, done.stderr
    assert marker.exists()


@pytest.mark.slow
def test_the_code_of_its_layers_is_part_of_what_identifies_a_file(custom, marker):
    model, data = (
        read_model("custom", {"keras": str(custom), "train": "short"}, allow_code=True),
        SimpleNamespace(fingerprint="x", channels="", code=""),
    )
    plain = replace(model, train=None)

    def known():
        return prepare_models.identity(plain, 0, data, None), prepare_models.key(model, 0, data)["source"]

    before = known()
    theirs = custom.with_name("theirs.py")
    theirs.write_text(theirs.read_text() + "# a comment does nothing\n")
    assert known() == before
    theirs.write_text(theirs.read_text().replace("2 * x", "3 * x"))
    assert all(now != then for now, then in zip(known(), before, strict=True))
    assert not marker.exists() and "theirs" not in sys.modules


@pytest.mark.slow
def test_the_code_of_a_python_model_is_part_of_what_identifies_it(tmp_path, monkeypatch, data):
    monkeypatch.syspath_prepend(tmp_path)
    code = """
        import keras
        class Times(keras.layers.Layer):
            def call(self, x):
                return 2 * x
        def net(*, input_shape, classes):
            x = keras.Input(input_shape, name="i")
            head = keras.layers.Dense(classes, kernel_initializer="ones", name="d")
            return keras.Model(x, head(keras.layers.Flatten(name="f")(Times(name="t")(x))), name="net")
    """
    found, given = [], read_data(str(data))()
    for factor in ("2", "30"):
        (tmp_path / "made_here.py").write_text(textwrap.dedent(code).replace("2 * x", f"{factor} * x"))
        model = Model("net", Python(bind("architectures", "made_here:net")))
        found.append(prepare_models.prepare(model, 0, given, Store(tmp_path / "store"), Silent()).identity)
        sys.modules.pop("made_here")
        importlib.invalidate_caches()
    assert found[0] != found[1]


@pytest.mark.slow
def test_two_classes_of_one_name_are_refused(tmp_path, monkeypatch):
    layer = "import keras\nclass Times(keras.layers.Layer):\n    def call(self, x):\n        return {} * x\n"
    for name, factor in (("first_of_two", 2), ("second_of_two", 3)):
        (tmp_path / f"{name}.py").write_text(layer.format(factor))
    code = """
        import keras, first_of_two, second_of_two
        x = keras.Input((4, 4, 1))
        y = second_of_two.Times()(first_of_two.Times()(x))
        keras.Model(x, keras.layers.Dense(3)(keras.layers.Flatten()(y))).save("both.keras")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "both.keras", allow_code=True)
    parts = (
        f"{tmp_path}/both.keras: holds first_of_two.Times and second_of_two.Times,",
        "@keras.saving.register_keras_serializable(package=...)",
        "save the model again",
    )
    assert all(part in str(caught.value) for part in parts)


def test_an_activation_of_ones_own_is_named_with_the_remedy(tmp_path, linear):
    def swoosh(x):
        return x * keras.ops.sigmoid(x)

    linear(keras.layers.Dense(2, swoosh), keras.layers.Dense(1, "relu")).save(tmp_path / "own.keras")
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "own.keras")
    parts = (f"{tmp_path}/own.keras: names swoosh, ", "load it in Python", "pass the model itself to robust.evaluate")
    assert all(part in str(caught.value) for part in parts)


@pytest.mark.slow
def test_a_class_that_was_registered_elsewhere_is_named_with_the_remedy(tmp_path):
    code = """
        import keras
        @keras.saving.register_keras_serializable("mine")
        class Lay(keras.layers.Layer):
            def call(self, x): return 2 * x
        x = keras.Input((4, 4, 1))
        keras.Model(x, keras.layers.Dense(3)(keras.layers.Flatten()(Lay()(x)))).save("own.keras")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(ModelError, match=r"own\.keras: names mine>Lay, .* load it in Python"):
        load(tmp_path / "own.keras", allow_code=True)


@pytest.mark.slow
def test_a_trusted_file_finds_the_modules_beside_it(tmp_path):
    (tmp_path / "beside_it.py").write_text(
        "import keras\nclass Twice(keras.layers.Layer):\n    def call(self, x):\n        return 2 * x\n"
    )
    code = """
        import keras, beside_it
        x = keras.Input((4, 4, 1))
        keras.Model(x, keras.layers.Dense(3)(keras.layers.Flatten()(beside_it.Twice()(x)))).save("net.keras")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True, capture_output=True)
    before = list(sys.path)
    assert load(tmp_path / "net.keras", allow_code=True).layers[1].name == "twice"
    assert sys.path == before


def test_code_of_an_attack_or_a_measure_is_not_run_without_trust(tmp_path, monkeypatch, capsys, marker, data, linear):
    (tmp_path / "stranger.py").write_text("import pathlib\npathlib.Path('marker').touch()\ndef f(result): return []\n")
    linear().save(tmp_path / "net.keras")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    train = ["train", "net.keras", "--data", str(data)]
    for words in (
        ["evaluate", "net.keras", "--data", str(data), "--metric", "stranger:f"],
        ["evaluate", "net.keras", "--data", str(data), "--attack", "stranger:f"],
        ["attack", "panda", "--model", "net.keras", "--attack", "stranger:f"],
        [*train, "--recipe", "stranger:f"],
        [*train, "--objective", "stranger:f"],
        [*train, "--adversary", "stranger:f"],
    ):
        monkeypatch.setattr(sys, "argv", ["robust", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        told = "robust: 'stranger:f' runs third-party code; if you trust it, set --allow-code\n"
        assert (stop.value.code, capsys.readouterr().err) == (2, told)
    assert not marker.exists() and "stranger" not in sys.modules


@pytest.mark.slow
def test_a_trusted_file_is_fine_tuned(shady, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    with np.load(data) as held:
        np.savez("split.npz", x_train=held["x"], y_train=held["y"], x_test=held["x"], y_test=held["y"])
    words = ["robust", "train", "shady.keras", "--data", "split.npz", "--epochs", "1"]
    for more, code in (([], 2), (["--allow-code"], 0)):
        monkeypatch.setattr(sys, "argv", [*words, *more])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        assert stop.value.code == code, said.err
    assert (tmp_path / "shady-tuned.keras").is_file()
