"""Reasons to doubt a number, the verdict they give, and when a count of images is more than chance."""

from dataclasses import dataclass

from robust.core.interface import worded
from robust.results.flags import FLAGS, Reason, Word, verdict

CHANCE = 0.001  # of accusing a number by one check, where nothing but chance is at work
TOLERANCE = 0.02  # share of images on which another try may differ, and nothing is wrong


@dataclass(frozen=True)
class Diagnosis:
    """Is a number to be believed, and if not, why?

    >>> print(Diagnosis((Reason("too_few_steps", 0.1, 100),)))
    suspect
      the same attack with twice the steps, and 20 at least (100 in L1), fells 10 % of 100 images more: give it ...
    """

    reasons: tuple[Reason, ...] = ()

    @property
    def word(self) -> Word:
        """reliable, suspect or invalid."""
        return verdict(reason.name for reason in self.reasons)

    def __str__(self) -> str:
        """The verdict, and a line for each reason with what to do."""
        return "\n".join([self.word, *(f"  {reason}: {worded(FLAGS[reason.name].remedy)}" for reason in self.reasons)])


def clearly(count: int, n: int, tolerance: float = TOLERANCE) -> bool:
    """Do `count` of `n` images show that more than a share of `tolerance` is affected?

    The exact binomial test: were the share `tolerance`, so many or more would come up in fewer than one of
    a thousand samples. Of 100 images it takes 8, of 1,000 images 36.

    >>> clearly(7, 100), clearly(8, 100), clearly(35, 1000), clearly(36, 1000)
    (False, True, False, True)
    """
    from scipy.stats import binom

    return bool(binom.sf(count - 1, n, tolerance) < CHANCE)
