"""The command line: thin functions over the API.

Exit codes: 0 all bounds passed, 1 a bound was missed, 2 bad usage or input.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from robust import catalog
from robust.errors import RobustError, suggest

app = App(
    name="robust",
    help="pytest for the robustness of image classifiers.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)


@app.command
def run(
    suite: Path,
    *,
    out: Path | None = None,
    k: Annotated[str, Parameter(name=["-k"])] = "",
    trust: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a suite: train its models, run its cases, write the tables and the page.

    Parameters
    ----------
    suite
        The suite file.
    out
        The folder of the report; reports/<name of the suite> where it is not given.
    k
        Only the cells whose id fits, as in pytest: "pgd and not lenet5".
    trust
        Let the suite run somebody's code ("module:function", python =).
    """
    from robust import quiet
    from robust import suite as suites

    loaded = suites.load(suite, trust=trust)  # a mistake in it is told before TensorFlow is imported
    quiet.tensorflow()
    from robust import progress
    from robust.run import run as run_suite

    folder = out or Path("reports") / loaded.name
    with progress.on(sys.stderr) as shown:
        results = run_suite(loaded, folder, k=k, progress=shown)
    return _verdict(results, folder)


def _verdict(results, folder: Path) -> int:  # type: ignore[no-untyped-def]
    judged = results[results["passed"].notna()]
    missed = judged[~judged["passed"].astype(bool)]
    for row in missed.to_dict("records"):
        name = f"{row['metric']}[{row['group']}]" if row["group"] else row["metric"]
        interval = f"[{row['low']:.3f}, {row['high']:.3f}]"
        print(f"missed: {row['case']}[{row['model']}] {name} {row['value']:.3f} {interval} is not {row['bound']}")
    verdict = f"{len(judged) - len(missed)} of {len(judged)} bounds passed" if len(judged) else "no bounds to judge"
    print(f"{verdict}; the page: {folder / 'index.html'}")
    return 1 if len(missed) else 0


@app.command(name="list")
def list_(kind: str | None = None) -> int:
    """Show what there is: architectures, attacks, corruptions, measures, inspections, datasets, recipes, adversaries.

    Parameters
    ----------
    kind
        Only this catalogue.
    """
    from robust import listing
    from robust.errors import SuiteError

    if kind is not None and kind not in catalog.KINDS:
        raise SuiteError(f"there is no catalogue {kind!r}{suggest(kind, catalog.KINDS)}")
    print(listing.text([kind] if kind else list(catalog.KINDS)))
    return 0


@app.command
def report(folder: Path) -> int:
    """Draw the page of a report folder again, from the folder alone; TensorFlow is not needed.

    Parameters
    ----------
    folder
        What `robust run` has filled: results.csv, outcomes.parquet, samples/, environment.json.
    """
    from robust import report as page

    print(page.write(folder))
    return 0


def main() -> None:
    """The entry point: errors of the user's making are one line on stderr, and exit code 2."""
    try:
        sys.exit(app(sys.argv[1:], exit_on_error=False, print_error=True))
    except CycloptsError:
        sys.exit(2)
    except RobustError as error:
        print(f"robust: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # `robust list | head`: whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        print("robust: stopped; run it again to go on", file=sys.stderr)
        sys.exit(130)
