"""The command line: thin functions over the API, one command a file.

Exit codes: 0 all bounds passed, 1 a bound was missed, 2 bad usage or input.
"""

import os
import sys

from cyclopts import App, CycloptsError

from robust.cli.attack import attack
from robust.cli.compare import compare
from robust.cli.describe import describe
from robust.cli.evaluate import evaluate
from robust.cli.list import list_
from robust.cli.report import report
from robust.cli.run import run
from robust.cli.show import show
from robust.cli.train import train
from robust.errors import RobustError

app = App(
    name="robust",
    help="pytest for the robustness of image classifiers.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
app.command(list_, name="list")
for command in (run, evaluate, attack, describe, train, show, report, compare):
    app.command(command)


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
