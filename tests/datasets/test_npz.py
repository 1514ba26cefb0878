import numpy as np
import pytest

from robust.core.errors import DataError
from robust.datasets.arrays import arrays

X = np.arange(24, dtype=np.uint8).reshape(4, 2, 3, 1)
Y = np.array([0, 2, 1, 2])


def saved(folder, **content) -> str:
    np.savez(folder / "x.npz", **content)
    return str(folder / "x.npz")


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels")])
def test_images_and_labels(tmp_path, names):
    data = arrays(path=saved(tmp_path, **dict(zip(names, (X, Y), strict=True))))
    examples = data.examples("test")
    assert (data.name, data.classes, dict(data.sizes)) == ("x", ("0", "1", "2"), {"test": 4})
    assert np.array_equal(np.round(examples.images * 255), X)
    assert np.array_equal(examples.labels, Y)
    assert examples.ids.tolist() == ["00000", "00001", "00002", "00003"]


def test_files_of_keras_with_labels_in_columns(tmp_path):
    path = saved(tmp_path, x_train=X[..., 0], y_train=Y[:, None], x_test=X[:2, ..., 0], y_test=Y[:2, None])
    data = arrays(path=path)
    assert (dict(data.sizes), data.classes, data.image_shape) == ({"train": 4, "test": 2}, ("0", "1", "2"), (2, 3, 1))
    assert data.examples("train").ids[1] == "train-00001"
    assert data.examples("test").ids.tolist() == ["test-00000", "test-00001"]
    assert sorted(data.examples("train", 3, balanced=True).labels) == [0, 1, 2]
    assert np.array_equal(data.examples("train").labels, Y)


def test_the_fingerprint_follows_the_content(tmp_path):
    base = arrays(path=saved(tmp_path, x=X, y=Y)).fingerprint
    assert arrays(path=saved(tmp_path, images=X, labels=Y)).fingerprint == base
    prints = {base}
    for content in ({"x": X + 1, "y": Y}, {"x_train": X, "y_train": Y}, {"x": X, "y": Y[::-1]}):
        prints.add(arrays(path=saved(tmp_path, **content)).fingerprint)
    assert len(prints) == 4


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"a": X}, "holds a; allowed: x and y, images and labels, or x_train, y_train, x_test and y_test"),
        ({"x": X}, "has no 'y', only x"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "has no 'y_test', only x_train, y_train, x_test"),
        ({"x": X * 1.0, "y": Y}, "images: floats from 0 to 23; allowed: [0, 1]; did you mean images / 255?"),
        ({"x": X, "y": Y[:3]}, "labels: 3 of them for 4 images; allowed: one for each image"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y},
         "data set 'x': its splits have images of different shapes: {'train': (2, 3, 1), 'test': (1, 3, 1)}"),
        ({"x": np.array([{}, 1], object), "y": Y}, "cannot be read as arrays (Object arrays cannot be loaded when"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, content, expected):
    path = saved(tmp_path, **content)
    with pytest.raises(DataError) as caught:
        arrays(path=path)
    assert str(caught.value).startswith(f"{path}: {expected}")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(DataError, match=r"x\.npz: cannot be read as arrays \("):
        arrays(path=str(tmp_path / "x.npz"))
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(DataError, match=r"x\.npy: cannot be read as arrays \(File is not a zip file\)"):
        arrays(path=str(tmp_path / "x.npy"))


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"x_test": X[:2], "y_test": Y[:2]}, "x and y; x_test and y_test"),
        ({"x_test": X[:2], "y_test": Y[:2], "x_train": X}, "x and y; x_test and y_test"),
        ({"images": X[:2], "labels": Y[:2]}, "x and y; images and labels"),
        ({"x_train": X, "y_train": Y}, "x and y; x_train and y_train"),
    ],
)
def test_of_several_pairs_none_is_taken_in_silence(tmp_path, monkeypatch, others, said):
    path = saved(tmp_path, x=X, y=Y, **others)
    with pytest.raises(DataError) as caught:
        arrays(path=path)
    message, remedy = str(caught.value).split("; save only those you mean: ")
    assert message == f"{path}: holds several pairs of images and labels, {said}"
    monkeypatch.chdir(tmp_path)
    exec(remedy, typed := {"np": np})
    typed["file"].close()
    assert arrays(path="one.npz").classes == ("0", "1", "2")


@pytest.mark.parametrize("held", ["val", "valid", "validation"])
def test_a_validation_split_by_its_usual_names(tmp_path, held):
    named = {f"{a}_{split}": of for split in ("train", "test", held) for a, of in (("x", X), ("y", Y))}
    found = arrays(path=saved(tmp_path, **named))
    assert found.sizes == {"train": 4, "validation": 4, "test": 4} and not found.remarks


def test_one_name_of_another_pair_is_passed_by_and_that_is_said(tmp_path):
    found = arrays(path=saved(tmp_path, x=X, y=Y, labels=np.array(["a", "b"])))
    assert found.size("test") == 4 and found.remarks == ("skipped, as no images or labels of a split: labels",)
    named = {f"{a}_{split}": of for split in ("train", "test", "dev") for a, of in (("x", X), ("y", Y))}
    assert "x_dev, y_dev" in arrays(path=saved(tmp_path, **named)).remarks[0]
    assert arrays(path=saved(tmp_path, x=X, images=X, labels=Y)).size("test") == 4


def test_only_objects_are_to_be_saved_as_plain_arrays(tmp_path):
    remedy = "; save plain arrays: np.stack(list(x)), y.astype(int)"
    with pytest.raises(DataError) as objects:
        arrays(path=saved(tmp_path, x=np.array([{}, 1], object), y=Y))
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(DataError) as damaged:
        arrays(path=str(tmp_path / "x.npz"))
    assert str(objects.value).endswith(remedy) and "save plain" not in str(damaged.value)
