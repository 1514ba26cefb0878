"""Reasons to doubt a number, the reliability that follows, and when a count of images is more than chance."""

from dataclasses import dataclass

from robust.core.remedies import formatted
from robust.results.flags import FLAGS, Level, Reason, level

CHANCE = 0.001  # of a false reason from one check, if only chance is at work
TOLERANCE = 0.02  # share of images on which another run may differ although nothing is wrong


@dataclass(frozen=True)
class Diagnosis:
    """Is a number reliable, and if not, why?

    >>> print(Diagnosis((Reason("too_few_steps", 0.1, 100),)))
    suspect
      the same attack with twice the steps...10 % of 100...
    """

    reasons: tuple[Reason, ...] = ()

    @property
    def level(self) -> Level:
        """reliable, suspect or invalid."""
        return level(reason.name for reason in self.reasons)

    def __str__(self) -> str:
        """The reliability, and a line for each reason with its remedy."""
        return "\n".join(
            [self.level, *(f"  {reason}: {formatted(FLAGS[reason.name].remedy)}" for reason in self.reasons)]
        )


def significantly_above(count: int, n: int, tolerance: float = TOLERANCE) -> bool:
    """Do `count` of `n` images show that more than a share of `tolerance` is affected?

    The exact binomial test: if the share were `tolerance`, a count this large would occur in fewer than one of
    a thousand samples. Of 100 images it takes 8, of 1,000 images 36.

    >>> [significantly_above(count, n) for count, n in ((7, 100), (8, 100), (35, 1000), (36, 1000))]
    [False, True, False, True]
    """
    from scipy.stats import binom

    return bool(binom.sf(count - 1, n, tolerance) < CHANCE)
