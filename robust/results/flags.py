"""Reliability flags: why a robustness number may be wrong, how severe each reason is, and how to fix it.

A number is **invalid** where the attack did not work on this model, or where no single fixed model was evaluated: then
it has almost no meaning, though it may be an upper bound. It is **suspect** where it is still a useful upper bound,
and the true robustness is likely lower. It is **reliable** where no flag was raised; that is not a proof.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from robust.core.remedies import setting

EPS = "8/255"
"""In a remedy, the placeholder for the eps of the number in doubt."""

Level = Literal["reliable", "suspect", "invalid"]


class Flag(NamedTuple):
    """The reliability level, what an experiment showed (with the value and the number of images), and the remedy.

    Where a remedy contains `EPS`, the page gives the eps and the norm of the number in doubt; where it ends a list,
    also a quarter and a half of it. Settings in a remedy are formatted by `robust.core.remedies.setting`.
    """

    level: Level
    message: str
    remedy: str
    of_model: bool = False  # are all numbers of the model in doubt, also the clean ones?


class Reason(NamedTuple):
    """A raised flag, the share of images (or of a rise) that shows it, and the number of images."""

    name: str
    value: float
    n: int

    def __str__(self) -> str:
        """The reason as a sentence.

        >>> print(Reason("zero_gradients", 0.25, 100))
        the gradients are zero for 25 % of 100 images, for both the cross-entropy and the margin loss
        """
        return FLAGS[self.name].message.format(value=f"{100 * self.value:.3g} %", n=f"{self.n:,}")


def attack(name: str, **settings: object) -> str:
    """A remedy: this attack, formatted for the current interface."""
    return setting("attack", {"name": name, **settings, "eps": EPS})


_BLIND = (
    f"attack it with square: {attack('square', n_queries=5000)}, or by transfer from another "
    "model, or with a differentiable replacement for what stops the gradient (tf.custom_gradient)"
)
_LOST = (
    f"the gradients are not useful: use {attack('square', n_queries=5000)}, transfer from another "
    "model, or fix the steps of the attack"
)
_STEPS = f"give it more steps, as in {attack('pgd', steps=100)}"

FLAGS = {
    "probabilities": Flag(
        "invalid",
        "its outputs on {n} images are in [0, 1] and sum to 1: probabilities, whose gradients vanish where the model "
        "is confident",
        "let the model end in logits: Dense(classes), trained with SparseCategoricalCrossentropy(from_logits=True)",
    ),
    "stateful": Flag(
        "invalid",
        "evaluated three times on the same {n} images, the model gave different outputs for {value} of them, or one of "
        "its variables changed",
        "call its layers with training=False, and keep no counter or running average",
    ),
    "wrong_preprocessing": Flag(
        "invalid",
        "evaluated with every known preprocessing, the model is correct on {value} of {n} more images with another one "
        "than with its own",
        f"declare what it was trained with, as in {setting('preprocessing', [0, 255])} or "
        f"{setting('preprocessing', 'caffe')}; the page names the best",
        of_model=True,
    ),
    "preprocessing_guessed": Flag(
        "suspect",
        "evaluated with every known preprocessing, the model is correct on {value} of {n} more images with another one "
        "than with its own, which may be chance",
        f"declare what it was trained with, as in {setting('preprocessing', [0, 1])} or "
        f"{setting('preprocessing', 'torch')}, or evaluate more images",
        of_model=True,
    ),
    "preprocessing_contradicted": Flag(
        "suspect",
        "evaluated with every known preprocessing, the model is correct on {value} of {n} more images with another one "
        "than with the declared one",
        f"declare what it was trained with, as in {setting('preprocessing', [0, 255])} or "
        f"{setting('preprocessing', 'caffe')}; if that is declared already, moving averages of batch "
        "normalisation that have not converged have the same effect: train longer",
        of_model=True,
    ),
    "wrong_class_order": Flag(
        "invalid",
        "with the classes in another order the model is correct on {value} of {n} more images",
        f"give the classes in the model's order, as in {setting('classes', ['cat', 'dog'])} next to the data; the "
        "page names it",
        of_model=True,
    ),
    "class_order_guessed": Flag(
        "suspect",
        "with the classes in another order the model is correct on {value} of {n} more images, which may be chance or, "
        "with few classes, due to the model's own errors",
        f"give the classes in the model's order, as in {setting('classes', ['cat', 'dog'])} next to the data; more "
        "images or the model's documentation can decide",
        of_model=True,
    ),
    "logits_guessed": Flag(
        "suspect",
        "its outputs on {n} images sum to {value} on average, none is negative, and all are at most 1 or have the same "
        "sum: they are not probabilities, and were taken as logits, on which loss, confidence and calibration depend",
        "give probabilities, each row divided by its sum (p / p.sum(axis=1, keepdims=True)); or, if they are logits, "
        "subtract 1 from each (z - 1), which does not change the softmax",
        of_model=True,
    ),
    "bounded_outputs": Flag(
        "suspect",
        "on images 10,000 times as bright the outputs stay within the bounds of a sigmoid or tanh; {value} of its "
        "outputs on {n} images are at these bounds, where gradients vanish",
        "use the model without its last activation: Dense(classes)",
    ),
    "non_finite": Flag(
        "invalid",
        "the loss or its gradient is NaN or infinite for {value} of {n} images",
        "look for a division by 0, a log of 0 or logits beyond float32: tf.debugging.enable_check_numerics() finds it",
    ),
    "no_gradients": Flag(
        "invalid",
        "there is no gradient from the logits to the pixels of {n} images, so that a gradient attack cannot start",
        _BLIND,
    ),
    "zero_gradients": Flag(
        "suspect",
        "the gradients are zero for {value} of {n} images, for both the cross-entropy and the margin loss",
        _BLIND,
    ),
    "misleading_gradients": Flag(
        "suspect",
        "after a step of one grey level along its gradient, at the images or at random points of their balls, the loss "
        "of {value} of {n} images rises by less than a tenth of what the gradient predicts",
        _BLIND,
    ),
    "partial_gradients": Flag(
        "suspect",
        "eight random steps of one grey level, in both directions, at the images or at random points near them, or "
        "four of these and of a quarter that agree with each other, also on a coarse grid, change the loss of {value} "
        "of {n} images otherwise than its gradient predicts, so that a part of the model is missing from the gradient",
        _BLIND,
    ),
    "lost_in_rounding": Flag(
        "suspect",
        "four random changes of this eps, in both directions, move the outputs on {value} of {n} images by less than "
        "three quarters of what changes of four grey levels predict, or otherwise: they are lost in rounding, as in "
        "half precision",
        'compute the layers in float32: for layer in model.layers: layer.dtype_policy = "float32"; or use an eps of '
        f"whole grey levels: {setting('attack', {'name': 'pgd', 'eps': '1/255'})}",
    ),
    "flat_scores": Flag(
        "suspect",
        "at the image and at ten random points of its ball the model gives at most five different margins, for {value} "
        "of {n} images, which withstand the attack: it has no direction to follow, as where outputs are hard labels, "
        "rounded or of eight bits",
        "give logits, or probabilities in float32 without rounding, as lambda images: model.predict(images) does; or "
        "use the number of a transfer attack: one whose source is another model of the same suite",
    ),
    "jumping_scores": Flag(
        "suspect",
        "on {n} lines between images, the predicted class changes where the margin still is {value} of that at images "
        "(median): scores that are not nearly equal at a decision boundary do not guide an attack to it",
        "give the scores that decide the class, as lambda images: model.predict(images) does; or use the number of a "
        "transfer attack: one whose source is another model of the same suite",
    ),
    "randomised": Flag(
        "suspect",
        "evaluated twice, the model gives different outputs on {value} of {n} images",
        f"average over its randomness: {attack('autoattack', version='rand')}, or {attack('apgd', eot_iter=20)}",
    ),
    "unstable": Flag(
        "suspect",
        "ten points of noise of up to 8/255 change the margin by {value} of its size, on average over {n} images",
        f"attack it without gradients, too: {attack('square', n_queries=5000)}; or with more restarts: "
        f"{attack('pgd', restarts=5)}",
    ),
    "unbounded_fails": Flag(
        "invalid",
        "with eps so large that the ball contains every image, {value} of {n} images still withstand the attack (pgd "
        "with 20 steps in place of fgsm and autoattack)",
        _LOST,
    ),
    "noise_beats_attack": Flag(
        "invalid",
        "ten random points of the same ball fool the model on {value} of {n} images, which withstand the attack",
        _LOST,
    ),
    "not_monotone_in_eps": Flag(
        "suspect",
        "attacked anew, {value} of {n} images withstand the attack at this eps, but not at the next smaller one",
        f"give it more steps or restarts: {attack('pgd', steps=100, restarts=5)}",
    ),
    "half_eps": Flag(
        "suspect",
        "attacked anew at half of this eps, by apgd with 20 steps, the model is fooled on {value} of {n} images that "
        "withstand the attack here: the model predicts differently near the boundary of the ball",
        "use the number of several eps up to this one, each of which keeps the successes of the smaller ones: "
        f"{setting('attack', {'name': 'apgd', 'eps': ['2/255', '4/255', EPS]})}",
    ),
    "incomplete": Flag(
        "suspect",
        "the loss of the {n} images that withstand the attack was still rising at the last step: {value} of its rise "
        "was in the second half",
        _STEPS,
    ),
    "one_step": Flag(
        "suspect",
        "pgd with 20 steps fools the model on {value} of {n} more images than the single step of this attack",
        f"attack with pgd: {attack('pgd', steps=20)}",
    ),
    "stronger_attack": Flag(
        "suspect",
        "another attack (apgd_t with 20 steps towards each of the three most likely classes; with a target apgd_t "
        "and apgd with 50; without gradients square with 500 queries) fools the model on {value} of {n} more images",
        f"use the number of a stronger attack: {attack('autoattack')}",
    ),
    "control_only": Flag(
        "suspect",
        "noise and images made on another model are controls, not attacks on this one: apgd_t with 20 steps towards "
        "each of the three most likely classes (with a target apgd_t and apgd with 50; without gradients square with "
        "500 queries) fools the model on {value} of {n} more images",
        f"attack it: {attack('pgd', steps=20)}, or without gradients {attack('square', n_queries=5000)}",
    ),
    "no_model_gradients": Flag(
        "suspect",
        "the model gives outputs and no gradients, with which an attack usually fools the model on more images, and by "
        "smaller changes: {value} of {n} images could not be attacked that way",
        "give the Keras model itself, in place of its outputs; or compare the number with that of a transfer attack: "
        "one whose source is another model of the same suite",
    ),
    "too_few_queries": Flag(
        "suspect",
        "square with twice the queries, at least 200, fools the model on {value} of {n} more images",
        f"give it as many as in its definition: {attack('square', n_queries=5000)}",
    ),
    "targeted_beats_autoattack": Flag(
        "suspect",
        "apgd_t with twice the steps, at least 20 (100 in L1), fools the model on {value} of {n} more images than "
        "this autoattack",
        f"give it as many steps as in its definition: {attack('autoattack', steps=100)}",
    ),
    "too_few_steps": Flag(
        "suspect",
        "the same attack with twice the steps, at least 20 (100 in L1), fools the model on {value} of {n} more images",
        _STEPS,
    ),
    "too_few_averaged_steps": Flag(
        "suspect",
        "an attack with twice the steps, at least 20, that averages over the model's randomness as this one does "
        "fools the model on {value} of {n} more images than the same attack run again",
        f"give it more steps, as in {attack('apgd', eot_iter=20, steps=100)}",
    ),
    "fooled_but_not_returned": Flag(
        "suspect",
        "for {value} of {n} images the model was fooled during the search, but not by the image that was returned",
        f"use an attack that keeps images that fooled the model: {attack('apgd')}",
    ),
    "square_beats_gradients": Flag(
        "suspect",
        "within AutoAttack, square fooled the model on {value} of {n} images on which the gradient attacks had failed",
        "the gradients may be masked: give square more queries, as in "
        f"{attack('square', n_queries=10000)}, or adapt the attack to the model",
    ),
    "smaller_distance_found": Flag(
        "suspect",
        "another search (apgd with 20 steps; fab where this search uses apgd) fools the model on {value} of {n} images "
        "by a change more than a tenth smaller than the one found here",
        "use and bound the distances of a stronger search: "
        f"{setting('minimal', {'name': 'apgd', 'steps': 100, 'eps': EPS})}",
    ),
    "smaller_distance_elsewhere": Flag(
        "suspect",
        "another case of the suite fools the model on {value} of {n} images by a change more than a tenth smaller than "
        "the one found here, or where none was found",
        "use and bound the distances of a stronger search: "
        f"{setting('minimal', {'name': 'apgd', 'steps': 100, 'eps': EPS})}",
    ),
    "black_box_stronger": Flag(
        "suspect",
        "another case of the suite, an attack without this model's gradients, fools the model on {value} of {n} images "
        "that withstand this one",
        "the gradients may be masked: use and bound the lower number, that of the other case, as in "
        f"{attack('square', n_queries=5000)}",
    ),
}
"""By name, as in the column `subset`.

