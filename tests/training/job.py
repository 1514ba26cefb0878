"""Small trainings for other processes: python job.py OUT.npz '{"epochs": 2}' FOLDER ... one after the other.

FOLDER is for what is unfinished, "" for none. There are two logical devices, but under "multi_worker".
"""

import json
import os
import sys
import time
from pathlib import Path


def network(*, input_shape, classes):
    """With dropout and BatchNorm, but not where several devices are to agree with one; Normalization as all have it."""
    import keras
    from keras import layers

    inputs = x = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, activation="relu")(layers.Normalization(name="normalization")(x))
    if "PLAIN" not in os.environ:
        x = layers.Dropout(0.2)(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Dense(classes, name="logits")(layers.Flatten()(x)))


def data():
    """64 + 3 images of noise in three classes; the last three do not fill a batch."""
    import numpy as np
    import tensorflow as tf

    from robust.datasets.dataset import Dataset

    random = np.random.default_rng(0)
    images, labels = random.random((67, 6, 6, 1), "float32"), random.integers(0, 3, 67)
    ids = [str(i) for i in range(67)]
    rows = lambda split: tf.data.Dataset.from_tensor_slices((images, labels, ids))  # noqa: E731
    return Dataset("noise", ("a", "b", "c"), (6, 6, 1), {"train": 67, "validation": 67}, rows, "noise")


class Slow:
    """A step takes a while, so that there is time to kill it."""

    def stage(self, name, total):
        pass

    def advance(self, note=""):
        time.sleep(float(os.environ.get("PAUSE", 0)))

    def say(self, line):
        pass


def run(out, options, unfinished):
    import numpy as np

    from robust.core.signature import Call, bind
    from robust.suite import Architecture, Model, Training
    from robust.training import strategies
    from robust.training.fit import fit

    recipe = {"name": "short", "batch_size": 16, "weight_decay": 0.01, "decay": "l2", "optimizer": "sgd", **options}
    model = Model("job", Architecture(Call("architectures", "small")), Training(bind("recipes", recipe)))
    devices = strategies.strategy(options.get("strategy", "one_device")).num_replicas_in_sync
    trained, history = fit(model, data(), 0, Slow(), unfinished=Path(unfinished) if unfinished else None)
    weights = {f"w{i}": weight for i, weight in enumerate(trained.get_weights())}
    np.savez(out, devices=devices, loss=history["loss"], val_loss=history["val_loss"], **weights)


def main(*words):
    import tensorflow as tf

    from robust.core.signature import Call

    resolve = Call.resolve
    Call.resolve = lambda call: network if call.name == "small" else resolve(call)
    jobs = [(out, json.loads(options), unfinished) for out, options, unfinished in zip(*[iter(words)] * 3, strict=True)]
    if not any(options.get("strategy") == "multi_worker" for _, options, _ in jobs):
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    for job in jobs:
        run(*job)


if __name__ == "__main__":
    main(*sys.argv[1:])
