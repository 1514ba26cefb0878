"""Every error that `robust` raises on purpose.

    RobustError
    ├── SuiteError      a suite file, or an equivalent argument, is wrong
    ├── DataError       images, labels or a data set are invalid
    ├── ModelError      a model cannot be evaluated reliably
    ├── ContractError   a perturbation violated its contract (the ball, [0, 1], the shape)
    ├── StoreError      a folder cannot be read or written
    ├── ReportError     a report folder is incomplete or damaged
    └── EngineError     the machines that should run a suite cannot be used

Each message states where, what was given, what is allowed and, where possible, a suggestion.
"""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from robust.core.remedies import Interface, formatted


class RobustError(Exception):
    """The root: catching it catches all that `robust` raises on purpose.

    `interface`: the one for which its remedies are worded; None: the one in force.
    `where`: the `file:line` that it is about, prefixed to the message; "" where there is none.
    """

    interface: Interface | None = None
    where: str = ""

    def __str__(self) -> str:
        message = formatted(super().__str__(), self.interface)
        return f"{self.where}: {message}" if self.where else message


class SuiteError(RobustError):
    """A suite file, or an equivalent argument, is wrong.

    `key` is the key at fault, dotted.
    """

    def __init__(self, message: str, key: str | None = None):
        super().__init__(message)
        self.key = key


class DataError(RobustError):
    """Images, labels or a data set are invalid."""


class ModelError(RobustError):
    """A model cannot be evaluated reliably."""


class ContractError(RobustError):
    """A perturbation violated its contract: it left the ball, left [0, 1] or changed the shape."""


class StoreError(RobustError):
    """A folder cannot be read or written."""


class ReportError(RobustError):
    """A report folder is incomplete or damaged."""


class EngineError(RobustError):
    """The machines that should run a suite cannot be used."""


def place(path: object, line: int) -> str:
    """A location as editors and terminals recognise it; "" where there is no file.

    >>> place("suites/quick.toml", 3), place(None, 0)
    ('suites/quick.toml:3', '')
    """
    return "" if path is None else f"{path}:{line}"


@contextmanager
def located(path: object, line: int, what: str = "") -> Iterator[None]:
    """Errors that are raised inside begin with the file and the line, unless they have these already.

    path: of the file; None where there is none. what: the object in that line that the message is about.

    >>> with located("suites/quick.toml", 3):
    ...     raise DataError("no images")
    Traceback (most recent call last):
    robust.core.errors.DataError: suites/quick.toml:3: no images
    """
    try:
        yield
    except RobustError as error:
        if error.where:
            raise
        prefixed = type(error)(f"{what}: {error}") if what else error
        prefixed.where = place(path, line)
        if prefixed is error:
            raise
        raise prefixed from error


RENAMED = {
    "measure": "metrics", "inspect": "profile", "corrupt": "corruption", "distance": "minimal", "outside": "ood",
    "images": "max_images", "pixels": "preprocessing", "search": "attack_precision", "samples": "eot_iter",
    "queries": "n_queries", "trust": "reliability", "target_reached": "targeted_success_rate",
    "survives_8bit": "success_after_8bit", "recall_spread": "recall_std", "ece_equal_mass": "ece_adaptive",
    "errors_inside": "within_superclass_error_share", "errors_leaving": "cross_superclass_error_share",
    "nearest_mean_agreement": "ncc_agreement", "auroc": "ood_auroc", "fpr95": "ood_fpr95",
}  # fmt: skip
"""The former names of keys and metrics, in suites of the first edition."""


def suggest(word: str, allowed: Iterable[str]) -> str:
    """The end of an error message: the most similar allowed value, or else all allowed values.

    >>> suggest("resnet21", ["lenet5", "resnet20"])
    "; did you mean 'resnet20'?"
    >>> suggest("x", ["linf", "l2"])
    '; allowed: linf, l2'
    >>> suggest("measure", ["metrics", "model"])
    "; it is called 'metrics' now"
    """
    allowed = sorted(allowed, key=str) if isinstance(allowed, set | frozenset) else list(allowed)
    if (now := RENAMED.get(str(word), word)) != word and now in allowed:
        return f"; it is called {now!r} now"
    if close := difflib.get_close_matches(str(word), allowed):
        meant = max(sorted(close, key=allowed.index), key=lambda c: likeness(c, str(word)))
        return f"; did you mean {meant!r}?"
    return f"; allowed: {', '.join(allowed)}" if allowed else "; there are none yet"


def likeness(one: str, other: str) -> tuple[float, list[bool]]:
    """The similarity and, where that is equal, the common prefix: resnet21 is resnet20, not resnet32."""
    return difflib.SequenceMatcher(None, one, other).ratio(), [a == b for a, b in zip(one, other, strict=False)]
