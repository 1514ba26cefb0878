import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from robust.core.errors import DataError
from robust.datasets import records
from robust.datasets.dataset import Dataset
from robust.datasets.tfds import tfds as load

SIZES = {"train": 37, "test": 11}


class Striped(tfds.core.GeneratorBasedBuilder):
    """Image i is of the shade i; its label is the shade modulo 3."""

    VERSION = tfds.core.Version("1.2.0")

    def _info(self):
        features = {
            "picture": tfds.features.Image(shape=(2, 3, 1)),
            "kind": tfds.features.ClassLabel(names=["red", "green", "blue"]),
            "file_name": tfds.features.Text(),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in SIZES}

    def _generate_examples(self, split):
        for i in range(SIZES[split]):
            name = b"caf\xe9.png" if i == 5 else f"{split}{i}.png"  # a name that is not UTF-8
            yield i, {"picture": np.full([2, 3, 1], i, np.uint8), "kind": i % 3, "file_name": name}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    Striped(data_dir=folder).download_and_prepare()
    return folder


def striped(folder: Path, **options) -> Dataset:
    return load(builder="striped", data_dir=str(folder), **options)


def complaint(*arguments, **options) -> str:
    with pytest.raises(DataError) as caught:
        load(*arguments, **options)
    return str(caught.value)


@pytest.mark.slow
def test_every_example_comes_once_with_its_own_label_and_id(prepared):
    data = striped(prepared)
    assert (data.name, data.classes, data.image_shape) == ("striped", ("red", "green", "blue"), (2, 3, 1))
    assert dict(data.sizes) == {"train": 34, "validation": 3, "test": 11}
    test = data.examples("test")
    shades = np.round(test.images[:, 0, 0, 0] * 255).astype(int)
    assert sorted(shades) == list(range(11))
    assert np.array_equal(test.images, np.broadcast_to(test.images[:, :1, :1], test.images.shape))
    assert np.array_equal(test.labels, shades % 3)
    assert test.ids.tolist() == [f"striped-test.tfrecord-00000-of-00001__{i}" for i in range(11)]
    seen = np.concatenate([data.examples(split).images[:, 0, 0, 0] for split in ("train", "validation")])
    assert sorted(np.round(seen * 255).astype(int)) == list(range(37))


@pytest.mark.slow
def test_read_and_split_agree_and_keep_their_order(prepared):
    data = striped(prepared)
    raw = list(data.read("test").as_numpy_iterator())
    floats = list(data.split("test").as_numpy_iterator())
    assert raw[0][0].dtype == np.uint8 and data.split("test").cardinality() == 11
    for (image, label, id), (scaled, *rest) in zip(raw, floats, strict=True):
        assert np.array_equal(image / np.float32(255), scaled)
        assert [label, id] == rest
    assert raw[5][2] == list(striped(prepared).read("test"))[5][2]
    assert [len(batch[1]) for batch in data.split("test").batch(4)] == [4, 4, 3]


@pytest.mark.slow
def test_splits_are_those_that_were_asked_for(prepared):
    data = striped(prepared, train="train[:10]", validation="train[10:14]", test="test[:50%]+train[30:]")
    assert dict(data.sizes) == {"train": 10, "validation": 4, "test": 13}
    everything = striped(prepared, train="train", validation="test[:5]", test="test[5:]")
    assert dict(everything.sizes) == {"train": 37, "validation": 5, "test": 6}
    ids = [id for split in everything.sizes for id in everything.examples(split).ids]
    assert len(set(ids)) == 48


def test_a_choice_decodes_only_what_it_takes(prepared, monkeypatch):
    decoded = []
    original = records._decode
    monkeypatch.setattr(
        records,
        "_decode",
        lambda feature, transform, image: original(
            feature, transform, tf.numpy_function(lambda b: (decoded.append(b), b)[1], [image], tf.string)
        ),
    )
    data = striped(prepared)
    assert sorted(np.bincount(data.examples("test", 4, balanced=True).labels)) == [1, 1, 2]
    assert len(decoded) == 4


