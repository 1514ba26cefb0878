"""One image attacked: the words, the PNG that is read back, the picture."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from robust.api import attack_image
from robust.api.cli import main
from robust.core.errors import DataError
from robust.core.signature import bind
from robust.engine.perturb import check
from robust.report import triptych
from robust.suite import read_model

SIDE = 16


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A linear model of three classes, model.keras, and a grey image, grey.png, which it takes for class 0."""
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(SIDE * SIDE * 3, 3)).astype("float32")
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.layers[-1].set_weights([weights, np.array([2.0, 0.0, 0.0], "float32") - weights.sum(axis=0) * 128 / 255])
    model.save(tmp_path / "model.keras")
    Image.fromarray(np.full((SIDE, SIDE, 3), 128, np.uint8)).save(tmp_path / "grey.png")
    (tmp_path / "names.txt").write_text("panda\ngibbon\nkoala\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def robust(*words, monkeypatch):
    monkeypatch.setattr("sys.argv", ["robust", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value.code


def attacked(folder, call, **options):
    model = read_model("model", {"keras": str(folder / "model.keras")})
    given = {"classes": ["panda", "gibbon", "koala"], "out": folder / "out", **options}
    return attack_image.attack(folder / "grey.png", model, bind("attacks", call), **given)


@pytest.mark.slow
def test_a_target_is_reached_with_certainty_and_the_png_says_so(folder):
    found = attacked(folder, {"name": "pgd", "eps": "4/255", "steps": 10}, target="gibbon")
    assert found.top(0, 1)[0][0] == "panda" and found.top(2, 1)[0][0] == "gibbon" and found.fooled
    assert found.top(2, 1)[0][1] > 0.99  # it does not stop where the answer changes
    read = np.asarray(Image.open(folder / "out/adversarial.png")) / np.float32(255)
    assert np.array_equal(read, found.saved)
    model = keras.saving.load_model(folder / "model.keras")
    assert model(read[None]).numpy().argmax() == 1
    assert np.abs(read - found.image).max() == found.linf <= 4.001 / 255


def test_a_linear_model_is_attacked_as_far_as_the_ball_allows(folder):
    found = attacked(folder, {"name": "pgd", "eps": "1/255", "steps": 10, "random_start": False}, target="gibbon")
    weights = keras.saving.load_model(folder / "model.keras").layers[-1].get_weights()[0]
    reached = found.attacked - found.image
    best = np.abs(weights[:, 1]).sum() / 255  # of the target's logit alone: an upper bound that both signs share
    assert (reached.ravel() @ weights[:, 1]) > 0.5 * best


def test_without_a_target_any_other_class_will_do(folder):
    found = attacked(folder, {"name": "pgd", "eps": "4/255"})
    assert found.target is None and found.fooled and found.top(2, 1)[0][0] != "panda"


@pytest.mark.slow_after_first
@pytest.mark.parametrize("name", ["fgsm", "apgd", "fab", "square", "deepfool"])
def test_any_attack_of_the_catalogue_will_do(folder, name):
    found = attacked(folder, {"name": name, "norm": "linf", "eps": "2/255"})
    assert found.top(1, 1)[0][0] != "panda" and found.fooled
    assert found.linf <= 2.001 / 255


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "gibon"}, r"no class 'gibon'; did you mean 'gibbon'\?"),
        ({"target": "panda"}, "the predicted class already"),
        ({"classes": ["a", "b"]}, "2 names were given, but the model has 3 classes"),
    ],
)
def test_what_cannot_be_is_told(folder, options, message):
    with pytest.raises(DataError, match=message):
        attacked(folder, {"name": "pgd", "eps": "4/255"}, **options)
    assert not (folder / "out").exists()


def test_an_image_is_a_file_or_one_of_ours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert attack_image.find("koala.webp") == attack_image.find("koala")
    (tmp_path / "koala.webp").write_bytes(b"")
    assert attack_image.find("koala.webp").absolute() == tmp_path / "koala.webp"  # the user's own comes first
    with pytest.raises(DataError, match=r"nor a photo of that name here; did you mean 'panda'\?"):
        attack_image.find("pnda.webp")


def test_from_the_command_line(folder, monkeypatch, capsys):
    words = ["attack", "grey.png", "--model", "model.keras", "--classes", "names.txt", "--target", "koala"]
    assert robust(*words, "--eps", "4/255", "--set", "steps=5", monkeypatch=monkeypatch) == 0
    said = capsys.readouterr().out
    assert "grey.png shown to model.keras, and after pgd" in said
    assert "fooled: read back, the PNG is koala" in said
    assert (folder / "reports/grey-as-koala/triptych.png").is_file()
    assert robust(*words, "--eps", "1/2550", monkeypatch=monkeypatch) == 1
    assert "not fooled: read back, the PNG is panda" in capsys.readouterr().out


