"""Sets of tensorflow-datasets without their downloads: `tfds.testing.mock_data` with splits of known sizes.

Image i of a split has the label i modulo the number of classes (of `labels`, where they are given).
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core.splits import AbstractSplit


def _rows(builder: tfds.core.DatasetBuilder, spec: str) -> list[tuple[str, int]]:
    infos = builder.info.splits
    ends = AbstractSplit.from_spec(spec).to_absolute(infos)
    return [(e.splitname, i) for e in ends for i in range(e.from_ or 0, e.to or infos[e.splitname].num_examples)]


def _image(shape: Sequence[int | None], split: str, i: int) -> bytes:
    random = np.random.default_rng([i, len(split)])
    sides = [side or int(random.integers(10, 20)) for side in shape[:2]]
    return tf.io.encode_png(random.integers(0, 256, (*sides, shape[2])).astype(np.uint8)).numpy()


def _columns(builder: tfds.core.DatasetBuilder, spec: str, names: Sequence[str], labels: Sequence[int]) -> dict:
    rows, features, columns = _rows(builder, spec), builder.info.features, {}
    for name in names:
        if isinstance(features[name], tfds.features.Image):
            columns[name] = [_image(features[name].shape, *row) for row in rows]
        elif name == "coarse_label":
            columns[name] = np.array([labels[i % len(labels)] // 5 for _, i in rows])
        elif isinstance(features[name], tfds.features.ClassLabel):
            columns[name] = np.array([labels[i % len(labels)] for _, i in rows])
        else:
            columns[name] = [f"{split}_{i}.JPEG" for split, i in rows]
    return columns | {"tfds_id": [f"{builder.name}-{split}.tfrecord-00000-of-00001__{i}" for split, i in rows]}


@pytest.fixture
def mock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`mock("cifar10", {"train": 40, "test": 8}, labels)`: from now on, this is what the set holds."""
    labels_of: dict[str, Sequence[int]] = {}

    def as_dataset(self, split, decoders=None, read_config=None, **options):
        assert read_config.add_tfds_id and not options.get("shuffle_files")
        names = list(decoders._feature_specs)
        return tf.data.Dataset.from_tensor_slices(_columns(self, split, names, labels_of[self.name]))

    def prepare(name: str, sizes: dict[str, int], labels: Sequence[int] = (), names: Sequence[str] = ()) -> None:
        info = tfds.builder(name, data_dir=tmp_path).info
        infos = [tfds.core.SplitInfo(name=s, shard_lengths=[n], num_bytes=0) for s, n in sizes.items()]
        info.set_splits(tfds.core.SplitDict(infos))
        if names:
            info.features["label"].names = list(names)
            if "coarse_label" in info.features:
                info.features["coarse_label"].names = [f"group {i}" for i in range(20)]
        elif info.features["label"].num_classes == 10 and name.startswith("cifar10"):
            info.features["label"].names = CIFAR10
        labels_of[name.partition("/")[0]] = labels or range(info.features["label"].num_classes)
        folder = tmp_path / info.full_name
        folder.mkdir(parents=True)
        info.write_to_directory(folder)

    with ExitStack() as stack:

        def mocked(*arguments, **options) -> None:
            prepare(*arguments, **options)
            stack.close()
            stack.enter_context(tfds.testing.mock_data(as_dataset_fn=as_dataset, data_dir=str(tmp_path)))

        yield mocked


CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

Mock = Callable[..., None]
