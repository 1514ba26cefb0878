"""On which devices a network is trained, and which of them gets which images."""

import functools
import os

import tensorflow as tf

from robust.core.errors import ModelError


@functools.cache
def strategy(name: str) -> tf.distribute.Strategy:
    """The strategy of this name; "multi_worker" must be created before TensorFlow has run anything.

    Raises ModelError if TF_CONFIG is missing, or TensorFlow has been started already.
    """
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "multi_worker":
        return _multi_worker()
    return tf.distribute.get_strategy()


def _multi_worker() -> tf.distribute.Strategy:
    if "TF_CONFIG" not in os.environ:
        cluster = """'{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'"""
        raise ModelError(f"strategy = 'multi_worker' reads the machines from TF_CONFIG, which is not set: {cluster}")
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"strategy = 'multi_worker' cannot begin with this TF_CONFIG ({error})") from error


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Is this the one process that writes? The chief or, where none is named, the first worker."""
    if (resolver := strategy.cluster_resolver) is None or resolver.task_type is None:
        return True
    named = "chief" in resolver.cluster_spec().jobs
    return resolver.task_type == "chief" or (not named and resolver.task_id == 0)


def share(batches: tf.data.Dataset, strategy: tf.distribute.Strategy) -> tf.data.Dataset:
    """The batches for the devices of this process: of N devices, number i gets the images i, i + N, ... of each.

    Every process runs the whole pipeline, so that all see the same batches as one device would. A batch
    of fewer images than devices is left out.
    """
    devices = strategy.num_replicas_in_sync
    if devices == 1:
        return batches

    def local(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = devices // context.num_input_pipelines
        first = context.input_pipeline_id * count

        def split(*batch: tf.Tensor) -> tf.data.Dataset:
            parts = [tuple(part[i::devices] for part in batch) for i in range(first, first + count)]
            return functools.reduce(lambda all, one: all.concatenate(one), map(tf.data.Dataset.from_tensors, parts))

        return batches.filter(lambda *batch: tf.shape(batch[0])[0] >= devices).flat_map(split)

    return strategy.distribute_datasets_from_function(local)


def batches(images: int, batch_size: int, strategy: tf.distribute.Strategy) -> int:
    """How many batches an epoch of this many images has after `share`; raises ModelError if it has none."""
    devices = strategy.num_replicas_in_sync
    if batch_size < devices:
        raise ModelError(f"batch_size = {batch_size}: there are {devices} devices, and each needs an image")
    return images // batch_size + (images % batch_size >= devices)
