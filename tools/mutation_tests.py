"""Run the tests nearest to a mutant, in a process forked from one that has imported all but the package itself."""

import dataclasses
import hashlib
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import mutants
import pytest

LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "dist", "build", "*.egg-info")
FLAGS = [
    "-q",
    "--doctest-modules",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
]
SLACK = 5.0
"""Timeout: this many times the duration of the tests, plus `patience` seconds. A mutant that hangs is killed."""


class Watch:
    """A pytest plugin: notes which test executes which lines of the sources, and how long it takes."""

    def __init__(self, root: Path, sources: list[str]) -> None:
        self.root, self.sources = f"{root}/", tuple(f"{root}/{source}" for source in sources)
        self.tests: dict[str, dict] = {}
        self.lines: set[tuple[str, int]] = set()  # executed at import, then by each test
        self.fixtures: set[tuple[str, int]] = set()  # executed by all fixtures: other tests may use them, too

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.tests.setdefault("", {"seconds": 0.0, "passed": True, "lines": sorted(self.lines)})
        self.lines, start = set(), time.process_time()
        found = self.tests[item.nodeid] = {"seconds": 0.0, "passed": True, "lines": []}
        result = yield
        found.update(seconds=time.process_time() - start, lines=sorted(self.lines))
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        yield
        self.fixtures |= self.lines

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed":
            self.tests[report.nodeid]["passed"] = False

    def trace(self, frame, event, arg):
        if not frame.f_code.co_filename.startswith(self.sources):
            return None
        self.lines.add((frame.f_code.co_filename.removeprefix(self.root), frame.f_lineno))
        return self.trace


