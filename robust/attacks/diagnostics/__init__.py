"""Is the number itself believable? A verdict on the accuracy under an attack, with reasons.

print(robust.attacks.diagnostics.examine(classifier, {"name": "pgd", "eps": "8/255"}, images, labels))
"""

from robust.attacks.diagnostics.across import across, shorter
from robust.attacks.diagnostics.attack import AttackRun
from robust.attacks.diagnostics.case import IMAGES, seen, values
from robust.attacks.diagnostics.evidence import Reason, Verdict, clearly
from robust.attacks.diagnostics.examine import doubts, examine

__all__ = [
    "IMAGES",
    "AttackRun",
    "Reason",
    "Verdict",
    "across",
    "clearly",
    "doubts",
    "examine",
    "seen",
    "shorter",
    "values",
]
