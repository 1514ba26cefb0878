"""Checks of an attack: its trace, and comparisons with noise, without a bound, with more steps, at another eps."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from robust.attacks.diagnostics.diagnosis import TOLERANCE, Reason, significantly_above
from robust.attacks.diagnostics.model_checks import nearby
from robust.attacks.iterative import Task
from robust.attacks.minimal.search import with_eps
from robust.core.declared import of_attack
from robust.core.signature import Call
from robust.core.statistics import mcnemar
from robust.results.attack_result import AttackResult, fooled

_ENOUGH = 100  # steps of each part of AutoAttack, as published
_SAMPLES = 20  # passes that AutoAttack averages for a gradient of a randomised model
_LEVEL = 0.02  # level of McNemar's test of the images on which only one of two attacks succeeds, two-sided
_STEPS = 20  # of pgd where it replaces an attack
_STEPS_IN_L1 = 100  # few pixels a step: apgd_t with 20 failed on 17 of 300 images, apgd with 100 did not
_QUERIES, _MOST_QUERIES = 200, 5000  # of Square: at least, if it has few; as published
_USUAL_QUERIES = 1000  # of Square; with fewer, twice as many still succeed on more images of sound models
_ENTRIES = 5  # entries: a shorter trace cannot be halved
_STILL_RISING = 1 / 3  # of the whole increase in the last half: a straight line has 1/2, a trained network at most 1/4
_FEW = 10  # with fewer traces there is no result
_EXCEPTIONS = 0.0015  # share on which more steps, or half the ball, may succeed: three of a hundred are too many
_SQUARE = 0.002  # share of images that Croce & Hein allow Square after the others


@dataclass(frozen=True)
class AttackRun:
    """The outcome of an attack on some images at one strength.

    task: the model and the images. call: the attack.
    before: [n, C]: the logits of the clean images, before the attack. is_adv: bool [n]: is the model fooled, by a
        final forward pass.
    trace: float [n, T], see `AttackResult`. by: str [N]: the attack that succeeded on each of all attacked images.
    sizes: [n], for a search for the smallest change, where eps is only the limit of the search: the size of the
        change, infinite where none was found.
    """

    task: Task
    call: Call
    before: np.ndarray
    is_adv: np.ndarray
    trace: np.ndarray
    by: np.ndarray
    sizes: np.ndarray | None = None

    @property
    def wrong(self) -> np.ndarray:
        """Was the model fooled without an attack? bool [n]."""
        return fooled(self.before.argmax(axis=1), self.task.labels, self.task.targets)


def gradient_based(call: Call) -> bool:
    """Does the attack use the gradients of the model?"""
    return of_attack(call.name).access == "gradient"


def one_step(call: Call) -> bool:
    """Does it evaluate the gradient once, whatever its name?"""
    about = of_attack(call.name)
    once = call.arguments.get("steps") == 1 and not about.several_searches
    return about.one_step or (once and about.access == "gradient")


def uses_eot(call: Call) -> bool:
    """Does the attack average its gradients over the randomness of the model?"""
    many = call.arguments.get("eot_iter", 1) > 1 or call.arguments.get("version") == "rand"
    return many and gradient_based(call)


def threat_model(call: Call) -> dict[str, object]:
    """The eps and the norm of an attack, for another attack in the same ball.

    >>> threat_model(Call("attacks", "pgd", {"eps": 0.1, "norm": "l2", "steps": 5}))
    {'eps': 0.1, 'norm': 'l2'}
    """
    return {key: value for key, value in call.arguments.items() if key in ("eps", "norm")}


def attacked_again(task: Task, call: Call, rows: np.ndarray | None = None) -> tuple[AttackResult, np.ndarray]:
    """Attack some of the images again from scratch; also returns which fool the model, bool [len(rows)]."""
    rows = np.arange(len(task.labels)) if rows is None else rows
    targets = None if task.targets is None else task.targets[rows]
    images, labels, seeds = task.images[rows], task.labels[rows], task.seeds[rows]
    found = call(task.classifier, images, labels, seeds=seeds, start=None, targets=targets)
    return found, fooled(task.classifier.logits(found.images).argmax(axis=1), labels, targets)


def run(task: Task, call: Call) -> AttackRun:
    """Attack the images that the model classifies correctly."""
    before = task.classifier.logits(task.images)
    wrong = fooled(before.argmax(axis=1), task.labels, task.targets)
    is_adv, by, rows = wrong.copy(), np.where(wrong, "clean", "").astype(object), np.flatnonzero(~wrong)
    if not rows.size:
        return AttackRun(task, call, before, is_adv, np.empty((len(wrong), 0)), by)
    found, is_adv[rows] = attacked_again(task, call, rows)
    trace = np.full((len(wrong), found.trace.shape[1]), np.nan)
    trace[rows], by[rows] = found.trace, np.where(is_adv[rows], found.by, "")
    return AttackRun(task, call, before, is_adv, trace, by)


def _with(call: Call, **arguments: object) -> Call:
    return replace(call, arguments={**call.arguments, **arguments})


def unbounded_fails(task: Task, call: Call) -> Iterator[Reason]:
    """With eps as large as the box the attack must succeed on every image: 1 for Linf, sqrt(d) for L2, d for L1.

    PGD replaces an attack of one step, and AutoAttack, whose parts would take long.
    """
    if "eps" not in call.arguments:
        return
    norm, pixels, averaged = call.arguments.get("norm", "linf"), math.prod(task.images.shape[1:]), uses_eot(call)
    if one_step(call) or of_attack(call.name).parts:
        call = Call("attacks", "pgd", {"norm": norm, "steps": _STEPS})
    if of_attack(call.name).access == "score" and "n_queries" in call.arguments:
        call = _with(call, n_queries=min(_QUERIES, call.arguments["n_queries"]))
    call = with_eps(call, {"linf": 1.0, "l2": math.sqrt(pixels)}.get(norm, float(pixels)))
    found, is_adv = attacked_again(replace(task, targets=None), call)
    if averaged:  # at the boundary, where the search stops, another pass may predict another class
        is_adv |= found.by != ""
    if significantly_above(count := int((~is_adv).sum()), n := len(is_adv)):
        yield Reason("unbounded_fails", count / n, n)


def noise_beats_attack(run: AttackRun) -> Iterator[Reason]:
    """Random points of the ball, for the images on which the attack failed."""
    task, rows, given = run.task, np.flatnonzero(~run.is_adv), run.call.arguments
    if not rows.size or given.get("norm") == "l0" or "eps" not in given:
        return
    is_adv, targets = np.zeros(len(rows), bool), None if task.targets is None else task.targets[rows]
    for points in nearby(task, rows, given["eps"], given.get("norm", "linf")):
        is_adv |= fooled(task.classifier.logits(points).argmax(axis=1), task.labels[rows], targets)
    if significantly_above(count := int(is_adv.sum()), n := len(run.is_adv)):
        yield Reason("noise_beats_attack", count / n, n)


def late_rise(run: AttackRun) -> float | None:
    """The share of the increase of the loss in the last half of the search: the median over images it failed on.

    None where it is unknown: no trace, or one of several attacks or balls, too few entries, too few images. Nor is
    it known for Square, whose loss increases in ever smaller steps.
    """
    trace = run.trace[~run.is_adv]
    given = run.call.arguments
    if not of_attack(run.call.name).trace or given.get("norm") == "l1" or trace.shape[1] < _ENTRIES:
        return None
    trace = trace[np.isfinite(trace).all(axis=1)]
    best = np.maximum.accumulate(trace, axis=1)
    rise, late = best[:, -1] - best[:, 0], best[:, -1] - best[:, trace.shape[1] // 2]
    rose = rise > 1e-6 * np.abs(best[:, 0])
    return float(np.median(late[rose] / rise[rose])) if rose.sum() >= _FEW else None


def more_steps(run: AttackRun) -> Iterator[Reason]:
    """Was the loss still increasing? If so, or if unknown: do twice the steps succeed on clearly more images?

    An increase is ignored if twice the steps fool the model on no further image: in L2 the loss of APGD still
    increases a little at the end, where its step is short, on the soundest of models.
    """
    share, rows = late_rise(run), np.flatnonzero(~run.is_adv)
    rising = share is not None and share > _STILL_RISING
    if not rows.size or (share is not None and not rising):
        return
    longer = doubled(run.call)
    count, n = int(attacked_again(run.task, longer, rows)[1].sum()) if longer else 0, len(run.is_adv)
    if rising and (count or not (longer or as_defined(run.call))):
        yield Reason("incomplete", float(share or 0), len(rows))
    few = one_step(run.call) or below_usual_budget(run.call)
    if longer and significantly_above(count, n, _EXCEPTIONS if few else TOLERANCE):
        yield Reason(flag_of_longer(run.call), count / n, n)


def flag_of_longer(call: Call) -> str:
    """The flag for a larger success of the attack of `doubled`."""
    if one_step(call):
        return "one_step"
    if "n_queries" in call.arguments and "steps" not in call.arguments:
        return "too_few_queries"
    return "targeted_beats_autoattack" if of_attack(call.name).parts else "too_few_steps"


def more_averaged_steps(run: AttackRun) -> Iterator[Reason]:
    """Of a randomised model: do twice the steps, at least 20, fool it on clearly more images than the same steps again?

    The same steps again succeed on some images, too, as the model differs each time: McNemar's test separates the two.
    """
    rows, call, steps = np.flatnonzero(~run.is_adv), run.call, int(run.call.arguments.get("steps", 1))
    if not rows.size or "eps" not in call.arguments or steps >= _ENOUGH:
        return
    same = threat_model(call)
    longer = Call("attacks", "apgd", {**same, "steps": max(2 * steps, _STEPS), "eot_iter": eot_samples(call)})
    more, again = (attacked_again(run.task, each, rows)[1] for each in (longer, call))
    count, n = int(more.sum()) - int(again.sum()), len(run.is_adv)
    if (
        significantly_above(count, n, _EXCEPTIONS if below_usual_budget(call) else TOLERANCE)
        and mcnemar(more, again) < _LEVEL
    ):
        yield Reason("too_few_averaged_steps", count / n, n)


def eot_samples(call: Call) -> int:
    """How many passes each of its gradients averages; AutoAttack for randomised models averages 20."""
    return int(call.arguments.get("eot_iter", _SAMPLES))


def as_defined(call: Call) -> bool:
    """Has it at least as many steps as published?"""
    published = of_attack(call.name).published_steps
    return published is not None and call.arguments.get("steps", 0) >= published


def below_usual_budget(call: Call) -> bool:
    """Has it fewer steps, or queries, than suffice for a sound model?"""
    steps, n_queries = (call.arguments.get(key, math.inf) for key in ("steps", "n_queries"))
    return steps < usual_steps(call) or n_queries < _USUAL_QUERIES


def usual_steps(call: Call) -> int:
    """The steps after which twice as many succeed on no more images of a sound model; more in L1."""
    return _STEPS_IN_L1 if call.arguments.get("norm") == "l1" else _STEPS


def doubled(call: Call) -> Call | None:
    """The attack with twice the steps, at least 20 or, in L1, 100; None if it has no steps, or as many as published.

    PGD replaces an attack of one step, and targeted APGD AutoAttack; Square gets twice the queries.
    """
    arguments = threat_model(call)
    if one_step(call):
        return Call("attacks", "pgd", {**arguments, "steps": _STEPS})
    steps = call.arguments.get("steps")
    if "n_queries" in call.arguments and steps is None:
        n_queries = int(call.arguments["n_queries"])
        return None if n_queries >= _MOST_QUERIES else _with(call, n_queries=max(2 * n_queries, _QUERIES))
    if not isinstance(steps, int) or as_defined(call):
        return None
    if of_attack(call.name).parts:
        return Call("attacks", "apgd_t", {**arguments, "steps": max(2 * steps, usual_steps(call))})
    return _with(call, steps=max(2 * steps, usual_steps(call)))


def not_monotone_in_eps(weaker: AttackRun, run: AttackRun) -> Iterator[Reason]:
    """Do images that fool the model at the smaller eps do so here, too, without the points found there?"""
    rows = np.flatnonzero(weaker.is_adv & ~weaker.wrong)
    if not rows.size or run.call.arguments.get("eps") == weaker.call.arguments.get("eps"):
        return
    is_adv = attacked_again(run.task, run.call, rows)[1]
    if significantly_above(count := int((~is_adv).sum()), n := len(run.is_adv)):
        yield Reason("not_monotone_in_eps", count / n, n)


def half_eps(run: AttackRun) -> Iterator[Reason]:
    """Does APGD succeed within half of the radius on images on which this attack fails in the whole ball?

    This is so where a model is correct only near the boundary of the ball, where attacks search. A case with a
    smaller eps is checked by `not_monotone_in_eps`.
    """
    rows, given = np.flatnonzero(~run.is_adv), run.call.arguments
    if not rows.size or not gradient_based(run.call) or "eps" not in given or given.get("norm") == "l0":
        return
    half = {"eps": given["eps"] / 2, "norm": given.get("norm", "linf"), "steps": _STEPS}
    is_adv = attacked_again(run.task, Call("attacks", "apgd", half), rows)[1]
    if significantly_above(count := int(is_adv.sum()), n := len(run.is_adv), _EXCEPTIONS):
        yield Reason("half_eps", count / n, n)


def square_beats_gradients(run: AttackRun) -> Iterator[Reason]:
    """Within AutoAttack: did Square succeed on clearly more than 0.2 % of all images?"""
    count, n = int((run.by == "square").sum()), len(run.by)
    if run.call.name == "autoattack" and significantly_above(count, n, _SQUARE):
        yield Reason("square_beats_gradients", count / n, n)
