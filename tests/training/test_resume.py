import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from robust.core.progress import Silent
from robust.training.fit import fit

JOB = Path(__file__).parent / "job.py"
OPTIONS = {"epochs": 4, "ema": 0.9, "augment": ["flip", "mixup"]}


def start(*jobs, **environment):
    """A process that does (where to write, how to train, where to keep what is unfinished), one after the other."""
    words = [str(word) for job in jobs for word in job]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment
    return subprocess.Popen([sys.executable, str(JOB), *words], env=environment, stderr=subprocess.PIPE, text=True)


def kill(job, unfinished):
    """In the epoch after the first."""
    while not (unfinished / "training.npz").is_file():
        assert job.poll() is None, job.communicate()[1]
        time.sleep(0.02)
    time.sleep(0.3)  # into the next epoch
    job.send_signal(signal.SIGKILL)
    job.communicate()
    assert job.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["one_device", "mirrored"])
def test_what_was_killed_ends_with_the_weights_of_what_was_not(tmp_path, strategy):
    options = json.dumps({**OPTIONS, "strategy": strategy})
    whole, again, unfinished = tmp_path / "whole.npz", tmp_path / "again.npz", tmp_path / "unfinished"
    kill(start((again, options, unfinished), PAUSE="0.2"), unfinished)
    assert not again.exists()
    finished = start((whole, options, ""), (again, options, unfinished))
    told = finished.communicate(timeout=200)[1]
    assert finished.returncode == 0, told
    with np.load(whole) as one, np.load(again) as other:
        assert one.files == other.files
        assert one["devices"] == (2 if strategy == "mirrored" else 1)
        for name in one.files:
            assert np.array_equal(one[name], other[name]), name


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "precision"), [("rmsprop", "mixed_float16"), ("adamw", "float32")])
def test_every_optimizer_goes_on_where_it_was(stripes, model, stops_in, tmp_path, optimizer, precision):
    job = model(epochs=3, optimizer=optimizer, precision=precision, learning_rate=0.01)
    whole, history = fit(job, stripes, 0, Silent())
    with pytest.raises(KeyboardInterrupt):
        fit(job, stripes, 0, stops_in(9), unfinished=tmp_path)  # an epoch has six steps
    again, same_history = fit(job, stripes, 0, Silent(), unfinished=tmp_path)
    assert same_history == history
    assert all(np.array_equal(a, b) for a, b in zip(whole.get_weights(), again.get_weights(), strict=True))


@pytest.mark.slow
def test_a_training_that_is_done_is_not_done_again(stripes, model, stops_in, tmp_path):
    first, history = fit(model(epochs=1), stripes, 0, Silent(), unfinished=tmp_path)
    again, same_history = fit(model(epochs=1), stripes, 0, stops_in(1), unfinished=tmp_path)
    assert same_history == history
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), again.get_weights(), strict=True))
