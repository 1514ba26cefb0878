"""The exam of every augmentation: the box, the shape, the seeds, grey and colour, labels that stay shares."""

import numpy as np
import pytest
import tensorflow as tf

from robust.core import registry
from robust.core import signature as schema
from robust.core.errors import DataError
from robust.core.randomness import image_seeds
from robust.training.augmentations import takes_labels

SEEDS = image_seeds(0, "augmentations", [str(i) for i in range(12)])
LABELS = np.eye(5, dtype=np.float32)[np.arange(12) % 5]
COLOURED = ("pca_colour",)  # those that need three channels

every = pytest.mark.parametrize("name", registry.names("augmentations"))
shapes = pytest.mark.parametrize("shape", [(28, 28, 1), (24, 40, 3)])


def _images(shape):
    return np.random.default_rng(0).random((12, *shape), dtype=np.float32)


_graphs = {}


def _augment(name, images, seeds=SEEDS, labels=LABELS):
    """Images and labels after the augmentation as a graph, and traced once for each shape, as in a pipeline."""
    call = schema.bind("augmentations", name)

    def run(images, labels, seeds):
        return call(images, labels, seeds=seeds) if takes_labels(name) else (call(images, seeds=seeds), labels)

    if name in COLOURED and images.shape[-1] != 3:
        pytest.skip("it needs three channels, and says so")
    shape = [None, *images.shape[1:]]
    signature = [tf.TensorSpec(shape), tf.TensorSpec([None, 5]), tf.TensorSpec([None], tf.int64)]
    if (name, images.shape[1:]) not in _graphs:
        _graphs[name, images.shape[1:]] = tf.function(run, input_signature=signature, autograph=False)
    return [part.numpy() for part in _graphs[name, images.shape[1:]](images, labels, seeds)]


@pytest.mark.slow_after_first
@every
@shapes
def test_shape_type_and_box(name, shape):
    images = _images(shape)
    found, labels = _augment(name, images)
    assert (found.shape, found.dtype) == (images.shape, np.float32)
    assert found.min() >= 0 and found.max() <= 1
    assert not np.array_equal(found, images)
    assert labels.min() >= 0
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)


@every
@shapes
def test_the_same_seeds_give_the_same_bytes_in_any_order_of_calls(name, shape):
    images = _images(shape)
    first = _augment(name, images)
    other = _augment(name, images, SEEDS[::-1].copy())
    again = _augment(name, images)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, again, strict=True))
    assert first[0].tobytes() != other[0].tobytes()


@every
@shapes
def test_a_batch_in_another_order_gives_the_same_in_that_order(name, shape):
    images = _images(shape)
    found, labels = _augment(name, images)
    order = np.random.default_rng(1).permutation(12)
    shuffled, mixed = _augment(name, images[order], SEEDS[order], LABELS[order])
    # a processor takes logarithms four or eight at once, and the last few otherwise: the last bit may differ
    np.testing.assert_allclose(shuffled, found[order], atol=1e-6)
    np.testing.assert_allclose(mixed, labels[order], atol=1e-6)


@every
@shapes
def test_what_becomes_of_an_image_does_not_hang_on_its_company(name, shape):
    if takes_labels(name):
        pytest.skip("company is what a mixture is made of")
    images = _images(shape)
    found, _ = _augment(name, images)
    for rows in ([4], [11, 0, 3]):
        alone, _ = _augment(name, images[rows], SEEDS[rows], LABELS[rows])
        np.testing.assert_allclose(alone, found[rows], atol=1e-6)


@pytest.mark.slow_after_first
@every
@pytest.mark.parametrize("grey", [0.0, 1.0])
def test_extreme_images_stay_in_the_box(name, grey):
    found, _ = _augment(name, np.full((12, 32, 32, 3), grey, np.float32))
    assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1


@pytest.mark.parametrize("name", [name for name in registry.names("augmentations") if takes_labels(name)])
def test_a_mixture_with_itself_is_the_image(name):
    """A batch of one has nobody else: its own pixels and label come back."""
    images = _images((8, 8, 3))[:1]
    found, labels = _augment(name, images, SEEDS[:1], LABELS[:1])
    np.testing.assert_allclose(found, images, atol=1e-6)
    np.testing.assert_allclose(labels, LABELS[:1], atol=1e-6)


@pytest.mark.parametrize("name", COLOURED)
def test_grey_images_are_refused_where_colour_is_what_changes(name):
    with pytest.raises(DataError, match=rf"{name} .* the images have 1 channel\(s\); leave it out of augment"):
        schema.bind("augmentations", name)(tf.zeros([1, 8, 8, 1]), seeds=SEEDS[:1])


@pytest.mark.parametrize(
    "table",
    [
        {"name": "flip", "probability": 0},
        {"name": "pca_colour", "std": 0},
        {"name": "photometric_distortion", "strength": 0},
        {"name": "area_and_aspect_crop", "smallest": 1},
        {"name": "scale_jitter", "smallest": 224, "largest": 224},
        {"name": "random_erasing", "probability": 0},
        {"name": "random_erasing", "smallest": 0, "largest": 0},
    ],
    ids=str,
)
def test_no_strength_is_no_change(table):
    images = _images((24, 40, 3))
    found = schema.bind("augmentations", table)(tf.constant(images), seeds=tf.constant(SEEDS)).numpy()
    np.testing.assert_allclose(found, images, atol=1e-6)
