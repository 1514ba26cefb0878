"""What an attack's own path shows, and how it does beside noise, without limit, with more steps, at another eps."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from robust.attacks.diagnostics.diagnosis import TOLERANCE, Reason, clearly
from robust.attacks.diagnostics.model_checks import nearby
from robust.attacks.iterative import Task
from robust.attacks.minimal.search import at
from robust.core.declared import of_attack
from robust.core.signature import Call
from robust.core.statistics import mcnemar
from robust.results.attack_result import AttackResult, fooled

_ENOUGH = 100  # steps of each part of AutoAttack: its definition
_SAMPLES = 20  # looks at a random model that AutoAttack takes for a gradient
_LUCK = 0.02  # of images that fall to one of the two alone, on both sides
_STEPS = 20  # of pgd where it stands in for an attack
_STEPS_IN_L1 = 100  # where a step changes few pixels: with 20, apgd_t left 17 of 300 images that 100 of apgd fell
_QUERIES, _MOST_QUERIES = 200, 5000  # of Square where it has hardly any; and of its definition
_USUAL_QUERIES = 1000  # queries of Square; with fewer, twice as many still fell some images of sound models
_PLACES = 5  # a trace of fewer cannot be cut in halves
_STILL_RISING = 1 / 3  # of the whole rise in the last half: a straight line has 1/2, a trained net at most 1/4
_FEW = 10  # standing images whose traces would say nothing
_FEW_MISS = 0.0015  # share of images that may fall to more steps, or in half the ball: three of a hundred are too many
_SQUARE = 0.002  # the share that Croce & Hein let Square fell after the others


@dataclass(frozen=True)
class AttackRun:
    """What an attack did to some images at one strength.

    task: the model and the images. call: the attack.
    before: [n, C]: the logits without an attack, before it. fell: bool [n]: is the model fooled, by the final look.
    trace: float [n, T], see `AttackResult`. by: str [N]: what felled each image, of all that were attacked.
    sizes: [n], of a search for the smallest change, so that eps is only where it gave up: how large it is, infinite
        where none was found.
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
    """Does the attack ask for the gradients of the model?"""
    return of_attack(call.name).access == "gradient"


def one_step(call: Call) -> bool:
    """Does it look at the gradient once, whatever its name?"""
    about = of_attack(call.name)
    once = call.arguments.get("steps") == 1 and not about.searches
    return about.one_step or (once and about.access == "gradient")


def uses_eot(call: Call) -> bool:
    """Does the attack average its gradients over the randomness of the model?"""
    many = call.arguments.get("eot_iter", 1) > 1 or call.arguments.get("version") == "rand"
    return many and gradient_based(call)


def threat_model(call: Call) -> dict[str, object]:
    """The eps and the norm of an attack, for another in the same ball.

    >>> threat_model(Call("attacks", "pgd", {"eps": 0.1, "norm": "l2", "steps": 5}))
    {'eps': 0.1, 'norm': 'l2'}
    """
    return {key: value for key, value in call.arguments.items() if key in ("eps", "norm")}


def attacked_again(task: Task, call: Call, rows: np.ndarray | None = None) -> tuple[AttackResult, np.ndarray]:
    """Attack some of the images afresh; also gives which of them fool the model, bool [len(rows)]."""
    rows = np.arange(len(task.labels)) if rows is None else rows
    targets = None if task.targets is None else task.targets[rows]
    images, labels, seeds = task.images[rows], task.labels[rows], task.seeds[rows]
    found = call(task.classifier, images, labels, seeds=seeds, start=None, targets=targets)
    return found, fooled(task.classifier.logits(found.images).argmax(axis=1), labels, targets)


def run(task: Task, call: Call) -> AttackRun:
    """Attack the images that the model has right."""
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
    """With eps as large as the box every label must be left: 1 for Linf, sqrt(d) for L2, d for L1.

    For an attack of one step, and for AutoAttack, whose parts would take long, PGD stands in.
    """
    if "eps" not in call.arguments:
        return
    norm, pixels, averaged = call.arguments.get("norm", "linf"), math.prod(task.images.shape[1:]), uses_eot(call)
    if one_step(call) or of_attack(call.name).parts:
        call = Call("attacks", "pgd", {"norm": norm, "steps": _STEPS})
    if of_attack(call.name).access == "score" and "n_queries" in call.arguments:
        call = _with(call, n_queries=min(_QUERIES, call.arguments["n_queries"]))
    call = at(call, {"linf": 1.0, "l2": math.sqrt(pixels)}.get(norm, float(pixels)))
    found, is_adv = attacked_again(replace(task, targets=None), call)
    if averaged:  # at the boundary, where the search stops, another look may see another answer
        is_adv |= found.by != ""
    if clearly(standing := int((~is_adv).sum()), n := len(is_adv)):
        yield Reason("unbounded_fails", standing / n, n)


def noise_beats_attack(run: AttackRun) -> Iterator[Reason]:
    """Random points of the ball, shown to the images that the attack has left standing."""
    task, rows, given = run.task, np.flatnonzero(~run.is_adv), run.call.arguments
    if not rows.size or given.get("norm") == "l0" or "eps" not in given:
        return
    is_adv, targets = np.zeros(len(rows), bool), None if task.targets is None else task.targets[rows]
    for points in nearby(task, rows, given["eps"], given.get("norm", "linf")):
        is_adv |= fooled(task.classifier.logits(points).argmax(axis=1), task.labels[rows], targets)
    if clearly(count := int(is_adv.sum()), n := len(run.is_adv)):
        yield Reason("noise_beats_attack", count / n, n)


