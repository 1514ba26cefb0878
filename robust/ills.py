"""What can make a measured robustness unbelievable: how bad each ill is, in plain words, and what helps.

A number is **invalid** where the attack did not work on this model, or no one model was asked: then it says
next to nothing, though it may be an upper bound. It is **suspect** where it is still an upper bound worth
reading, and the true robustness is likely lower. It is **reliable** where nothing was found; that is no proof.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

Word = Literal["reliable", "suspect", "invalid"]


class Ill(NamedTuple):
    """How bad it is, what was seen (with the value put in), and what to do about it."""

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
        no gradient reaches 25 % of the images, under the cross-entropy and under the margin
        """
        return ILLS[self.name].words.format(value=f"{100 * self.value:.3g} %")


ILLS = {
    "probabilities": Ill(
        "invalid",
        "the model gives probabilities: their gradients vanish where it is sure",
        "end the model in logits: Dense(classes), trained with from_logits=True",
    ),
    "stateful": Ill(
        "invalid",
        "asking the model changes it: the answers to the same images are no longer the same",
        "ask it in inference mode (training=False), without counters or moving averages that go on",
    ),
    "other_pixels": Ill(
        "invalid",
        "the model is asked for its pixels in one way, and in another one it is right on {value} of the images more",
        'declare what it was trained with, as in pixels = [0, 255] or "caffe", or --pixels 0 255; the page names it',
        of_model=True,
    ),
    "pixels_guessed": Ill(
        "suspect",
        "in another range of pixels the model is right on {value} of the images more, which may be chance",
        'declare what it was trained with, as in pixels = [0, 1] or "torch", or look at more images',
        of_model=True,
    ),
    "bounded_outputs": Ill(
        "suspect",
        "the model ends in a sigmoid or tanh: {value} of its outputs lie at their bounds, and gradients vanish there",
        "give the model without its last activation",
    ),
    "non_finite": Ill(
        "invalid",
        "loss or gradient is NaN or infinite for {value} of the images",
        "look for a division by 0, a log of 0 or logits beyond float32",
    ),
    "no_gradients": Ill(
        "invalid",
        "no path leads from the logits to the pixels, so that an attack by gradients cannot begin",
        "attack it with square or transfer, or with a differentiable stand-in for what stops the gradient",
    ),
    "zero_gradients": Ill(
        "suspect",
        "no gradient reaches {value} of the images, under the cross-entropy and under the margin",
        "attack it with square or transfer, or with a differentiable stand-in for what stops the gradient",
    ),
    "misleading_gradients": Ill(
        "suspect",
        "the loss rises by less than a tenth of what its gradient says for {value} of the images, over one grey level",
        "attack it with square or transfer, or with a differentiable stand-in for what breaks the gradient",
    ),
    "randomised": Ill(
        "suspect",
        "asked twice, the model answers differently on {value} of the images",
        'average over its randomness: autoattack with version = "rand", or apgd with samples = 20',
    ),
    "unstable": Ill(
        "suspect",
        "noise of up to 8/255 changes the margin by {value} of its size, on average",
        "attack it with square, which needs no gradients, and with more restarts",
    ),
    "unlimited_fails": Ill(
        "invalid",
        "with any change allowed the attack still leaves {value} of the images standing",
        "the gradients lead nowhere: attack with square or transfer, or mend the attack's steps",
    ),
    "noise_beats_attack": Ill(
        "invalid",
        "random noise of the same eps fools the model on {value} of the images, where the attack did not",
        "the gradients lead nowhere: attack with square or transfer, or mend the attack's steps",
    ),
    "eps_order": Ill(
        "suspect",
        "{value} of the images fall at a smaller eps and stand at this one, attacked afresh",
        "more steps or restarts, or a step size that fits this eps",
    ),
    "incomplete": Ill(
        "suspect",
        "the loss was still rising when the steps ran out: {value} of its rise came in the last half",
        "more steps, or larger ones",
    ),
    "one_step": Ill(
        "suspect",
        "pgd with 20 steps fells {value} of the images more than the one step of this attack",
        'attack with pgd: attack = { name = "pgd", steps = 20 }, or --attack pgd',
    ),
    "too_few_queries": Ill(
        "suspect",
        "with twice the queries, and 200 at least, {value} of the images more fall",
        "give it as many as its definition has: queries = 5000",
    ),
    "targeted_beats_autoattack": Ill(
        "suspect",
        "apgd_t with twice the steps, and 20 at least, fells {value} of the images more than this autoattack",
        "give autoattack the steps of its definition: steps = 100",
    ),
    "too_few_steps": Ill(
        "suspect",
        "with twice the steps, and 20 at least, {value} of the images more fall",
        'give it more steps, as in attack = { name = "pgd", steps = 100 }',
    ),
    "silent_success": Ill(
        "suspect",
        "on the way to {value} of the images the model was fooled, but not by the image given back",
        "use an attack that keeps what fooled the model: pgd, apgd, autoattack",
    ),
    "square_beats_gradients": Ill(
        "suspect",
        "within AutoAttack, random search felled {value} of the images after the gradient attacks had passed them",
        "the gradients may be masked: give square more queries, or adapt the attack to the model",
    ),
    "black_box_beats": Ill(
        "suspect",
        "an attack without this model's gradients fells {value} of the images, which this one leaves standing",
        "read the lower number; the gradients may be masked",
    ),
}
"""By name, as it stands in the column `group`.

Sources: Carlini et al., On evaluating adversarial robustness, 2019 (probabilities, non-finite and zero
gradients, unlimited, noise, order of eps, black-box, steps); Pintor et al., Indicators of attack failure,
NeurIPS 2022 (unstable, silent success, incomplete, zero gradients); Croce & Hein, ICML 2020 (randomised,
stateful, probabilities, Square within AutoAttack); Athalye, Carlini & Wagner, Obfuscated gradients give a
false sense of security, ICML 2018 (misleading, randomised).
"""

LEVELS: dict[Word, float] = {"reliable": 1.0, "suspect": 0.5, "invalid": 0.0}
"""A verdict as a number, which a bound can be held against: `expect = { trust = ">= 1" }`."""


UNVERIFIED = "unverified"
"""In the place of a verdict, where the checks of an attack are not on record: nothing is known of the number."""


def worse(one: str, other: str) -> str:
    """The worse of two verdicts, of which either may be "" for none.

    >>> worse("suspect", "invalid"), worse("", "suspect")
    ('invalid', 'suspect')
    """
    return min(filter(None, (one, other)), key=lambda word: LEVELS.get(word, 0.0), default="")  # type: ignore[call-overload]


def verdict(names: Iterable[str]) -> Word:
    """The verdict that the worst of these ills gives.

    >>> verdict(["randomised", "stateful"]), verdict([])
    ('invalid', 'reliable')
    """
    return min((ILLS[name].verdict for name in names), key=LEVELS.__getitem__, default="reliable")
