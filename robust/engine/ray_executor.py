"""Run the units of a suite on the workers of a Ray cluster; the results arrive in the store, a shared folder."""

import importlib
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

from robust.core import store as stores
from robust.core.errors import EngineError, RobustError, SuiteError
from robust.core.types import Channels
from robust.engine.failures import Attempts, Failure, UnitsFailedError
from robust.engine.ray_worker import Opening, Worker, environment
from robust.engine.scheduler import Done, Event, Job, Lost, Ready, Scheduler, Task

if TYPE_CHECKING:
    from robust.engine.session import Session
    from robust.suite import Evaluation

LOOK = 1.0  # seconds between two looks at most


@dataclass(frozen=True)
class Cluster:
    """Where the workers are, and what each takes; None: the default.

    address: of the cluster; None: $RAY_ADDRESS, else one is started here. num_workers: None: as many as there is room
    for. num_cpus: by default those of this machine, or 1 beside GPUs: the last bits of a logit follow the number of
    threads, and so they are those of the local engine. num_gpus: 0 by default.
    """

    address: str | None = None
    num_workers: int | None = None
    num_cpus: float | None = None
    num_gpus: float | None = None

    def check(self, *, local: bool) -> None:
        """Raise SuiteError for numbers that cannot be, and for any of them where no cluster is used."""
        for name, value in asdict(self).items():
            option = f"--{name.replace('_', '-')}"
            if local and value is not None:
                raise SuiteError(f"{option}: is an option of the ray engine, and the engine is local")
            least = int(name == "num_workers")
            if isinstance(value, int | float) and value < least:
                raise SuiteError(f"{option} {value:g}: must be at least {least}")


def _ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise SuiteError(f'--engine ray needs Ray, which is not here ({error}): pip install "robust[ray]"') from error


@dataclass(frozen=True)
class RayEngine:
    """Runs units on a Ray cluster; suite, allow_code, classes, channels: as given to `robust run`.

    Raises SuiteError for options that cannot be, or where Ray is not installed.
    """

    cluster: Cluster
    suite: Path
    allow_code: bool = False
    classes: str | None = None
    channels: Channels | None = None

    def __post_init__(self) -> None:
        self.cluster.check(local=False)
        _ray()

    def run(self, session: "Session", evaluations: Iterable["Evaluation"], attempts: Attempts) -> None:
        """Train what is not trained, run all units that are missing, and merge each evaluation."""
        left = [one for one in evaluations if session.find(one) is None and one.id not in attempts.failed]
        if not left:
            return
        session.store.root.mkdir(parents=True, exist_ok=True)
        with connected(self.cluster.address) as ray:
            size = self._size(ray, session)
            workers = RayWorkers(ray, self._opening(session), self._cpus, self.cluster.num_gpus or 0.0)
            try:
                self._phase(trainings(session, left), session, left, attempts, workers, size)
                self._phase(jobs_of(session, left, attempts), session, left, attempts, workers, size)
            finally:
                workers.stop()

    def _phase(
        self,
        jobs: list[Job],
        session: "Session",
        evaluations: list["Evaluation"],
        attempts: Attempts,
        workers: "RayWorkers",
        size: int,
    ) -> None:
        named = {evaluation.id: evaluation for evaluation in evaluations}

        def failed(job: Job, failures: list[Failure]) -> None:
            evaluation = named[job.name]
            attempts.run(evaluation, partial(_raise, session, evaluation, failures))

        if any(stage for job in jobs for stage in job.stages):
            Scheduler(jobs, workers, size, session.progress, failed, session.report).run()
            workers.release()

    @property
    def _cpus(self) -> float:
        here = 1 if self.cluster.num_gpus else len(os.sched_getaffinity(0))
        return here if self.cluster.num_cpus is None else self.cluster.num_cpus

    def _size(self, ray: ModuleType, session: "Session") -> int:
        """How many workers there will be; says where that is more than the cluster has room for."""
        room, wanted = self._room(ray), self.cluster.num_workers
        if wanted is not None and wanted > room:
            takes = f"{self._cpus:g} CPUs and {self.cluster.num_gpus or 0:g} GPUs"
            session.progress.say(
                f"the cluster has room for {room} workers of {takes}; fewer of them a worker make room for more"
            )
        return wanted or room

    def _room(self, ray: ModuleType) -> int:
        """How many workers the cluster has room for."""
        there = ray.cluster_resources()
        wanted = {"CPU": self._cpus, "GPU": self.cluster.num_gpus}
        found = [int(there.get(kind, 0) / each) for kind, each in wanted.items() if each]
        return max(1, min(found, default=1))

    def _opening(self, session: "Session") -> Opening:
        threads = None if self.cluster.num_gpus else max(1, int(self._cpus))
        return Opening(
            folder=Path.cwd(), suite=self.suite, text=session.suite.text, allow_code=self.allow_code,
            classes=self.classes, channels=self.channels, store=session.store.root.resolve(), threads=threads,
            environment=environment(),
        )  # fmt: skip


def _raise(session: "Session", evaluation: "Evaluation", failures: list[Failure]) -> NoReturn:
    raise UnitsFailedError(failures).at(session.suite.path, evaluation.case.line, evaluation.id)


