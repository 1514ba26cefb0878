"""Is the number itself believable? A verdict on the accuracy under an attack, with reasons.

print(robust.trust.examine(classifier, {"name": "pgd", "eps": "8/255"}, images, labels))
"""

from robust.trust.across import across, shorter
from robust.trust.attack import Run
from robust.trust.case import IMAGES, seen, values
from robust.trust.evidence import Reason, Verdict, clearly
from robust.trust.examine import doubts, examine

__all__ = [
    "IMAGES",
    "Reason",
    "Run",
    "Verdict",
    "across",
    "clearly",
    "doubts",
    "examine",
    "seen",
    "shorter",
    "values",
]
