"""A suite file is a test file; a case on a model is a test.

    pytest suites/quick.toml -k "pgd and resnet20"

Only files that the command line names are collected, and those that fit a glob of the ini option
`robust_suites`. Under xdist the workers share the store, and the controller writes the page.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from robust.core import remedies

if TYPE_CHECKING:  # a pytest run without suites imports none of this
    import pandas as pd
    from _pytest._code.code import TerminalRepr

    from robust.core.types import NewRow
    from robust.engine.failures import Failed
    from robust.engine.session import Session
    from robust.suite import Evaluation, Suite

_SESSIONS = pytest.StashKey[dict[Path, "Session"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ini options."""
    parser.addini("robust_allow_code", "let suites run third-party code (module:function, python =)", "bool", False)
    parser.addini("robust_reports", "folder in which each suite's report is written", "string", "reports")
    parser.addini("robust_suites", "globs of suites that are collected with their folder", "args", [])


def pytest_configure(config: pytest.Config) -> None:
    """Start with no suite in progress; the pages are written by one process only."""
    config.stash[_SESSIONS] = {}
    role = _Helper(config) if hasattr(config, "workerinput") else _Pages(config)
    config.pluginmanager.register(role, "robust_pages")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    """A suite that was requested."""
    if file_path.suffix != ".toml" or not _requested(file_path, parent.config):
        return None
    return SuiteFile.from_parent(parent, path=file_path)


def _requested(path: Path, config: pytest.Config) -> bool:
    named = (config.invocation_params.dir / arg.split("::")[0] for arg in config.args)
    globs = config.getini("robust_suites")
    return any(path == p.resolve() or path == p for p in named) or any(path.match(glob) for glob in globs)


@pytest.fixture
def robustness(request: pytest.FixtureRequest) -> Callable[..., pd.DataFrame]:
    """`robust.evaluate`, for a test of your own model; `robust_allow_code` sets whether model files may run code.

    def test_mine(robustness):
        table = robustness("mine.keras", (images, labels), attacks=["pgd"], eps="4/255")
        assert robust.value(table, "top1", case="pgd").ci_low > 0.5
    """
    from robust.core import quiet

    quiet.tensorflow()
    from robust.api.evaluate import evaluate

    def evaluated(*args: Any, **options: Any) -> pd.DataFrame:
        with quiet.dependencies():
            return evaluate(*args, **{"allow_code": request.config.getini("robust_allow_code"), **options})

    return evaluated


class SuiteFile(pytest.File):
    """A suite; collecting it checks all of it and imports no TensorFlow."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test for each case on each model."""
        for cell in _load(self.path, self.config).evaluations():
            yield CellItem.from_parent(self, name=cell.id, cell=cell)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str | TerminalRepr:
        """What is wrong with the suite, in a line."""
        return _words(excinfo) or super().repr_failure(excinfo)