def trainings(session: "Session", evaluations: Iterable["Evaluation"]) -> list[Job]:
    """A job for each evaluation whose model, or the source of a transfer, is not made yet."""
    from robust.engine import prepare_models

    jobs = []
    for evaluation in evaluations:
        tasks = []
        for model, seed in filter(None, [(evaluation.model, evaluation.seed), session.source(evaluation)]):
            if prepare_models.is_made_here(model) and session.identity(model, seed) is None:
                name = f"{model.name}-{seed}"
                tasks.append(Task("train", name, evaluation.id, name, images=session.images(evaluation)))
        jobs.append(Job(evaluation.id, [tasks]))
    return jobs


def jobs_of(session: "Session", evaluations: Iterable["Evaluation"], attempts: Attempts) -> list[Job]:
    """The jobs of the evaluations; each model is loaded here, one after the other, as the keys need it."""
    jobs: list[Job] = []
    for evaluation in evaluations:
        attempts.run(evaluation, lambda one=evaluation: jobs.append(job_of(session, one)))
    return jobs


def job_of(session: "Session", evaluation: "Evaluation") -> Job:
    """The units of an evaluation that are missing, and its merge."""
    from robust.engine import executor
    from robust.engine.units import Clean

    work, model = session.work(evaluation), f"{evaluation.model.name}-{evaluation.seed}"
    images = int(work.taken.sum())
    stages = []
    for part in executor.parts_of(work, Clean(work)):
        numbers = [number for number in part.numbers() if not part.is_done(number)]
        keys = [stores.digest(part.key(number)) for number in numbers]
        whole = part.kind != executor.PERTURBED  # without its clean predictions no shard is perturbed
        stages.append(
            [
                Task(part.kind, key, evaluation.id, model, n, images if whole else len(work.shards[n].ids))
                for n, key in zip(numbers, keys, strict=True)
            ]
        )
    return Job(evaluation.id, [*stages, [Task("block", evaluation.id, evaluation.id, model, images=images)]])


@contextmanager
def connected(address: str | None) -> Iterator[ModuleType]:
    """A connection to a cluster, or a new one on this machine; one that is there already is used and kept.

    Raises EngineError where there is no cluster at the address.
    """
    ray = _ray()
    if ray.is_initialized():
        yield ray
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.getsignal(number) for number in signals}
    try:
        start = {"include_dashboard": False} if address is None and "RAY_ADDRESS" not in os.environ else {}
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **start)
    except Exception as error:
        raise EngineError(f"--address {address}: there is no Ray cluster ({error})") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():  # Ctrl-C and SIGTERM are ours
                signal.signal(number, handler)
    try:
        yield ray
    finally:
        ray.shutdown()


class RayWorkers:
    """Actors of Ray, each with a suite open, see `Worker`; they stay from one scheduler to the next."""

    def __init__(self, ray: ModuleType, opening: Opening, num_cpus: float, num_gpus: float):
        self._ray, self._opening = ray, opening
        self._actor = ray.remote(Worker).options(
            num_cpus=num_cpus, num_gpus=num_gpus, scheduling_strategy="SPREAD", max_restarts=0
        )
        self._numbers = count()
        self._there: dict[int, object] = {}
        self._at: dict[object, tuple[int, Task | None]] = {}
        self._free: list[int] = []
        self._starting = 0

    def start(self) -> None:
        """Begin to start an actor; or use one that has ended the work of an earlier scheduler."""
        if self._starting:
            self._starting -= 1
            return
        if self._free:
            worker = self._free.pop()
            self._at[self._there[worker].ready.remote()] = worker, None  # type: ignore[attr-defined]
            return
        worker = next(self._numbers)
        actor = self._actor.remote(self._opening)
        self._there[worker] = actor
        self._at[actor.ready.remote()] = worker, None

    def give(self, worker: int, task: Task) -> None:
        """Give a task to an actor."""
        self._at[self._there[worker].run.remote(task)] = worker, task  # type: ignore[attr-defined]

    def wait(self) -> list[Event]:
        """What has happened within a second."""
        ready, _ = self._ray.wait(list(self._at), num_returns=1, timeout=LOOK)
        return [self._event(ref) for ref in ready]

    def release(self) -> None:
        """Leave the actors, those that are still starting, too, to the next scheduler."""
        busy = {worker for worker, _ in self._at.values()}
        self._free, self._starting = [worker for worker in self._there if worker not in busy], len(busy)

    def _event(self, ref: object) -> Event:
        worker, task = self._at.pop(ref)
        exceptions = self._ray.exceptions
        try:
            found = self._ray.get(ref)
        except exceptions.RayTaskError as error:
            raise _cause(error) from error
        except exceptions.RayError as error:
            self._there.pop(worker, None)
            return Lost(worker, task, last_line(error))
        return Ready(worker) if task is None else Done(worker, task, *found)

    def stop(self) -> None:
        """End all actors, whatever they are at."""
        for actor in self._there.values():
            self._ray.kill(actor, no_restart=True)
        self._there, self._at, self._free = {}, {}, []


def _cause(error: Exception) -> Exception:
    """The error that a worker raised, where it is one of ours."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, RobustError) else EngineError(f"a worker failed: {last_line(error)}")


def last_line(error: object) -> str:
    """The last line of an error's message that is not empty: Ray puts the reason there."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
