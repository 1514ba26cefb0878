"""Another attack than the one that was made, on the images that it has left standing."""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from robust.attacks.diagnostics.attack import AttackRun, attacked
from robust.attacks.diagnostics.evidence import Reason, clearly
from robust.attacks.diagnostics.knowledge import is_control
from robust.core.errors import ModelError
from robust.core.signature import Call

_STEPS, _CLASSES, _QUERIES = 20, 3, 500  # as the reasons say
_CONTAIN_IT = ("autoattack", "apgd_t")
_EXCEPTIONS = 0.0015  # share of images that a sound attack may leave to another: three of a hundred are too many


def rival(run: AttackRun) -> Iterator[Reason]:
    """Does another attack of the same ball fell more: towards single classes, up a loss that knows no scale of logits?

    Whatever falls there stands wrongly in the number: an attack of few steps, one that is misled by a bend of the
    model or by logits too small for the cross-entropy, or noise, is shown by that, whatever its name. Where there are
    no gradients, none such can be tried, and what answers alone lead to leaves more standing: of 50 images on a small
    convolutional net, within 8/255, Square with 1,000 queries left .52, APGD with its gradients .34.
    """
    rows, given = np.flatnonzero(~run.fell), run.call.arguments
    if not rows.size or "eps" not in given or given.get("norm") == "l0":
        return
    fell, by_gradients = _felled(run, rows)
    if clearly(count := int(fell.sum()), n := len(run.fell), _EXCEPTIONS):
        yield Reason("control_alone" if is_control(run.call.name) else "another_attack", count / n, n)
    if not by_gradients and clearly(len(rows), n, _EXCEPTIONS):
        yield Reason("answers_alone", len(rows) / n, n)


def _felled(run: AttackRun, rows: np.ndarray) -> tuple[np.ndarray, bool]:
    """Which of these images fall, bool [len(rows)]: to targeted APGD, or where there are no gradients to Square.

    And were there gradients?
    """
    call, same = run.call, {k: v for k, v in run.call.arguments.items() if k in ("eps", "norm")}
    towards = Call("attacks", "apgd_t", {**same, "steps": _STEPS, "classes": _CLASSES})
    if call.name in _CONTAIN_IT and call.arguments["steps"] >= _STEPS:
        return np.zeros(len(rows), bool), True
    with suppress(ModelError):  # there are no gradients
        return attacked(run.task, towards, rows)[1], True
    if call.name == "square":
        return np.zeros(len(rows), bool), False  # see `more_steps`
    return attacked(run.task, Call("attacks", "square", {**same, "n_queries": _QUERIES}), rows)[1], False
