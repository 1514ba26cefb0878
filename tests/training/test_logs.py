import tensorflow as tf
from tensorflow.core.util import event_pb2

from robust.progress import Silent
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


def test_tensorboard_is_told_each_epoch_what_the_history_tells(stripes, model, tmp_path):
    _, history = fit(model(epochs=2), stripes, 0, Silent(), logs=tmp_path)
    logged = scalars(tmp_path)
    assert logged.keys() == history.keys()
    for name, values in history.items():
        assert [round(v, 4) for v in logged[name]] == [round(v, 4) for v in values]
