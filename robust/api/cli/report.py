"""`robust report`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from robust.core import folders
from robust.core.errors import SuiteError


def report(
    folder: Path, *, section: Annotated[list[str] | None, Parameter(negative=())] = None, allow_code: bool = False
) -> int:
    """Draw the page of a report folder again, from the folder alone, and judge its bounds anew.

    TensorFlow is not needed. Exit code 1 where a bound is missed, unsupported, undecided, or has no value.

    Parameters
    ----------
    folder
        What `robust run` has filled: results.csv, outcomes.parquet, samples/, environment.json. Or what
        `robust describe --all` has: architectures.csv, vgg16.csv.
    section
        A section of others to be drawn, too: "their.module:function", of a file in this folder or on Python's path;
        may be said several times.
    allow_code
        May the code of these sections run?
    """
    from robust import report as page

    if section and not allow_code:
        raise SuiteError(f"section {section[0]!r} runs somebody's code; if you trust it, say so: --allow-code")
    with folders.importable([Path.cwd()]):
        print(page.write(folder, section or ()))
    return 0 if page.of_architectures(folder) else _gate(folder)


def _gate(folder: Path) -> int:
    from robust.report import verdict
    from robust.report.folder import read

    judged = [one for one in verdict.judgements(read(folder)) if one.state != "not judged"]
    for one in judged:
        if one.state != "passed" or one.doubted or one.as_recorded:
            print(f"{one.state}: {one.place}: {one.words}{one.doubted}{one.taken}")
    if taken := verdict.taken(judged):
        print(taken)
    passed = sum(one.state == "passed" for one in judged)
    print(f"{passed} of {len(judged)} bounds passed" if judged else "no bounds to judge")
    return 1 if passed < len(judged) else 0
