"""What can make a measured robustness unbelievable: how bad each ill is, in plain words, and what helps.

A number is **invalid** where the attack did not work on this model, or no one model was asked: then it says
next to nothing, though it may be an upper bound. It is **suspect** where it is still an upper bound worth
reading, and the true robustness is likely lower. It is **reliable** where nothing was found; that is no proof.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from robust.core.interface import setting

EPS = "8/255"
"""In a remedy, the place of the eps of the number in doubt."""

Word = Literal["reliable", "suspect", "invalid"]


class Flag(NamedTuple):
    """How bad it is, which experiment showed what (with the value and the images put in), and what to do about it.

    Where a remedy says `EPS`, the page gives the eps and the norm of the number in doubt; where it ends a list, a
    quarter and a half of it, too. What is to be typed stands in it as `robust.core.interface.setting` has it.
    """

    verdict: Word
    words: str
    remedy: str
    of_model: bool = False  # is every number of the model in doubt, the clean ones, too?


class Reason(NamedTuple):
    """An ill, the share of images (or of a rise) that shows it, and of how many images."""

    name: str
    value: float
    n: int

    def __str__(self) -> str:
        """The reason as a sentence.

        >>> print(Reason("zero_gradients", 0.25, 100))
        no gradient reaches 25 % of 100 images, under the cross-entropy and under the margin
        """
        return FLAGS[self.name].words.format(value=f"{100 * self.value:.3g} %", n=f"{self.n:,}")


def attack(name: str, **settings: object) -> str:
    """A remedy: to make this attack, as it is typed where the message is read."""
    return setting("attack", {"name": name, **settings, "eps": EPS})


_BLIND = (
    f"attack it with square: {attack('square', n_queries=5000)}, or by transfer from another "
    "model, or with a differentiable stand-in for what stops the gradient (tf.custom_gradient)"
)
_LOST = (
    f"the gradients lead nowhere: {attack('square', n_queries=5000)}, transfer from another "
    "model, or mend the attack's steps"
)
_STEPS = f"give it more steps, as in {attack('pgd', steps=100)}"

FLAGS = {
    "probabilities": Flag(
        "invalid",
        "its outputs on {n} images lie in [0, 1] and sum to 1: probabilities, whose gradients vanish where it is sure",
        "end the model in logits: Dense(classes), trained with SparseCategoricalCrossentropy(from_logits=True)",
    ),
    "stateful": Flag(
        "invalid",
        "asked three times for the same {n} images, the model answered {value} of them otherwise, or a variable of it "
        "changed",
        "let it ask its layers with training=False, and keep no counter or average that goes on",
    ),
    "wrong_preprocessing": Flag(
        "invalid",
        "asked for its pixels in every known way, the model is right on {value} of {n} images more in another than its "
        "own",
        f"declare what it was trained with, as in {setting('preprocessing', [0, 255])} or "
        f"{setting('preprocessing', 'caffe')}; the page names the best",
        of_model=True,
    ),
    "preprocessing_guessed": Flag(
        "suspect",
        "asked for its pixels in every known way, the model is right on {value} of {n} images more in another than its "
        "own, which may be chance",
        f"declare what it was trained with, as in {setting('preprocessing', [0, 1])} or "
        f"{setting('preprocessing', 'torch')}, or look at more images",
        of_model=True,
    ),
    "preprocessing_contradicted": Flag(
        "suspect",
        "asked for its pixels in every known way, the model is right on {value} of {n} images more in another than the "
        "one that was declared",
        f"declare what it was trained with, as in {setting('preprocessing', [0, 255])} or "
        f"{setting('preprocessing', 'caffe')}; where that is so already, averages of batch normalisation that "
        "have not settled look the same: train longer",
        of_model=True,
    ),
    "wrong_class_order": Flag(
        "invalid",
        "with the classes in another order the model is right on {value} of {n} images more",
        f"give the classes in the model's order, as in {setting('classes', ['cat', 'dog'])} beside the data; the page "
        "names it",
        of_model=True,
    ),
    "class_order_guessed": Flag(
        "suspect",
        "with the classes in another order the model is right on {value} of {n} images more, which may be chance or, "
        "of few classes, the model's own errors",
        f"give the classes in the model's order, as in {setting('classes', ['cat', 'dog'])} beside the data; more "
        "images or a look at the model's documentation tell",
        of_model=True,
    ),
    "logits_guessed": Flag(
        "suspect",
        "its answers to {n} images sum to {value} on average, none is negative, and all are at most 1 or have one sum: "
        "they are no probabilities, and were taken for logits, on which loss, confidence and calibration hang",
        "give probabilities, each row divided by its sum (p / p.sum(axis=1, keepdims=True)); or, if they are logits, "
        "one less of each (z - 1), which is the same to a softmax",
        of_model=True,
    ),
    "bounded_outputs": Flag(
        "suspect",
        "shown images 10,000 times as bright, the model stays within the bounds of a sigmoid or tanh; {value} of its "
        "outputs on {n} images lie at them, and gradients vanish there",
        "give the model without its last activation: Dense(classes)",
    ),
    "non_finite": Flag(
        "invalid",
        "loss or gradient is NaN or infinite for {value} of {n} images",
        "look for a division by 0, a log of 0 or logits beyond float32: tf.debugging.enable_check_numerics() names it",
    ),
    "no_gradients": Flag(
        "invalid",
        "no path leads from the logits to the pixels of {n} images, so that an attack by gradients cannot begin",
        _BLIND,
    ),
    "zero_gradients": Flag(
        "suspect",
        "no gradient reaches {value} of {n} images, under the cross-entropy and under the margin",
        _BLIND,
    ),
    "misleading_gradients": Flag(
        "suspect",
        "one grey level along its gradient, at the images or at random points of their balls, the loss of {value} of "
        "{n} images rises by less than a tenth of that",
        _BLIND,
    ),
    "partial_gradients": Flag(
        "suspect",
        "eight random steps of one grey level, there and back, at the images or at random points near them, or four of "
        "such and of a quarter that agree with each other, also on a coarse grid, change the loss of {value} of {n} "
        "images otherwise than its gradient says, so that a part of the model is hidden from it",
        _BLIND,
    ),
    "lost_in_rounding": Flag(
        "suspect",
        "four random changes of this eps, there and back, move the answers to {value} of {n} images by less than three "
        "quarters of what changes of four grey levels say, or otherwise: they are lost in rounding, as in half "
        "precision",
        'let what sees pixels compute in float32: for layer in model.layers: layer.dtype_policy = "float32"; or read '
        f"an eps of whole grey levels: {setting('attack', {'name': 'pgd', 'eps': '1/255'})}",
    ),
    "flat_scores": Flag(
        "suspect",
        "at the image and at ten random points of its ball the model gives at most five different margins, for {value} "
        "of {n} images, which the attack leaves standing: it cannot see where to go, as where answers are hard labels, "
        "rounded or of eight bits",
        "give logits, or probabilities in float32 that nothing has rounded, as lambda images: model.predict(images) "
        "does; or read the number of a transfer attack: one whose source is another model of the same suite",
    ),
    "jumping_scores": Flag(
        "suspect",
        "on {n} lines between images, the answer changes where the margin still is {value} of that at images (median): "
        "scores that are equal nowhere near do not tell decisions, and lead no attack to them",
        "give the scores by which it decides, as lambda images: model.predict(images) does; or read the number of a "
        "transfer attack: one whose source is another model of the same suite",
    ),
    "randomised": Flag(
        "suspect",
        "asked twice, the model answers differently on {value} of {n} images",
        f"average over its randomness: {attack('autoattack', version='rand')}, or {attack('apgd', eot_iter=20)}",
    ),
    "unstable": Flag(
        "suspect",
        "ten points of noise of up to 8/255 change the margin by {value} of its size, on average over {n} images",
        f"attack it without gradients, too: {attack('square', n_queries=5000)}; or with more beginnings: "
        f"{attack('pgd', restarts=5)}",
    ),
    "unbounded_fails": Flag(
        "invalid",
        "with eps as large as the whole box the attack (pgd with 20 steps for fgsm and autoattack) still leaves "
        "{value} of {n} images standing",
        _LOST,
    ),
    "noise_beats_attack": Flag(
        "invalid",
        "ten random points of the same ball fool the model on {value} of {n} images, which the attack leaves standing",
        _LOST,
    ),
    "eps_order": Flag(
        "suspect",
        "attacked afresh, {value} of {n} images stand at this eps that fell at the one below",
        f"give it more steps or restarts: {attack('pgd', steps=100, restarts=5)}",
    ),
    "half_eps": Flag(
        "suspect",
        "attacked afresh at half of this eps, by apgd with 20 steps, {value} of {n} images fall that stand here: the "
        "model answers otherwise near the rim of the ball",
        "read the number of several eps up to this one, of which each takes over what fell before: "
        f"{setting('attack', {'name': 'apgd', 'eps': ['2/255', '4/255', EPS]})}",
    ),
    "incomplete": Flag(
        "suspect",
        "the loss of the {n} images left was still rising when the steps ran out: {value} of its rise came in the last "
        "half",
        _STEPS,
    ),
    "one_step": Flag(
        "suspect",
        "pgd with 20 steps fells {value} of {n} images more than the one step of this attack",
        f"attack with pgd: {attack('pgd', steps=20)}",
    ),
    "stronger_attack": Flag(
        "suspect",
        "another attack (apgd_t with 20 steps towards each of the three likeliest classes; with a target apgd_t "
        "and apgd with 50; without gradients square with 500 queries) fells {value} of {n} images more",
        f"read the number of a stronger attack: {attack('autoattack')}",
    ),
    "control_only": Flag(
        "suspect",
        "noise and images of another model are controls, no attacks on this one: apgd_t with 20 steps towards each of "
        "the three likeliest classes (with a target apgd_t and apgd with 50; without gradients square with 500 "
        "queries) fells {value} of {n} images more",
        f"attack it: {attack('pgd', steps=20)}, or without gradients {attack('square', n_queries=5000)}",
    ),
    "no_model_gradients": Flag(
        "suspect",
        "the model gives answers and no gradients, by which an attack usually fells more images, and by smaller "
        "changes: {value} of {n} could not be attacked so",
        "give the Keras model itself, in place of its answers; or read the number beside that of a transfer attack: "
        "one whose source is another model of the same suite",
    ),
    "too_few_queries": Flag(
        "suspect",
        "square with twice the queries, and 200 at least, fells {value} of {n} images more",
        f"give it as many as its definition has: {attack('square', n_queries=5000)}",
    ),
    "targeted_beats_autoattack": Flag(
        "suspect",
        "apgd_t with twice the steps, and 20 at least (100 in L1), fells {value} of {n} images more than this "
        "autoattack",
        f"give it the steps of its definition: {attack('autoattack', steps=100)}",
    ),
    "too_few_steps": Flag(
        "suspect",
        "the same attack with twice the steps, and 20 at least (100 in L1), fells {value} of {n} images more",
        _STEPS,
    ),
    "too_few_averaged_steps": Flag(
        "suspect",
        "an attack with twice the steps, and 20 at least, that averages over the model's randomness as this one does "
        "fells {value} of {n} images more than the same attack again",
        f"give it more steps, as in {attack('apgd', eot_iter=20, steps=100)}",
    ),
    "silent_success": Flag(
        "suspect",
        "on the way to {value} of {n} images the model was fooled, but not by the image given back",
        f"use an attack that keeps what fooled the model: {attack('apgd')}",
    ),
    "square_beats_gradients": Flag(
        "suspect",
        "within AutoAttack, square felled {value} of {n} images after the gradient attacks had passed them",
        "the gradients may be masked: give square more queries, as in "
        f"{attack('square', n_queries=10000)}, or adapt the attack to the model",
    ),
    "shorter_search": Flag(
        "suspect",
        "another search (apgd with 20 steps, or fab where that was made) fools the model on {value} of {n} images by a "
        "change more than a tenth smaller than the one found here",
        "read and bound the distances of a stronger search: "
        f"{setting('minimal', {'name': 'apgd', 'steps': 100, 'eps': EPS})}",
    ),
    "shorter_elsewhere": Flag(
        "suspect",
        "another case of the suite fools the model on {value} of {n} images by a change more than a tenth smaller than "
        "the one found here, or where none was found",
        "read and bound the distances of a stronger search: "
        f"{setting('minimal', {'name': 'apgd', 'steps': 100, 'eps': EPS})}",
    ),
    "black_box_beats": Flag(
        "suspect",
        "another case of the suite, an attack without this model's gradients, fells {value} of {n} images that this "
        "one leaves standing",
        "the gradients may be masked: read and bound the lower number, that of the other case, as in "
        f"{attack('square', n_queries=5000)}",
    ),
}
"""By name, as it stands in the column `subset`.

