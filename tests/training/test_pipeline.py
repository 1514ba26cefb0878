import numpy as np
import pytest
import tensorflow as tf

from robust.core.errors import DataError
from robust.core.signature import bind
from robust.datasets.dataset import Dataset
from robust.datasets.stored_images import Encoded
from robust.training import pipeline
from robust.training.pipeline import training_batches

CROP = [bind("augmentations", name) for name in ("pad_and_crop", "flip")]


@pytest.fixture(scope="module")
def numbers() -> Dataset:
    """50 images, each of its own grey: uint8 10, 11, ...; the label is the grey modulo 3."""
    greys = np.arange(10, 60)
    images = np.broadcast_to(greys[:, None, None, None], (50, 8, 6, 1)).astype(np.uint8)
    rows = images, (greys % 3).astype("int64"), [f"id-{grey}" for grey in greys]
    return Dataset(
        "greys", ("a", "b", "c"), (8, 6, 1), {"train": 50}, lambda _: tf.data.Dataset.from_tensor_slices(rows), "greys"
    )


@pytest.fixture(scope="module")
def stored(numbers) -> Dataset:
    """The same images as PNG files, which are decoded when they are read."""
    rows = [tf.io.encode_png(image).numpy() for image, _, _ in numbers.read("train")]
    labels, ids = zip(*((label, id) for _, label, id in numbers.read("train").as_numpy_iterator()), strict=True)

    def decode(image):
        return tf.ensure_shape(tf.io.decode_png(image), [8, 6, 1])

    encoded = Encoded(lambda _: tf.data.Dataset.from_tensor_slices((rows, np.array(labels), list(ids))), decode)
    return Dataset("stored", ("a", "b", "c"), (8, 6, 1), {"train": 50}, encoded.read, "stored", encoded=encoded)


@pytest.fixture(params=["memory", "stream"])
def either(request, monkeypatch):
    """Both ways of reading: kept in memory, or read again each epoch through a buffer that holds 20 images."""
    if request.param == "stream":
        monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
        monkeypatch.setattr(pipeline, "BUFFER", 20 * 8 * 6)
    return request.param


