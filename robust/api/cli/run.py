"""`robust run`."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from robust.core.types import Channels


def run(
    suite: Path,
    *,
    out: Path | None = None,
    k: Annotated[str, Parameter(name=["-k"])] = "",
    classes: str | None = None,
    channels: Channels | None = None,
    allow_code: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a suite: train its models, run its cases, write the tables and the page.

    Parameters
    ----------
    suite
        The suite file.
    out
        The folder of the report; by default reports/<name of the suite>.
    k
        Only the cells whose id matches, as in pytest: "pgd and not lenet5".
    classes
        The names of the classes in the order of the models' outputs, as in --classes cat,dog; or a file of them, one a
        line, or .json. By default what the suite sets, else the alphabetical order.
    channels
        Show images in colour, rgb, or in grey, gray; by default what the suite sets.
    allow_code
        Let the suite run third-party code ("module:function", python =).
    """
    from robust import suite as suites
    from robust.core import quiet
    from robust.datasets.data_call import presented

    loaded = suites.load(suite, allow_code=allow_code)  # a mistake in it is an error before TensorFlow is imported
    loaded = replace(loaded, data=presented(loaded.data, **suites.presentation(classes, channels)))
    quiet.tensorflow()
    from robust.core import progress
    from robust.engine.session import run as run_suite

    folder = out or Path("reports") / loaded.name
    with progress.on(sys.stderr) as shown:
        results = run_suite(loaded, folder, k=k, progress=shown)
    from robust.engine import recording

    if doubted := recording.doubted(results):
        print(doubted)
    return _verdict(results, folder)


def _verdict(results, folder: Path) -> int:  # type: ignore[no-untyped-def]
    from robust.results import messages
    from robust.suite import bounds

    judged = results[results["passed"].notna()]
    missed = judged[~judged["passed"].astype(bool)]
    several = messages.several(results)
    for row in map(bounds.read, missed.to_dict("records")):
        where = f"{messages.evaluation_id(row, several)}{messages.strength(row)}"
        print(f"{bounds.state(row)}: {where} {messages.missed(row)}{messages.in_doubt(row)}")
    for line in messages.unsettled(results):
        print(line)
    verdict = f"{len(judged) - len(missed)} of {len(judged)} bounds passed" if len(judged) else "no bounds to judge"
    print(f"{verdict}; the page: {folder / 'index.html'}")
    return 1 if len(missed) else 0
