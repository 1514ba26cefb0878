"""The command line: thin functions over the API, one command a file.

Exit codes: 0 all bounds passed, 1 a bound was missed, unsupported, undecided, or absent in `robust report`, 2
bad usage or input, 3 something could not be run and the rest was, 4 a bug in robust, 130 stopped by Ctrl-C, 143 by
SIGTERM.
"""

import os
import re
import signal
import sys
import threading
from types import FrameType

from cyclopts import App, CycloptsError

from robust.api.cli.attack import attack
from robust.api.cli.cache import cache
from robust.api.cli.compare import compare
from robust.api.cli.describe import describe
from robust.api.cli.evaluate import evaluate
from robust.api.cli.list import list_
from robust.api.cli.report import report
from robust.api.cli.run import run
from robust.api.cli.show import show
from robust.api.cli.train import train
from robust.core import remedies, text, unexpected
from robust.core.errors import RobustError

_LINE = 3000  # characters of an error at most

app = App(
    name="robust",
    help="pytest for the robustness of image classifiers.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
app.command(list_, name="list")
for command in (run, evaluate, attack, describe, train, show, report, compare):
    app.command(command)
app.command(cache)


class _Terminated(KeyboardInterrupt):
    """SIGTERM was received: results are written, as they are after Ctrl-C."""


def main() -> None:
    """The entry point: user errors are one line on stderr and exit code 2, bugs in robust exit code 4."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        with remedies.using_interface("command"):
            sys.exit(app(sys.argv[1:], exit_on_error=False, print_error=True))
    except CycloptsError:
        sys.exit(2)
    except BrokenPipeError:  # `robust list | head`: the reader has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt as stopped:
        _print_error("stopped; run it again to resume")
        sys.exit(143 if isinstance(stopped, _Terminated) else 130)
    except Exception as error:
        sys.exit(failed(error))


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # results are being written: a second signal is ignored
    raise _Terminated


def failed(error: Exception) -> int:
    """Print what went wrong, and return the exit code."""
    if isinstance(error, RobustError):
        _print_error(str(error))
    elif machine := unexpected.environment(error):
        _print_error(machine)
    else:
        _print_error(unexpected.report_line(error))
        return 4
    return 2


def _print_error(line: str) -> None:
    line = re.sub(r"\S{400,}", lambda word: f"{word[0][:100]}...{word[0][-100:]}", line)
    line = line if len(line) <= _LINE else f"{line[: _LINE // 2]}...{line[-_LINE // 2 :]}"
    line = text.NOT_IN_A_LINE.sub(lambda found: repr(found[0])[1:-1], line)  # names may hold control characters
    print(f"robust: {line}".encode("utf-8", "replace").decode("utf-8"), file=sys.stderr)