def _epochs(data, epochs, start=0, **options):
    """For each epoch, the (images, labels, seeds) of all its batches."""
    options = {"batch_size": 16, "seed": 0, **options}
    batches = list(training_batches(data, epochs=epochs, start_epoch=start, **options).as_numpy_iterator())
    steps = -(-50 // options["batch_size"])
    assert len(batches) == steps * (epochs - start)
    return [
        [np.concatenate(column) for column in zip(*batches[k : k + steps], strict=True)]
        for k in range(0, len(batches), steps)
    ]


def _greys(images):
    return np.rint(images[:, 0, 0, 0] * 255).astype(int)


def _bytes(epoch):
    return [column.tobytes() for column in epoch]


def test_every_example_comes_once_an_epoch_with_its_label(numbers, either):
    epochs = _epochs(numbers, 3)
    for images, labels, seeds in epochs:
        assert (images.dtype, labels.dtype, seeds.dtype) == (np.float32, np.int64, np.int64)
        assert sorted(_greys(images)) == list(range(10, 60))
        assert np.array_equal(labels, _greys(images) % 3)
        assert len(set(seeds)) == 50
    orders = [_greys(images).tolist() for images, _, _ in epochs]
    assert len({tuple(order) for order in [list(range(10, 60)), *orders]}) == 4


def test_the_last_batch_is_ragged_and_the_number_of_batches_is_known(numbers, either):
    batches = training_batches(numbers, batch_size=16, seed=0, epochs=3, start_epoch=1)
    assert int(batches.cardinality()) == 8
    assert [len(labels) for _, labels, _ in batches] == [16, 16, 16, 2] * 2
    assert batches.element_spec[0].shape == (None, 8, 6, 1)


@pytest.mark.slow
def test_a_run_taken_up_at_an_epoch_sees_what_the_uninterrupted_one_saw(numbers, either):
    mixed = [*CROP, bind("augmentations", "mixup")]
    for augment in ((), mixed):
        whole = _epochs(numbers, 4, augment=augment)
        for start in (1, 3):
            assert list(map(_bytes, whole[start:])) == list(map(_bytes, _epochs(numbers, 4, start, augment=augment)))


@pytest.mark.slow
def test_order_and_augmentation_hang_on_the_seed_and_not_on_the_global_one(numbers, either):
    first = _epochs(numbers, 2, augment=CROP)
    tf.random.set_seed(7)
    again = _epochs(numbers, 2, augment=CROP)
    other = _epochs(numbers, 2, augment=CROP, seed=1)
    assert list(map(_bytes, first)) == list(map(_bytes, again))
    assert all(a[2].tobytes() != b[2].tobytes() for a, b in zip(first, other, strict=True))
    assert not set(first[0][2]) & set(other[0][2])


def test_the_seeds_are_those_of_the_examples_and_change_each_epoch(numbers, either):
    (first, again), (twice, _) = _epochs(numbers, 2), _epochs(numbers, 2, batch_size=7)
    by_grey = [dict(zip(_greys(images), seeds, strict=True)) for images, _, seeds in (first, again, twice)]
    assert by_grey[0] == by_grey[2]  # whatever the batches
    assert not set(by_grey[0].values()) & set(by_grey[1].values())


def test_both_ways_of_reading_augment_an_example_alike(numbers, monkeypatch):
    def by_seed():
        ((images, _, seeds),) = _epochs(numbers, 1, augment=CROP)
        return {seed: image.tobytes() for seed, image in zip(seeds, images, strict=True)}

    kept = by_seed()
    monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    assert by_seed() == kept


@pytest.mark.slow
def test_augmentations_change_each_epoch_and_do_not_share_their_numbers(numbers):
    erase = bind("augmentations", {"name": "random_erasing", "probability": 1, "largest": 0.9, "smallest": 0.9})
    (one,), (two,) = _epochs(numbers, 1, augment=[erase]), _epochs(numbers, 1, augment=[erase, erase])
    assert np.mean(one[0] == two[0]) < 0.2  # the second time is not the first again
    first, again = _epochs(numbers, 2, augment=[erase])
    order = [np.argsort(epoch[1], kind="stable") for epoch in (first, again)]
    assert np.mean(first[0][order[0]] == again[0][order[1]]) < 0.2


def test_stored_images_are_fed_as_decoded_ones_are(numbers, stored, either):
    for one, other in zip(_epochs(stored, 2, augment=CROP), _epochs(numbers, 2, augment=CROP), strict=True):
        by_seed = [_bytes(column[np.argsort(epoch[2])] for column in epoch) for epoch in (one, other)]
        assert by_seed[0] == by_seed[1]  # the orders may differ: a buffer holds more PNG files than pixels


@pytest.mark.slow
def test_mixing_makes_labels_shares_of_the_classes(numbers, either):
    for name in ("mixup", "cutmix"):
        ((_, labels, _),) = _epochs(numbers, 1, augment=[*CROP, bind("augmentations", {"name": name, "alpha": 1.0})])
        assert (labels.dtype, labels.shape) == (np.float32, (50, 3))
        np.testing.assert_allclose(labels.sum(1), 1, atol=1e-6)
        assert ((labels > 0.01).sum(1) > 1).mean() > 0.4


def test_floats_are_taken_as_they_are(stripes):
    images, labels, _ = next(training_batches(stripes, batch_size=384, seed=0, epochs=1).as_numpy_iterator())
    expected = stripes.examples("train")
    assert sorted(images.sum(axis=(1, 2, 3)).tolist()) == sorted(expected.images.sum(axis=(1, 2, 3)).tolist())
    assert np.bincount(labels).tolist() == np.bincount(expected.labels).tolist()


def test_only_the_split_asked_for_is_read(stripes):
    seen = []
    watched = Dataset(
        "stripes", stripes.classes, (8, 8, 1), stripes.sizes, lambda s: seen.append(s) or stripes.read(s), "stripes"
    )
    next(iter(training_batches(watched, batch_size=4, seed=0, epochs=1, split="validation")))
    assert set(seen) == {"validation"}


def test_a_split_that_is_not_there_is_told(numbers):
    with pytest.raises(DataError, match="data set 'greys' has no split 'validation'; allowed: train"):
        training_batches(numbers, batch_size=4, seed=0, epochs=1, split="validation")


def test_no_epochs_left_is_no_batches(numbers, either):
    assert list(training_batches(numbers, batch_size=4, seed=0, epochs=3, start_epoch=3)) == []


@pytest.mark.slow
def test_an_order_is_random(numbers):
    """Over 300 epochs, each example comes as often in the first half of the batches as in the second."""
    places = np.array([np.argsort(_greys(images)) for images, _, _ in _epochs(numbers, 300)])
    assert np.abs(places.mean(0) - 24.5).max() < 4.5 * np.sqrt((50**2 - 1) / 12 / 300)
    assert (
        np.abs(np.corrcoef(places)[np.triu_indices(300, 1)]).mean() < 0.2
    )  # one epoch's order tells nothing of another's
