import inspect
import pickle
import typing

import numpy as np
import pytest

from robust.attacks import pgd
from robust.attacks.contract import as_attack
from robust.attacks.iterative import Task
from robust.core.types import Eps
from robust.results.attack_result import AttackResult

SUPPLIED = ["classifier", "images", "labels", "seeds", "start", "targets"]


@as_attack
def told(task: Task, *, eps: Eps, steps=10) -> AttackResult:
    """What came."""
    return task, eps, steps


def test_what_run_supplies_comes_as_one_task():
    images, labels, seeds, targets = np.zeros((2, 4, 4, 1)), np.arange(2), np.arange(2) + 7, np.ones(2, int)
    assert told("model", images, labels, seeds=seeds, eps=0.1) == (
        Task("model", images, labels, seeds, None, None), 0.1, 10,
    )  # fmt: skip
    task, *_ = told("model", images, labels, seeds=seeds, start=images, targets=targets, eps=0.1, steps=2)
    assert task.start is images and task.targets is targets


def test_it_is_a_function_with_all_arguments_in_its_signature():
    assert inspect.isfunction(told) and (told.__name__, told.__doc__) == ("told", "What came.")
    parameters = inspect.signature(told).parameters
    assert list(parameters) == [*SUPPLIED, "eps", "steps"]
    hints = typing.get_type_hints(told, include_extras=True)
    assert hints["eps"] == Eps and hints["seeds"] is np.ndarray and hints["return"] is AttackResult
    assert pickle.loads(pickle.dumps(pgd)) is pgd


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seeds": None}, "missing 1 required keyword-only argument: 'eps'"),
        ({"eps": 1}, "missing 1 required keyword-only argument: 'seeds'"),
        ({"seeds": None, "eps": 1, "step": 3}, "unexpected keyword argument 'step'"),
    ],
)
def test_what_is_missing_or_not_known_python_says(given, message):
    with pytest.raises(TypeError, match=message):
        told("model", None, None, **given)
