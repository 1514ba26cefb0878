import gzip
import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from robust.datasets import fashion_mini
from robust.datasets.fashion_mini import FOLDER

SIZES = {"train": 5400, "validation": 600, "test": 1000}
FULL = Path("/usr/share/datasets/fashion-mnist")
needs_the_full_set = pytest.mark.skipif(
    not FULL.is_dir(),
    reason=f"needs the whole of Fashion-MNIST in {FULL} (apt install dataset-fashion-mnist)",
)


@pytest.fixture(scope="module")
def data():
    return fashion_mini()


@pytest.fixture(scope="module")
def splits(data):
    return {split: data.examples(split) for split in SIZES}


@pytest.mark.parametrize("split", SIZES)
def test_sizes_types_and_ranges(data, splits, split):
    examples = splits[split]
    assert data.size(split) == SIZES[split]
    assert examples.images.shape == (SIZES[split], *data.image_shape) == (SIZES[split], 28, 28, 1)
    assert (examples.images.dtype, examples.labels.dtype, examples.ids.dtype.kind) == (
        np.float32,
        np.int64,
        "U",
    )
    assert (examples.images.min(), examples.images.max()) == (0, 1)
    assert np.array_equal(examples.images * 255, np.round(examples.images * 255))


@pytest.mark.parametrize("split", SIZES)
def test_each_round_of_ten_holds_every_class_in_another_order(splits, split):
    rounds = splits[split].labels.reshape(-1, 10)
    assert (np.sort(rounds, axis=1) == np.arange(10)).all()
    assert len(np.unique(rounds, axis=0)) > 0.99 * len(rounds)


def test_no_id_and_no_image_stands_twice_within_or_across_the_splits(splits):
    assert len({id for each in splits.values() for id in each.ids}) == 7000
    assert len({image.tobytes() for each in splits.values() for image in each.images}) == 7000


def test_ids_name_the_original_file(splits):
    assert all(id.startswith("train-") for split in ("train", "validation") for id in splits[split].ids)
    assert all(id.startswith("t10k-") for id in splits["test"].ids)


@pytest.mark.slow
def test_the_order_is_the_same_each_time(data, splits):
    again = fashion_mini()
    assert again.fingerprint == data.fingerprint
    assert np.array_equal(again.examples("train").ids, splits["train"].ids)
    assert np.array_equal(again.examples("test").images, splits["test"].images)


def test_split_yields_image_label_and_id(data, splits):
    image, label, id = next(iter(data.split("validation")))
    assert (image.dtype, label.dtype, id.dtype) == (tf.float32, tf.int64, tf.string)
    assert np.array_equal(image, splits["validation"].images[0])
    assert (label, id) == (splits["validation"].labels[0], splits["validation"].ids[0])


def test_classes_and_superclasses(data):
    assert data.classes[:2] == ("T-shirt/top", "Trouser")
    assert data.classes[8:] == ("Bag", "Ankle boot")
    assert list(data.superclasses) == ["upper body", "trouser", "dress", "footwear", "bag"]
    assert sorted(name for names in data.superclasses.values() for name in names) == sorted(data.classes)


def test_it_stays_small_and_says_nothing_of_the_machine_that_built_it():
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 3.5e6
    written = "".join(path.read_text("utf-8") for path in files if path.suffix == ".json")
    assert not [word for word in ("/tmp", "/home", "/root", "/work", socket.gethostname()) if word in written]
    assert set(json.loads((FOLDER / "1.0.0/dataset_info.json").read_text())) == {
        *("name", "version", "description", "citation", "location", "moduleName"),
        *("disableShuffling", "fileFormat", "splits"),
    }
    assert "Copyright (c) 2017 Zalando SE" in (FOLDER / "LICENSE").read_text("utf-8")


def run(code: str, **environment: str) -> None:
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_contents_page_does_not_import_tensorflow():
    run("import robust.datasets, sys; assert 'tensorflow' not in sys.modules")


@pytest.mark.slow
def test_it_needs_no_home_and_no_network():
    code = """
import socket
def refuse(*arguments): raise AssertionError(f"asked the network: {arguments}")
socket.socket.connect = socket.getaddrinfo = refuse
from robust.datasets import fashion_mini
assert len(fashion_mini().examples("test").ids) == 1000
"""
    run(code, HOME="/dev/null", TFDS_DATA_DIR="/dev/null/none")


def values(path: Path, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


@needs_the_full_set
@pytest.mark.parametrize("split", SIZES)
def test_each_id_leads_to_the_same_image_and_label_in_the_full_set(splits, split):
    name = "t10k" if split == "test" else "train"
    images = values(FULL / f"{name}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1)
    labels = values(FULL / f"{name}-labels-idx1-ubyte.gz", 8)
    indices = [int(id.removeprefix(f"{name}-")) for id in splits[split].ids]
    assert np.array_equal(np.round(splits[split].images * 255), images[indices])
    assert np.array_equal(splits[split].labels, labels[indices])


@needs_the_full_set
def test_building_it_again_gives_the_same_records(tmp_path):
    script = Path(__file__).parents[2] / "tools/make_fashion_mini.py"
    spec = importlib.util.spec_from_file_location("make_fashion_mini", script)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    built = tfds.builder_from_directory(tool.build(FULL, tmp_path))
    shipped = tfds.builder_from_directory(FOLDER / "1.0.0")
    for split, size in SIZES.items():
        pairs = list(zip(records(built, split), records(shipped, split), strict=True))
        assert 10 * len(pairs) == size
        for new, old in pairs:
            assert all(np.array_equal(new[key], old[key]) for key in ("ids", "labels", "images"))


def records(builder, split):
    config = tfds.ReadConfig(try_autocache=False)
    return builder.as_dataset(split=split, read_config=config).as_numpy_iterator()