class CellItem(pytest.Item):
    """One case on one model; it fails where a bound is missed."""

    def __init__(self, *, cell: Evaluation, **options: Any):
        super().__init__(**options)
        self.cell = cell
        self.identity: str | None = None
        self.failed: Failed | None = None

    @remedies.using_interface("pytest")
    def runtest(self) -> None:
        """Run the cell, or read it from the store, and check its bounds."""
        session = _session(self.path, self.config)
        from robust.engine import failures

        attempts, found = failures.Attempts(session.images, session.progress.say, fail_fast=False), []
        attempts.run(self.cell, lambda: found.append(self._run(session)))
        if attempts.failed:
            self.failed = attempts.failed[self.cell.id]
            self.user_properties.append(("robust_failed", self.failed.why))
            raise _FailedError(self.failed.why) from attempts.first
        self._judge(session, *found[0])

    def _run(self, session: Session) -> tuple[Path, list[NewRow]]:
        from robust.core import quiet, suite_folder

        with quiet.dependencies(), suite_folder.importable(session.suite.folders):
            session.check_model(self.cell)  # as `robust run`: what is wrong with a model is one line
            block = session.block(self.cell)
            against = session.compared(self.cell, _out(self.path, self.config))
            self.identity = session.identity(self.cell.model, self.cell.seed)
        return block, against

    def _judge(self, session: Session, block: Path, against: list[NewRow]) -> None:
        from robust.engine import recording

        self.user_properties.append(("robust", recording.brief(session.suite, self.cell, block)))
        for line in recording.passed_in_doubt(session.suite, self.cell, block, against):
            self.user_properties.append(("robust_in_doubt", line))
        if missed := recording.missed(session.suite, self.cell, block, against):
            raise _MissedError(missed)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str | TerminalRepr:
        """Three lines: the number with its interval and bound, the file and line, where the page is."""
        if isinstance(excinfo.value, _MissedError):
            lines = [*excinfo.value.args[0], f"{self._shown(self.path)}:{self.cell.case.line}"]
            return "\n".join([*lines, f"page: {self._shown(_out(self.path, self.config)) / 'index.html'}"])
        if isinstance(excinfo.value, _FailedError):
            where = f"{self._shown(self.path)}:{self.cell.case.line}"
            return f"failed, could not be run: {excinfo.value}\n{where}"
        return _words(excinfo) or super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File and line of the case."""
        return self.path, self.cell.case.line - 1, self.name

    def _shown(self, path: Path) -> Path:
        here = self.config.invocation_params.dir
        return path.relative_to(here) if path.is_relative_to(here) else path


class _MissedError(AssertionError):
    """The messages of missed bounds."""


class _FailedError(Exception):
    """Why a cell could not be run."""


def _words(excinfo: pytest.ExceptionInfo[BaseException]) -> str | None:
    from robust.core.errors import RobustError

    return str(excinfo.value) if isinstance(excinfo.value, RobustError) else None


@remedies.using_interface("pytest")
def _load(path: Path, config: pytest.Config) -> Suite:
    from robust.suite import load

    here = config.invocation_params.dir
    return load(
        path.relative_to(here) if path.is_relative_to(here) and Path.cwd() == here else path,
        allow_code=config.getini("robust_allow_code"),
    )


def _session(path: Path, config: pytest.Config) -> Session:
    """The session of a suite, created with its first test: TensorFlow is imported here."""
    if path not in config.stash[_SESSIONS]:
        from robust.core import progress, quiet, store, suite_folder

        quiet.tensorflow()
        from robust.engine.session import Session, writable

        writable(_out(path, config))
        shown = progress.Lines() if config.getoption("capture", "no") == "no" else progress.Silent()
        suite = _load(path, config)
        with suite_folder.importable(suite.folders):
            session = Session(suite, store.default(), shown)
            session.check(suite.evaluations(), _out(path, config))
        config.stash[_SESSIONS][path] = session
    return config.stash[_SESSIONS][path]


def _out(path: Path, config: pytest.Config) -> Path:
    """reports/quick for suites/quick.toml; elsewhere folders are kept, so that a/x.toml and b/x.toml do not collide."""
    inside = path.relative_to(config.rootpath) if path.is_relative_to(config.rootpath) else Path(path.name)
    parts = inside.parts[1:] if inside.parts[0] == "suites" else inside.parts
    return (config.rootpath / config.getini("robust_reports")).joinpath(*parts).with_suffix("")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach which model was evaluated, or what failed: the report is sent to the process that writes the page."""
    report = yield
    if isinstance(item, CellItem) and (failed := item.failed) and report.when == "call":
        why = [failed.kind, failed.message, failed.missing, failed.images]
        report.robust_failed = [str(item.path), item.cell.id, *why]  # type: ignore[attr-defined]
    if isinstance(item, CellItem) and item.identity:
        report.robust = [str(item.path), item.cell.model.name, item.cell.seed, item.identity]  # type: ignore[attr-defined]
    return report


class _Helper:
    """Lets a worker of xdist that has no test left share the units of those that still run."""

    def __init__(self, config: pytest.Config):
        self.config = config

    @remedies.using_interface("pytest")
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return
        cells: dict[Path, list[Evaluation]] = {}
        for item in session.items:
            if isinstance(item, CellItem):
                cells.setdefault(item.path, []).append(item.cell)
        for path, own in cells.items():
            shared = _session(path, self.config)
            from robust.core import quiet, suite_folder

            with quiet.dependencies(), suite_folder.importable(shared.suite.folders):
                shared.help(own)


class _Pages:
    """Writes the page of every suite of which a test ran, here or in a worker of xdist."""

    def __init__(self, config: pytest.Config):
        self.config, self.ran, self.failed, self.lines = config, {}, {}, []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if hasattr(report, "robust"):
            path, model, seed, identity = report.robust
            self.ran.setdefault(Path(path), {})[model, seed] = identity
        if hasattr(report, "robust_failed"):
            path, cell, *why = report.robust_failed
            self.ran.setdefault(Path(path), {})
            self.failed.setdefault(Path(path), {})[cell] = why

    def _failed(self, path: Path, session: Session) -> Iterator[Failed]:
        from robust.engine.failures import Failed

        for cell in session.suite.evaluations():
            if cell.id in self.failed.get(path, {}):
                yield Failed(cell, *self.failed[path][cell.id])

    @remedies.using_interface("pytest")
    def pytest_sessionfinish(self) -> None:
        from robust.core.errors import RobustError

        for path, identities in self.ran.items():
            try:
                session = _session(path, self.config)
                from robust.core import suite_folder
                from robust.engine import recording
                from robust.results import messages

                session.add_identities(identities)
                if not any(session.find(cell) for cell in session.suite.evaluations()):
                    self.lines.append("robust: no page: nothing could be run")
                    continue
                with suite_folder.importable(session.suite.folders):
                    results = session.record(out := _out(path, self.config), self._failed(path, session))
                self.lines += [f"robust: {words}" for words in session.notes()]
                self.lines.append(f"robust: the page is {out / 'index.html'}")
                self.lines += [f"robust: {words}"] if (words := recording.doubted(results)) else []
                self.lines += [f"robust: {words}" for words in messages.unsettled(results)]
            except (RobustError, OSError) as error:
                self.lines.append(f"robust: no page: {error}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self.lines:
            terminalreporter.write_line(line)
