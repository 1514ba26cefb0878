"""What the package must know about a member, as a decorator with literal keywords.

The decorators do nothing when the code runs. They are read from source, as signatures are, so that suites are checked
without an import of TensorFlow, and the same contract applies to `"their.module:function"`.

    @metric(names=("top1", "nll"), shares=("top1",))
    def accuracy(result): ...

    @attack(access="gradient")
    @as_attack
    def fgsm(task, *, eps: Eps): ...
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from robust.core import foolbox_classes, registry
from robust.core.errors import SuiteError, suggest

Member = TypeVar("Member", bound=Callable)
Declaration = TypeVar("Declaration", "Metric", "Attack", "Corruption", "Section")
SPLITS = ("train", "validation")
NEEDS = (*SPLITS, "features", "ood", "target", "minimal", "superclasses")
GIVEN = ("six classes", "target", "attack")
BETTER = ("higher", "lower")
TABLES = ("structure", "calibration", "cost", "")
"""The tables of the page that show metrics by their headings; "": none."""
ACCESS = ("gradient", "score", "decision", "transfer", "none")
"""What an attack uses of the model: its gradients; its logits; only its predicted classes; another model; nothing."""


@dataclass(frozen=True)
class Metric:
    """What a metric or a profile yields: the names of its values, by the kind of subset they refer to.

    names: values of all images. per_class, per_pair, per_superclass: of each class, of pairs "cat -> dog" of classes,
    of each superclass. subsets: name -> the subsets that always exist. radii: name -> the argument with the number of
    steps from 0 to eps of the radii it refers to. dynamic: names whose subsets are only known after a run.
    shares: those in [0, 1]. only_if: name -> its precondition, of `GIVEN`. needs: what the metric uses, of `NEEDS`.
    paired: means over images, by which two models can be compared image by image -> which direction is better,
    of `BETTER`. perfect: the value of a classifier without errors. per_image: does an image with several targets
    count once, with the mean of these? other_images: names that are not computed from the images of the case. units: of
    the paired names that are not proportions. table: of `TABLES`, the table of the page that shows the names in
    `headings`, each in a column with that heading. spread: names whose spread between trainings the page shows.
    extreme_of: a name that is the least or largest of several values -> the name of these.
    """

    names: tuple[str, ...] = ()
    per_class: tuple[str, ...] = ()
    per_pair: tuple[str, ...] = ()
    per_superclass: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()
    subsets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    radii: Mapping[str, str] = field(default_factory=dict)
    shares: tuple[str, ...] = ()
    only_if: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    paired: Mapping[str, str] = field(default_factory=dict)
    perfect: Mapping[str, float] = field(default_factory=dict)
    per_image: bool = False
    other_images: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    table: str = ""
    headings: Mapping[str, str] = field(default_factory=dict)
    spread: tuple[str, ...] = ()
    extreme_of: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_names(self) -> tuple[str, ...]:
        """Every name, once.

        >>> Metric(names=("median",), per_pair=("median", "sent")).all_names
        ('median', 'sent')
        """
        kinds = (self.names, self.per_class, self.per_pair, self.per_superclass, self.dynamic, self.subsets, self.radii)
        return tuple(dict.fromkeys(name for kind in kinds for name in kind))

    def of(self, name: str, classes: Iterable[str], superclasses: Iterable[str]) -> tuple[str, ...]:
        """The subsets that a value of this name may refer to, except pairs and those only known after a run.

        >>> Metric(per_class=("recall",)).of("recall", ["cat", "dog"], ["pet"])
        ('cat', 'dog')
        """
        of_classes = tuple(classes) if name in self.per_class else ()
        of_groups = tuple(superclasses) if name in self.per_superclass else ()
        return (*of_classes, *of_groups, *self.subsets.get(name, ()))

    def unknown(self) -> list[str]:
        """The values that are not allowed."""
        odd = [one for one in self.needs if one not in NEEDS] + [v for v in self.only_if.values() if v not in GIVEN]
        odd += [way for way in self.paired.values() if way not in BETTER] + [t for t in [self.table] if t not in TABLES]
        about = (*self.shares, *self.only_if, *self.paired, *self.perfect, *self.other_images, *self.units)
        about += (*self.headings, *self.spread, *self.extreme_of, *self.extreme_of.values())
        return odd + [one for one in about if one not in self.all_names]


@dataclass(frozen=True)
class Attack:
    """How an attack searches.

    access: what it uses of the model, of `ACCESS`; "none" is random noise. minimizes: does it search for the smallest
    change by itself? minimizes_by_class: does this search treat one target class at a time, as FAB's? one_step: does it
    take a single step? warm_start: does it begin at `start`, the result of a smaller eps? eps_per_image: may `eps` be
    an array [N]? independent: is its result for an image the same in any batch? random: is it random without a key
    `random_start`? trace: does its trace show a single loss that increases with the steps? includes: attacks of the
    catalogue that it runs, as parts. parts: the names of these in `AttackResult.by`. returns_last: does it return its
    last iterate, even where an earlier one fooled the model? several_searches: does it run several searches of `steps`
    steps each? published_steps: the number of steps in the publication. test_arguments: arguments for a run on a few
    tiny images.
    """

    access: str
    minimizes: bool = False
    minimizes_by_class: bool = False
    one_step: bool = False
    warm_start: bool = False
    eps_per_image: bool = False
    independent: bool = True
    random: bool = False
    trace: bool = False
    includes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    several_searches: bool = False
    returns_last: bool = False
    published_steps: int | None = None
    test_arguments: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_control(self) -> bool:
        """Does it use nothing of this model, so that it is only a control?"""
        return self.access in ("transfer", "none")

    def unknown(self) -> list[str]:
        """The values that are not allowed."""
        return [] if self.access in ACCESS else [self.access]


@dataclass(frozen=True)
class Corruption:
    """The place of a corruption among the published ones.

    rank: among the 15 common ones of Hendrycks & Dietterich, ICLR 2019, over which the mean corruption error is taken,
    in the order of the paper; None for any other. alexnet_error: AlexNet's top-1 error under it there, the mean of the
    five severities.
    non_monotone: why the change of an image does not increase with each severity; "" where it does.
    """

    rank: int | None = None
    alexnet_error: float | None = None
    non_monotone: str = ""

    def unknown(self) -> list[str]:
        """The values that are not allowed."""
        error = self.alexnet_error
        known = (error is None) == (self.rank is None) and (error is None or 0 < error < 1)
        return [] if known else [f"{self.rank}, {error}"]


@dataclass(frozen=True)
class Section:
    """The place of a section on the page.

    title: its heading. after: the id of the section before it; "" for the end of the page.
    """

    title: str
    after: str = ""

    def unknown(self) -> list[str]:
        """The values that are not allowed."""
        return [] if self.title else ["title"]


def metric(**about: object) -> Callable[[Member], Member]:
    """Declares a metric: the fields of `Metric`, as literals."""
    del about
    return lambda member: member


def profile(**about: object) -> Callable[[Member], Member]:
    """Declares a profile: the fields of `Metric`, as literals."""
    del about
    return lambda member: member


def attack(**about: object) -> Callable[[Member], Member]:
    """Declares an attack: the fields of `Attack`, as literals."""
    del about
    return lambda member: member


def corruption(**about: object) -> Callable[[Member], Member]:
    """Declares a corruption: the fields of `Corruption`, as literals."""
    del about
    return lambda member: member


def section(**about: object) -> Callable[[Member], Member]:
    """Declares a section of the page: the fields of `Section`, as literals."""
    del about
    return lambda member: member


ALLOWED = {
    "metric": (*NEEDS, *GIVEN, *BETTER, *filter(None, TABLES)),
    "profile": (*NEEDS, *GIVEN, *BETTER, *filter(None, TABLES)),
    "attack": ACCESS,
}
"""The words that keywords of a decorator may have as values."""

DECORATORS: Mapping[str, tuple[str, str]] = {
    "metrics": ("metric", "names=(...)"),
    "profile": ("profile", "names=(...)"),
    "attacks": ("attack", 'access="gradient"'),
    "corruptions": ("corruption", ""),
    "sections": ("section", 'title="..."'),
}
"""For each kind of member the required decorator, and its required arguments."""


def yields(kind: str, name: str) -> Metric:
    """What a metric or a profile is declared to yield.

    Raises SuiteError where the member is not decorated, or with anything but literal fields of `Metric`.

    >>> yields("metrics", "accuracy").only_if["top5"]
    'six classes'
    """
    made = _read(kind, name, Metric)
    if not made.all_names:
        raise SuiteError(f"{name}: yields nothing")
    return made


def of_attack(name: str) -> Attack:
    """How an attack several_searches: a built-in one, one of Foolbox, or "their.module:function".

    Raises SuiteError where the member is not decorated, or with anything but literal fields of `Attack`.

    >>> of_attack("square").access, of_attack("foolbox:LinfPGD").access, of_attack("transfer").is_control
    ('score', 'gradient', True)
    """
    if not name.startswith(foolbox_classes.PREFIX):
        return _read("attacks", name, Attack)
    cls = foolbox_classes.named(name)
    one_step, minimizes = "FastGradient" in cls.__name__, foolbox_classes.minimizes(cls.__name__)
    return Attack(
        foolbox_classes.access(cls.__name__),
        minimizes=minimizes,
        one_step=one_step,
        independent=False,
        returns_last=True,
    )


def of_corruption(name: str) -> Corruption:
    """The place of a corruption among the published ones; raises SuiteError as `of_attack` does.

    >>> of_corruption("fog").alexnet_error
    0.819
    """
    return _read("corruptions", name, Corruption)


def of_section(name: str) -> Section:
    """The place of a section on the page; raises SuiteError as `of_attack` does."""
    return _read("sections", name, Section)


def check(kind: str, name: str) -> None:
    """Raise SuiteError where a member of this kind lacks its declaration, or the declaration is invalid."""
    match kind:
        case "metrics" | "profile":
            yields(kind, name)
        case "attacks":
            of_attack(name)
        case "corruptions":
            of_corruption(name)
        case "sections":
            of_section(name)


def _read(kind: str, name: str, schema: type[Declaration]) -> Declaration:
    decorator, least = DECORATORS[kind]
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
        hint = suggest(unknown[0], ALLOWED[decorator]) if decorator in ALLOWED else ""
        raise SuiteError(f"{name}: @{decorator} does not know {unknown[0]!r}{hint}")
    return schema(**keywords)
