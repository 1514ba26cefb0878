import re

import numpy as np
import pytest
import tensorflow as tf

from robust.core.errors import DataError
from robust.datasets.dataset import from_arrays

GREY = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3, 1)
FLOATS = GREY.astype(np.float64) / 255
LABELS = [1, 0]


def test_what_comes_in_comes_out():
    data = from_arrays(GREY, LABELS, classes=["cat", "dog"], name="pets", ids=["Möwe", "b"])
    examples = data.examples("test")
    assert (data.name, data.classes, data.image_shape) == ("pets", ("cat", "dog"), (3, 3, 1))
    assert (dict(data.sizes), dict(data.superclasses)) == ({"test": 2}, {})
    assert np.array_equal(examples.images, FLOATS.astype(np.float32))
    assert (examples.labels.tolist(), examples.ids.tolist()) == (LABELS, ["Möwe", "b"])
    assert examples.images.dtype == np.float32


@pytest.mark.parametrize(
    "images",
    [GREY[..., 0], FLOATS, FLOATS.astype(np.float32), FLOATS.tolist(), tf.constant(FLOATS), GREY[..., ::-1]],
)
def test_forms_of_the_same_images(images):
    examples = from_arrays(images, LABELS).examples("test")
    assert np.array_equal(examples.images, FLOATS.astype(np.float32))
    assert examples.ids.tolist() == ["00000", "00001"]


@pytest.mark.parametrize("labels", [(1, 0), np.array([1.0, 0.0]), np.array([True, False]), np.uint8([1, 0])])
def test_forms_of_the_same_labels(labels):
    data = from_arrays(GREY, labels)
    assert data.classes == ("0", "1")
    assert data.examples("test").labels.tolist() == LABELS
    assert data.examples("test").labels.dtype == np.int64


def test_classes_by_number():
    assert from_arrays(GREY, LABELS, classes=3).classes == ("0", "1", "2")
    assert from_arrays(GREY, LABELS, classes=np.array(["cat", "dog"])).classes == ("cat", "dog")


def test_the_fingerprint_follows_the_content():
    base = from_arrays(GREY, LABELS).fingerprint
    assert from_arrays(GREY.copy(), np.array(LABELS), name="other").fingerprint == base
    others = [
        from_arrays(GREY + 1, LABELS),
        from_arrays(GREY, [0, 1]),
        from_arrays(GREY, LABELS, classes=3),
        from_arrays(GREY, LABELS, ids=["a", "b"]),
        from_arrays(GREY.reshape(2, 1, 9, 1), LABELS),
    ]
    assert len({base, *(each.fingerprint for each in others)}) == 6


ONE = np.zeros([1, 3, 3, 1])
NAN = FLOATS.copy()
NAN[1, 2, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ([], "images: shape (0,) holds nothing; allowed: ... one image ... one pixel"),
        (GREY[:0], "images: shape (0, 3, 3, 1) holds nothing; allowed: ... one image ... one pixel"),
        (
            GREY[0, ..., 0],
            "images: shape (3, 3); allowed: [N, H, W, C] or [N, H, W]; did you mean images[None], one image alone?",
        ),
        (
            np.zeros([5, 784]),
            "images: shape (5, 784); allowed: [N, H, W, C] or [N, H, W]; did you mean images.reshape(-1, 28, 28, 1)?",
        ),
        (
            np.zeros([5, 3072]),
            "images: shape (5, 3072); allowed: [N, H, W, C] or [N, H, W]; did you mean images.reshape(-1, 32, 32, 3)?",
        ),
        (GREY[None], "images: shape (1, 2, 3, 3, 1); allowed: [N, H, W, C] or [N, H, W]"),
        (
            np.zeros([2, 3, 32, 32]),
            "images: shape (2, 3, 32, 32); allowed: [N, H, W, C], the channels last; "
            "did you mean images.transpose(0, 2, 3, 1)?",
        ),
        (GREY.astype(int), "images: of type int64; allowed: uint8, ... did you mean images.astype('uint8')?"),
        (GREY.astype(int) - 9, "images: of type int64; allowed: uint8, or floats in [0, 1]"),
        (GREY.astype(str), "images: of type <U3; allowed: uint8, or floats in [0, 1]"),
        (NAN, "images: images[1, 2, 0, 0] is nan; allowed: finite floats in [0, 1]"),
        (FLOATS + np.inf, "images: images[0, 0, 0, 0] is inf; allowed: finite floats in [0, 1]"),
        (GREY * 15.0, "images: floats from 0 to 255; allowed: [0, 1]; did you mean images / 255?"),
        (FLOATS * 30 - 1, "images: floats from -1 to 1; allowed: [0, 1]; did you mean (images + 1) / 2?"),
        (FLOATS * 45 - 1.5, "images: floats from -1.5 to 1.5; allowed: [0, 1]"),
        (FLOATS * 15.015, "images: floats from 0 to 1.001; allowed: [0, 1]; did you mean np.clip(images, 0, 1)?"),
    ],
)
def test_images_that_are_refused(images, expected):
    assert fits(complaint(images, LABELS), expected)


