"""Outputs that stand for the classes in another order are found, and a model that is only bad is not accused."""

import keras
import numpy as np
import pytest

from robust.core.remedies import formatted
from robust.datasets.dataset import from_arrays
from robust.models import input_checks
from robust.models.classifier import Classifier
from robust.models.classifier.class_order import better

pytestmark = pytest.mark.usefixtures("without_diagnostics")

RANDOM = np.random.default_rng(0)


def seen_as(confusion, classes):
    """A classifier that draws its answer to an image of label l, which its first pixel is, from confusion[l]."""

    random = np.random.default_rng(0)

    def model(images):
        labels = np.round(np.asarray(images)[:, 0, 0, 0] * classes).astype(int)
        said = [random.choice(classes, p=confusion[label]) for label in labels]
        return np.eye(classes)[said] * 0.9 + 0.1 / classes

    return Classifier(model, classes, batch_size=1000)


def found(confusion, n=1000):
    """What is found of a confusion [C, C], of n images."""
    classes = len(confusion)

    def look(count):
        among = RANDOM.permutation(classes)[: max(20, count // 10)]
        labels = np.resize(among, count)
        return np.repeat(labels / classes, 4).reshape(-1, 2, 2, 1).astype("float32"), labels

    return better(seen_as(confusion, classes), look, n)


def accurate(classes, share):
    return share * np.eye(classes) + (1 - share) / classes


@pytest.mark.parametrize(("classes", "n"), [(2, 100), (3, 100), (10, 100), (10, 1000), (100, 1000), (1000, 1000)])
def test_another_order_is_found_and_told(classes, n):
    order = np.roll(np.arange(classes), 1)
    answer = found(accurate(classes, 0.8)[:, order], n)
    assert answer.clear and answer.other > answer.own + 0.5
    assert answer.reason.name == "wrong_class_order"
    if classes <= 10:
        names = [f"c{i}" for i in range(classes)]
        assert answer.classes == tuple(order)
        assert f"set --classes {','.join(names[k] for k in order)}" in formatted(answer.message(names), "command")
    else:
        assert "as in --classes names.txt" in formatted(answer.message([str(i) for i in range(classes)]), "command")


def test_two_classes_that_changed_places_are_found():
    confusion = accurate(10, 0.85)
    confusion[[3, 7]] = confusion[[7, 3]]
    assert found(confusion).classes == (0, 1, 2, 7, 4, 5, 6, 3, 8, 9)


def test_few_images_suspect_and_do_not_accuse():
    answer = found(accurate(3, 0.8)[:, [1, 2, 0]], 12)
    assert (
        not answer.clear
        and answer.reason.name == "class_order_guessed"
        and "may be chance" in answer.message(["a", "b", "c"])
    )


def of_chance(classes, share):
    """A model that is right in this share, and errs by a confusion of its own."""
    errors = RANDOM.dirichlet(np.ones(classes), classes)
    return share * np.eye(classes) + (1 - share) * errors


def collapsed(classes, share):
    """It knows one answer in most cases."""
    return share * np.eye(classes) + (1 - share) * np.eye(classes)[[0] * classes]


@pytest.mark.parametrize("n", [20, 100, 1000])
@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6, 0.9])
def test_a_model_that_is_only_bad_is_not_accused(n, classes, share):
    makers = (
        [collapsed, of_chance] if classes > 3 or share > 0.5 else [collapsed]
    )  # a bad one of two is of another order
    for make in makers:
        for _ in range(3):
            answer = found(make(classes, share), n)
            assert answer is None or not answer.clear


@pytest.mark.parametrize(
    "confusion",
    [
        [[0.28, 0.72], [0.28, 0.72]],
        [[0.28, 0.72], [0.76, 0.24]],
        [[0.3, 0.7], [0.25, 0.75]],
        [[0.2, 0.68, 0.12], [0.12, 0.2, 0.68], [0.68, 0.12, 0.2]],
        [[0.1, 0.66, 0.12, 0.12], [0.66, 0.1, 0.12, 0.12], [0.1, 0.15, 0.1, 0.65], [0.1, 0.15, 0.65, 0.1]],
    ],
)
@pytest.mark.parametrize("n", [100, 1000])
def test_a_bad_model_of_few_classes_is_suspected_at_most(confusion, n):
    """With few classes errors that are of a kind look like another order, and may be the model's own."""
    answer = found(np.array(confusion), n)
    assert answer is None or (not answer.clear and answer.reason.name == "class_order_guessed")
    assert answer is None or "the model's own errors" in answer.message(["a", "b", "c", "d"])