Sources: Carlini et al., On evaluating adversarial robustness, 2019 (probabilities, non-finite and zero
gradients, unlimited, noise, order of eps, black-box, steps); Pintor et al., Indicators of attack failure,
NeurIPS 2022 (unstable, fooled but not returned, incomplete, zero gradients); Croce & Hein, ICML 2020 (randomised,
stateful, probabilities, Square within AutoAttack); Athalye, Carlini & Wagner, Obfuscated gradients give a
false sense of security, ICML 2018 (misleading, randomised); Chen et al., Adversarial attack on attackers,
NeurIPS 2022 (jumping scores).
"""

LEVELS: dict[Level, float] = {"reliable": 1.0, "suspect": 0.5, "invalid": 0.0}
"""The reliability levels as numbers, for bounds: `expect = { reliability = ">= 1" }`."""


UNVERIFIED = "unverified"
"""In place of a reliability level, where the checks of an attack are not on record: nothing is known of the number."""


def worse(one: str, other: str) -> str:
    """The worse of two reliability levels, of which either may be "" for none.

    >>> worse("suspect", "invalid"), worse("", "suspect")
    ('invalid', 'suspect')
    """
    return min(filter(None, (one, other)), key=lambda level: LEVELS.get(level, 0.0), default="")  # type: ignore[call-overload]


def doubted(level: str) -> bool:
    """Is a number with this reliability level, "" for none, in doubt?

    >>> doubted("suspect"), doubted("reliable"), doubted("")
    (True, False, False)
    """
    return level not in ("", "reliable")


def level(names: Iterable[str]) -> Level:
    """The reliability level given by the worst of these flags.

    >>> level(["randomised", "stateful"]), level([])
    ('invalid', 'reliable')
    """
    return min((FLAGS[name].level for name in names), key=LEVELS.__getitem__, default="reliable")
