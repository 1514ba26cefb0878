import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import robust
from robust.core.errors import DataError
from robust.core.store import Store
from robust.datasets.dataset import from_arrays
from robust.datasets.folder import folder
from robust.datasets.from_python import dataset_of

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


@pytest.fixture
def photos(tmp_path):
    levels = np.random.default_rng(0).integers(0, 256, (9, 4, 5, 3)).astype("uint8")
    for i, image in enumerate(levels):
        (tmp_path / "photos" / "cab"[i % 3]).mkdir(parents=True, exist_ok=True)
        keras.utils.save_img(tmp_path / "photos" / "cab"[i % 3] / f"{i}.png", image, scale=False)
    return tmp_path / "photos"


@pytest.mark.slow_after_first
@pytest.mark.parametrize("batch", [None, 4])
@pytest.mark.parametrize("label_mode", ["int", "categorical"])
@pytest.mark.parametrize("colour", ["rgb", "grayscale"])
def test_data_as_keras_reads_a_folder(photos, batch, label_mode, colour):
    options = {"batch_size": batch, "label_mode": label_mode, "color_mode": colour, "shuffle": False, "verbose": False}
    rows = keras.utils.image_dataset_from_directory(photos, image_size=(4, 5), **options)
    found, expected = dataset_of(rows), folder(path=str(photos))
    assert (found.classes, dict(found.sizes)) == (expected.classes, {"test": 9})
    assert (
        found.remarks[0].startswith("its floats from ") and "taken for [0, 255] and divided by 255" in found.remarks[0]
    )
    assert np.array_equal(found.examples("test").labels, expected.examples("test").labels)
    if colour == "rgb":
        assert np.array_equal(found.examples("test").images, expected.examples("test").images)
    mapped = dataset_of(rows.map(lambda images, labels: (images, labels)))  # forgets its class_names
    assert mapped.classes == ("0", "1", "2") and np.array_equal(mapped.labels("test"), found.labels("test"))


def test_two_classes_as_keras_reads_them(photos):
    for file in (photos / "c").iterdir():
        file.unlink()
    (photos / "c").rmdir()
    options = {"label_mode": "binary", "shuffle": False, "verbose": False, "image_size": (4, 5)}
    for rows in (keras.utils.image_dataset_from_directory(photos, batch_size=b, **options) for b in (None, 2)):
        assert dataset_of(rows).labels("test").tolist() == [0, 0, 0, 1, 1, 1]
    both = keras.utils.image_dataset_from_directory(photos, validation_split=0.5, subset="both", seed=0, **options)
    with pytest.raises(DataError, match=r"got a pair with a tf\.data\.Dataset .* one of them, or a dictionary"):
        dataset_of(both)
    assert dict(dataset_of({"train": both[0], "test": both[1]}).sizes) == {"train": 3, "test": 3}


@pytest.mark.parametrize("labels", [Y[:, None], np.eye(3)[Y], np.eye(3, dtype=bool)[Y], Y[:, None].astype("float32")])
@pytest.mark.parametrize("form", [lambda x, y: (x, y), lambda x, y: tf.data.Dataset.from_tensor_slices((x, y))])
def test_labels_in_a_column_or_one_hot(form, labels):
    found = dataset_of(form(X, labels))
    assert np.array_equal(found.labels("test"), Y) and found.classes == ("0", "1", "2")


def test_one_hot_labels_tell_how_many_classes_there_are():
    wide = np.eye(5)[Y]
    assert len(dataset_of((X, wide)).classes) == 5 and len(dataset_of((X, wide), classes=5).classes) == 5
    for classes in (3, ["a", "b", "c"]):
        with pytest.raises(DataError, match="data 'arrays': one-hot labels of 5 classes, but there are 3"):
            dataset_of((X, wide), classes=classes)
    for soft in (wide * 0.9 + 0.02, np.zeros((7, 5)), np.ones((7, 5))):
        with pytest.raises(DataError, match=r"labels: shape \(7, 5\); allowed: one whole number an image"):
            dataset_of((X, soft))


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (X * 100, "floats from 0 to 100; allowed: [0, 1], or [0, 255] as Keras reads images; did you mean "),
        (X * 2 - 1, "floats from -1 to 1; allowed: "),
        (X * 1.2, "floats from 0 to 1.20000005; allowed: "),
    ],
)
def test_the_remedy_for_a_range_that_is_not_clear_works(images, expected):
    data = tf.data.Dataset.from_tensor_slices((images.astype("float32"), Y)).batch(3)
    with pytest.raises(DataError) as caught:
        dataset_of(data)
    assert expected in str(caught.value)
    remedy = str(caught.value).partition("did you mean ")[2].removesuffix("?")
    found = dataset_of(eval(remedy, {"data": data, "tf": tf})).examples("test").images
    wanted = {100: X * 100 / 255, 1: X, 1.2: np.minimum(X * 1.2, 1)}[round(float(images.max()), 1)]
    assert np.allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("grey", [ROWS.map(lambda x, y: (x[..., 0], y)), ROWS.map(lambda x, y: (x[..., :1], [y]))])
