"""What the package must know about a member, as a decorator with literal keywords beside it.

The decorators do nothing when the code runs. They are read from source, as signatures are, so that suites are checked
without an import of TensorFlow, and `"their.module:function"` is held to the same contract.

    @metric(names=("top1", "nll"), shares=("top1",))
    def accuracy(trial): ...
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from robust.core import registry
from robust.core.errors import SuiteError

Member = TypeVar("Member", bound=Callable)
SPLITS = ("train", "validation")
NEEDS = (*SPLITS, "features", "ood", "target", "minimal", "superclasses")
GIVEN = ("six classes", "target", "attack")


@dataclass(frozen=True)
class Metric:
    """What a metric or a profile yields: the names of its values and, by the kind of subset they speak of, which.

    names: values of all images. per_class, per_pair, per_superclass: of each class, of pairs "cat -> dog" of classes,
    of each superclass. subsets: name -> the subsets there always are. found: names whose subsets only a run tells.
    shares: those in [0, 1]. given: name -> what it needs to be given, of `GIVEN`. needs: what the metric looks at,
    of `NEEDS`.
    """

    names: tuple[str, ...] = ()
    per_class: tuple[str, ...] = ()
    per_pair: tuple[str, ...] = ()
    per_superclass: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    subsets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shares: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    @property
    def all_names(self) -> tuple[str, ...]:
        """Every name, once.

        >>> Metric(names=("median",), per_pair=("median", "sent")).all_names
        ('median', 'sent')
        """
        kinds = (self.names, self.per_class, self.per_pair, self.per_superclass, self.found, self.subsets)
        return tuple(dict.fromkeys(name for kind in kinds for name in kind))

    def of(self, name: str, classes: Iterable[str], superclasses: Iterable[str]) -> tuple[str, ...]:
        """The subsets that a value of this name may speak of, but for pairs and those that only a run tells.

        >>> Metric(per_class=("recall",)).of("recall", ["cat", "dog"], ["pet"])
        ('cat', 'dog')
        """
        of_classes = tuple(classes) if name in self.per_class else ()
        of_groups = tuple(superclasses) if name in self.per_superclass else ()
        return (*of_classes, *of_groups, *self.subsets.get(name, ()))


def metric(**about: object) -> Callable[[Member], Member]:
    """Beside a metric: the fields of `Metric`, as literals."""
    del about
    return lambda member: member


def profile(**about: object) -> Callable[[Member], Member]:
    """Beside a profile: the fields of `Metric`, as literals."""
    del about
    return lambda member: member


_BESIDE = {"metrics": "metric", "profile": "profile"}


def yields(kind: str, name: str) -> Metric:
    """What a metric or a profile is declared to yield.

    Raises SuiteError where the member is not decorated, or by what is no literal or no field of `Metric`.

    >>> yields("metrics", "accuracy").given["top5"]
    'six classes'
    """
    decorator = _BESIDE[kind]
    keywords = registry.declaration(kind, name, decorator)
    if keywords is None:
        raise SuiteError(f"{name} does not say what it yields: decorate it, as in @{decorator}(names=(...))")
    unknown = [key for key in keywords if key not in Metric.__dataclass_fields__]
    made = Metric() if unknown else Metric(**keywords)
    unknown += [one for one in made.needs if one not in NEEDS] + [v for v in made.given.values() if v not in GIVEN]
    unknown += [one for one in (*made.shares, *made.given) if one not in made.all_names]
    if unknown or not made.all_names:
        raise SuiteError(f"{name}: @{decorator} does not know {unknown[0]!r}" if unknown else f"{name}: yields nothing")
    return made
