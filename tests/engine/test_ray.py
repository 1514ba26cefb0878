"""Suites on a Ray cluster of this machine: same tables, whatever nodes and workers are lost.

Skipped where Ray is not installed: pip install "robust[ray]".
"""

import hashlib
import importlib
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import robust
from robust.core.errors import EngineError, SuiteError
from robust.core.store import Store
from robust.engine import ray_executor
from robust.engine.ray_executor import Cluster, RayEngine

ROOT = str(Path(robust.__file__).parents[1])
SUITE = """
seed = 3
data = { arrays = "toy.npz" }

[model.net]
keras = "net.keras"

[model.other]
keras = "other.keras"

[case.clean]
metrics = ["accuracy", "calibration"]

[case.pgd]
attack = { name = "pgd", eps = [0.05, 0.1], steps = 4 }

[case.fog]
corruption = { name = "gaussian_noise", severity = [1, 3] }

[case.mine]
corruption = { name = "fragile:push", severity = [1, 2] }
"""
MINE = '''
import os, signal
from pathlib import Path
import numpy as np
import robust

@robust.corruption()
def push(images, *, seeds, severity: int = 1):
    """Brighter; the first to come here ends its process where the file die asks for it."""
    try:
        Path("die").rename("died")
    except OSError:
        return np.clip(images + 0.02 * severity, 0, 1)
    os.kill(os.getpid(), signal.SIGKILL)
'''


def test_options_of_ray_need_it():
    with pytest.raises(SuiteError, match="is an option of the ray engine"):
        Cluster(num_workers=2).check(local=True)
    with pytest.raises(SuiteError, match="--num-workers 0: must be at least 1"):
        Cluster(num_workers=0).check(local=False)


def test_without_ray_the_remedy_is_named(monkeypatch, tmp_path):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(SuiteError, match=re.escape('pip install "robust[ray]"')):
        RayEngine(Cluster(), tmp_path / "s.toml")


@pytest.fixture(scope="module")
def here(tmp_path_factory, problem, build):
    """A folder with a suite, its models and data."""
    folder, toy = tmp_path_factory.mktemp("suite"), problem(2500, seed=3)
    arrays = {"x_train": toy.images[:100], "y_train": toy.labels[:100], "x_test": toy.images, "y_test": toy.labels}
    np.savez(folder / "toy.npz", **arrays)
    build().save(folder / "net.keras")
    build(gain=3.0).save(folder / "other.keras")
    (folder / "toy.toml").write_text(SUITE)
    (folder / "fragile.py").write_text(MINE)
    return folder


@pytest.fixture
def inside(here, monkeypatch):
    monkeypatch.chdir(here)
    return here


@pytest.fixture(scope="module")
def local(here):
    """The tables of the local engine, in one thread as each worker."""
    one = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "ROBUST_STORE": str(here / "alone")}
    command = [sys.executable, "-m", "robust", "run", "toy.toml", "--allow-code", "--out", "local"]
    subprocess.run(command, cwd=here, check=True, env={**os.environ, **one, "PYTHONPATH": ROOT})
    return tables(here / "local")


def tables(folder):
    """Both tables as bytes, without the seconds that something took."""
    rows = (folder / "results.csv").read_text().splitlines()
    place = rows[0].split(",").index("seconds")
    kept = [re.sub(r'"[^"]*"', "", row).split(",") for row in rows]
    values = [[cell for i, cell in enumerate(row) if i != place] for row in kept]
    return values, hashlib.sha256((folder / "outcomes.parquet").read_bytes()).hexdigest()


@pytest.fixture
def cluster(monkeypatch):
    """A cluster of two nodes with a CPU each, beside a head without."""
    utils = pytest.importorskip("ray.cluster_utils")
    import ray

    monkeypatch.setenv("PYTHONPATH", ROOT)  # as installed on each node
    made = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [made.add_node(num_cpus=1) for _ in range(2)]
    try:
        yield made, nodes
    finally:
        ray.shutdown()
        made.shutdown()


def run(folder, address, out, said, **options):
    engine = RayEngine(Cluster(address, num_cpus=1, **options), folder / "toy.toml", allow_code=True)
    return robust.run(
        folder / "toy.toml", folder / out, allow_code=True, store=Store(folder / f"{out}-store"), progress=said,
        engine=engine,
    )  # fmt: skip


@pytest.mark.slow
def test_a_node_and_a_worker_are_lost_and_the_tables_are_those_of_the_local_engine(inside, local, cluster, remembering):
    made, nodes = cluster
    (inside / "die").touch()
    store, said = inside / "killed-store", remembering()

    def lose_a_node():
        while len(list(store.glob("perturbed/*/key.json"))) < 2:
            time.sleep(0.05)
        made.remove_node(nodes[1], allow_graceful=False)

    loser = threading.Thread(target=lose_a_node, daemon=True)
    loser.start()
    run(inside, made.address, "killed", said)
    loser.join(60)
    assert (inside / "died").exists() and not loser.is_alive()
    assert sum("a worker was lost" in line for line in said.lines) >= 1
    assert tables(inside / "killed") == local


@pytest.mark.slow
def test_a_store_that_a_worker_does_not_see_is_an_error_that_names_it(inside, cluster, remembering, monkeypatch):
    made, _ = cluster
    plain = ray_executor.Opening
    monkeypatch.setattr(ray_executor, "Opening", lambda **given: plain(**{**given, "store": inside / "nowhere"}))
    with pytest.raises(EngineError, match="nowhere: is not on"):
        run(inside, made.address, "unseen", remembering())
