"""What the package must know about a member, as a decorator with literal keywords beside it.

The decorators do nothing when the code runs. They are read from source, as signatures are, so that suites are checked
without an import of TensorFlow, and `"their.module:function"` is held to the same contract.

    @metric(names=("top1", "nll"), shares=("top1",))
    def accuracy(result): ...

    @attack(access="gradient")
    @as_attack
    def fgsm(task, *, eps: Eps): ...
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from robust.core import foolbox_classes, registry
from robust.core.errors import SuiteError, suggest

Member = TypeVar("Member", bound=Callable)
Declaration = TypeVar("Declaration", "Metric", "Attack", "Corruption", "Section")
SPLITS = ("train", "validation")
NEEDS = (*SPLITS, "features", "ood", "target", "minimal", "superclasses")
GIVEN = ("six classes", "target", "attack")
BETTER = ("higher", "lower")
ACCESS = ("gradient", "score", "decision", "transfer", "none")
"""What an attack uses of the model: its gradients; its logits; its answers alone; those of another model; nothing."""


@dataclass(frozen=True)
class Metric:
    """What a metric or a profile yields: the names of its values and, by the kind of subset they speak of, which.

    names: values of all images. per_class, per_pair, per_superclass: of each class, of pairs "cat -> dog" of classes,
    of each superclass. subsets: name -> the subsets there always are. radii: name -> the argument that says in how many
    steps the radii from 0 to eps are, of which it speaks. found: names whose subsets only a run tells.
    shares: those in [0, 1]. given: name -> what it needs to be given, of `GIVEN`. needs: what the metric looks at,
    of `NEEDS`. paired: means over images, which two models can be compared by image by image -> which way is better,
    of `BETTER`. perfect: what a classifier without an error gets. once: does an image that is sent to several targets
    count once, with the mean of these?
    """

    names: tuple[str, ...] = ()
    per_class: tuple[str, ...] = ()
    per_pair: tuple[str, ...] = ()
    per_superclass: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    subsets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    radii: Mapping[str, str] = field(default_factory=dict)
    shares: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    paired: Mapping[str, str] = field(default_factory=dict)
    perfect: Mapping[str, float] = field(default_factory=dict)
    once: bool = False

    @property
    def all_names(self) -> tuple[str, ...]:
        """Every name, once.

        >>> Metric(names=("median",), per_pair=("median", "sent")).all_names
        ('median', 'sent')
        """
        kinds = (self.names, self.per_class, self.per_pair, self.per_superclass, self.found, self.subsets, self.radii)
        return tuple(dict.fromkeys(name for kind in kinds for name in kind))

    def of(self, name: str, classes: Iterable[str], superclasses: Iterable[str]) -> tuple[str, ...]:
        """The subsets that a value of this name may speak of, but for pairs and those that only a run tells.

        >>> Metric(per_class=("recall",)).of("recall", ["cat", "dog"], ["pet"])
        ('cat', 'dog')
        """
        of_classes = tuple(classes) if name in self.per_class else ()
        of_groups = tuple(superclasses) if name in self.per_superclass else ()
        return (*of_classes, *of_groups, *self.subsets.get(name, ()))

    def unknown(self) -> list[str]:
        """What it says that nobody could mean."""
        odd = [one for one in self.needs if one not in NEEDS] + [v for v in self.given.values() if v not in GIVEN]
        odd += [way for way in self.paired.values() if way not in BETTER]
        about = (*self.shares, *self.given, *self.paired, *self.perfect)
        return odd + [one for one in about if one not in self.all_names]


@dataclass(frozen=True)
class Attack:
    """How an attack searches.

    access: what it uses of the model, of `ACCESS`; "none" is random noise. minimal: does it look for the smallest
    change by itself? one_step: does it take a single step? warm_start: does it begin at `start`, where a smaller eps
    ended? eps_per_image: may `eps` be an array [N]? independent: is what it finds for an image the same in any
    company? random: is it random without a key `random_start`? trace: does its trace show one loss that rises with
    the steps? includes: attacks of the catalogue that it runs, as parts. parts: what these are called in
    `AttackResult.by`. searches: does it run several searches of `steps` steps each? published_steps: so many, as it
    was published. quick: arguments for a run on a few tiny images.
    """

    access: str
    minimal: bool = False
    one_step: bool = False
    warm_start: bool = False
    eps_per_image: bool = False
    independent: bool = True
    random: bool = False
    trace: bool = False
    includes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    searches: bool = False
    published_steps: int | None = None
    quick: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_control(self) -> bool:
        """Does it use nothing of this model, so that it claims no strength?"""
        return self.access in ("transfer", "none")

    def unknown(self) -> list[str]:
        """What it says that nobody could mean."""
        return [] if self.access in ACCESS else [self.access]


@dataclass(frozen=True)
class Corruption:
    """Where a corruption stands among the published ones.

    place: among the 15 common ones of Hendrycks & Dietterich, ICLR 2019, of which the mean corruption error is made, as
    the paper lists them; None for any other. alexnet_error: AlexNet's top-1 error under it there, the mean of the five
    severities.
    uneven: why the change of an image does not grow with each severity; "" where it does.
    """

    place: int | None = None
    alexnet_error: float | None = None
    uneven: str = ""

    def unknown(self) -> list[str]:
        """What it says that nobody could mean."""
        error = self.alexnet_error
        known = (error is None) == (self.place is None) and (error is None or 0 < error < 1)
        return [] if known else [f"{self.place}, {error}"]


@dataclass(frozen=True)
class Section:
    """Where a section stands on the page.

    title: its heading. after: the id of the section before it; "" for the end of the page.
    """

    title: str
    after: str = ""

    def unknown(self) -> list[str]:
        """What it says that nobody could mean."""
        return [] if self.title else ["title"]


def metric(**about: object) -> Callable[[Member], Member]:
    """Beside a metric: the fields of `Metric`, as literals."""
    del about
    return lambda member: member


def profile(**about: object) -> Callable[[Member], Member]:
    """Beside a profile: the fields of `Metric`, as literals."""
    del about
    return lambda member: member


def attack(**about: object) -> Callable[[Member], Member]:
    """Beside an attack: the fields of `Attack`, as literals."""
    del about
    return lambda member: member


def corruption(**about: object) -> Callable[[Member], Member]:
    """Beside a corruption: the fields of `Corruption`, as literals."""
    del about
    return lambda member: member


def section(**about: object) -> Callable[[Member], Member]:
    """Beside a section of the page: the fields of `Section`, as literals."""
    del about
    return lambda member: member


BESIDE: Mapping[str, tuple[str, str]] = {
    "metrics": ("metric", "names=(...)"),
    "profile": ("profile", "names=(...)"),
    "attacks": ("attack", 'access="gradient"'),
    "corruptions": ("corruption", ""),
    "sections": ("section", 'title="..."'),
}
"""Of each kind of member the decorator that has to stand beside it, and what it has to say at least."""


def yields(kind: str, name: str) -> Metric:
    """What a metric or a profile is declared to yield.

    Raises SuiteError where the member is not decorated, or by what is no literal or no field of `Metric`.

    >>> yields("metrics", "accuracy").given["top5"]
    'six classes'
    """
    made = _read(kind, name, Metric)
    if not made.all_names:
        raise SuiteError(f"{name}: yields nothing")
    return made


def of_attack(name: str) -> Attack:
    """How an attack searches, of ours, of Foolbox, or "their.module:function".

    Raises SuiteError where the member is not decorated, or by what is no literal or no field of `Attack`.

    >>> of_attack("square").access, of_attack("foolbox:LinfPGD").access, of_attack("transfer").is_control
    ('score', 'gradient', True)
    """
    if not name.startswith(foolbox_classes.PREFIX):
        return _read("attacks", name, Attack)
    cls = foolbox_classes.named(name)
    one_step, minimal = "FastGradient" in cls.__name__, foolbox_classes.minimal(cls.__name__)
    return Attack(foolbox_classes.access(cls.__name__), minimal=minimal, one_step=one_step, independent=False)


def of_corruption(name: str) -> Corruption:
    """Where a corruption stands among the published ones; raises SuiteError as `of_attack` does.

    >>> of_corruption("fog").alexnet_error
    0.819
    """
    return _read("corruptions", name, Corruption)


def of_section(name: str) -> Section:
    """Where a section stands on the page; raises SuiteError as `of_attack` does."""
    return _read("sections", name, Section)


def check(kind: str, name: str) -> None:
    """Raise SuiteError where a member of this kind does not say what the package must know about it."""
    match kind:
        case "metrics" | "profile":
            yields(kind, name)
        case "attacks":
            of_attack(name)
        case "corruptions":
            of_corruption(name)
        case "sections":
            of_section(name)


def black_box() -> list[str]:
    """The attacks of the catalogue that need no gradients of the model, those that use most of it first.

    >>> "square" in black_box(), "pgd" in black_box()
    (True, False)
    """
    access = {name: ACCESS.index(of_attack(name).access) for name in registry.names("attacks")}
    return sorted((name for name, uses in access.items() if uses), key=lambda name: access[name])


def paired() -> dict[str, str]:
    """The metrics that two models can be compared by image by image -> which way is better.

    >>> paired()["top1"], paired()["nll"]
    ('higher', 'lower')
    """
    return {key: way for name in registry.names("metrics") for key, way in yields("metrics", name).paired.items()}


def shares() -> set[str]:
    """The metrics and profiles whose values lie in [0, 1].

    >>> "top1" in shares(), "nll" in shares()
    (True, False)
    """
    return {
        key for kind in ("metrics", "profile") for name in registry.names(kind) for key in yields(kind, name).shares
    }


def common_corruptions() -> dict[str, float]:
    """The corruptions of which the mean corruption error is made -> AlexNet's error, in the order of the paper.

    >>> list(common_corruptions())[:3], len(common_corruptions())
    (['gaussian_noise', 'shot_noise', 'impulse_noise'], 15)
    """
    about = {name: of_corruption(name) for name in registry.names("corruptions")}
    common = [(one.place, name, one.alexnet_error) for name, one in about.items() if one.place is not None]
    return {name: error or 0.0 for _, name, error in sorted(common)}


def _read(kind: str, name: str, schema: type[Declaration]) -> Declaration:
    decorator, least = BESIDE[kind]
    keywords = registry.declaration(kind, name, decorator)
    if keywords is None:
        raise SuiteError(f"{name} is not declared: decorate it, as in @robust.{decorator}({least})")
    fields = {one.name: one for one in dataclasses.fields(schema)}
    required = [key for key, one in fields.items() if one.default is one.default_factory is dataclasses.MISSING]
    if lacking := [key for key in required if key not in keywords]:
        raise SuiteError(f"{name}: @{decorator} needs {lacking[0]}, as in @{decorator}({least})")
    if strange := [key for key in keywords if key not in fields]:
        raise SuiteError(f"{name}: @{decorator} takes no {strange[0]!r}{suggest(strange[0], fields)}")
    if unknown := schema(**keywords).unknown():
        values = (*NEEDS, *GIVEN, *BETTER) if schema is Metric else ACCESS
        raise SuiteError(f"{name}: @{decorator} does not know {unknown[0]!r}{suggest(unknown[0], values)}")
    return schema(**keywords)
