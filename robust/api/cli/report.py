"""`robust report`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from robust.core import suite_folder
from robust.core.errors import SuiteError


def report(
    folder: Path, *, section: Annotated[list[str] | None, Parameter(negative=())] = None, allow_code: bool = False
) -> int:
    """Write the page of a report folder again, from the folder alone, and check its bounds again.

    TensorFlow is not needed. Exit code 1 where a bound is missed, unsupported, undecided, or has no value, and where
    files of the folder were changed since it was written: they are named. Exit code 3 where something could not be
    run.

    Parameters
    ----------
    folder
        Written by `robust run`: results.csv, outcomes.parquet, samples/, environment.json. Or by
        `robust describe --all`: architectures.csv, vgg16.csv.
    section
        A third-party section to draw, too: "their.module:function", of a file in this folder or on Python's path;
        may be given several times.
    allow_code
        May the code of these sections run?
    """
    from robust import report as page

    if section and not allow_code:
        raise SuiteError(f"section {section[0]!r} runs third-party code; if you trust it, pass --allow-code")
    with suite_folder.importable([Path.cwd()]):
        print(page.write(folder, section or ()))
    return 0 if page.of_architectures(folder) else _gate(folder)


def _gate(folder: Path) -> int:
    from robust.report import bound_states
    from robust.report.folder import read

    there = read(folder)
    judged = [one for one in bound_states.judgements(there) if one.state != "not judged"]
    for one in judged:
        if one.state != "passed" or one.doubted or one.as_recorded:
            print(f"{one.state}: {one.place}: {one.words}{one.doubted}{one.taken}")
    for (run, case), why in there.failed.items():
        print(f"✗ failed: {case} on {there.name(run)}: {why}")
    if taken := bound_states.taken(judged):
        print(taken)
    passed = sum(one.state == "passed" for one in judged)
    verdict = f"{passed} of {len(judged)} bounds passed" if judged else "no bounds to judge"
    print(f"{verdict}; {there.changes}" if str(there.changes) else verdict)
    return 3 if there.failed else 1 if passed < len(judged) or there.changes else 0