@pytest.mark.parametrize("shown", [1.0, 255.0], ids=["classes alone", "pixels, too"])
def test_classes_in_another_order_are_found_although_the_pixels_are_wrong(shown):
    """Levels of grey in three classes; the model knows them in another order, and perhaps for pixels up to 255."""
    labels = np.arange(90) % 3
    greys = np.array([0.2, 0.5, 0.8])[labels] + np.linspace(-0.1, 0.1, 90)
    data = from_arrays(np.ones((90, 2, 2, 1)) * greys[:, None, None, None], labels, ["a", "b", "c"])
    order = [1, 2, 0]  # its outputs: of each class the place
    ends = np.array([0.35, 0.65]) * shown

    def model(images):
        means = np.asarray(images).mean(axis=(1, 2, 3))
        return np.eye(3)[np.array(order)[np.searchsorted(ends, means)]] * 0.9 + 0.1 / 3

    classifier = Classifier(model, 3, batch_size=30)
    doubts = [formatted(line, "command") for line in input_checks.at(classifier, data)[1]]
    (words,) = [line for line in doubts if "--classes" in line]
    assert "set --classes c,a,b" in words
    assert ("--preprocessing 0 255" in words) == (shown == 255)
    assert "wrong_class_order" in [reason.name for reason in classifier.doubts]


def test_both_doubts_are_told_where_some_images_are_right_in_spite_of_the_order():
    """Two of four classes changed places: other pixels help the other two, and the order is looked at with these."""
    labels = np.arange(400) % 4
    greys = np.array([0.125, 0.375, 0.625, 0.875])[labels] + np.linspace(-0.1, 0.1, 400)
    data = from_arrays(np.ones((400, 2, 2, 1)) * greys[:, None, None, None], labels, ["a", "b", "c", "d"])

    def model(images):
        level = np.clip(np.asarray(images).mean(axis=(1, 2, 3)) / 64, 0, 3).astype(int)
        return np.eye(4)[np.array([1, 0, 2, 3])[level]] * 0.9 + 0.1 / 4

    classifier = Classifier(model, 4, batch_size=30)
    doubts = [formatted(line, "command") for line in input_checks.at(classifier, data)[1]]
    assert [reason.name for reason in classifier.doubts] == ["wrong_preprocessing", "wrong_class_order"]
    assert "set --preprocessing 0 255" in doubts[0] and "set --classes b,a,c,d" in doubts[1]
    assert "evaluated with pixels [0, 255]" in doubts[1]


def test_names_that_hold_commas_or_spaces():
    answer = found(accurate(3, 0.9)[:, [1, 2, 0]])
    told = [
        formatted(answer.message(names), "command") for names in (["d", "a b", "c"], ["shark, great white", "a", "b"])
    ]
    assert "set --classes 'a b,c,d'" in told[0].replace("'c,d,a b'", "'a b,c,d'")
    assert "set --classes names.txt, a file with one name per line" in told[1]


@pytest.fixture
def wrong(tmp_path, monkeypatch):
    """A folder of greys, read by the alphabet, and a model that was trained in another order."""
    from PIL import Image

    monkeypatch.setenv("ROBUST_STORE", str(tmp_path / "store"))
    levels = {"cat": 40, "dog": 120, "ant": 200}  # the model's order
    for name, level in levels.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(40):
            Image.fromarray(np.full((4, 4), level + i, np.uint8)).save(tmp_path / "data" / name / f"{i}.png")
    head = keras.layers.Dense(3)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.GlobalAveragePooling2D(), head])
    head.set_weights([np.array([[0.0, 60.0, 120.0]]), np.array([0.0, -23.0, -69.0])])
    model.save(tmp_path / "m.keras")
    return tmp_path


