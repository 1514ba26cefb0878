import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from robust.core.errors import DataError
from robust.datasets import fashion_mini
from robust.datasets.dataset import Dataset, fingerprint, from_arrays, from_splits

CLASSES = ("cat", "dog")


def dataset(classes=CLASSES, sizes=None, superclasses=None):
    """Cats and dogs in turn, each image of one pixel that is a little lighter than the one before."""

    def read(split):
        count = tf.data.Dataset.range(data.sizes[split])
        return count.map(lambda i: (tf.cast(tf.fill([1, 1, 1], i), tf.uint8), i % 2, tf.strings.as_string(i)))

    data = Dataset("pets", classes, (1, 1, 1), sizes or {"train": 6, "test": 4}, read, "0", superclasses or {})
    return data


def test_uint8_becomes_the_same_floats_as_in_numpy():
    every = np.arange(256, dtype=np.uint8).reshape(-1, 1, 1, 1)
    images = from_arrays(every, np.zeros(256, int)).examples("test").images
    assert np.array_equal(images, every.astype(np.float32) / np.float32(255))


def test_all_examples_in_order():
    examples = dataset().examples("train")
    assert examples.ids.tolist() == ["0", "1", "2", "3", "4", "5"]
    assert examples.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert examples.images.shape == (6, 1, 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("images", "balanced"), [(1, False), (77, False), (77, True), (1000, False)])
def test_a_choice_keeps_the_order_of_the_split(images, balanced):
    data = fashion_mini()
    everything, chosen = data.examples("test"), data.examples("test", images, balanced=balanced)
    where = np.flatnonzero(np.isin(everything.ids, chosen.ids))
    assert len(where) == images
    assert np.array_equal(everything.ids[where], chosen.ids)
    assert np.array_equal(everything.images[where], chosen.images)
    assert np.array_equal(everything.labels[where], chosen.labels)


def test_the_first_images_of_a_split():
    assert (dataset().first("train", 2).ravel() * 255).round().tolist() == [0, 1]
    assert len(dataset().first("train", 99)) == 6


@pytest.mark.slow
@settings(deadline=None, max_examples=15)
@given(images=st.integers(1, 6))
def test_a_larger_choice_contains_the_smaller_ones(images):
    ids = dataset().examples("train", images).ids
    assert len(ids) == images
    assert set(ids) <= set(dataset().examples("train", min(images + 1, 6)).ids)


def test_a_fingerprint_tells_the_parts_apart():
    assert fingerprint(b"a", b"b") != fingerprint(b"ab", b"") != fingerprint(b"ab")
    assert fingerprint(b"a\0") != fingerprint(b"a")
    grid = np.arange(6).reshape(2, 3)
    assert fingerprint(grid.T) == fingerprint(grid.T.copy()) != fingerprint(grid)


def complaint(function, *arguments, **options) -> str:
    with pytest.raises(DataError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def test_an_unknown_split():
    expected = "data set 'pets' has no split 'tset'; did you mean 'test'?"
    assert complaint(dataset().split, "tset") == expected
    assert complaint(dataset().examples, "tset") == expected
    assert complaint(dataset().examples, "tset", 2) == expected
    assert complaint(dataset().size, "validation") == "data set 'pets' has no split 'validation'; allowed: train, test"


def test_more_images_than_there_are_and_fewer_than_one():
    expected = "data set 'pets': {} images requested from its split 'train'; allowed: 1 to 6"
    for images in (7, 0, -1):
        assert complaint(dataset().examples, "train", images) == expected.format(images)


def test_a_split_that_is_empty_or_has_another_name():
    expected = "data set 'pets': its split 'test' is empty; allowed: 1 image or more"
    assert complaint(dataset, sizes={"train": 1, "test": 0}) == expected
    expected = "data set 'pets': a split 'val'; allowed: train, validation, test"
    assert complaint(dataset, sizes={"val": 1}) == expected


def test_classes_and_superclasses_that_contradict_themselves():
    expected = "data set 'pets': classes [0, 2] are all named 'cat'; names must be unique"
    assert complaint(dataset, ("cat", "dog", "cat")) == expected
    expected = "data set 'pets': a superclass holds no class 'cats'; did you mean 'cat'?"
    assert complaint(dataset, superclasses={"feline": ("cats",)}) == expected
    expected = "data set 'pets': class 'cat' is in 2 superclasses; allowed: at most one"
    assert complaint(dataset, superclasses={"a": ("cat",), "b": ("cat", "dog")}) == expected


def test_an_image_is_fetched_by_its_place():
    images = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    parts = {"train": (images[:6], [0, 1] * 3), "test": (images[6:], [1, 0] * 2)}
    encoded = from_splits(parts, name="pets").encoded
    fetched = [encoded.fetch(place).numpy().item() for split in parts for place, _, _ in encoded.places(split)]
    assert fetched == [*range(10)]