class Choice:
    """A pytest plugin: runs these tests in this order, and notes the first that fails."""

    def __init__(self, order: list[str]) -> None:
        self.rank = {test: place for place, test in enumerate(order)}
        self.failed = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        kept = [item for item in items if item.nodeid in self.rank]
        items[:] = sorted(kept, key=lambda item: self.rank[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


class Bench:
    """Copies of the checkout, in which tests are timed and mutants run."""

    def __init__(self, root: Path, work: Path, config: dict) -> None:
        self.work, self.budget = work.resolve(), config["budget"]
        self.root = self.work / "plain"  # a snapshot of the checkout, which may change while mutants run
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(root, self.root, ignore=LEFT_OUT)
        self.groups = {group["name"]: group for group in config["groups"]}
        self.patience = config["patience"]
        self.cache = self.work / "measured"
        self.cache.mkdir(parents=True, exist_ok=True)
        for name in config["preload"]:
            importlib.import_module(name)

    def run(self, rows: list[dict], jobs: int) -> Iterator[tuple[dict, tuple[str, str]]]:
        """Each row with its result: (killed, timeout or survived; by which test)."""
        near = {group: self._tests(self.groups[group]["tests"]) for group in {row["group"] for row in rows}}
        files = {row["file"]: [*self._doctested(row["file"]), *near[row["group"]]] for row in rows}
        measured = self._measured(sorted({file for each in files.values() for file in each}), jobs)
        tasks = []
        for row in rows:
            mutant = self._mutant(row)
            order, seconds = self._order(mutant, [(file, measured[file]) for file in files[row["file"]]])
            tasks.append((row, mutant, order, seconds))
        done = self._forked([lambda copy, t=t: self._try(copy, *t[1:]) for t in tasks], [t[3] for t in tasks], jobs)
        for i, answer in done:
            yield tasks[i][0], tuple(answer)

    def _tests(self, named: list[str]) -> list[str]:
        found = [path for name in named for path in sorted((self.root / name).rglob("test_*.py")) or [self.root / name]]
        return [path.relative_to(self.root).as_posix() for path in found if path.exists()]

    def _doctested(self, file: str) -> list[str]:
        return [file] if ">>>" in (self.root / file).read_text() else []

    def _watched(self, file: str) -> list[str]:
        """The sources of those groups whose tests, or doctests, are in this file."""
        near = [
            group["sources"]
            for group in self.groups.values()
            if file in self._tests(group["tests"]) or file.startswith(tuple(group["sources"]))
        ]
        return sorted({source for sources in near for source in sources})

    def _mutant(self, row: dict) -> mutants.Mutant:
        found = mutants.of(row["file"], (self.root / row["file"]).read_bytes())
        return next(mutant for mutant in found if mutant.key == row["key"])

    def _order(self, mutant: mutants.Mutant, near: list[tuple[str, dict]]) -> tuple[list[str], float]:
        """The passing tests that execute the mutant, fastest first; those of its own name count as thrice as fast.

        After them those of a file whose fixtures execute it; for code that runs at import, all that import it. Where no
        test is recorded to (in a thread of TensorFlow none is), those that execute anything of its file.
        """
        ranks: dict[str, tuple[int, float]] = {}
        seconds = {test: one["seconds"] for _, tests in near for test, one in tests.items()}
        for file, tests in near:
            mirrored = Path(file).stem in (f"test_{Path(mutant.file).stem}", Path(mutant.file).stem)
            for test, one in tests.items():
                tier = self._tier(tests, one, mutant)
                if "::" in test and one["passed"] and tier < 3:
                    ranks[test] = tier, one["seconds"] / (3 if mirrored else 1)
        if not ranks and mutant.lines != mutants.WHOLE:
            return self._order(dataclasses.replace(mutant, lines=mutants.WHOLE), near)
        chosen, total = [], 0.0
        for test in sorted(ranks, key=ranks.__getitem__):
            if total + seconds[test] <= self.budget or not chosen:
                chosen.append(test)
                total += seconds[test]
        files = list(dict.fromkeys(test.split("::")[0] for test in chosen))  # a file's fixtures are made once
        return sorted(chosen, key=lambda test: files.index(test.split("::")[0])), total

    def _tier(self, tests: dict, one: dict, mutant: mutants.Mutant) -> int:
        if _executes(one, mutant):
            return 0
        if _executes(tests["fixtures"], mutant):
            return 1
        return 2 if mutant.imported and _executes(tests[""], mutant) else 3

    def _measured(self, files: list[str], jobs: int) -> dict[str, dict]:
        found = {file: self._known(file) for file in files}
        due = [file for file in files if not found[file]]
        for i, tests in self._forked([lambda copy, f=f: self._measure(copy, f) for f in due], [600] * len(due), jobs):
            if isinstance(tests, list):
                raise SystemExit(f"{due[i]} cannot be measured: {tests[1]}")
            failed = [test for test, one in tests.items() if not one["passed"]]
            print(f"measured {due[i]}: {max(len(tests) - 2, 0)} tests; not passed: {failed}", flush=True)
            hit = sorted({file for one in tests.values() for file, _ in one["lines"]} | {due[i]})
            kept = {"hashes": {name: self._hash(name) for name in hit}, "tests": tests}
            self._cached(due[i]).write_text(json.dumps(kept))
            found[due[i]] = tests
        return found

    def _cached(self, file: str) -> Path:
        return self.cache / f"{mutants.hashed(file)}.json"

    def _known(self, file: str) -> dict:
        if not self._cached(file).exists():
            return {}
        kept = json.loads(self._cached(file).read_text())
        return kept["tests"] if all(self._hash(name) == value for name, value in kept["hashes"].items()) else {}

    def _hash(self, name: str) -> str:
        path = self.root / name
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""

    def _measure(self, copy: Path, file: str) -> dict:
        watch = Watch(copy, self._watched(file))
        threading.settrace(watch.trace)
        sys.settrace(watch.trace)
        code = pytest.main([*FLAGS, f"--basetemp={copy}.tmp", file], plugins=[watch])
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
            raise RuntimeError(f"pytest ends with {code}")
        if watch.tests:
            watch.tests["fixtures"] = {"seconds": 0.0, "passed": True, "lines": sorted(watch.fixtures)}
        return watch.tests

    def _try(self, copy: Path, mutant: mutants.Mutant, order: list[str], seconds: float) -> list[str]:
        if not order:
            return ["survived", "no test executes it"]
        sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
        target = copy / mutant.file
        plain = target.read_bytes()
        target.write_bytes(mutant.applied(plain))
        choice = Choice(order)
        files = list(dict.fromkeys(test.split("::")[0] for test in order))
        code = pytest.main([*FLAGS, "-x", f"--basetemp={copy}.tmp", *files], plugins=[choice])
        if code == pytest.ExitCode.NO_TESTS_COLLECTED:
            return ["error", "none of its tests is there"]
        return ["killed", choice.failed or f"exit {int(code)}"] if code else ["survived", f"{len(order)} tests"]

    def _forked(self, works: list, seconds: list[float], jobs: int) -> Iterator[tuple[int, object]]:
        """(place, result) of each task, as they finish; ["timeout", ...] for one without a result."""
        busy: dict[int, tuple[int, int, float]] = {}  # process -> place, slot, latest end
        waiting, slots = list(range(len(works))), list(range(jobs))
        while waiting or busy:
            while waiting and slots:
                place, slot = waiting.pop(0), slots.pop()
                limit = SLACK * seconds[place] + self.patience
                pid = self._fork(works[place], self._copy(slot), limit)
                busy[pid] = place, slot, time.monotonic() + 10 * limit
            time.sleep(0.05)
            for pid, (place, _, end) in list(busy.items()):
                if os.waitpid(pid, os.WNOHANG)[0] or (time.monotonic() > end and self._stopped(pid)):
                    answer = self.work / f"answer-{pid}.json"
                    yield place, json.loads(answer.read_text()) if answer.exists() else ["timeout", "no answer in time"]
                    answer.unlink(missing_ok=True)
                    slots.append(busy.pop(pid)[1])

    def _copy(self, slot: int) -> Path:
        copy = self.work / f"copy-{slot}"
        shutil.copytree(self.root, copy, ignore=LEFT_OUT, dirs_exist_ok=True, copy_function=_renewed)
        return copy

    def _fork(self, work, copy: Path, seconds: float) -> int:
        if pid := os.fork():
            return pid
        os.setsid()
        log = os.open(self.work / f"{copy.name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
        os.chdir(copy)
        sys.path.insert(0, str(copy))
        os.environ["PYTHONPATH"] = str(copy)
        try:
            answer = work(copy)
        except BaseException as error:
            answer = ["error", repr(error)]
        (self.work / f"answer-{os.getpid()}.json").write_text(json.dumps(answer))
        sys.stdout.flush()
        os._exit(0)

    def _stopped(self, pid: int) -> bool:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return True


def _renewed(source: str, target: str) -> None:
    """Copy a file where it is not there as it was: the last mutant has changed one."""
    there = Path(target)
    if not there.exists() or there.stat().st_mtime_ns != Path(source).stat().st_mtime_ns:
        shutil.copy2(source, target)


def _executes(test: dict, mutant: mutants.Mutant) -> bool:
    first, last = mutant.lines
    return any(file == mutant.file and first <= line <= last for file, line in test["lines"])
