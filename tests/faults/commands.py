"""Runs the command line in processes of its own, with faults: killed, or out of space, at a chosen write.

The processes are forks of one that has imported TensorFlow and the package, and done nothing else; what they run is
`robust.api.cli.main`, the program `robust` itself.
"""

import contextlib
import errno
import functools
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

_PRELOADED = ["preloaded", "commands"]
_EVENTS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")
LIMIT = 600  # seconds after which a command counts as hanging


@dataclass(frozen=True)
class Fault:
    """What goes wrong at the `at`-th change of a file below a folder.

    kind: "kill", "term", "full" (from then on every change fails with ENOSPC, as on a full disk), or "" (changes are
    only counted).
    """

    kind: str
    at: int
    below: Path


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative: the signal), what it wrote, and how many changes it made."""

    code: int
    out: str
    err: str
    changes: int = 0


@functools.cache
def _server() -> ForkServerContext:
    """The process that forks; it looks for the modules of this folder where PYTHONPATH says when it starts."""
    context, before = multiprocessing.get_context("forkserver"), os.environ.get("PYTHONPATH")
    context.set_forkserver_preload(_PRELOADED)
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return context


class Running:
    """A command that runs."""

    def __init__(self, arguments: Sequence[str], place: Path, store: Path, fault: Fault | None, env: Mapping[str, str]):
        context = _server()
        self.log = place / f".log-{time.monotonic_ns()}"
        given = {"ROBUST_STORE": str(store), **env}
        self.process = context.Process(target=_command, args=(list(arguments), place, given, fault, self.log))
        self.process.start()

    def end(self) -> Ended:
        """Wait for its end."""
        self.process.join(LIMIT)
        assert self.process.exitcode is not None, f"still running after {LIMIT} s"
        out, err, count = (Path(f"{self.log}.{what}") for what in ("out", "err", "count"))
        texts = [path.read_text("utf-8", "replace") if path.exists() else "" for path in (out, err, count)]
        for path in (out, err, count):
            path.unlink(missing_ok=True)
        return Ended(self.process.exitcode, texts[0], texts[1], int(texts[2] or 0))


def start(
    *arguments: object, place: Path, store: Path, fault: Fault | None = None, env: Mapping[str, str] | None = None
) -> Running:
    """Start `robust ARGUMENTS` in a folder."""
    return Running([*map(str, arguments)], place, store, fault, env or {})


def command(*arguments: object, place: Path, store: Path, fault: Fault | None = None) -> Ended:
    """Run `robust ARGUMENTS` in a folder."""
    return start(*arguments, place=place, store=store, fault=fault).end()


def _command(arguments: list[str], place: Path, env: dict[str, str], fault: Fault | None, log: Path) -> None:
    os.chdir(place)
    os.environ.update(env)
    for number, what in ((1, "out"), (2, "err")):
        handle = os.open(f"{log}.{what}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    sys.argv = ["robust", *arguments]
    if fault is not None:
        Faults(fault, Path(f"{log}.count")).install()
    from robust.api.cli import main

    main()


class Faults:
    """An audit hook that counts the changes of files."""

    def __init__(self, fault: Fault, count: Path):
        self.fault, self.count, self.seen, self.off = fault, os.open(count, os.O_WRONLY | os.O_CREAT), 0, False

    def install(self) -> None:
        """From now on."""
        sys.addaudithook(self._seen)

    def _seen(self, event: str, arguments: tuple) -> None:
        if self.off or event not in _EVENTS or not self._is_change(event, arguments):
            return
        self.seen += 1
        os.pwrite(self.count, str(self.seen).encode(), 0)
        if self.fault.kind == "full" and self.seen >= self.fault.at and event in ("open", "os.mkdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
        if self.seen == self.fault.at and self.fault.kind in ("kill", "term"):
            os.kill(os.getpid(), signal.SIGKILL if self.fault.kind == "kill" else signal.SIGTERM)

    def _is_change(self, event: str, arguments: tuple) -> bool:
        path = arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        with contextlib.suppress(ValueError):
            inside = str(Path(os.fsdecode(path)).absolute()).startswith(str(self.fault.below))
            writes = event != "open" or _writes(arguments)
            return inside and writes
        return False


def _writes(arguments: tuple) -> bool:
    mode, flags = arguments[1], arguments[2]
    return any(sign in mode for sign in "wxa+") if isinstance(mode, str) else bool(flags & (os.O_WRONLY | os.O_RDWR))
