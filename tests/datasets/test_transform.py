import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from robust.core.errors import DataError
from robust.core.remedies import formatted
from robust.datasets import folder
from robust.datasets.transform import IMAGENET, Transform, read


def smooth(height: int, width: int) -> np.ndarray:
    """A picture with structure at many scales, as photographs have."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / a + c) * np.cos(y / b) for a, b, c in ((9, 14, 0), (40, 25, 1), (5, 90, 2))]
    return np.round(127.5 + 127 * np.stack(waves, axis=-1)).astype(np.uint8)


def by_pillow(image: np.ndarray, shorter: int, size: int, how: Image.Resampling) -> np.ndarray:
    """torchvision's Resize(shorter) and CenterCrop(size)."""
    height, width = image.shape[:2]
    sides = (shorter, shorter * height // width) if width <= height else (shorter * width // height, shorter)
    resized = Image.fromarray(image).resize(sides, how)
    left, top = (round((side - size) / 2) for side in sides)
    return np.asarray(resized.crop((left, top, left + size, top + size)))


@pytest.mark.parametrize("shape", [(300, 401), (500, 257), (256, 256), (100, 133)])
@pytest.mark.parametrize(
    ("interpolation", "how"), [("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)]
)
def test_it_does_what_pillow_and_torchvision_do(shape, interpolation, how):
    image = smooth(*shape)
    ours = Transform(224, 0.875, interpolation)(tf.constant(image)).numpy()
    assert ours.dtype == np.uint8 and ours.shape == (224, 224, 3)
    assert np.abs(ours.astype(int) - by_pillow(image, 256, 224, how)).max() <= 1


def test_without_antialiasing_it_does_what_the_loader_of_keras_does(tmp_path):
    grain = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)
    (tmp_path / "a").mkdir()
    Image.fromarray(grain).save(tmp_path / "a/0.png")
    [[theirs]] = keras.utils.image_dataset_from_directory(
        tmp_path, labels=None, image_size=(24, 24), batch_size=1, verbose=False
    )
    ours, smoothed = (folder(path=str(tmp_path), transform={"size": 24, **more}) for more in ({"antialias": False}, {}))
    assert np.abs(ours.examples("test").images[0] * 255 - theirs).max() <= 0.51
    assert np.abs(smoothed.examples("test").images[0] * 255 - theirs).max() > 20
    assert not ours.remarks
    assert formatted(smoothed.remarks[0], "suite").endswith("set transform = { size = 24, antialias = false }")


def test_without_a_crop_the_whole_image_is_squeezed():
    image = smooth(60, 30)
    ours = Transform(20)(tf.constant(image)).numpy().astype(int)
    assert np.abs(ours - np.asarray(Image.fromarray(image).resize((20, 20), Image.Resampling.BILINEAR))).max() <= 1


def test_an_image_that_has_the_size_stays_as_it_is():
    image = smooth(24, 24)
    assert np.array_equal(Transform(24)(tf.constant(image)), image)
    assert np.array_equal(Transform(24, 1.0)(tf.constant(image[..., :1])), image[..., :1])


def test_what_a_suite_may_say():
    assert read(None) is None
    assert read("imagenet") == IMAGENET == Transform(224, 0.875)
    assert read({"size": 240.0, "crop": 240 / 272, "interpolation": "bicubic"}) == Transform(240, 240 / 272, "bicubic")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"sise": 3}, "transform has no 'sise'; did you mean 'size'?"),
        ({"size": 0}, "transform = {'size': 0}: write \"imagenet\", or { size = 224, crop = 0.875 } in whole pixels"),
        ({"size": 2.5}, "transform = {'size': 2.5}: write"),
        ({"crop": 0.5}, "transform = {'crop': 0.5}: write"),
        ("imagenett", "transform = 'imagenett': write"),
        ({"size": 3, "crop": 1.5}, "transform.crop = 1.5: must be a number in (0, 1]"),
        ({"size": 3, "crop": "big"}, "transform.crop = 'big': must be a number in (0, 1]"),
        (
            {"size": 3, "interpolation": "cubic"},
            "transform.interpolation = 'cubic': not known; did you mean 'bicubic'?",
        ),
    ],
)
def test_what_is_refused(given, expected):
    with pytest.raises(DataError) as caught:
        read(given)
    assert str(caught.value).startswith(expected)
