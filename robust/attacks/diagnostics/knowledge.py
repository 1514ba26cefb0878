"""What an attack knows of the model: its gradients, or answers only."""

from robust.core.registry import FOOLBOX

_OURS = ("noise", "transfer", "square")
_DECISIONS = (
    "BinarizationRefinementAttack", "BoundaryAttack", "DatasetAttack", "GenAttack", "HopSkipJumpAttack",
    "InversionAttack", "PointwiseAttack", "SpatialAttack",
)  # fmt: skip
_RANDOM = ("Noise", "Contrast", "Blur")  # in the names of Foolbox's classes


def black_box(name: str) -> bool:
    """Does the attack ask for no gradient of this model?

    >>> black_box("square"), black_box("foolbox:BoundaryAttack"), black_box("pgd")
    (True, True, False)
    """
    own = name.removeprefix(FOOLBOX)
    return own in (*_OURS, *_DECISIONS) or (own != name and any(part in own for part in _RANDOM))


def asks_for_scores(name: str) -> bool:
    """Is it a search that asks for no gradient, and compares how sure the answers are?

    >>> asks_for_scores("square"), asks_for_scores("foolbox:BoundaryAttack"), asks_for_scores("pgd")
    (True, False, False)
    """
    return name in ("square", f"{FOOLBOX}GenAttack")


def is_noise(name: str) -> bool:
    """Is it random noise, which an attack must beat?

    >>> is_noise("foolbox:LinfAdditiveUniformNoiseAttack"), is_noise("square")
    (True, False)
    """
    return name == "noise" or (name.startswith(FOOLBOX) and "Noise" in name)


def is_control(name: str) -> bool:
    """Does it ask for no gradient of this model, and claim no strength?"""
    return name == "transfer" or is_noise(name)
