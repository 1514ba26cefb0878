"""Files of Keras whose weights or layers take gigabytes, or stand elsewhere: refused, in little memory."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from robust.core import keras_files
from robust.core.errors import ModelError
from robust.models.loading import load

GIGA = 2**30


def keras_archive(path, config=b"{}", weights=b""):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", weights)
    return path


def claiming(shape, written=False, **how):
    """Weights of this shape, of which not a byte is there if they are not written."""
    file = io.BytesIO()
    with h5py.File(file, "w") as weights:
        vars = weights.create_dataset("layers/dense/vars/0", shape, "float32", **how)
        if written:
            vars[:] = np.zeros(shape, "float32")
    return file.getvalue()


def test_a_keras_file_that_unpacks_to_gigabytes_is_refused_before_it_is_loaded(tmp_path, frugal, zeros):
    json_bomb = zeros(tmp_path / "a.keras", "config.json", GIGA, metadata__json="{}")
    weights_bomb = zeros(tmp_path / "b.keras", "model.weights.h5", GIGA, config__json="{}")
    empty = keras_archive(tmp_path / "c.keras", weights=claiming((10**6, 10**6), chunks=(1000, 1000)))
    for path in (json_bomb, weights_bomb, empty):
        with frugal(), pytest.raises(ModelError, match="unpack to"):
            load(path)
        assert keras_files.foreign(path) == []


def layers(*described):
    """What config.json says of a model of 4 x 4 pixels with these layers."""
    inputs = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 4, 4, 1]}}
    rest = [{"module": "keras.layers", "class_name": name, "config": config} for name, config in described]
    inside = {"layers": [inputs, *rest], "name": "m"}
    return json.dumps({"module": "keras", "class_name": "Sequential", "config": inside}).encode()


@pytest.mark.parametrize(
    "described",
    [
        [("Flatten", {}), ("Dense", {"units": 10**9})],
        [("Flatten", {}), ("Dense", {"units": 32_000}), ("Dense", {"units": 32_000})],
        [("Flatten", {}), *[("Dense", {"units": 3000})] * 20],
        [("Conv2D", {"filters": 8, "kernel_size": [10_000, 10_000], "padding": "same"})],
        [("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 10**9})],
        [("Flatten", {}), ("Embedding", {"input_dim": 60_000_000, "output_dim": 8})],
    ],
    ids=range(6),
)
def test_layers_too_wide_for_their_weights_are_refused_before_room_is_made_for_them(tmp_path, described, frugal):
    path = keras_archive(tmp_path / "a.keras", layers(*described), claiming((2000, 1000), written=True))
    with frugal(), pytest.raises(ModelError, match=r"its layers need [0-9,]+ weights or more, and it holds 2,000,000"):
        load(path)
    assert keras.Variable([1.0]).shape == (1,)


WIDE = layers(("Flatten", {}), ("Dense", {"units": 2_000_000}))


@pytest.mark.parametrize(
    "how",
    [
        {"shape": 2**26 - 1000, "chunks": (2**20,), "compression": "gzip"},
        {"shape": 2**26 - 1000, "chunks": (2**20,)},
        {"shape": 2**26 - 1000},
        {"shape": 2**23, "written": True, "compression": "gzip"},
        {"shape": 10, "written": True, "chunks": (2**23,), "maxshape": (None,), "compression": "gzip"},
    ],
    ids=["no chunk is written", "none is packed", "nothing is written", "zeros", "one great chunk"],
)
def test_what_was_never_written_or_is_packed_away_is_no_weight(tmp_path, how, frugal):
    path = keras_archive(tmp_path / "a.keras", WIDE, weights := claiming(**how))
    (old := tmp_path / "a.h5").write_bytes(weights)
    for each in (path, old):
        with frugal(100), pytest.raises(ModelError, match=r"unpack to .*write it without compression"):
            load(each)


def test_a_file_in_a_file_counts_by_its_packed_bytes(tmp_path, frugal):
    weights = claiming(2**23, written=True)
    path = keras_archive(tmp_path / "a.keras", WIDE)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", WIDE)
        archive.writestr("noise", np.random.default_rng(0).bytes(2**22))
        archive.writestr("model.weights.h5", weights)
    with frugal(100), pytest.raises(ModelError, match=r"unpack to .*write it without compression"):
        load(path)


def test_pickled_weights_are_not_taken_for_numbers(tmp_path, frugal, zeros):
    path = zeros(tmp_path / "a.keras", "model.weights.npz", 2**25, config__json=WIDE, metadata__json="{}")
    with frugal(), pytest.raises(ModelError, match="unpack to"):
        load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", WIDE)
        archive.writestr("model.weights.npz", bytes(2**25))
    with frugal(), pytest.raises(ModelError, match=r"its weights are pickled.*save it with model.save"):
        load(path)


@pytest.mark.slow_after_first
@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("initializer", ["zeros", "glorot_uniform"])
def test_layers_that_never_learned_are_read_as_keras_saves_them(tmp_path, ending, initializer):
    dense = keras.layers.Dense(150_000, kernel_initializer=initializer)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), dense, keras.layers.BatchNormalization()])
    model.save(path := tmp_path / f"m.{ending}")
    assert load(path).count_params() == model.count_params()


def packed(path, to):
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name))
    return to


@pytest.mark.slow
def test_weights_pack_unless_they_are_many_and_zero_and_the_remedy_works(tmp_path):
    for name, units, initializer in (
        ("drawn", 300_000, "glorot_uniform"),
        ("few", 50_000, "zeros"),
        ("many", 300_000, "zeros"),
    ):
        dense = keras.layers.Dense(units, kernel_initializer=initializer)
        keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), dense]).save(tmp_path / f"{name}.keras")
        path = packed(tmp_path / f"{name}.keras", tmp_path / f"{name}_packed.keras")
        if name == "many":
            with pytest.raises(ModelError, match="write it without compression"):
                load(path)
            path = tmp_path / f"{name}.keras"
        assert load(path).count_params() == 17 * units


@pytest.mark.parametrize("axis", [[1, 2, 3], [-1, 1], 2])
def test_a_mean_that_is_one_number_takes_no_room_for_all_inputs(tmp_path, axis, frugal):
    def saved(side, name):
        shape = [None, side, 1, side]
        inputs = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": shape}}
        config = {"axis": axis, "mean": 0.5, "variance": 2.0}
        means = {"module": "keras.layers", "class_name": "Normalization", "config": config}
        inside = {"layers": [inputs, means], "name": "m"}
        text = json.dumps({"module": "keras", "class_name": "Sequential", "config": inside})
        return keras_archive(tmp_path / name, text.encode(), claiming(10, written=True))

    assert load(saved(4, "few.keras"))(np.full((1, 4, 1, 4), 0.5, "float32")).numpy().max() == 0
    if axis != 2:
        with frugal(), pytest.raises(ModelError, match="its layers need"):
            load(saved(20_000, "many.keras"))


def elsewhere(how, other):
    """Weights that stand in another file."""
    file = io.BytesIO()
    with h5py.File(file, "w") as weights:
        if how == "link":
            weights["layers"] = h5py.ExternalLink(other, "/layers")
        elif how == "virtual":
            layout = h5py.VirtualLayout((4,), "float32")
            layout[:] = h5py.VirtualSource(other, "vars", (4,))
            weights.create_virtual_dataset("layers/dense/vars/0", layout)
        else:
            weights.create_dataset("layers/dense/vars/0", (4,), "float32", external=[(other, 0, 16)])
    return file.getvalue()


@pytest.mark.parametrize("how", ["link", "virtual", "external"])
def test_weights_that_stand_in_other_files_are_not_opened(tmp_path, how):
    weights = elsewhere(how, "/etc/passwd")
    path = keras_archive(tmp_path / "a.keras", layers(("Flatten", {}), ("Dense", {"units": 3})), weights)
    (old := tmp_path / "a.h5").write_bytes(weights)
    for each in (path, old):
        with pytest.raises(ModelError, match=r"in another file.*not opened"):
            load(each)


@pytest.mark.slow_after_first
@pytest.mark.parametrize("units", [[784, 10, 784], [4096, 8, 4096, 1000]])
def test_wide_layers_around_a_narrow_one_are_read(tmp_path, units):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), *map(keras.layers.Dense, units)])
    model.save(tmp_path / "wide.keras")
    assert load(tmp_path / "wide.keras").count_params() == model.count_params()


def test_deep_nesting_is_an_error_of_ours(tmp_path):
    deep = keras_archive(tmp_path / "a.keras", b"[" * 100_000)
    with pytest.raises(ModelError):
        load(deep)
    deep = keras_archive(
        tmp_path / "b.keras", json.dumps({"a": 1}).encode()[:-1] + b', "b": ' + b'{"a":' * 900 + b"1" + b"}" * 901
    )
    with pytest.raises(ModelError):
        load(deep)