def test_bad_words_on_the_command_line(folder, monkeypatch, capsys):
    for words, message in (
        (["nothing.png"], "there is no such file"),
        (["grey.png", "--attack", "pdg"], "did you mean 'pgd'"),
        (["grey.png", "--set", "stps=3"], "did you mean 'steps'"),
        (["grey.png", "--classes", "none.txt"], "classes = 'none.txt': there is no such file"),
        (["grey.png", "--model", "efficientnet_lite9"], "did you mean 'efficientnet_lite"),
    ):
        given = words if "--model" in words else [*words, "--model", "model.keras"]
        assert robust("attack", *given, monkeypatch=monkeypatch) == 2
        assert message in capsys.readouterr().err


def test_the_middle_panel_is_grey_where_nothing_changed():
    image = np.full((8, 8, 3), 0.25, np.float32)
    changed = image.copy()
    changed[:4] += 4 / 255
    sheet = np.asarray(triptych.draw(image, changed, ("a", 0.5), ("b", 0.5)))
    middle = sheet[:, sheet.shape[1] // 2]
    assert (middle[100] == 255).all() and (middle[400] == 128).all()


@pytest.mark.slow_after_first
@pytest.mark.parametrize(("eps", "change"), [("3/510", 1), ("5/510", 2), ("3/255", 3)])
def test_the_png_stays_in_the_ball(folder, eps, change):
    call = {"name": "pgd", "eps": eps, "steps": 10}
    found = attacked(folder, call)
    check(bind("attacks", call), found.image[None], found.saved[None])
    assert round(found.linf * 255, 3) == change


@pytest.mark.slow
def test_a_change_that_no_png_can_hold_is_told(folder, monkeypatch, capsys):
    words = ["attack", "grey.png", "--model", "model.keras", "--classes", "names.txt", "--target", "koala"]
    assert robust(*words, "--eps", "9/2550", monkeypatch=monkeypatch) == 1
    assert capsys.readouterr().out.splitlines()[-2].endswith("; the change is below 1/255, which no PNG can hold")


def headed(folder, *outputs, names=None):
    image = keras.Input((SIDE, SIDE, 3))
    flat = keras.layers.Flatten()(image)
    made = [layer(flat) for layer in outputs]
    for layer in outputs:  # a layer draws its seed when it is made
        random = np.random.default_rng(0)
        layer.set_weights([random.normal(0, 0.1, w.shape) for w in layer.get_weights()])
    keras.Model(image, dict(zip(names, made, strict=True)) if names else made[0]).save(folder / "headed.keras")
    return folder / "headed.keras"


@pytest.mark.slow
def test_one_sigmoid_is_two_classes(folder):
    model = read_model("m", {"keras": str(headed(folder, keras.layers.Dense(1, "sigmoid")))})
    call = bind("attacks", {"name": "pgd", "eps": "8/255", "steps": 10})
    found = attack_image.attack(folder / "grey.png", model, call, classes=["no", "yes"], out=folder / "out")
    p = keras.saving.load_model(folder / "headed.keras")(found.image[None]).numpy().item()
    np.testing.assert_allclose(found.probabilities[0], [1 - p, p], atol=1e-5)
    assert found.fooled


@pytest.mark.slow
def test_of_several_outputs_one_is_named(folder, monkeypatch, capsys):
    headed(folder, keras.layers.Dense(3, name="kind"), keras.layers.Dense(3, name="pose"), names=["kind", "pose"])
    words = ["attack", "grey.png", "--model", "headed.keras", "--eps", "8/255"]
    assert robust(*words, monkeypatch=monkeypatch) == 2
    assert "specify which one classifies, as in --output kind" in capsys.readouterr().err
    seen = keras.saving.load_model(folder / "headed.keras")(np.full((1, SIDE, SIDE, 3), 128 / 255, np.float32))
    for output in ("kind", "pose"):
        assert robust(*words, "--output", output, monkeypatch=monkeypatch) in (0, 1)
        told = capsys.readouterr().out.splitlines()
        assert told[0].startswith(f"headed.keras: output {output!r} of kind, pose; pixels [0, 1], since nothing else")
        assert told[2].split()[0] == str(seen[output].numpy().argmax())


@pytest.mark.slow
def test_a_file_with_code_needs_trust(folder, monkeypatch, capsys):
    keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            keras.layers.Lambda(lambda x: x * 2),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    ).save(folder / "shady.keras")
    words = ["attack", "grey.png", "--model", "shady.keras", "--eps", "8/255"]
    assert robust(*words, monkeypatch=monkeypatch) == 2
    assert "--allow-code" in capsys.readouterr().err
    assert robust(*words, "--allow-code", monkeypatch=monkeypatch) in (0, 1)
    assert "the PNG is" in capsys.readouterr().out


