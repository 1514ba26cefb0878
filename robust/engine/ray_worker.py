"""A worker of the Ray engine: it opens the same suite and the same store, and makes what it is given.

Nothing of TensorFlow is imported with this module: how many threads it has is set first.
"""

import os
import pickle
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from robust.core import quiet, remedies, suite_folder
from robust.core import store as stores
from robust.core.errors import EngineError
from robust.core.types import Channels
from robust.engine.failures import Failure
from robust.engine.scheduler import Task

if TYPE_CHECKING:
    from robust.engine.executor import Part
    from robust.engine.session import Session
    from robust.engine.units import Work
    from robust.suite import Suite

_VARIABLES = ("TF_", "TFDS_", "KERAS_", "XDG_", "ROBUST_")


@dataclass(frozen=True)
class Opening:
    """How a worker opens what the driver has opened: all paths are the same on every machine.

    folder: the current folder of the driver. suite: the file; text: what it holds. allow_code, classes, channels: as
    given to `robust run`. store: its folder. threads: of a worker; None: TensorFlow's own choice. environment:
    variables that data and libraries are found by.
    """

    folder: Path
    suite: Path
    text: str
    allow_code: bool
    classes: str | None
    channels: Channels | None
    store: Path
    threads: int | None
    environment: tuple[tuple[str, str], ...]


def environment() -> tuple[tuple[str, str], ...]:
    """The variables of this process that a worker needs, too."""
    wanted = {name: value for name, value in os.environ.items() if name.startswith(_VARIABLES)}
    wanted.pop("TF_CONFIG", None)
    return tuple(sorted(wanted.items()))


class Said:
    """A progress that collects lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage(self, name: str, total: int) -> None:
        """Nothing."""

    def advance(self, note: str = "") -> None:
        """Nothing."""

    def say(self, line: str) -> None:
        """Collect a line."""
        self.lines.append(line)

    def take(self) -> list[str]:
        """The lines since the last call."""
        lines, self.lines = self.lines, []
        return lines


class Worker:
    """A process that runs tasks of a suite."""

    def __init__(self, opening: Opening):
        self._opening, self._progress = opening, Said()
        self._works: dict[str, tuple[Work, list[Part]]] = {}
        self._model = ""

    def ready(self) -> str:
        """Open the suite, and return the name of the machine."""
        _ = self._session
        return os.uname().nodename

    @cached_property
    def _session(self) -> "Session":
        opening = self._opening
        enter(opening)
        from robust.engine.session import Session

        suite = opened_suite(opening)
        self._stack = ExitStack()  # for the life of the process
        self._stack.enter_context(suite_folder.importable(suite.folders))
        self._stack.enter_context(remedies.using_interface("suite"))
        return Session(suite, stores.Store(opening.store, say=self._progress.say), self._progress)

    def run(self, task: Task) -> tuple[Failure | None, list[str]]:
        """Make what a task names; returns what failed, and lines that concern it.

        Raises StoreError where the store cannot be used, EngineError where this machine has other code or data.
        """
        with quiet.dependencies():
            failure = {"train": self._train, "block": self._block}.get(task.kind, self._shard)(task)
        sent = failure and replace(failure, error=portable(failure.error), images=task.images)
        return sent, self._progress.take()

    def _train(self, task: Task) -> Failure | None:
        evaluation = self._evaluation(task)
        return attempted(lambda: self._session.fitted(evaluation.model, evaluation.seed), task)

    def _block(self, task: Task) -> Failure | None:
        return attempted(lambda: self._session.block(self._evaluation(task)), task)

    def _shard(self, task: Task) -> Failure | None:
        from robust.engine import executor

        work, parts = self._work(task)
        part = next(one for one in parts if one.kind == task.kind)
        if stores.digest(part.key(task.number)) != task.key:
            here = f"{os.uname().nodename} finds another key for {task.evaluation} than the driver"
            raise EngineError(f"{here}: its code, its versions of libraries, its model or its data differ")
        return executor.run_shard(work, part, task.number, self._progress)

    def _work(self, task: Task) -> "tuple[Work, list[Part]]":
        """What the tasks of an evaluation share; that of one model at a time is kept."""
        from robust.engine import executor
        from robust.engine.units import Clean

        if task.model != self._model:
            self._works, self._model = {}, task.model
        if task.evaluation not in self._works:
            work = self._session.work(self._evaluation(task))
            self._works[task.evaluation] = work, executor.parts_of(work, Clean(work))
        return self._works[task.evaluation]

    def _evaluation(self, task: Task):  # type: ignore[no-untyped-def]
        return next(one for one in self._session.suite.evaluations() if one.id == task.evaluation)


def enter(opening: Opening) -> None:
    """Go to the driver's folder, with its variables and the threads of a worker."""
    try:
        os.chdir(opening.folder)
    except OSError as error:
        raise _not_shared(opening.folder) from error
    for name, value in opening.environment:
        os.environ.setdefault(name, value)
    quiet.tensorflow()
    if opening.threads is not None:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(opening.threads)
        tf.config.threading.set_inter_op_parallelism_threads(opening.threads)


def opened_suite(opening: Opening) -> "Suite":
    """The suite of the driver; raises EngineError where this machine has another one, or does not see it."""
    from robust import suite as suites
    from robust.datasets.data_call import presented

    if not opening.store.is_dir() or not opening.suite.is_file():
        raise _not_shared(opening.suite if opening.store.is_dir() else opening.store)
    suite = suites.load(opening.suite, allow_code=opening.allow_code)
    if suite.text != opening.text:
        raise EngineError(f"{opening.suite}: the file has changed, or is another one on {os.uname().nodename}")
    return replace(suite, data=presented(suite.data, **suites.presentation(opening.classes, opening.channels)))


def _not_shared(path: Path) -> EngineError:
    return EngineError(
        f"{path}: is not on {os.uname().nodename}; the current folder, the suite, its data and the store must be in "
        "folders that all machines share, under the same names: set ROBUST_STORE to one"
    )


def attempted(make: Callable[[], object], task: Task) -> Failure | None:
    """What failed when this was made; None where nothing did. Raises StoreError."""
    from robust.core.errors import StoreError
    from robust.engine.failures import UnitsFailedError

    try:
        make()
    except StoreError:
        raise
    except UnitsFailedError as failed:
        return failed.failures[0]
    except Exception as error:
        return Failure.of(error, task.images)
    return None


def portable(error: Exception) -> Exception:
    """The error, without its traceback; where it cannot be sent to another process, one of the same name and message.

    >>> portable(EngineError("no"))
    EngineError('no')
    """
    try:
        found = pickle.loads(pickle.dumps(error))
        return found if str(found) == str(error) else _like(error)
    except Exception:
        return _like(error)


def _like(error: Exception) -> Exception:
    return type(type(error).__name__, (Exception,), {"__module__": "__main__"})(str(error))  # sent by its definition
