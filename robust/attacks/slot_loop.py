"""The graph of the engine: several iterations of every slot, each one pass and one step of the attack."""

from collections.abc import Callable

import tensorflow as tf

from robust.attacks import ball
from robust.attacks.iterative import IterativeAttack, State, StepOutput, choose
from robust.core.types import AnyNorm
from robust.models.classifier import Classifier
from robust.results.attack_result import is_within


def loop(
    classifier: Classifier, method: IterativeAttack, targeted: bool
) -> Callable[[State, State, State, State], tuple]:
    """`(fixed, state, hyperparameters, limits) -> (iterations, state, fooled)`; a slot that is done does not move.

    A slot is done if its point fools the model or no iterations are left. The limits: "turns", iterations at most;
    "idle", the number of done slots that ends the loop earlier; "stride", iterations per entry of the trace. The
    state's "trace" runs backwards.
    """

    def take(fixed: State, state: State, hyperparameters: State, limits: State) -> tuple:
        def unfinished(i, state, fooled):  # type: ignore[no-untyped-def]
            idle = tf.math.count_nonzero(fooled | (state["left"] == 0), dtype=tf.int32)
            return (i < limits["turns"]) & (idle < limits["idle"])

        def body(i, state, fooled):  # type: ignore[no-untyped-def]
            slots, left = {**fixed, **state}, state["left"]
            output = _evaluate(classifier, slots, method)
            predicted = tf.argmax(output.logits, 1)
            hits = predicted == slots["target"] if targeted else predicted != slots["label"]
            if method.leaves_ball:
                hits &= _in_ball(slots, hyperparameters["eps"], method.norm)
            moving = (left > 0) & ~hits  # a point that fools the model is kept, and fools it next time, too
            changes = method.step(slots, output, hyperparameters, method.norm)
            state = {k: choose(moving, changes[k], v) if k in changes else v for k, v in state.items()}
            state["left"] = left - tf.cast(moving, tf.int32)
            state["trace"] = noted(state["trace"], left, output.losses, limits["stride"])
            return i + 1, state, (left > 0) & hits

        start = 0, state, tf.zeros_like(state["left"], tf.bool)
        return tf.while_loop(unfinished, body, start, parallel_iterations=1)

    return take


def noted(trace: tf.Tensor, left: tf.Tensor, losses: tf.Tensor, stride: tf.Tensor) -> tf.Tensor:
    """The trace with these losses at the entry of this iteration; without iterations left it is -1, no entry."""
    here = tf.one_hot((left - 1) // stride, trace.shape[1], on_value=True, off_value=False)
    return tf.where(here, tf.cast(losses, tf.float32)[:, None], trace)


def _evaluate(classifier: Classifier, slots: State, method: IterativeAttack) -> StepOutput:
    """One pass over all points, or `eot_iter` passes for the mean loss and gradient of a randomised model."""
    points, labels, classes_to_try = slots["point"], slots["label"], slots["target"]
    if method.eot_iter == 0:
        logits = classifier(points)
        return StepOutput(
            tf.cast(method.loss(logits, labels, classes_to_try), points.dtype), logits, tf.zeros_like(points)
        )

    def once() -> StepOutput:
        return StepOutput(
            *classifier.gradient(points, labels, lambda logits, labels: method.loss(logits, labels, classes_to_try))
        )

    if method.eot_iter == 1:
        return once()

    def more(i: tf.Tensor, sums: StepOutput) -> tuple:
        return i + 1, StepOutput(*(a + b for a, b in zip(sums, once(), strict=True)))

    _, sums = tf.while_loop(lambda i, _: i < method.eot_iter, more, (1, once()), parallel_iterations=1)
    return StepOutput(*(total / method.eot_iter for total in sums))


def _in_ball(slots: State, eps: tf.Tensor, norm: AnyNorm) -> tf.Tensor:
    return is_within(ball.size(slots["point"] - slots["centre"], norm)[:, 0, 0, 0], eps[:, 0, 0, 0])
