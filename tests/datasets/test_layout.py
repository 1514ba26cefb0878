"""Which folders are splits, which are classes, and what nobody can tell."""

import re

import numpy as np
import pytest
from PIL import Image

from robust.core.errors import DataError
from robust.datasets.folder import folder
from robust.datasets.layout import split_of


def save(*paths):
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((2, 3, 3), number, np.uint8)).save(path)


def complaint(root, **options):
    with pytest.raises(DataError) as caught:
        folder(path=str(root), **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("train", "TRAIN", "Training", "training_set", "trainset", "TrainData", "trn")),
        *((name, "validation") for name in ("val", "valid", "Valid", "validation-set", "dev", "val2017", "ValSet")),
        *((name, "test") for name in ("test", "Testing", "test_images", "eval", "seg_test", "TESTSET")),
        *((name, None) for name in ("cat", "train station", "testtube", "validator", "train_test", "set", "", "1")),
    ],
)
def test_names_of_splits(name, split):
    assert split_of(name) == split


@pytest.mark.parametrize(
    "names",
    [("Train", "Valid", "TEST"), ("training", "dev", "testing"), ("training_set", "validation_set", "test_set"),
     ("seg_train", "seg_val", "seg_test"), ("train", "validation", "eval")],
)  # fmt: skip
def test_splits_by_their_usual_names(tmp_path, names):
    save(*(tmp_path / name / label / "1.png" for name in names for label in ("a", "b")))
    data = folder(path=str(tmp_path))
    assert (data.classes, dict(data.sizes)) == (("a", "b"), {"train": 2, "validation": 2, "test": 2})
    assert data.examples("validation").ids.tolist() == [f"{names[1]}/a/1.png", f"{names[1]}/b/1.png"]


def test_a_split_inside_a_folder_of_its_own_name_as_archives_have_it(tmp_path):
    save(*(tmp_path / s / s / label / "1.png" for s in ("seg_train", "seg_test") for label in ("a", "b")))
    save(*(tmp_path / "seg_pred/seg_pred" / f"{i}.png" for i in range(3)))
    data = folder(path=str(tmp_path))
    assert (data.classes, dict(data.sizes)) == (("a", "b"), {"train": 2, "test": 2})
    splits, others = data.remarks
    parts = ("taken as splits", "'seg_train/seg_train' for train", "'seg_test/seg_test' for test")
    assert all(part in splits for part in parts)
    assert others == "skipped, as folders next to the splits: 1 ('seg_pred')"


def test_images_in_the_folder_of_no_class_alone_are_told(tmp_path):
    save(tmp_path / "1.png", tmp_path / "2.png")
    (tmp_path / "notes.txt").write_text("")
    said = complaint(tmp_path)
    parts = (f"folder '{tmp_path}': no images", "of no class: 2 ('1.png', '2.png')", "allowed: a folder for each class")
    assert all(part in said for part in parts)


def test_a_split_without_classes_is_told(tmp_path):
    save(tmp_path / "train/a/1.png", tmp_path / "train/b/1.png", tmp_path / "test/1.png")
    data = folder(path=str(tmp_path))
    assert dict(data.sizes) == {"train": 2}
    assert data.remarks == (
        "splits without images in folders of classes: 'test'",
        "skipped, as images in the folder of no class: 1 ('test/1.png')",
    )


def test_classes_may_be_called_as_splits_are(tmp_path):
    save(tmp_path / "train/1.png", tmp_path / "test/1.png")
    assert folder(path=str(tmp_path)).classes == ("test", "train")
    save(tmp_path / "plane/1.png")
    assert folder(path=str(tmp_path)).classes == ("plane", "test", "train")


@pytest.mark.parametrize("names", [("fold1", "fold2"), ("clean", "noisy", "train"), ("train", "extra"), ("x", "y")])
def test_sibling_folders_that_hold_the_same_are_refused_and_each_remedy_works(tmp_path, names):
    root = tmp_path / "photos"
    save(*(root / name / label / "1.png" for name in names for label in ("a", "b")))
    said = complaint(root)
    assert said.startswith(f"folder '{root}': ") and all(repr(name) in said for name in names[:2])
    alone = re.search("give one alone, as '([^']+)'", said)[1]
    assert folder(path=alone).classes == ("a", "b")
    listed = re.search(r"classes=\[(.*)\]", said)[1]
    as_classes = folder(path=str(root), classes=listed.replace("'", "").split(", "))
    assert as_classes.classes == tuple(sorted(names)) and dict(as_classes.sizes) == {"test": 2 * len(names)}
    for name, split in zip(names, ("train", "validation", "test"), strict=False):
        (tmp_path / "renamed").mkdir(exist_ok=True)
        (root / name).rename(tmp_path / "renamed" / split)
    assert set(folder(path=str(tmp_path / "renamed")).sizes) == set(("train", "validation", "test")[: len(names)])


