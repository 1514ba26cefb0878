"""Classes of unequal size: weights of the loss beside Keras', and balanced sampling, in memory and streamed."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from robust.core.errors import DataError, SuiteError
from robust.core.progress import Silent
from robust.core.signature import bind
from robust.datasets import folder
from robust.datasets.dataset import Dataset, from_splits
from robust.suite import Model, ModelFile, Training, read_model
from robust.training import balance, pipeline
from robust.training.fit import fit
from robust.training.pipeline import training_batches

SIZES = (40, 15, 5)


@pytest.fixture(scope="module")
def uneven() -> Dataset:
    labels = np.repeat(np.arange(3), SIZES)
    images = np.random.default_rng(0).random((60, 8, 8, 1)).astype("float32")
    return from_splits({"train": (images, labels), "validation": (images, labels)}, ["a", "b", "c"])


def linear():
    keras.utils.set_random_seed(0)
    head = keras.layers.Dense(3, name="logits")
    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), head], name="linear")


def trained(data, network, **options):
    recipe = {"name": "short", "epochs": 2, "batch_size": 60, "optimizer": "sgd", "schedule": "constant", "warmup": 0.0}
    call = bind("recipes", {**recipe, "weight_decay": 0.0, "learning_rate": 0.1, "head": "kept", **options})
    return fit(Model("m", ModelFile(Path("m.keras")), Training(call)), data, 0, Silent(), base=lambda: network)


def sklearns(sizes):
    return {name: 60 / (3 * size) for name, size in zip("abc", sizes, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize("given", ["balanced", {"a": 0.5, "c": 4.0}, {"b": 0.0}])
def test_weights_are_those_of_keras_and_of_scikit_learn(uneven, given):
    known = sklearns(SIZES) if given == "balanced" else {"a": 1.0, "b": 1.0, "c": 1.0} | given
    ours, history = trained(uneven, linear(), class_weights=given)
    theirs, examples = linear(), uneven.examples("train")
    theirs.compile(keras.optimizers.SGD(0.1, 0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    by_label = {label: known[name] for label, name in enumerate("abc")}
    loss = theirs.fit(
        examples.images, examples.labels, batch_size=60, epochs=2, verbose=0, shuffle=False, class_weight=by_label
    ).history["loss"]
    assert np.allclose(history["loss"], loss, rtol=1e-5)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True))


@pytest.mark.slow
def test_parts_of_a_batch_and_shares_of_classes_are_weighed_alike(uneven):
    whole, _ = trained(uneven, linear(), class_weights="balanced")
    parts, _ = trained(uneven, linear(), class_weights="balanced", accumulation=7)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(whole.get_weights(), parts.get_weights(), strict=True))
    from robust.training.step import weighed

    losses, weights = tf.constant([1.0, 2.0]), np.array([1.0, 3.0, 5.0], "float32")
    assert weighed(losses, tf.constant([2, 0]), weights).numpy().tolist() == [5.0, 2.0]
    assert weighed(losses, tf.constant([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]), weights).numpy().tolist() == [2.0, 10.0]


def test_what_cannot_be_weighed_is_told(uneven):
    with pytest.raises(DataError, match="class_weights: arrays has no class 'cc'; did you mean 'c'"):
        balance.class_weights({"cc": 2.0}, uneven)
    with pytest.raises(DataError, match="every training image of arrays would weigh 0"):
        balance.class_weights({"a": 0.0, "b": 0.0, "c": 0.0}, uneven)
    both = {"recipe": "short", "class_weights": "balanced", "sampling": "balanced"}
    for train in (both, {"recipe": "short", "class_weights": {"a": -1}}, {"recipe": "short", "class_weights": "even"}):
        with pytest.raises(SuiteError, match="class_weights"):
            read_model("m", {"architecture": "lenet5", "train": train})


@pytest.mark.parametrize("sizes", [(40, 15, 5), (7, 1), (3, 3, 3), (50, 2, 9, 4)])
def test_an_epoch_sees_each_class_as_often_and_no_image_again_before_all_of_its_class(sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    places, turns = balance.order(labels, 3, 1)
    counts = np.bincount(labels[places], minlength=len(sizes))
    assert counts.sum() == len(labels) and counts.max() - counts.min() <= 1
    for label, size in enumerate(sizes):
        seen = np.bincount(places, minlength=len(labels))[labels == label]
        assert seen.max() - seen.min() <= 1 and seen.sum() == counts[label]
        assert sorted(turns[labels[places] == label]) == sorted(np.arange(counts[label]) // size)
    assert len({(p, t) for p, t in zip(places, turns, strict=True)}) == len(labels)
    again, other = balance.order(labels, 3, 1), balance.order(labels, 3, 2)
    assert np.array_equal(places, again[0]) and not np.array_equal(places, other[0])


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory) -> Dataset:
    root = tmp_path_factory.mktemp("uneven")
    for name, size in zip("abc", SIZES, strict=True):
        (root / "train" / name).mkdir(parents=True)
        for i in range(size):
            Image.new("L", (8, 8), 40 * "abc".index(name) + i).save(root / "train" / name / f"{i:02}.png")
    return folder(path=str(root))


def epochs(data, start=0, **options):
    found = training_batches(
        data, batch_size=16, seed=5, epochs=2, start_epoch=start, sampling="balanced",
        augment=[bind("augmentations", "pad_and_crop")], **options,
    )  # fmt: skip
    return [np.concatenate(part) for part in zip(*found.as_numpy_iterator(), strict=True)]


@pytest.mark.slow
def test_in_memory_and_of_paths_batches_are_the_same_and_mixed_and_taken_up_at_an_epoch(on_disk, monkeypatch):
    images, labels, seeds = epochs(on_disk)
    assert len(labels) == 120 and all(np.bincount(labels[i : i + 60]).tolist() == [20] * 3 for i in (0, 60))
    assert all(len(set(labels[i : i + 16])) == 3 for i in range(0, 60, 16))
    assert len(set(seeds)) == 120  # an image that is seen again is augmented in another way
    later = epochs(on_disk, start=1)
    assert all(np.array_equal(a[60:], b) for a, b in zip((images, labels, seeds), later, strict=True))
    monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    assert all(np.array_equal(a, b) for a, b in zip((images, labels, seeds), epochs(on_disk), strict=True))


def test_what_can_be_neither_held_nor_named_by_paths_is_refused(uneven, monkeypatch):
    monkeypatch.setattr(pipeline, "IN_MEMORY", 0)
    with pytest.raises(DataError, match=r"too many to be sampled in memory; .* write class_weights='balanced'"):
        epochs(dataclasses.replace(uneven, encoded=None))


@pytest.mark.slow
def test_a_training_by_balanced_sampling_learns_the_small_class(uneven):
    shown = dataclasses.replace(uneven)
    network, history = trained(shown, linear(), sampling="balanced", epochs=3)
    assert len(history["loss"]) == 3 and network.output_shape == (None, 3)


@pytest.mark.slow_after_first
@pytest.mark.parametrize("limit", [pipeline.IN_MEMORY, 0], ids=["memory", "streamed"])
@pytest.mark.parametrize("sampling", ["all", "balanced"])
@pytest.mark.parametrize("epochs", [2, 3])
def test_no_batch_has_images_of_two_epochs(on_disk, monkeypatch, limit, sampling, epochs):
    monkeypatch.setattr(pipeline, "IN_MEMORY", limit)
    given = {"batch_size": 25, "seed": 0, "sampling": sampling}
    sizes = [25, 25, 10]
    whole = [images.numpy() for images, *_ in training_batches(on_disk, epochs=epochs, **given)]
    assert [len(images) for images in whole] == sizes * epochs
    later = [images.numpy() for images, *_ in training_batches(on_disk, epochs=epochs, start_epoch=1, **given)]
    assert all(map(np.array_equal, later, whole[len(sizes) :])) and len(later) == len(sizes) * (epochs - 1)
