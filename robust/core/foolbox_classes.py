"""Properties of Foolbox's attack classes; TensorFlow is not imported for them."""

import importlib
import inspect
import warnings
from types import ModuleType

from robust.core.errors import SuiteError, suggest

PREFIX = "foolbox:"
"""The prefix of the name of an attack class of Foolbox."""

NORMS: dict[object, str] = {float("inf"): "linf", 2: "l2", 1: "l1", 0: "l0"}

_DECISION = (
    "BinarizationRefinementAttack", "BoundaryAttack", "DatasetAttack", "HopSkipJumpAttack", "InversionAttack",
    "PointwiseAttack", "SpatialAttack",
)  # fmt: skip


def library() -> ModuleType:
    """Foolbox; it is light, and does not import TensorFlow before it is used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports a name that SciPy has moved
        return importlib.import_module("foolbox")


def named(name: str) -> type:
    """The class that "foolbox:Name" denotes.

    Raises SuiteError, with a suggestion, where there is none.

    >>> named("foolbox:LinfPGD").__name__
    'LinfProjectedGradientDescentAttack'
    """
    members = vars(library().attacks).items()
    classes = {n: c for n, c in members if inspect.isclass(c) and not inspect.isabstract(c)}
    if (cls := classes.get(name.removeprefix(PREFIX))) is None:
        raise SuiteError(f"Foolbox has no attack {name!r}{suggest(name, [PREFIX + n for n in classes])}")
    return cls


def norm(cls: object) -> str | None:
    """The norm of a class, or of an attack made from it; None where the caller chooses it.

    >>> norm(named("foolbox:L2PGD"))
    'l2'
    """
    return NORMS.get(getattr(getattr(cls, "distance", None), "p", None))


def access(name: str) -> str:
    """What an attack class uses of the model, see `robust.core.declared.ACCESS`.

    >>> access("LinfPGD"), access("GenAttack"), access("BoundaryAttack"), access("LinfAdditiveUniformNoiseAttack")
    ('gradient', 'score', 'decision', 'none')
    """
    if "Noise" in name:
        return "none"
    if name == "GenAttack":
        return "score"
    return "decision" if name in _DECISION or "Contrast" in name or "Blur" in name else "gradient"


def minimizes(name: str) -> bool:
    """Does a class search for the smallest change by itself?

    >>> minimizes("L2DeepFoolAttack"), minimizes("L2PGD")
    (True, False)
    """
    attacks = library().attacks
    return issubclass(getattr(attacks, name), attacks.base.MinimizationAttack)