def test_images_that_are_not_an_array():
    said = complaint([[[1.0]], [[1.0, 2.0]]], LABELS)
    assert said.startswith("images: list is not an array, setting an array element with a sequence.")


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([], None, "labels: 0 of them for 2 images; allowed: one for each image"),
        ([1, 0, 1], None, "labels: 3 of them for 2 images; allowed: one for each image"),
        (np.eye(2), None, "labels: shape (2, 2); allowed: ... did you mean labels.argmax(axis=1), ... one-hot?"),
        (
            [[1], [0]],
            None,
            "labels: shape (2, 1); allowed: one whole number an image, [N]; did you mean labels[:, 0]?",
        ),
        (1, None, "labels: shape (); allowed: one whole number an image, [N]"),
        (["cat", "dog"], None, "labels: of type <U3; allowed: whole numbers, the indices of the classes"),
        ([0, 0.5], None, "labels: labels[1] is 0.5; allowed: a whole number"),
        ([0, np.nan], None, "labels: labels[1] is nan; allowed: a whole number"),
        ([0, np.inf], None, "labels: labels[1] is inf; allowed: 0 or more"),
        ([0, -1], None, "labels: labels[1] is -1; allowed: 0 or more"),
        ([-1, 0], 2, "labels: labels[0] is -1; allowed: 0 to 1, for 2 classes"),
        ([0, 2], ["cat", "dog"], "labels: labels[1] is 2; allowed: 0 to 1, for 2 classes"),
    ],
)
def test_labels_that_are_refused(labels, classes, expected):
    assert fits(complaint(GREY, labels, classes), expected)


@pytest.mark.parametrize("classes", [0, -1, []])
def test_no_classes(classes):
    expected = f"classes: {classes!r}; allowed: their names, or how many there are, 1 or more"
    assert complaint(GREY, LABELS, classes) == expected


def test_class_names_that_are_not_unique():
    expected = "data set 'arrays': classes [0, 1] are all named 'cat'; names must be unique"
    assert complaint(GREY, LABELS, ["cat", "cat"]) == expected


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["a"], "ids: shape (1,) for 2 images; allowed: one for each image"),
        (["a", "a"], "ids: ids[1] is a; allowed: each id once"),
    ],
)
def test_ids_that_are_refused(ids, expected):
    assert complaint(GREY, LABELS, ids=ids) == expected


def complaint(*arguments, **options) -> str:
    with pytest.raises(DataError) as caught:
        from_arrays(*arguments, **options)
    return str(caught.value)


def fits(said: str, expected: str) -> bool:
    """Whether it is what was expected, from its first word to its last; " ... " is any words."""
    return re.fullmatch(".*".join(map(re.escape, expected.split(" ... "))), said) is not None