@pytest.mark.slow
def test_a_list_of_file_names_chooses_the_test_images(prepared, tmp_path):
    (tmp_path / "ids.txt").write_text("n01/test7.png\nn02/test2.png 5\n\n")
    data = striped(prepared, test={"split": "test", "ids": str(tmp_path / "ids.txt")})
    assert sorted(np.round(data.examples("test").images[:, 0, 0, 0] * 255)) == [2, 7]
    assert data.size("test") == 2
    assert data.fingerprint != striped(prepared).fingerprint
    (tmp_path / "ids.txt").write_text("test7.png\ntest70.png\n")
    said = complaint(builder="striped", data_dir=str(prepared), test={"ids": str(tmp_path / "ids.txt")})
    assert said.endswith("ids.txt: 1 of its 2 names are not in test[0:11], as 'test70.png'")
    (tmp_path / "ids.txt").write_bytes(b"test7.png\ncaf\xe9.png\n")
    said = complaint(builder="striped", data_dir=str(prepared), test={"ids": str(tmp_path / "ids.txt")})
    parts = ("ids.txt: cannot be read", "line 2 is not UTF-8", "a byte 0xe9", "save it as UTF-8")
    assert all(part in said for part in parts)


@pytest.mark.slow
def test_the_fingerprint_follows_content_splits_and_transform(prepared, tmp_path):
    base = striped(prepared).fingerprint
    assert striped(prepared).fingerprint == base
    others = [striped(prepared, test="test[:10]"), striped(prepared, transform={"size": 4})]
    copy = tmp_path / "striped/1.2.0"
    copy.mkdir(parents=True)
    for file in (prepared / "striped/1.2.0").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert striped(tmp_path).fingerprint == base
    record = next(copy.glob("*test.tfrecord*"))
    changed = bytearray(record.read_bytes())
    changed[-1] ^= 1
    record.write_bytes(changed)
    others.append(striped(tmp_path))
    assert len({base, *(each.fingerprint for each in others)}) == 4


