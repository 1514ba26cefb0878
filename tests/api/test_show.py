import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from robust.api.show import augmentations, picture
from robust.core import registry
from robust.core.errors import DataError, SuiteError
from robust.core.signature import bind
from robust.datasets.dataset import from_splits
from robust.training.pipeline import training_batches


@pytest.fixture(scope="module")
def noise():
    images = np.random.default_rng(0).integers(0, 256, (6, 30, 40, 3), np.uint8)
    return from_splits({"train": (images, [0, 1, 2, 0, 1, 2])})


def _read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def _cell(sheet, row, column):
    """The image of 30 x 40 pixels, enlarged twice, at its place."""
    top, left = 4 + row * 64, 4 + column * 84
    return sheet[top : top + 60 : 2, left : left + 80 : 2]


def test_rows_are_images_and_columns_the_epochs_that_training_sees(noise, tmp_path):
    flips = [bind("augmentations", "flip")]
    sheet = _read(picture(noise, flips, tmp_path / "p.png", images=6, epochs=3, seed=5))
    assert sheet.shape == (6 * 64 + 4, 4 * 84 + 4, 3)
    assert (sheet[:4] == 255).all() and (sheet[:, :4] == 255).all() and (sheet[-4:] == 255).all()
    for row, image in enumerate(noise.examples("train").images):
        assert np.array_equal(_cell(sheet, row, 0), np.rint(image * 255))
    batches = training_batches(noise, batch_size=6, seed=5, epochs=3, augment=flips)
    for epoch, (images, _, _) in enumerate(batches.as_numpy_iterator()):
        seen = {np.rint(image * 255).astype(np.uint8).tobytes() for image in images}
        assert seen == {_cell(sheet, row, epoch + 1).tobytes() for row in range(6)}


@pytest.mark.slow
def test_grey_images_are_drawn_and_mixtures_too(tmp_path):
    data = from_splits({"train": (np.random.default_rng(0).random((4, 8, 8, 1), np.float32), [0, 1, 0, 1])})
    for name in ("mixup", "cutmix"):
        sheet = _read(picture(data, augmentations([name]), tmp_path / "p.png", images=4, epochs=2))
        assert sheet.shape == (4 * 100 + 4, 3 * 100 + 4, 3)


def test_a_recipe_stands_for_its_augmentations_and_need_not_say_its_year():
    named = augmentations(["alexnet2012"])
    assert [call.name for call in named] == ["scale_jitter", "flip", "pca_colour"]
    assert augmentations(["alexnet"]) == named
    assert [call.name for call in augmentations(["flip", "alexnet"])] == ["flip", "scale_jitter", "flip", "pca_colour"]
    for name in registry.names("recipes"):
        if name not in ("short", "lenet1998"):
            assert augmentations([name]), name


def test_names_that_are_nobodys_are_told():
    with pytest.raises(
        SuiteError, match=r"--augment flipp: no augmentation or recipe has that name; did you mean 'flip'"
    ):
        augmentations(["flipp"])
    with pytest.raises(SuiteError, match="--augment short: the recipe short leaves images as they are"):
        augmentations(["short"])


def test_more_images_than_there_are_is_told(noise, tmp_path):
    with pytest.raises(DataError, match="7 images requested from its split 'train'; allowed: 1 to 6"):
        picture(noise, [], tmp_path / "p.png", images=7)


@pytest.mark.slow
def test_the_command_prints_where_the_picture_is(tmp_path):
    command = [sys.executable, "-m", "robust", "show", "fashion_mini", "--augment", "pad_and_crop", "--augment", "flip"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "augmented.png\n", "")
    assert _read(tmp_path / "augmented.png").shape == (8 * 88 + 4, 9 * 88 + 4, 3)
