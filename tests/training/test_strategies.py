import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from robust.core.errors import ModelError
from robust.training import strategies

JOB = Path(__file__).parent / "job.py"
ENVIRONMENT = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PLAIN": "1"}


WILD = {"strategy": "mirrored", "learning_rate": 1e30, "warmup": 0.0}


def start(*jobs, **environment):
    """A process that does (where to write, how to train), one after the other."""
    words = [word for out, options in jobs for word in (str(out), json.dumps({"epochs": 5, **options}), "")]
    return subprocess.Popen(
        [sys.executable, str(JOB), *words], env=ENVIRONMENT | environment, stderr=subprocess.PIPE, text=True
    )


def read(path):
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What 25 steps come to on one device and on two, and with half the images; and the end of one that diverges."""
    here = tmp_path_factory.mktemp("found")
    jobs = {"one": {}, "two": {"strategy": "mirrored"}, "half": {"batch_size": 8}, "wild": WILD}
    job = start(*[(here / f"{name}.npz", options) for name, options in jobs.items()])
    told = job.communicate(timeout=200)[1]
    assert (here / "half.npz").is_file(), told
    return {"told": told, **{name: read(here / f"{name}.npz") for name in ("one", "two", "half")}}


def assert_alike(found, alone):
    """The same curve and weights up to rounding, where an average over fewer images would be far off."""
    assert (found["devices"], alone["devices"]) == (2, 1)
    for name in alone.keys() - {"devices"}:
        assert np.allclose(found[name], alone[name], rtol=1e-4, atol=1e-5), name


@pytest.mark.slow
def test_two_devices_give_the_losses_and_weights_of_one(found):
    assert_alike(found["two"], found["one"])


@pytest.mark.slow
def test_two_processes_give_the_losses_and_weights_of_one(found, tmp_path):
    with socket.socket() as one, socket.socket() as two:
        one.bind(("localhost", 0))
        two.bind(("localhost", 0))
        workers = [f"localhost:{each.getsockname()[1]}" for each in (one, two)]
    outs = [tmp_path / f"{i}.npz" for i in range(2)]
    config = [{"cluster": {"worker": workers}, "task": {"type": "worker", "index": i}} for i in range(2)]
    jobs = [
        start((out, {"strategy": "multi_worker"}), TF_CONFIG=json.dumps(each))
        for out, each in zip(outs, config, strict=True)
    ]
    for job in jobs:
        told = job.communicate(timeout=200)[1]
        assert job.returncode == 0, told
    first, second = map(read, outs)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert_alike(first, found["one"])


@pytest.mark.slow
def test_a_worker_that_saw_only_its_own_images_would_be_found_out(found):
    kernel = "w3"  # of the convolution, after mean, variance and count of the normalisation
    assert found["one"][kernel].shape == (3, 3, 1, 4)
    assert not np.allclose(found["half"][kernel], found["one"][kernel], rtol=1e-2, atol=1e-2)


@pytest.mark.slow
def test_the_alarm_works_on_two_devices(found):
    assert "ModelError: job: its loss became" in found["told"]
    assert "the first that is not finite is the output of layer 'logits'" in found["told"]


@pytest.mark.parametrize(
    ("task", "jobs", "chief"),
    [
        (("chief", 0), ["chief", "worker"], True),
        (("worker", 0), ["chief", "worker"], False),
        (("worker", 0), ["worker"], True),
        (("worker", 1), ["worker"], False),
    ],
)
def test_only_the_chief_or_else_the_first_worker_writes(task, jobs, chief):
    resolver = SimpleNamespace(task_type=task[0], task_id=task[1], cluster_spec=lambda: SimpleNamespace(jobs=jobs))
    assert strategies.is_chief(SimpleNamespace(cluster_resolver=resolver)) == chief
    assert strategies.is_chief(tf.distribute.get_strategy())


def test_several_machines_need_to_be_named(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ModelError, match="'multi_worker' reads the machines from TF_CONFIG, which is not set"):
        strategies._multi_worker()


def test_a_batch_of_fewer_images_than_devices_is_none():
    four = SimpleNamespace(num_replicas_in_sync=4)
    assert [strategies.batches(images, 16, four) for images in (64, 67, 68)] == [4, 4, 5]
    assert strategies.batches(67, 16, tf.distribute.get_strategy()) == 5
    with pytest.raises(ModelError, match="batch_size = 2: there are 4 devices, and each needs an image"):
        strategies.batches(10, 2, four)