def test_a_rounding_outside_of_zero_to_one_is_clipped_and_more_is_told_in_full():
    above, below = (np.full((1, 2, 2, 1), value, np.float32) for value in (1 + 1e-6, -1e-9))
    assert from_arrays(above, [0]).examples("test").images.max() == 1
    assert from_arrays(below, [0]).examples("test").images.min() == 0
    for value in (1 + 1.6e-6, -1.6e-6):
        assert "allowed: [0, 1]; did you mean np.clip(images, 0, 1)?" in complaint(above * 0 + np.float32(value), [0])
    said = complaint(above + np.float32(1e-4), [0])
    assert "1.0001" in said and said.endswith("did you mean np.clip(images, 0, 1)?")


@pytest.mark.parametrize(("images", "hint"), [
    (np.array([[[0, 255]]]), "; did you mean images.astype('uint8')?"),
    (np.array([[[0, 256]]]), ""), (np.array([[[-1, 9]]]), ""),
    (np.array([[[True, False]]]), "; did you mean images.astype('float32')?"),
    (np.array([[[0, 1]]]), "; did you mean images.astype('float32')?"),
    (np.array([[[0, 1]]], "uint8"), "; did you mean images.astype('float32')?"),
    (np.array([[[0.0, 1 / 255]]]), "; did you mean images * 255?"),
    (np.array([[[0, 65535]]], "uint16"), "; did you mean images / 65535?"),
    (np.array([[[0.0, 255.0]]]), "; did you mean images / 255?"), (np.array([[[0.0, 256.0]]]), ""),
    (np.array([[[-1.0, 1.0]]]), "; did you mean (images + 1) / 2?"),
    (np.array([[[-0.9, 0.9]]]), "; did you mean (images + 1) / 2?"),
    (np.array([[[-0.2, 1.2]]]), "; did you mean np.clip(images, 0, 1)?"), (np.array([[[-0.2, 9.0]]]), ""),
    (np.array([[[-0.25, 1.25]]]), "; did you mean np.clip(images, 0, 1)?"), (np.array([[[-0.26, 1.2]]]), ""),
    (np.array([[[-9.0, 1.2]]]), ""), (np.array([[[-3.0, 3.0]]]), ""), (np.array([[[0.0, 1.4]]]), ""),
])  # fmt: skip
def test_a_hint_is_given_where_one_way_is_likely_and_none_elsewhere(images, hint):
    said = complaint(images, [0])
    assert said.endswith(hint) if hint else "did you mean" not in said


@pytest.mark.parametrize("images", [GREY > 7, (GREY > 7).astype(int), (GREY > 7) * np.uint16(65535)])
def test_the_hints_for_whole_numbers_make_black_and_white_of_them(images):
    way = complaint(images, [0, 1]).partition("did you mean ")[2].removesuffix("?")
    meant = eval(way, {"images": images})
    assert np.array_equal(from_arrays(meant, [0, 1]).examples("test").images, GREY > 7)


@pytest.mark.parametrize(
    "dark", [np.array([[[0, 1]], [[0, 2]]], "uint8"), np.array([[[0.0]], [[0.004]]]), np.zeros((2, 3, 3))]
)
def test_dark_images_are_images_where_they_have_more_than_the_lowest_level(dark):
    assert from_arrays(dark, [0, 1]).sizes == {"test": 2}


def test_training_refuses_images_that_were_divided_and_cast(tmp_path, robust_command):
    images = np.random.default_rng(0).integers(0, 2, (8, 4, 4)).astype("uint8")
    np.savez(tmp_path / "d.npz", x_train=images, y_train=np.arange(8) % 2)
    done = robust_command("train", "mlp", "--data", "d.npz", "--out", "m.keras", cwd=tmp_path)
    assert done.returncode == 2 and "all but black" in done.stderr and "images.astype('float32')" in done.stderr
