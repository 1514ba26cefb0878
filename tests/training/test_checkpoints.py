from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from robust.training import checkpoints


def learner(*values):
    variables = [tf.Variable(np.asarray(value, np.float32)) for value in values]
    return SimpleNamespace(variables=lambda: variables)


def rewritten(path, **changes):
    with np.load(path) as old:
        np.savez(path, **{**old, **changes})


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-30]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(
            path.read_bytes().replace("loss".encode("utf-32-le"), "less".encode("utf-32-le"))
        ),
        lambda path: rewritten(path, v1=np.zeros((3, 2))),
        lambda path: rewritten(path, history="[]"),
        lambda path: rewritten(path, history='{"loss": "low"}'),
        lambda path: rewritten(path, history='{"loss": ["low"]}'),
    ],
)
def test_a_damaged_checkpoint_is_put_aside_and_nothing_of_it_is_put_back(tmp_path, capsys, damage):
    checkpoints.save(tmp_path, learner([1, 2], [[3, 4]]), {"loss": [0.5]})
    damage(tmp_path / "training.npz")
    fresh = learner([0, 0], [[0, 0]])
    assert checkpoints.restore(tmp_path, fresh) == {}
    assert all((variable.numpy() == 0).all() for variable in fresh.variables())
    assert [path.name for path in tmp_path.iterdir()] == ["training.damaged"]
    assert "training.npz: is damaged (" in capsys.readouterr().err


def test_a_whole_one_is_put_back(tmp_path):
    checkpoints.save(tmp_path, learner([1, 2], [[3, 4]]), {"loss": [0.5]})
    fresh = learner([0, 0], [[0, 0]])
    assert checkpoints.restore(tmp_path, fresh) == {"loss": [0.5]}
    np.testing.assert_array_equal(fresh.variables()[1], [[3, 4]])