def test_of_large_sets_the_fingerprint_covers_the_first_quarter_of_a_mebibyte_of_each_file(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(bytes(2**18) + b"tail")
    (tmp_path / "b").write_bytes(b"short")
    sizes = [b"a 262148", b"b 5"]
    assert records.contents(tmp_path) == [sizes[0], bytes(2**18) + b"tail", sizes[1], b"short"]
    with (tmp_path / "large").open("wb") as file:  # a hole, which takes no place on the disk
        file.truncate(2**30)
    assert [len(part) for part in records.contents(tmp_path)[1::2]] == [2**18, 5, 2**18]
    (tmp_path / "large").unlink()
    monkeypatch.setattr(records, "_WHOLE", 2**18)
    assert records.contents(tmp_path) == [sizes[0], bytes(2**18), sizes[1], b"short"]


def test_cifar10_on_mock_data(mock):
    mock("cifar10", {"train": 100, "test": 23})
    data = load(builder="cifar10", test="test[:20]")
    assert (data.name, data.image_shape, len(data.classes)) == ("cifar10", (32, 32, 3), 10)
    assert dict(data.sizes) == {"train": 90, "validation": 10, "test": 20}
    assert data.superclasses["vehicle"] == ("airplane", "automobile", "ship", "truck")
    assert sorted(data.examples("test", 10).labels) == list(range(10))  # two of each: in proportion one
    assert data.examples("test").ids[3] == "cifar10-test.tfrecord-00000-of-00001__3"


def test_a_corrupted_set_has_the_classes_and_superclasses_of_the_clean_one(mock):
    mock("cifar10_corrupted/fog_3", {"test": 12})
    data = load(builder="cifar10_corrupted/fog_3")
    assert (data.name, dict(data.sizes)) == ("cifar10_corrupted/fog_3", {"test": 12})
    assert list(data.superclasses) == ["animal", "vehicle"]


def test_cifar100_has_the_superclasses_of_its_coarse_labels(mock):
    mock("cifar100", {"train": 200, "test": 100}, names=[f"class {i}" for i in range(100)])
    data = load(builder="cifar100")
    assert len(data.superclasses) == 20
    assert data.superclasses["group 3"] == tuple(f"class {i}" for i in range(15, 20))


def test_imagenet_needs_a_transform_and_is_tested_on_validation_where_test_has_no_labels(mock):
    mock("imagenet2012", {"train": 30, "validation": 7, "test": 5})
    said = complaint(builder="imagenet2012")
    whole = ("transform='imagenet' (", "shorter side to 256, the central 224 x 224)")
    parts = ("data set 'imagenet2012': ", "different sizes", *whole, "or transform=224")
    assert all(part in said for part in parts)
    data = load(builder="imagenet2012", transform="imagenet", test="validation")
    assert (data.image_shape, dict(data.sizes)) == ((224, 224, 3), {"train": 27, "validation": 3, "test": 7})
    assert data.examples("test").images.shape == (7, 224, 224, 3)
    assert data.classes[:2] == ("tench", "goldfish")


def test_a_test_split_without_labels_is_passed_by(mock):
    mock("imagenet2012", {"train": 30, "validation": 7, "test": 5}, labels=[-1])
    assert dict(load(builder="imagenet2012", transform={"size": 8}).sizes)["test"] == 7


def test_a_set_without_a_test_split_is_tested_on_what_is_chosen(mock):
    mock("tf_flowers", {"train": 20})
    said = complaint(builder="tf_flowers", transform={"size": 8})
    parts = ("data set 'tf_flowers' has no test split", "only train;", 'test = "train[80%:]"', "then the remainder")
    assert all(part in said for part in parts)
    data = load(builder="tf_flowers", transform={"size": 8}, test="train[80%:]")
    assert dict(data.sizes) == {"train": 15, "validation": 1, "test": 4}


def test_imagenet_a_has_the_classes_it_holds_images_of(mock):
    mock("imagenet_a", {"test": 6}, labels=[6, 988, 11])
    data = load(builder="imagenet_a", transform={"size": 8}, test="test[:1]")
    assert data.classes == ("stingray", "goldfinch", "acorn")  # 6, 11 and 988 of the thousand
    assert data.examples("test").labels.tolist() == [0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"builder": "cifar1O"}, "no data set named 'cifar1O': ... did you mean 'cifar10'?"),
        ({"builder": "zzzzzz"}, "no data set named 'zzzzzz': neither robust nor tensorflow-datasets has it"),
        ({"builder": "/photos/"}, "no data set named '/photos/': ... "
         '"cifar10", "cifar10_corrupted/fog_3" or "mnist:3.0.1" ... { folder'),
        ({"builder": "cifar10_corrupted/fog3"}, "data set 'cifar10_corrupted/fog3': ... did you mean 'fog_3'?"),
        ({"test": "tset"}, "data set 'striped': test = 'tset': no split 'tset'; did you mean 'test'?"),
        ({"test": "test[:50"}, "data set 'striped': test = 'test[:50': "),
        ({"test": "test[20:]"}, "data set 'striped': test = 'test[20:]': ... [20:11] ... with 11 ... "
         'write "test[:1000]" or "train[90%:]"'),
        ({"test": "test[:0]"}, "data set 'striped': test = 'test[:0]': holds no image"),
        ({"train": "train", "validation": "train[90%:]"}, "data set 'striped': train (train[0:37]) and validation "
         "(train[33:37]) share 4 images; choose validation elsewhere"),
        ({"transform": {"sise": 3}}, "transform has no 'sise'; did you mean 'size'?"),
    ],
)  # fmt: skip
def test_what_is_refused(prepared, options, expected):
    start, *rest = expected.split(" ... ")
    said = complaint(**{"builder": "striped", "data_dir": str(prepared), **options})
    assert said.startswith(start) and all(part in said for part in rest)


def test_a_set_that_is_not_of_images(prepared):
    found = Striped(data_dir=prepared)
    features = {"a": tfds.features.Text(), "kind": tfds.features.ClassLabel(num_classes=2)}
    found.info._features = tfds.features.FeaturesDict(features)
    with pytest.raises(DataError, match=r"not of images with one label each; its features are a \(Text\), kind"):
        records.dataset(found, {})


def test_files_that_cannot_be_read_in_order_are_refused_with_what_to_type(tmp_path):
    Striped(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    said = complaint(builder="striped", data_dir=str(tmp_path))
    parts = ("its files are array_record", "allowed: tfrecord and parquet", "in another folder")
    assert all(part in said for part in parts)
    remedy = re.search(r"tfds\.builder\((.*)\)\.download_and_prepare", said)[1].replace("ANOTHER", "tmp_path / 'again'")
    eval(f"tfds.builder({remedy})", {"tfds": tfds, "tmp_path": tmp_path}).download_and_prepare()
    assert load(builder="striped", data_dir=str(tmp_path / "again")).sizes["test"] == SIZES["test"]


def test_an_image_of_tfrecord_files_is_fetched_by_its_place(prepared):
    data = striped(prepared)
    fetched = [(data.encoded.fetch(place), int(label)) for place, label, _ in data.encoded.places("test")]
    shown = [(image, int(label)) for image, label, _ in data.encoded.rows("test")]
    assert fetched == shown and len(shown) == 11