Sources: Carlini et al., On evaluating adversarial robustness, 2019 (probabilities, non-finite and zero
gradients, unlimited, noise, order of eps, black-box, steps); Pintor et al., Indicators of attack failure,
NeurIPS 2022 (unstable, silent success, incomplete, zero gradients); Croce & Hein, ICML 2020 (randomised,
stateful, probabilities, Square within AutoAttack); Athalye, Carlini & Wagner, Obfuscated gradients give a
false sense of security, ICML 2018 (misleading, randomised); Chen et al., Adversarial attack on attackers,
NeurIPS 2022 (jumping scores).
"""

LEVELS: dict[Word, float] = {"reliable": 1.0, "suspect": 0.5, "invalid": 0.0}
"""A verdict as a number, which a bound can be held against: `expect = { reliability = ">= 1" }`."""


UNVERIFIED = "unverified"
"""In the place of a verdict, where the checks of an attack are not on record: nothing is known of the number."""


def worse(one: str, other: str) -> str:
    """The worse of two verdicts, of which either may be "" for none.

    >>> worse("suspect", "invalid"), worse("", "suspect")
    ('invalid', 'suspect')
    """
    return min(filter(None, (one, other)), key=lambda word: LEVELS.get(word, 0.0), default="")  # type: ignore[call-overload]


def doubted(word: str) -> bool:
    """Does a verdict, "" for none, speak against a number?

    >>> doubted("suspect"), doubted("reliable"), doubted("")
    (True, False, False)
    """
    return word not in ("", "reliable")


def verdict(names: Iterable[str]) -> Word:
    """The verdict that the worst of these ills gives.

    >>> verdict(["randomised", "stateful"]), verdict([])
    ('invalid', 'reliable')
    """
    return min((FLAGS[name].verdict for name in names), key=LEVELS.__getitem__, default="reliable")