def test_grey_images_without_a_channel(grey):
    for data in (grey, grey.batch(3), grey.batch(7, drop_remainder=True)):
        found = dataset_of(data).examples("test")
        assert np.array_equal(found.images, X[..., :1]) and np.array_equal(found.labels, Y)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (X, "data 'arrays': got a ndarray; ... (images, labels), ... tf.data.Dataset of (image, label)"),
        (ROWS.repeat(), "data 'arrays': the tf.data.Dataset never ends; leave out its repeat()"),
        (ROWS.take(0), "data 'arrays': the tf.data.Dataset is empty"),
        (ROWS.map(lambda x, y: x), "data 'arrays': a tf.data.Dataset of TensorSpec("),
        (ROWS.map(lambda x, y: ({"a": x}, y)), "data 'arrays': a tf.data.Dataset of ({"),
        (
            tf.data.Dataset.from_generator(
                lambda: ((np.zeros([n, 4, 3], "float32"), 0) for n in (4, 5)),
                output_signature=(tf.TensorSpec([None, 4, 3]), tf.TensorSpec([], tf.int64)),
            ),
            "data 'arrays': the tf.data.Dataset cannot be read (",
        ),
        (ROWS.map(lambda x, y: (y, y)), "data 'arrays': images of shape (); allowed: [H, W, C], or [N, H, W, C] in "),
        ({"tset": ROWS}, "data 'arrays': a split 'tset'; did you mean 'test'?"),
        ({}, "data 'arrays': an empty dictionary; allowed: (images, labels) by split, train, validation, test"),
    ],
)
def test_what_is_refused(data, expected):
    with pytest.raises(DataError) as caught:
        dataset_of(data)
    assert all(part in str(caught.value) for part in expected.split(" ... "))


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, place):
        return X[3 * place : 3 * place + 3], Y[3 * place : 3 * place + 3]


@pytest.mark.parametrize(
    "data",
    [
        ROWS.map(lambda x, y: {"image": x, "label": y, "id": y}),
        ROWS.map(lambda x, y: (x, y, y)),
        Batches(),
        ((X[k : k + 2], Y[k : k + 2]) for k in range(0, 7, 2)),
    ],
)
def test_what_was_meant_is_told_and_can_be_typed(data):
    with pytest.raises(DataError) as caught:
        dataset_of(data)
    typed = re.search(r"(data\.map\(.*\)|tuple\(map\(.*\))\??$", str(caught.value))[1]
    found = dataset_of(eval(typed, {"data": data, "np": np})).examples("test")
    assert np.array_equal(found.images, X) and np.array_equal(found.labels, Y)


@pytest.mark.slow
def test_evaluate_takes_a_tf_data_dataset():
    model = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    table = robust.evaluate(model, ROWS.batch(3))
    expected = np.mean(model.predict(X, verbose=0).argmax(axis=1) == Y)
    assert robust.value(table, "top1").value == pytest.approx(expected)
    assert robust.value(table, "top1").n == 7


@pytest.mark.slow
def test_a_suite_may_name_code_that_gives_the_data(tmp_path):
    (tmp_path / "code_for_data.py").write_text(
        "import numpy as np\nimport tensorflow as tf\n\n"
        "def images(n: int):\n    return np.arange(n * 784).reshape(n, 28, 28, 1)\n\n"
        "def rows(*, n: int = 4):\n"
        "    return tf.data.Dataset.from_tensor_slices((images(n).astype('uint8'), np.arange(n) % 3))\n\n"
        "def pair():\n    return images(5) / 1e4, np.arange(5) % 3\n\n"
        "def wrong():\n    return 3\n"
    )
    text = (
        'data = { python = "code_for_data:rows", n = 6 }\n[model.m]\narchitecture = "lenet5"\n'
        '[case.own]\n[case.other]\ndata = { python = "code_for_data:pair" }\n'
    )
    (tmp_path / "s.toml").write_text(text)
    table = robust.run(tmp_path / "s.toml", tmp_path / "out", allow_code=True, store=Store(tmp_path / "store"))
    assert robust.value(table, "top1", case="own").n == 6
    assert robust.value(table, "top1", case="other").n == 5
    assert set(table["data"]) == {"code_for_data:rows", "code_for_data:pair"}
    (tmp_path / "s.toml").write_text(text.replace(":pair", ":wrong"))
    with pytest.raises(DataError, match=r"s\.toml:5: data 'code_for_data:wrong': got a int; allowed: \(images, lab"):
        robust.run(tmp_path / "s.toml", tmp_path / "out", allow_code=True, store=Store(tmp_path / "store"))