def late_rise(run: AttackRun) -> float | None:
    """The share of the loss' rise that came in the last half of the search: the median over standing images.

    None where that cannot be told: no trace, or of several attacks or balls, too few places, too few images; nor
    does it tell anything of Square's, which rises in ever smaller steps.
    """
    trace = run.trace[~run.is_adv]
    given = run.call.arguments
    if not of_attack(run.call.name).trace or given.get("norm") == "l1" or trace.shape[1] < _PLACES:
        return None
    trace = trace[np.isfinite(trace).all(axis=1)]
    best = np.maximum.accumulate(trace, axis=1)
    rise, late = best[:, -1] - best[:, 0], best[:, -1] - best[:, trace.shape[1] // 2]
    rose = rise > 1e-6 * np.abs(best[:, 0])
    return float(np.median(late[rose] / rise[rose])) if rose.sum() >= _FEW else None


def more_steps(run: AttackRun) -> Iterator[Reason]:
    """Was the loss still rising? If so, or if that cannot be told: do twice the steps fell clearly more?

    A rise that lets no further image fall, in twice the steps, was of no account: in L2 the loss of APGD rises last by
    little, where its step is short, on the soundest of models.
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
    if longer and clearly(count, n, _FEW_MISS if few else TOLERANCE):
        yield Reason(flag_of_longer(run.call), count / n, n)


def flag_of_longer(call: Call) -> str:
    """What it means that the attack of `doubled` fells more."""
    if one_step(call):
        return "one_step"
    if "n_queries" in call.arguments and "steps" not in call.arguments:
        return "too_few_queries"
    return "targeted_beats_autoattack" if of_attack(call.name).parts else "too_few_steps"


def more_averaged_steps(run: AttackRun) -> Iterator[Reason]:
    """Where the model answers by chance: do twice the steps, at least 20, fell clearly more than the same steps again?

    Some images fall to the same again, too, as the model looks otherwise each time: McNemar's test tells these apart.
    """
    rows, call, steps = np.flatnonzero(~run.is_adv), run.call, int(run.call.arguments.get("steps", 1))
    if not rows.size or "eps" not in call.arguments or steps >= _ENOUGH:
        return
    same = threat_model(call)
    longer = Call("attacks", "apgd", {**same, "steps": max(2 * steps, _STEPS), "eot_iter": eot_samples(call)})
    more, again = (attacked_again(run.task, each, rows)[1] for each in (longer, call))
    count, n = int(more.sum()) - int(again.sum()), len(run.is_adv)
    if clearly(count, n, _FEW_MISS if below_usual_budget(call) else TOLERANCE) and mcnemar(more, again) < _LUCK:
        yield Reason("too_few_averaged_steps", count / n, n)


def eot_samples(call: Call) -> int:
    """How many looks each of its gradients is the mean of; those of AutoAttack for random models are of 20."""
    return int(call.arguments.get("eot_iter", _SAMPLES))


def as_defined(call: Call) -> bool:
    """Has it as many steps as it was published with?"""
    published = of_attack(call.name).published_steps
    return published is not None and call.arguments.get("steps", 0) >= published


def below_usual_budget(call: Call) -> bool:
    """Has it fewer steps, or queries, than it takes to leave a sound model at rest?"""
    steps, n_queries = (call.arguments.get(key, math.inf) for key in ("steps", "n_queries"))
    return steps < usual_steps(call) or n_queries < _USUAL_QUERIES


def usual_steps(call: Call) -> int:
    """The steps after which a sound model loses no more images to twice as many; more in L1."""
    return _STEPS_IN_L1 if call.arguments.get("norm") == "l1" else _STEPS


def doubled(call: Call) -> Call | None:
    """The attack with twice the steps, at least 20 or, in L1, 100; None where it has none, or as many as by definition.

    PGD stands in for an attack of one step, and targeted APGD for AutoAttack; Square is given twice the queries.
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


def eps_order(weaker: AttackRun, run: AttackRun) -> Iterator[Reason]:
    """Do images that fell at the smaller eps fall here, too, when nothing is carried from there?"""
    rows = np.flatnonzero(weaker.is_adv & ~weaker.wrong)
    if not rows.size or run.call.arguments.get("eps") == weaker.call.arguments.get("eps"):
        return
    is_adv = attacked_again(run.task, run.call, rows)[1]
    if clearly(count := int((~is_adv).sum()), n := len(run.is_adv)):
        yield Reason("eps_order", count / n, n)


def half_eps(run: AttackRun) -> Iterator[Reason]:
    """Does APGD fell in half of the ball what this attack has left standing in all of it?

    So it is where a model answers rightly near the rim alone, where attacks walk. Of a case with a weaker eps
    `eps_order` tells.
    """
    rows, given = np.flatnonzero(~run.is_adv), run.call.arguments
    if not rows.size or not gradient_based(run.call) or "eps" not in given or given.get("norm") == "l0":
        return
    half = {"eps": given["eps"] / 2, "norm": given.get("norm", "linf"), "steps": _STEPS}
    is_adv = attacked_again(run.task, Call("attacks", "apgd", half), rows)[1]
    if clearly(count := int(is_adv.sum()), n := len(run.is_adv), _FEW_MISS):
        yield Reason("half_eps", count / n, n)


def square_beats_gradients(run: AttackRun) -> Iterator[Reason]:
    """Within AutoAttack: did Square fell clearly more than 0.2 % of all images?"""
    count, n = int((run.by == "square").sum()), len(run.by)
    if run.call.name == "autoattack" and clearly(count, n, _SQUARE):
        yield Reason("square_beats_gradients", count / n, n)
