"""The graph of the engine: some turns of every slot, each one pass and one step of the attack."""

from collections.abc import Callable

import tensorflow as tf

from robust.attacks import ball
from robust.attacks.climb import Climb, Look, State, choose
from robust.classifier import Classifier
from robust.quantities import AnyNorm


def walk(classifier: Classifier, climb: Climb, targeted: bool) -> Callable[[State, State, State, tf.Tensor], tuple]:
    """`(fixed, state, numbers, turns) -> (state, fooled, losses)`; who has fallen or no turns left stays there."""

    def take(fixed: State, state: State, numbers: State, turns: tf.Tensor) -> tuple:
        def body(i, state, fooled, value):  # type: ignore[no-untyped-def]
            slots, left = {**fixed, **state}, state["left"]
            look = _look(classifier, slots, climb)
            predicted = tf.argmax(look.logits, 1)
            hits = predicted == slots["aim"] if targeted else predicted != slots["label"]
            if climb.roams:
                hits &= _inside(slots, numbers["eps"], climb.norm)
            moving = (left > 0) & ~hits  # whoever fools the model stays, and fools it at the next look, too
            changes = climb.step(slots, look, numbers, climb.norm)
            state = {k: choose(moving, changes[k], v) if k in changes else v for k, v in state.items()}
            state["left"] = left - tf.cast(moving, tf.int32)
            return i + 1, state, (left > 0) & hits, tf.where(left > 0, tf.cast(look.losses, tf.float32), value)

        left = state["left"]
        start = 0, state, tf.zeros_like(left, tf.bool), tf.fill(tf.shape(left), float("nan"))
        return tf.while_loop(lambda i, *_: i < turns, body, start, parallel_iterations=1)[1:]

    return take


def _look(classifier: Classifier, slots: State, climb: Climb) -> Look:
    """One pass over all points, or as many as a randomised model needs for its mean loss and gradient."""
    points, labels, aims = slots["point"], slots["label"], slots["aim"]
    if climb.samples == 0:
        logits = classifier(points)
        return Look(climb.loss(logits, labels, aims), logits, tf.zeros_like(points))

    def once() -> Look:
        return Look(*classifier.gradient(points, labels, lambda logits, labels: climb.loss(logits, labels, aims)))

    if climb.samples == 1:
        return once()

    def more(i: tf.Tensor, sums: Look) -> tuple:
        return i + 1, Look(*(a + b for a, b in zip(sums, once(), strict=True)))

    _, sums = tf.while_loop(lambda i, _: i < climb.samples, more, (1, once()), parallel_iterations=1)
    return Look(*(total / climb.samples for total in sums))


def _inside(slots: State, eps: tf.Tensor, norm: AnyNorm) -> tf.Tensor:
    return ball.size(slots["point"] - slots["centre"], norm)[:, 0, 0, 0] <= eps * (1 + 1e-6) + 1e-7