def test_an_image_beside_their_classes_does_not_hide_splits(tmp_path):
    save(*(tmp_path / s / name for s in ("train", "valid", "a", "b") for name in ("x/1.png", "y/1.png", "stray.png")))
    assert "'train', 'valid' hold folders as a split does, next to 'a', 'b'" in complaint(tmp_path)
    for extra in ("a", "b"):
        (tmp_path / extra).rename(tmp_path.parent / f"{tmp_path.name}-{extra}")
    assert folder(path=str(tmp_path)).classes == ("x", "y")


def test_two_names_of_one_split_are_refused(tmp_path):
    save(*(tmp_path / split / "a/1.png" for split in ("train", "val", "valid")))
    assert "'val' and 'valid' both mean validation" in complaint(tmp_path)


def test_one_folder_around_all_is_refused(tmp_path):
    save(tmp_path / "PetImages/cat/1.png", tmp_path / "PetImages/dog/1.png")
    said = complaint(tmp_path)
    assert "'PetImages' is the only folder and holds folders, 'cat', 'dog'" in said
    assert folder(path=re.search("alone, as '([^']+)'", said)[1]).classes == ("cat", "dog")


def test_inner_folders_of_classes_are_told(tmp_path):
    save(tmp_path / "cat/persian/1.png", tmp_path / "dog/pug/1.png", tmp_path / "dog/2.png")
    data = folder(path=str(tmp_path))
    assert data.classes == ("cat", "dog") and data.size("test") == 3
    assert data.remarks == ("classes that hold folders, whose images are included: 'cat', 'dog'",)


def test_classes_with_images_of_their_own_may_hold_the_same_folders(tmp_path):
    save(*(tmp_path / label / name for label in ("cat", "dog") for name in ("1.png", "batch2/2.png")))
    data = folder(path=str(tmp_path))
    assert (data.classes, data.size("test")) == (("cat", "dog"), 4)
    assert data.remarks == ("classes that hold folders, whose images are included: 'cat', 'dog'",)


@pytest.mark.parametrize("stray", [1, 2])
def test_a_stray_image_makes_no_class_of_a_split(tmp_path, stray):
    save(*(tmp_path / fold / label / "1.png" for fold in ("fold1", "fold2") for label in "abc"))
    save(*(tmp_path / fold / f"{i}.png" for fold in ("fold1", "fold2") for i in range(stray)))
    save(tmp_path / "fold1/alone/1.png")
    assert "'fold1' and 'fold2' hold the same folders, 'a', 'b', 'c': " in complaint(tmp_path)


def test_an_empty_folder_is_a_class_without_images(tmp_path):
    save(tmp_path / "train/cat/1.png", tmp_path / "train/dog/1.png", tmp_path / "test/cat/1.png")
    for place in ("train/bird", "test/bird", "test/dog"):
        (tmp_path / place).mkdir()
    data = folder(path=str(tmp_path))
    assert data.classes == ("bird", "cat", "dog") and data.examples("train").labels.tolist() == [1, 2]
    assert data.remarks == ("classes without images, as their folders are empty: 'bird'",)


def test_names_that_differ_in_what_is_not_seen_are_refused(tmp_path):
    save(tmp_path / "cat/1.png", tmp_path / "cat /1.png")
    assert "'cat' and 'cat ' differ only in spaces or coded accents; rename one" in complaint(tmp_path)


def test_spaces_and_the_form_of_accents_are_no_part_of_a_name(tmp_path):
    save(tmp_path / "lo\u0308we /1.png", tmp_path / "dog/1.png")
    assert folder(path=str(tmp_path)).classes == ("dog", "löwe")
    assert folder(path=str(tmp_path), classes=["lo\u0308we", " dog"]).classes == ("löwe", "dog")


def test_to_judge_another_split_its_folder_is_given_alone(tmp_path):
    save(*(tmp_path / split / label / "1.png" for split in ("train", "valid") for label in ("a", "b")))
    with pytest.raises(DataError, match="no split 'test'; allowed: train, validation; to evaluate another split"):
        folder(path=str(tmp_path)).examples("test")
    assert folder(path=f"{tmp_path}/valid/").size("test") == 2


def test_splits_inside_of_classes_are_refused_with_what_to_do(tmp_path):
    save(*(tmp_path / label / split / "1.png" for label in ("cat", "dog") for split in ("test", "train")))
    said = complaint(tmp_path)
    assert "test/dog/ instead of dog/test/" in said and "or write a table" in said
    rows = [f"{label}/{split}/1.png,{label},{split}" for label in ("cat", "dog") for split in ("test", "train")]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label,split", *rows]))
    assert dict(folder(path=str(tmp_path), labels="labels.csv").sizes) == {"train": 2, "test": 2}
