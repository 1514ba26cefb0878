import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from robust.training.fit import batches
from robust.training.objectives import objective
from robust.training.trainer import Trainer

TWO_DEVICES = """
import json, keras, numpy as np, tensorflow as tf
from robust.training.objectives import objective
from robust.training.trainer import Trainer

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
random = np.random.default_rng(0)
images, labels = random.random((64, 4, 4, 1), "float32"), random.integers(0, 3, 64)
data = tf.data.Dataset.from_tensor_slices((images, labels, np.arange(64))).batch(16)

def train(strategy):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        network = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
        trainer = Trainer(network, objective())
        trainer.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9))
    losses = trainer.fit(data, epochs=3, verbose=0, shuffle=False).history["loss"]
    return losses, [w.tolist() for w in network.get_weights()], strategy.num_replicas_in_sync

print(json.dumps([train(tf.distribute.get_strategy()), train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))]))
"""


def test_two_devices_give_the_losses_and_weights_of_one():
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    (losses, weights, one), (losses_of_two, weights_of_two, two) = json.loads(done.stdout.splitlines()[-1])
    assert (one, two) == (1, 2)
    assert np.allclose(losses, losses_of_two, rtol=1e-5)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(weights, weights_of_two, strict=True))


def test_callbacks_work_and_the_network_alone_is_what_changes(stripes):
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    trainer = Trainer(network, objective())
    trainer.compile(optimizer=keras.optimizers.SGD(0.0))
    stop = keras.callbacks.EarlyStopping("loss", patience=1, min_delta=1e-3)
    history = trainer.fit(
        batches(stripes.examples("train"), 64, 0), epochs=9, verbose=0, shuffle=False, callbacks=[stop]
    )
    assert len(history.history["loss"]) == 2  # a rate of 0 never gets better
    assert {v.path for v in trainer.trainable_variables} == {v.path for v in network.trainable_variables}


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_lowers_the_loss(stripes, policy):
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense(3, dtype=policy)
    network = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), dense, keras.layers.Activation("linear", dtype="float32")]
    )
    trainer = Trainer(network, objective())
    plain = keras.optimizers.SGD(0.1)
    trainer.compile(optimizer=keras.optimizers.LossScaleOptimizer(plain) if policy == "mixed_float16" else plain)
    losses = trainer.fit(batches(stripes.examples("train"), 64, 0), epochs=4, verbose=0, shuffle=False).history["loss"]
    assert losses[-1] < losses[0]
