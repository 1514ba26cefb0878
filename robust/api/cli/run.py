"""`robust run`."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from robust.api.cli.numbers import MaybeWhole
from robust.core.types import Channels

if TYPE_CHECKING:
    from robust.suite import Suite


def run(
    suite: Path,
    *,
    out: Path | None = None,
    k: Annotated[str, Parameter(name=["-k"])] = "",
    classes: str | None = None,
    channels: Channels | None = None,
    allow_code: Annotated[bool, Parameter(negative="")] = False,
    fail_fast: Annotated[bool, Parameter(negative="")] = False,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    num_workers: MaybeWhole = None,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
) -> int:
    """Run a suite: train its models, run its cases, write the tables and the page.

    Parameters
    ----------
    suite
        The suite file.
    out
        The folder of the report; by default reports/<name of the suite>.
    k
        Only the cells whose id matches, as in pytest: "pgd and not lenet5".
    classes
        The names of the classes in the order of the models' outputs, as in --classes cat,dog; or a file of them, one a
        line, or .json. By default what the suite sets, else the alphabetical order.
    channels
        Show images in colour, rgb, or in grey, gray; by default what the suite sets.
    allow_code
        Let the suite run third-party code ("module:function", python =).
    fail_fast
        Stop at the first case that cannot be run, instead of running the others.
    dry_run
        Run nothing: print for each case its units of work, how many of them the store has, and an estimate of the time
        from those.
    engine
        Where the units run: local, in this process, or ray, on the workers of a Ray cluster, which share the folders of
        the suite, of its data and of the store.
    address
        Of the Ray cluster, as in "auto" or "ray-head:6379"; by default $RAY_ADDRESS, else one is started here.
    num_workers
        How many workers; by default as many as the cluster has CPUs and GPUs for.
    num_cpus
        CPUs of a worker, which has as many threads; by default those of this machine, or 1 beside --num-gpus.
    num_gpus
        GPUs of a worker, which may be a part of one; by default 0.
    """
    from robust import suite as suites
    from robust.core import quiet
    from robust.datasets.data_call import presented
    from robust.engine import ray_executor

    cluster = ray_executor.Cluster(address, num_workers, num_cpus, num_gpus)
    cluster.check(local=engine == "local")
    machines = None if engine == "local" else ray_executor.RayEngine(cluster, suite, allow_code, classes, channels)
    loaded = suites.load(suite, allow_code=allow_code)  # a mistake in it is an error before TensorFlow is imported
    loaded = replace(loaded, data=presented(loaded.data, **suites.presentation(classes, channels)))
    quiet.tensorflow()
    from robust.core import progress
    from robust.engine.session import run as run_suite

    if dry_run:
        return _plan(loaded, k)
    folder = out or Path("reports") / loaded.name
    with progress.on(sys.stderr) as shown:
        results = run_suite(loaded, folder, k=k, progress=shown, fail_fast=fail_fast, engine=machines)
    from robust.engine import recording

    if doubted := recording.doubted(results):
        print(doubted)
    return _verdict(results, folder)


def _plan(suite: "Suite", k: str) -> int:
    from robust.core import progress, store, suite_folder
    from robust.engine import plan, session

    with suite_folder.importable(suite.folders):
        there = session.Session(suite, store.default(), progress.Silent())
        for planned in plan.plan(there, session.select(suite, k)):
            print(planned)
    return 0


def _verdict(results, folder: Path) -> int:  # type: ignore[no-untyped-def]
    from robust.results import messages, tables
    from robust.suite import bounds

    judged = results[results["passed"].notna()]
    missed = judged[~judged["passed"].astype(bool)]
    several = messages.several(results)
    for row in map(bounds.read, missed.to_dict("records")):
        where = f"{messages.evaluation_id(row, several)}{messages.strength(row)}"
        print(f"{bounds.state(row)}: {where} {messages.missed(row)}{messages.in_doubt(row)}")
    for line in messages.unsettled(results):
        print(line)
    failed = results[results["metric"] == tables.FAILED]
    for row in failed.to_dict("records"):
        where = messages.evaluation_id(row, several)
        print(f"✗ failed: {where} could not be run: {row['ci_method'].removeprefix(tables.NO_VALUE)}")
    verdict = f"{len(judged) - len(missed)} of {len(judged)} bounds passed" if len(judged) else "no bounds to judge"
    print(f"{verdict}; the page: {folder / 'index.html'}")
    return 3 if len(failed) else 1 if len(missed) else 0
