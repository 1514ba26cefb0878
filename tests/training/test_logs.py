import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

from robust.core.progress import Silent
from robust.core.store import Store
from robust.engine import prepare_models
from robust.training.fit import fit


def scalars(folder) -> dict[str, list[float]]:
    """What TensorBoard would draw, read from its files."""
    found: dict[str, list[float]] = {}
    for path in sorted(folder.glob("events.*")):
        for record in tf.data.TFRecordDataset(str(path)):
            for value in event_pb2.Event.FromString(record.numpy()).summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                found.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
    return found


@pytest.mark.slow
def test_tensorboard_is_told_each_epoch_what_the_history_tells(stripes, model, tmp_path):
    _, history = fit(model(epochs=2), stripes, 0, Silent(), logs=tmp_path)
    logged = scalars(tmp_path)
    assert logged.keys() == history.keys()
    for name, values in history.items():
        assert [round(v, 4) for v in logged[name]] == [round(v, 4) for v in values]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.slow
def test_a_training_that_the_store_has_writes_its_logs_or_says_why_not(stripes, model, tmp_path):
    said = []

    class Says(Silent):
        def say(self, line):
            said.append(line)

    store, job = Store(tmp_path / "store"), model(epochs=2)

    def train(logs):
        with prepare_models.trained(job, 0, stripes, store, Says(), logs) as folder:
            return json.loads((folder / "about.json").read_text())["history"]

    history, said[:] = train(None), []
    assert train(tmp_path / "logs") == history
    assert said == [f"the training was done before; its logs are written to {tmp_path / 'logs'}"]
    logged = scalars(tmp_path / "logs")
    assert {name: np.round(values, 4).tolist() for name, values in logged.items()} == {
        name: np.round(values, 4).tolist() for name, values in history.items()
    }
    train(tmp_path / "logs")
    assert "nothing is added" in said[-1] and scalars(tmp_path / "logs") == logged
