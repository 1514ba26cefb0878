"""The graph of the engine: some turns of every slot, each one pass and one step of the attack."""

from collections.abc import Callable

import tensorflow as tf

from robust.attacks import ball
from robust.attacks.iterative import IterativeAttack, State, StepOutput, choose
from robust.core.types import AnyNorm
from robust.models.classifier import Classifier
from robust.results.attack_result import within


def loop(
    classifier: Classifier, method: IterativeAttack, targeted: bool
) -> Callable[[State, State, State, State], tuple]:
    """`(fixed, state, numbers, limits) -> (turns taken, state, fooled)`; who has fallen or no turns left stays there.

    Among the limits are "turns" at the most, "idle", the slots without anything to do that end it sooner, and
    "stride", the turns for which the trace has one place. The state's "trace" runs backwards.
    """

    def take(fixed: State, state: State, hyperparameters: State, limits: State) -> tuple:
        def goes_on(i, state, fooled):  # type: ignore[no-untyped-def]
            idle = tf.math.count_nonzero(fooled | (state["left"] == 0), dtype=tf.int32)
            return (i < limits["turns"]) & (idle < limits["idle"])

        def body(i, state, fooled):  # type: ignore[no-untyped-def]
            slots, left = {**fixed, **state}, state["left"]
            output = _evaluate(classifier, slots, method)
            predicted = tf.argmax(output.logits, 1)
            hits = predicted == slots["target"] if targeted else predicted != slots["label"]
            if method.leaves_ball:
                hits &= _in_ball(slots, hyperparameters["eps"], method.norm)
            moving = (left > 0) & ~hits  # whoever fools the model stays, and fools it at the next look, too
            changes = method.step(slots, output, hyperparameters, method.norm)
            state = {k: choose(moving, changes[k], v) if k in changes else v for k, v in state.items()}
            state["left"] = left - tf.cast(moving, tf.int32)
            state["trace"] = noted(state["trace"], left, output.losses, limits["stride"])
            return i + 1, state, (left > 0) & hits

        start = 0, state, tf.zeros_like(state["left"], tf.bool)
        return tf.while_loop(goes_on, body, start, parallel_iterations=1)

    return take


def noted(trace: tf.Tensor, left: tf.Tensor, losses: tf.Tensor, stride: tf.Tensor) -> tf.Tensor:
    """The trace with these losses in the place of this turn; -1, of who has no turns left, is no place."""
    here = tf.one_hot((left - 1) // stride, trace.shape[1], on_value=True, off_value=False)
    return tf.where(here, tf.cast(losses, tf.float32)[:, None], trace)


def _evaluate(classifier: Classifier, slots: State, method: IterativeAttack) -> StepOutput:
    """One pass over all points, or as many as a randomised model needs for its mean loss and gradient."""
    points, labels, surrogate_targets = slots["point"], slots["label"], slots["target"]
    if method.eot_iter == 0:
        logits = classifier(points)
        return StepOutput(
            tf.cast(method.loss(logits, labels, surrogate_targets), points.dtype), logits, tf.zeros_like(points)
        )

    def once() -> StepOutput:
        return StepOutput(
            *classifier.gradient(points, labels, lambda logits, labels: method.loss(logits, labels, surrogate_targets))
        )

    if method.eot_iter == 1:
        return once()

    def more(i: tf.Tensor, sums: StepOutput) -> tuple:
        return i + 1, StepOutput(*(a + b for a, b in zip(sums, once(), strict=True)))

    _, sums = tf.while_loop(lambda i, _: i < method.eot_iter, more, (1, once()), parallel_iterations=1)
    return StepOutput(*(total / method.eot_iter for total in sums))


def _in_ball(slots: State, eps: tf.Tensor, norm: AnyNorm) -> tf.Tensor:
    return within(ball.size(slots["point"] - slots["centre"], norm)[:, 0, 0, 0], eps[:, 0, 0, 0])
