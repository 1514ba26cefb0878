import keras
import numpy as np
import pytest
import tensorflow as tf

import robust
from robust.datasets.dataset import from_arrays
from robust.datasets.given import dataset_of
from robust.errors import DataError
from robust.store import Store

X = np.linspace(0, 1, 7 * 12).reshape(7, 2, 2, 3).astype(np.float32)
Y = np.array([0, 1, 2, 1, 0, 2, 1])
ROWS = tf.data.Dataset.from_tensor_slices((X, Y))


@pytest.mark.parametrize("data", [(X, Y), [X, Y], ROWS, ROWS.batch(3), ROWS.batch(7), from_arrays(X, Y)])
def test_forms_of_the_same_data(data):
    found = dataset_of(data)
    examples = found.examples("test")
    assert np.array_equal(examples.images, X) and np.array_equal(examples.labels, Y)
    assert found.fingerprint == from_arrays(X, Y).fingerprint


def test_what_is_shuffled_is_read_once():
    data = dataset_of(ROWS.shuffle(7, seed=0, reshuffle_each_iteration=True).batch(2))
    assert np.array_equal(data.examples("test").images, data.examples("test").images)


def test_splits_by_name():
    data = dataset_of({"train": ROWS, "test": (X[:2], Y[:2])}, name="mine")
    assert (data.name, dict(data.sizes), data.classes) == ("mine", {"train": 7, "test": 2}, ("0", "1", "2"))


def test_names_of_the_classes_travel_along(tmp_path):
    for label, name in enumerate(("bee", "ant")):
        (tmp_path / name).mkdir()
        keras.utils.save_img(tmp_path / name / "1.png", X[label], scale=False)
    rows = keras.utils.image_dataset_from_directory(tmp_path, image_size=(2, 2), batch_size=2, verbose=False)
    scaled = rows.map(lambda image, label: (image / 255, label))
    scaled.class_names = rows.class_names
    assert dataset_of(scaled, classes=2).classes == ("ant", "bee")
    assert dataset_of(scaled, classes=["x", "y"]).classes == ("x", "y")
    with pytest.raises(DataError, match=r"did you mean images / 255\?"):
        dataset_of(rows.map(lambda image, label: (tf.fill(tf.shape(image), 200.0), label)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            X,
            "data 'arrays': a ndarray came; allowed: (images, labels), a tf.data.Dataset of (image, label), or a data ",
        ),
        (ROWS.repeat(), "data 'arrays': the tf.data.Dataset never ends; leave out its repeat()"),
        (ROWS.take(0), "data 'arrays': the tf.data.Dataset is empty"),
        (ROWS.map(lambda x, y: x), "data 'arrays': a tf.data.Dataset of TensorSpec("),
        (ROWS.map(lambda x, y: (y, y)), "data 'arrays': images of shape (); allowed: [H, W, C], or [N, H, W, C] in "),
        ({"tset": ROWS}, "data 'arrays': a split 'tset'; did you mean 'test'?"),
        ({}, "data 'arrays': an empty table; allowed: (images, labels) by split, train, validation, test"),
    ],
)
def test_what_is_refused(data, expected):
    with pytest.raises(DataError) as caught:
        dataset_of(data)
    assert str(caught.value).startswith(expected)


def test_evaluate_takes_a_tf_data_dataset():
    model = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    table = robust.evaluate(model, ROWS.batch(3))
    expected = np.mean(model.predict(X, verbose=0).argmax(axis=1) == Y)
    assert robust.value(table, "top1").value == pytest.approx(expected)
    assert robust.value(table, "top1").n == 7


def test_a_suite_may_name_code_that_gives_the_data(tmp_path):
    (tmp_path / "code_for_data.py").write_text(
        "import numpy as np\nimport tensorflow as tf\n\n"
        "def rows(*, n: int = 4):\n"
        "    return tf.data.Dataset.from_tensor_slices((np.zeros([n, 28, 28, 1], 'uint8'), np.arange(n) % 3))\n\n"
        "def pair():\n    return np.ones([5, 28, 28, 1]), np.arange(5) % 3\n\n"
        "def wrong():\n    return 3\n"
    )
    text = (
        'data = { python = "code_for_data:rows", n = 6 }\n[model.m]\narchitecture = "lenet5"\n'
        '[case.own]\n[case.other]\ndata = { python = "code_for_data:pair" }\n'
    )
    (tmp_path / "s.toml").write_text(text)
    table = robust.run(tmp_path / "s.toml", tmp_path / "out", trust=True, store=Store(tmp_path / "store"))
    assert robust.value(table, "top1", case="own").n == 6
    assert robust.value(table, "top1", case="other").n == 5
    assert set(table["data"]) == {"code_for_data:rows", "code_for_data:pair"}
    (tmp_path / "s.toml").write_text(text.replace(":pair", ":wrong"))
    with pytest.raises(DataError, match=r"s\.toml:5: data 'code_for_data:wrong': a int came; allowed: \(images, lab"):
        robust.run(tmp_path / "s.toml", tmp_path / "out", trust=True, store=Store(tmp_path / "store"))
