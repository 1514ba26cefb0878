"""The classes of ImageNet, and the photos that show some of them."""

import csv

import numpy as np
import pytest
from PIL import Image

from robust import datasets
from robust.core.errors import DataError
from robust.datasets.photos import FOLDER
from robust.datasets.taxonomy import imagenet, superclasses


def test_ids_are_in_order_and_names_are_unlike_each_other():
    labels = imagenet.labels()
    assert [label.wnid for label in labels] == sorted({label.wnid for label in labels})
    assert len(labels) == len(set(imagenet.names())) == 1000
    assert len({label.group for label in labels}) == 50
    assert sum(label.group == "dog" for label in labels) == 118


def test_the_ids_are_those_of_tensorflow_datasets():
    import tensorflow_datasets as tfds

    listed = tfds.core.tfds_path("image_classification/imagenet2012_labels.txt")
    if not listed.exists():
        listed = tfds.core.tfds_path("datasets/imagenet2012/labels.txt")
    assert listed.read_text().split() == [label.wnid for label in imagenet.labels()]


@pytest.mark.parametrize(("word", "place"), [("gibbon", 368), ("GIBBON", 368), ("n02510455", 388), ("projectile", 744)])
def test_a_class_is_found_by_name_id_or_lemma(word, place):
    assert imagenet.index(word) == place


def test_a_name_that_is_not_there_is_told_with_the_one_that_was_meant():
    with pytest.raises(DataError, match=r"no class 'gibon'; did you mean 'gibbon'\?"):
        imagenet.index("gibon")
    with pytest.raises(DataError, match="no class '1000'"):
        imagenet.index("1000")


def test_sets_of_imagenets_classes_have_its_groups():
    part = [label.wnid for label in imagenet.labels()[:7]]
    assert superclasses.of(part) == {"fish": tuple(part)}
    assert superclasses.of([*part, "n00000000"]) == {}


def test_photos_are_credited_and_labelled():
    with (FOLDER / "photos.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["file"] for row in rows} == {path.name for path in FOLDER.glob("*.webp")}
    assert {row["licence"] for row in rows} == {"CC0-1.0", "Public Domain"}
    assert all(row["author"] and row["source"].startswith("https://") for row in rows)


@pytest.mark.slow
def test_photos_are_the_pictures_at_the_size_asked_for():
    data = datasets.photos(transform={"size": 64})
    examples = data.examples("test", 12)
    panda = examples.images[examples.ids.tolist().index("panda.webp")]
    with Image.open(FOLDER / "panda.webp") as image:
        small = np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR)) / 255
    assert np.abs(panda - small).max() <= 2 / 255
    assert [data.classes[k] for k in examples.labels][examples.ids.tolist().index("chicken.webp")] == "hen"


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("crane", ("crane bird or ", "construction crane; ")),
        ("Maillot", ("tights for gymnastics, ", "a one-piece leotard, or ", "one-piece bathing suit; ")),
    ],
)
def test_a_word_of_two_classes_is_refused(word, names):
    with pytest.raises(DataError) as caught:
        imagenet.index(word)
    assert all(part in str(caught.value) for part in (f"{word!r} is ", *names, "specify which"))
