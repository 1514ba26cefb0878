"""Is the accuracy under an attack reliable, suspect or invalid, and for what reasons?

print(robust.attacks.diagnostics.examine(classifier, {"name": "pgd", "eps": "8/255"}, images, labels))
"""

from robust.attacks.diagnostics.across_cases import black_box_stronger, smaller_distance_elsewhere
from robust.attacks.diagnostics.attack_checks import AttackRun
from robust.attacks.diagnostics.case import IMAGES, attack_run, values
from robust.attacks.diagnostics.diagnosis import Diagnosis, Reason, significantly_above
from robust.attacks.diagnostics.examine import diagnose, examine

__all__ = [
    "IMAGES",
    "AttackRun",
    "Diagnosis",
    "Reason",
    "attack_run",
    "black_box_stronger",
    "diagnose",
    "examine",
    "significantly_above",
    "smaller_distance_elsewhere",
    "values",
]
