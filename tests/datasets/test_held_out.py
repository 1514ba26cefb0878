"""The validation split of data that has none: a tenth of each class, always the same images."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robust.datasets import folder
from robust.datasets.dataset import Dataset, from_splits
from robust.datasets.held_out import with_validation


@pytest.fixture
def data() -> Dataset:
    images = np.arange(105 * 16, dtype=np.uint32).astype("uint8").reshape(105, 4, 4)
    return from_splits({"train": (images, [0] * 60 + [1] * 34 + [2] * 7 + [3] * 4), "test": (images[:5], [0] * 5)})


def ids(data, split):
    return list(data.examples(split).ids)


@pytest.mark.slow
def test_it_is_a_tenth_of_each_class_and_nothing_is_in_two_splits_or_lost(data):
    found = with_validation(data)
    assert list(np.bincount(found.labels("validation"), minlength=4)) == [6, 3, 1, 0]  # too few of the last
    assert dict(found.sizes) == {"train": 95, "validation": 10, "test": 5}
    both = ids(found, "train"), ids(found, "validation")
    assert sorted([*both[0], *both[1]]) == ids(data, "train") and not {*both[0]} & {*both[1]}
    assert ids(found, "test") == ids(data, "test")
    whole = dict(zip(ids(data, "train"), data.examples("train").images, strict=True))
    for split in ("train", "validation"):
        for each, image in zip(ids(found, split), found.examples(split).images, strict=True):
            assert np.array_equal(image, whole[each])
    assert found.fingerprint != data.fingerprint and found.content == data.content
    (note,) = found.notes
    parts = ("arrays has no validation split", "a tenth of each class of train", "10 images")
    assert all(part in note for part in parts)


def test_it_is_not_the_first_or_last_images_and_always_the_same(data):
    chosen = ids(with_validation(data), "validation")
    assert chosen == ids(with_validation(data), "validation")
    places = [int(each.removeprefix("train-")) for each in chosen if int(each.removeprefix("train-")) < 60]
    assert places not in ([*range(6)], [*range(54, 60)]) and max(places) - min(places) > 10


def test_the_choice_does_not_hang_on_the_order(data):
    backwards = dataclasses.replace(data, read=lambda split: reversed_(data.read(split)))
    assert {*ids(with_validation(backwards), "validation")} == {*ids(with_validation(data), "validation")}


def reversed_(rows):
    import tensorflow as tf

    columns = [np.stack(column)[::-1] for column in zip(*rows.as_numpy_iterator(), strict=True)]
    return tf.data.Dataset.from_tensor_slices(tuple(columns))


def test_data_with_a_validation_split_without_train_or_with_too_few_images_stays_as_it_is(data):
    few = from_splits({"train": (np.zeros((8, 4, 4), "uint8"), [0, 0, 0, 0, 1, 1, 1, 1])})
    alone = from_splits({"test": (np.zeros((8, 4, 4), "uint8"), [0] * 8)})
    for each in (few, alone, with_validation(data)):
        assert with_validation(each) is each


def test_a_folder_holds_out_paths_and_decodes_only_what_is_asked_for(tmp_path):
    for split, sizes in {"train": (20, 10), "test": (1, 1)}.items():
        for name, size in zip("ab", sizes, strict=True):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(size):
                Image.new("L", (4, 4), i).save(tmp_path / split / name / f"{i:02}.png")
    found = with_validation(folder(path=str(tmp_path)))
    assert dict(found.sizes) == {"train": 27, "validation": 3, "test": 2}
    assert found.encoded is not None and found.encoded.light
    held = found.examples("validation")
    levels = [int(i.rpartition("/")[2].removesuffix(".png")) for i in held.ids]
    assert [each.split("/")[1] for each in held.ids] == ["a", "a", "b"]
    assert np.allclose(held.images[:, 0, 0, 0] * 255, levels)
    assert not {*ids(found, "train")} & {*held.ids}


def test_images_that_are_decoded_as_they_are_read_stay_so(data, tmp_path):
    held = with_validation(data).encoded
    assert held is not None and not held.light
    for i in range(20):
        place = tmp_path / "train" / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), i, np.uint8)).save(place / f"{i}.png")
    files = folder(path=str(tmp_path))
    found = with_validation(files)
    assert files.encoded is not None and found.encoded is not None
    paths = [row[0].decode() for row in found.encoded.rows("validation").as_numpy_iterator()]
    assert len(paths) == 2 and {Path(path).parent.name for path in paths} == {"a", "b"}
