"""Tasks and workers of which some are lost: no process is started here."""

from collections import Counter, deque
from itertools import pairwise

import numpy as np
import pytest

from robust.core.errors import EngineError, ModelError
from robust.core.progress import Silent
from robust.engine.failures import Failure
from robust.engine.scheduler import TRIES, Done, Job, Lost, Ready, Scheduler, Task


class Fake:
    """Workers that do a task at once; `fate(worker, task)` is None, a failure, or "lost"; task: None at the start."""

    def __init__(self, fate=lambda worker, task: None):
        self.fate, self.events, self.done, self.started = fate, deque(), [], 0
        self.given = []

    def start(self):
        worker, self.started = self.started, self.started + 1
        self.events.append(Lost(worker, None, "boom") if self.fate(worker, None) == "lost" else Ready(worker))

    def give(self, worker, task):
        self.given.append((worker, task))
        fate = self.fate(worker, task)
        if fate == "lost":
            self.events.append(Lost(worker, task, "out of memory"))
        else:
            self.done.append(task)
            self.events.append(Done(worker, task, fate))

    def wait(self):
        return [self.events.popleft()] if self.events else []


def tasks(kind, n, evaluation="pgd[net]", model="net"):
    return [Task(kind, f"{evaluation}-{kind}-{i}", evaluation, model, number=i, images=16) for i in range(n)]


def run(jobs, workers, count=2):
    failed, said = {}, []
    Scheduler(jobs, workers, count, Silent(), lambda job, found: failed.update({job.name: found}), said.extend).run()
    return failed


def test_a_stage_begins_when_the_one_before_is_done():
    stages = [tasks("clean", 3), [], tasks("perturbed", 3), tasks("block", 1)]
    workers = Fake()
    assert run([Job("pgd[net]", stages)], workers) == {}
    assert [task.kind for task in workers.done] == ["clean"] * 3 + ["perturbed"] * 3 + ["block"]


def test_a_task_that_two_evaluations_need_is_done_once():
    shared = tasks("clean", 3)
    jobs = [Job(name, [shared, tasks("block", 1, name)]) for name in ("pgd[net]", "clean[net]")]
    workers = Fake()
    assert run(jobs, workers) == {}
    assert Counter(task.kind for task in workers.done) == {"clean": 3, "block": 2}


@pytest.mark.parametrize("seed", range(5))
def test_whatever_workers_are_lost_every_task_is_done(seed):
    random, lost = np.random.default_rng(seed), Counter()

    def fate(worker, task):
        if task is None or lost[task] == TRIES - 1 or random.random() < 0.5:
            return None
        lost[task] += 1
        return "lost"

    workers = Fake(fate)
    wanted = tasks("perturbed", 20)
    assert run([Job("pgd[net]", [wanted, tasks("block", 1)])], workers, count=4) == {}
    assert Counter(workers.done) == Counter([*wanted, *tasks("block", 1)])
    assert sum(lost.values()) > 0 and workers.started == 4 + sum(lost.values())


def test_a_task_that_ends_its_workers_fails_and_the_others_are_done():
    bad, workers = tasks("perturbed", 5)[2], Fake()
    workers.fate = lambda worker, task: "lost" if task == bad else None
    failed = run([Job("pgd[net]", [tasks("perturbed", 5), tasks("block", 1)])], workers)
    (failure,) = failed["pgd[net]"]
    assert isinstance(failure.error, ModelError) and "out of memory" in failure.message and failure.images == 16
    assert sum(task == bad for _, task in workers.given) == TRIES
    assert {task.number for task in workers.done} == {0, 1, 3, 4} and "block" not in {t.kind for t in workers.done}


def test_failures_are_in_the_order_of_the_shards_and_stop_only_their_own_evaluation():
    workers = Fake(lambda worker, task: Failure(ValueError(task.number), "", 16) if bad(task) else None)

    def bad(task):
        return task is not None and task.evaluation == "fog[net]" and task.number in (1, 3)

    jobs = [Job(name, [tasks("perturbed", 5, name), tasks("block", 1, name)]) for name in ("fog[net]", "pgd[net]")]
    failed = run(jobs, workers)
    assert [str(failure.error) for failure in failed["fog[net]"]] == ["1", "3"]
    assert {task.evaluation for task in workers.done if task.kind == "block"} == {"pgd[net]"}


def test_workers_that_never_start_are_an_error():
    with pytest.raises(EngineError, match="boom"):
        run([Job("pgd[net]", [tasks("block", 1)])], Fake(lambda worker, task: "lost"))


def test_a_worker_keeps_its_model_as_long_as_there_are_tasks_of_it():
    jobs = [Job(name, [tasks("perturbed", 6, f"pgd[{name}]", name)]) for name in ("a", "b")]
    workers = Fake()
    run(jobs, workers)
    for worker in range(2):
        models = [task.model for number, task in workers.given if number == worker]
        assert sum(one != other for one, other in pairwise(models)) <= 1
