"""The exam of every corruption: the box, the seeds, the severities, grey and colour."""

import numpy as np
import pytest

from robust.core import registry, signature
from robust.core.declared import of_corruption
from robust.core.randomness import image_seeds

SEEDS = image_seeds(0, "corruptions", [str(i) for i in range(7)])
NAMES = registry.names("corruptions")
UNEVEN = [name for name in NAMES if of_corruption(name).non_monotone]
every = pytest.mark.parametrize("name", NAMES)
shapes = pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (96, 80, 3)])


def _images(shape):
    """Smooth blobs and an edge: something that noise, blur and weather all change."""
    high, wide, channels = shape
    rows, columns = np.mgrid[:high, :wide] / max(high, wide)
    phases = np.arange(7)[:, None, None] + np.arange(channels)[:, None, None, None] * 0.3
    waves = 0.5 + 0.3 * np.sin(9 * rows + phases) * np.cos(7 * columns) + 0.15 * np.sign(columns - 0.4)
    return np.moveaxis(waves, 0, -1).clip(0, 1).astype(np.float32)


def _corrupt(name, images, severity=3, seeds=SEEDS):
    return signature.bind("corruptions", {"name": name, "severity": severity})(images, seeds=seeds)


@every
@shapes
@pytest.mark.parametrize("severity", [1, 5])
def test_shape_type_and_box(name, shape, severity):
    images = _images(shape)
    before = images.tobytes()
    found = _corrupt(name, images, severity)
    assert (found.shape, found.dtype) == (images.shape, np.float32)
    assert found.min() >= 0 and found.max() <= 1
    assert (found != images).any(axis=(1, 2, 3)).all() or (name == "saturate" and shape[-1] == 1)
    assert images.tobytes() == before


@every
@shapes
def test_an_image_is_corrupted_by_its_seed_whatever_its_company(name, shape):
    images = _images(shape)
    whole = _corrupt(name, images)
    assert _corrupt(name, images).tobytes() == whole.tobytes()
    for rows in ([4], [6, 0, 3], [5, 4, 3, 2, 1, 0, 6]):
        assert _corrupt(name, images[rows], seeds=SEEDS[rows]).tobytes() == whole[rows].tobytes()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in UNEVEN])
@shapes
def test_it_grows_with_severity(name, shape):
    images = _images(shape)
    changes = [((_corrupt(name, images, severity) - images) ** 2).mean() for severity in range(1, 6)]
    assert all(np.diff(changes) > -1e-6 * changes[0]), changes
    assert changes[0] < changes[2] < changes[4]


@pytest.mark.parametrize("name", UNEVEN)
def test_what_is_said_not_to_grow_does_not(name):
    """Each exception is one: on some of the shapes a higher severity changes the image less."""
    steps = []
    for shape in [(28, 28, 1), (32, 32, 3), (96, 80, 3)]:
        images = _images(shape)
        steps += np.diff(
            [((_corrupt(name, images, severity) - images) ** 2).mean() for severity in range(1, 6)]
        ).tolist()
    assert min(steps) < 0


@every
@pytest.mark.parametrize("grey", [0.0, 1.0])
def test_extreme_images_stay_in_the_box(name, grey):
    found = _corrupt(name, np.full((7, 28, 28, 1), grey, np.float32), 5)
    assert np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1
