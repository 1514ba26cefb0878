"""Progress output: a live line on a terminal, plain lines elsewhere, or nothing."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO


class Progress(Protocol):
    """The interface to which progress is reported."""

    def stage(self, name: str, total: int) -> None:
        """A piece of work of `total` steps begins."""

    def advance(self, note: str = "") -> None:
        """One of its steps is done."""

    def say(self, line: str) -> None:
        """A line that stays."""


class Silent:
    """No output."""

    def stage(self, name: str, total: int) -> None:
        """Nothing."""

    def advance(self, note: str = "") -> None:
        """Nothing."""

    def say(self, line: str) -> None:
        """Nothing."""


class Lines:
    """Plain lines, at most one every ten seconds for a piece of work: for logs and pipes."""

    def __init__(self, stream: TextIO | None = None, every: float = 10.0):
        self._stream, self._every = stream or sys.stderr, every
        self._name, self._done, self._total, self._last = "", 0, 0, 0.0

    def stage(self, name: str, total: int) -> None:
        """Store the stage; it is shown with its first step that takes long."""
        self._name, self._done, self._total, self._last = name, 0, total, time.monotonic()

    def advance(self, note: str = "") -> None:
        """Report the progress, if the last line is old enough."""
        self._done += 1
        if time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            self.say(f"{self._name}: {self._done}/{self._total} {note}".rstrip())

    def say(self, line: str) -> None:
        """Write the line at once."""
        print(line, file=self._stream, flush=True)


@contextmanager
def on(stream: TextIO) -> Iterator[Progress]:
    """A live display where the stream is a terminal, plain lines elsewhere."""
    if not stream.isatty():
        yield Lines(stream)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),  # "pgd[resnet20]" is not markup
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(file=stream), transient=True) as bars:
        yield _Live(bars)


class _Live:
    def __init__(self, bars):  # type: ignore[no-untyped-def]
        self._bars, self._task = bars, None

    def stage(self, name: str, total: int) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(name, total=total, note="")

    def advance(self, note: str = "") -> None:
        self._bars.update(self._task, advance=1, note=note)

    def say(self, line: str) -> None:
        self._bars.console.print(line, highlight=False, markup=False)
