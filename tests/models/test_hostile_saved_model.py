"""Folders of SavedModels that are damaged: an error of theirs, also where whoever made them is trusted."""

import pytest
import tensorflow as tf

from robust.core.errors import ModelError
from robust.models.loading import load


@pytest.fixture
def saved(tmp_path):
    module = tf.Module()
    module.weights = tf.Variable(tf.ones((16, 3)))
    serve = tf.function(lambda images: tf.reshape(images, (-1, 16)) @ module.weights)
    images = tf.TensorSpec((None, 4, 4, 1), name="images")
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=serve.get_concrete_function(images))
    return tmp_path / "saved"


def shorter(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def junk(path):
    path.write_bytes(b"\x08\x01" + bytes(range(256)) * 4)


@pytest.mark.parametrize("change", [shorter, junk, lambda path: path.write_bytes(b""), lambda path: path.unlink()])
@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
def test_a_damaged_one_is_an_error_of_its_own(saved, name, change):
    assert load(saved, allow_code=True).input_shape == (None, 4, 4, 1)
    change(saved / name)
    with pytest.raises(ModelError, match=r"saved: (cannot be loaded as a SavedModel|has no signature|is a folder wi)"):
        load(saved, allow_code=True)


def test_images_of_no_shape_are_refused(tmp_path):
    module = tf.Module()
    serve = tf.function(lambda images: tf.reshape(images, (-1, 16)))
    tf.saved_model.save(module, str(tmp_path / "s"), signatures=serve.get_concrete_function(tf.TensorSpec(None)))
    with pytest.raises(ModelError, match="cannot be loaded as a SavedModel"):
        load(tmp_path / "s", allow_code=True)