def graded(low, high):
    """Three classes by the mean grey, of pixels from low to high: dark, middle, bright."""
    image = keras.Input((SIDE, SIDE, 3))
    head = keras.layers.Dense(3)
    model = keras.Model(image, head(keras.layers.Flatten()(keras.layers.GlobalAveragePooling2D()(image))))
    one, two = (low + (high - low) * edge for edge in (0.2, 0.8))
    head.set_weights([np.array([[0.0, 1.0, 2.0]] * 3) / 3, np.array([0.0, -one, -one - two])])
    return model


@pytest.mark.slow
def test_other_pixels_that_show_another_class_are_told_and_the_remedy_works(folder, monkeypatch, capsys):
    graded(0, 255).save(folder / "graded.keras")
    (folder / "names.txt").write_text("dark\nmiddle\nbright\n")
    words = ["attack", "grey.png", "--model", "graded.keras", "--classes", "names.txt", "--eps", "1/255"]
    robust(*words, monkeypatch=monkeypatch)
    told = capsys.readouterr().out.splitlines()[0]
    assert "the image is classified as dark with these pixels, middle with pixels [0, 255]" in told
    remedy = re.search(r"declare one, as in (--preprocessing \S+ \S+?);", told)[1]
    assert remedy == "--preprocessing 0 255"
    robust(*words, *remedy.split(), monkeypatch=monkeypatch)
    told, _, first, *_ = capsys.readouterr().out.splitlines()
    assert "pixels [0, 255], as declared" in told and "with these pixels" not in told
    assert first.split()[0] == "middle"


@pytest.mark.slow
def test_a_mode_of_keras_applications_is_a_word(folder, monkeypatch, capsys):
    graded(-1, 1).save(folder / "graded.keras")
    words = ["attack", "grey.png", "--model", "graded.keras", "--eps", "1/255", "--preprocessing"]
    for mode, way in (("tf", "[-1, 1]"), ("caffe", "[0, 255], minus (103.939, 116.779, 123.68), in the order BGR")):
        assert robust(*words, mode, monkeypatch=monkeypatch) in (0, 1)
        assert capsys.readouterr().out.startswith(f"graded.keras: pixels {way}, as declared")
    assert robust(*words, "cafe", monkeypatch=monkeypatch) == 2
    assert "did you mean 'caffe'?" in capsys.readouterr().err


@pytest.mark.slow
def test_a_tflite_file_is_attacked_by_its_answers(folder, monkeypatch, capsys):
    image = keras.Input((SIDE, SIDE, 3))
    network = keras.Model(image, keras.layers.Softmax()(keras.saving.load_model("model.keras")(image)))
    (folder / "own.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    words = ["attack", "grey.png", "--model", "own.tflite", "--eps", "8/255", "--classes", "names.txt"]
    assert robust(*words, monkeypatch=monkeypatch) == 2
    told = capsys.readouterr().err
    remedy = re.search(r"--attack \w+", told)[0]
    assert robust(*words, *remedy.split(), "--set", "n_queries=60", monkeypatch=monkeypatch) == 0
    assert "own.tflite: a black box without gradients" in capsys.readouterr().out


@pytest.mark.slow
def test_what_cannot_be_taken_off_is_attacked_as_a_black_box(folder, monkeypatch, capsys):
    image = keras.Input((SIDE, SIDE, 3))
    logits = keras.saving.load_model("model.keras")(image)
    averaged = keras.layers.Average()([keras.layers.Softmax()(logits) for _ in range(2)])
    keras.Model(image, averaged).save(folder / "both.keras")
    words = ["attack", "grey.png", "--model", "both.keras", "--eps", "8/255", "--attack", "square"]
    words += ["--set", "n_queries=60"]
    assert robust(*words, monkeypatch=monkeypatch) == 2
    assert "or set --black-box" in capsys.readouterr().err
    assert robust(*words, "--black-box", monkeypatch=monkeypatch) == 0
