"""Which worker does which task, and what is done again when a worker is lost.

Workers are processes elsewhere: `Workers` is what is known of them. A task whose worker was lost is given to another.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from robust.core.errors import EngineError, ModelError
from robust.core.progress import Progress
from robust.engine.failures import Failure

TRIES = 3
"""How many workers may be lost at a task before the task is at fault: it needs too much memory, say."""
PATIENCE = 30
"""Looks, of about a second, without any worker, after which this is reported."""


@dataclass(frozen=True)
class Task:
    """A piece of work for one worker.

    kind: "train", "block", or of evidence in the store. evaluation: the id of one that needs it. number: of the shard.
    key: the hash of its key in the store: tasks of the same key are the same. model: which the worker holds for it.
    """

    kind: str
    key: str
    evaluation: str = field(compare=False)
    model: str = field(default="", compare=False)
    number: int = field(default=0, compare=False)
    images: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Job:
    """The tasks of an evaluation in stages; each stage needs all of the one before. name: of the evaluation."""

    name: str
    stages: Sequence[Sequence[Task]]


@dataclass(frozen=True)
class Ready:
    """A worker has started."""

    worker: int


@dataclass(frozen=True)
class Done:
    """A worker has done its task, or failed at it: `failure`. lines: what there is to say about it."""

    worker: int
    task: Task
    failure: Failure | None = None
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class Lost:
    """A worker is gone, and why; `task`: what it was at, None where it had not started."""

    worker: int
    task: Task | None
    why: str = ""


Event = Ready | Done | Lost


class Workers(Protocol):
    """Processes that do one task at a time."""

    def start(self) -> None:
        """Begin to start a worker."""
        ...

    def give(self, worker: int, task: Task) -> None:
        """Give a task to a worker that has none."""
        ...

    def wait(self) -> list[Event]:
        """What has happened since the last look; it may be nothing."""
        ...


class _Tasks:
    """Tasks that can be done now, by the model that they need."""

    def __init__(self) -> None:
        self._of: dict[str, deque[Task]] = {}

    def add(self, task: Task, *, first: bool = False) -> None:
        """Add a task; first: before all others of its model."""
        queue = self._of.setdefault(task.model, deque())
        (queue.appendleft if first else queue.append)(task)

    def take(self, held: str | None, at: Counter[str]) -> Task | None:
        """The next task of the model that a worker holds, or else of the one with the most tasks a worker."""
        if held is None or not self._of.get(held):
            waiting = [model for model, queue in self._of.items() if queue]
            if not waiting:
                return None
            held = max(waiting, key=lambda model: len(self._of[model]) / (1 + at[model]))
        return self._of[held].popleft()


class Scheduler:
    """Runs jobs on workers.

    count: how many workers there should be. failed: receives each job that failed, with its failures, in the order of
    the shards. said: receives lines.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        workers: Workers,
        count: int,
        progress: Progress,
        failed: Callable[[Job, list[Failure]], None],
        said: Callable[[list[str]], None],
    ):
        self._workers, self._count, self._progress, self._failed, self._said = workers, count, progress, failed, said
        self._tasks, self._lost, self._open = _Tasks(), Counter[Task](), set[Task]()
        self._jobs_of: dict[Task, list[Job]] = {}
        self._stage: dict[str, int] = {}
        self._left: dict[str, set[Task]] = {}
        self._failures: dict[str, list[tuple[int, Failure]]] = {}
        self._held: dict[int, str | None] = {}
        self._idle: list[int] = []
        self._never_started, self._looks = 0, 0
        self._jobs = list(jobs)

    def run(self) -> None:
        """Run all; raises EngineError where workers do not start."""
        total = {task for job in self._jobs for stage in job.stages for task in stage}
        self._progress.stage(f"{len(total)} units on {self._count} workers", len(total))
        for job in self._jobs:
            self._stage[job.name] = -1
            self._next_stage(job)
        for _ in range(min(self._count, len(total))):
            self._workers.start()
        while self._open:
            for event in self._workers.wait():
                self._on(event)
            self._give()
            self._report_waiting()

    def _next_stage(self, job: Job) -> None:
        """Make the tasks of a job's next stage available; a stage without tasks is left out."""
        self._stage[job.name] += 1
        if self._stage[job.name] >= len(job.stages):
            return
        stage = job.stages[self._stage[job.name]]
        self._left[job.name], self._failures[job.name] = set(stage), []
        for task in stage:
            self._jobs_of.setdefault(task, []).append(job)
            if task not in self._open:
                self._open.add(task)
                self._tasks.add(task)
        if not stage:
            self._next_stage(job)

    def _give(self) -> None:
        at = Counter(model for model in self._held.values() if model is not None)
        for worker in list(self._idle):
            if (task := self._tasks.take(self._held[worker], at)) is None:
                return
            self._idle.remove(worker)
            at[task.model] += 1
            self._held[worker] = task.model
            self._workers.give(worker, task)

    def _on(self, event: Event) -> None:
        match event:
            case Ready(worker):
                self._never_started = 0
                self._held[worker] = None
                self._idle.append(worker)
            case Done(worker, task, failure, lines):
                self._idle.append(worker)
                self._said(list(lines))
                self._finish(task, failure)
            case Lost(worker, task, why):
                self._held.pop(worker, None)
                self._replace(task, why)

    def _replace(self, task: Task | None, why: str) -> None:
        """Start another worker in place of a lost one; its task is done again, unless it has cost too many."""
        if task is None:
            self._never_started += 1
            if self._never_started >= TRIES * self._count:
                raise EngineError(f"{self._never_started} workers ended before they had started: {why}")
        else:
            self._lost[task] += 1
            if self._lost[task] < TRIES:
                self._progress.say(f"a worker was lost at {task.evaluation}; another one does its unit again")
                self._tasks.add(task, first=True)
            else:
                error = ModelError(f"{TRIES} workers were lost at a unit, the last one so: {why}")
                self._finish(task, Failure(error, "", task.images))
        self._workers.start()

    def _finish(self, task: Task, failure: Failure | None) -> None:
        self._open.discard(task)
        self._progress.advance(task.evaluation)
        for job in self._jobs_of.pop(task):
            left = self._left[job.name]
            left.discard(task)
            if failure is not None:
                self._failures[job.name].append((task.number, failure))
            if left:
                continue
            if found := self._failures[job.name]:
                self._failed(job, [one for _, one in sorted(found, key=lambda pair: pair[0])])
            else:
                self._next_stage(job)

    def _report_waiting(self) -> None:
        self._looks = 0 if self._held else self._looks + 1
        if self._looks == PATIENCE:
            self._progress.say("waiting for workers: no node has the CPUs and GPUs that one takes")