def told(*arguments, cwd):
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-m", "robust", *arguments], capture_output=True, text=True, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_the_remedy_is_typed_and_arrives_and_the_doubt_comes_from_the_store_again(wrong):
    import shlex

    command = ["evaluate", "m.keras", "--data", "data/", "--out", "report"]
    for _ in range(2):
        _, out, err = told(*command, cwd=wrong)
        assert "classes in this order: 0 ant, 1 cat, 2 dog" in err
        assert "invalid" in out and "100% in another: if that is the model's" in err
        remedy = next(part for part in (err + out).split("set ") if part.startswith("--classes")).splitlines()[0]
    assert "invalid" in (wrong / "report/results.csv").read_text()
    _, out, err = told(*command[:-1], "better", *shlex.split(remedy), cwd=wrong)
    assert "classes in this order: 0 cat, 1 dog, 2 ant" in err
    assert "invalid" not in out + err and "top1 1.000" in err


@pytest.mark.slow
def test_every_number_from_python_is_marked_and_classes_put_it_right(wrong):
    import robust

    with pytest.warns(UserWarning, match=r"set classes=\['cat', 'dog', 'ant'\]"):
        table = robust.evaluate(str(wrong / "m.keras"), f"{wrong}/data", "fgsm", eps="1/255")
    assert set(table["reliability"]) == {"invalid"}
    table = robust.evaluate(str(wrong / "m.keras"), f"{wrong}/data", classes=["cat", "dog", "ant"])
    assert robust.value(table, "top1").value == 1
    assert set(table["reliability"]) <= {"", "reliable"}


def five_classes(images):
    return np.eye(5)[np.round(np.asarray(images)[:, 0, 0, 0] * 255).astype(int) // 40 % 5]


def by_evaluate(model, data, _):
    import robust

    robust.evaluate(model, data)


def by_run(model, data, tmp_path):
    from robust.engine.session import run
    from robust.suite import InMemory, Model, Suite, read_case, read_data

    run(Suite("s", (Model("net", InMemory(model)),), (read_case("clean", {}),), read_data(data)), tmp_path / "out")


def by_callback(model, data, _):
    import robust

    watch = robust.RobustAccuracy(robust.datasets.folder(path=data), "fgsm", max_images=9)
    watch.set_model(model)
    watch.on_train_begin()


@pytest.mark.slow_after_first
@pytest.mark.parametrize("entry", [by_evaluate, by_run, by_callback])
@pytest.mark.parametrize("is_function", [False, True])
def test_outputs_of_other_classes_are_refused_before_anything_is_looked_for(entry, is_function, wrong):
    from robust.core.errors import ModelError

    flat = keras.layers.GlobalAveragePooling2D()
    model = keras.Sequential([keras.Input((4, 4, 1)), flat, keras.layers.Dense(5)])
    model.layers[-1].set_weights([np.arange(5.0)[None] * 60, -(np.arange(5.0) ** 2)])
    if is_function and entry is by_callback:
        pytest.skip("trains Keras models alone")
    with pytest.raises(ModelError) as caught:
        entry(five_classes if is_function else model, f"{wrong}/data", wrong)
    said = str(caught.value)
    parts = ("gives outputs of shape (5,)", "the data has 3 classes", "name all in the model's order")
    assert all(part in said for part in parts)


@pytest.mark.slow
def test_the_command_says_the_same_of_other_classes(wrong):
    from robust.api import cli
    from robust.core.errors import ModelError
    from robust.core.remedies import using_interface

    (wrong / "data" / "dog").rename(wrong / "dog")
    parts = ("gives outputs of shape (3,)", "the data has 2 classes", "order: --classes names.txt, one per line")
    command = ["evaluate", f"{wrong}/m.keras", "--data", f"{wrong}/data"]
    with pytest.raises(ModelError) as caught, using_interface("command"):
        cli.app(command, exit_on_error=False, result_action="return_value")
    assert all(part in str(caught.value) for part in parts)
    (wrong / "names.txt").write_text("cat\ndog\nant\n")
    command += ["--classes", f"{wrong}/names.txt"]
    assert cli.app(command, exit_on_error=False, result_action="return_value") == 0
