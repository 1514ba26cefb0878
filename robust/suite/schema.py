"""What a suite is made of."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from robust.core.signature import Call
from robust.core.types import AttackPrecision, NewTable
from robust.suite import transfer
from robust.suite.bounds import Bound, NoWorse
from robust.suite.preprocessing import Preprocessing


@dataclass(frozen=True)
class Training:
    """How a model is fitted: a recipe and, for a hardened one, the adversary it trains against.

    objective: how the losses on clean and adversarial images are weighted; None: the cross-entropy of the latter alone.
    """

    recipe: Call
    adversary: Call | None = None
    objective: Call | None = None


@dataclass(frozen=True)
class Weights:
    """A file of pretrained weights, their architecture, and the library whose names and constants they use."""

    file: Path
    architecture: Call
    layout: str
    mean: tuple[float, ...] | None = None  # of a channel in [0, 1]; None: the layout's own
    std: tuple[float, ...] | None = None

    @property
    def name(self) -> str:
        """Its name on the page."""
        return f"{self.architecture.name} of {self.file.name}"


@dataclass(frozen=True)
class Published:
    """Published weights, by name: "keras:resnet50", "efficientnet_lite0"."""

    name: str


Pretrained = Weights | Published
"""Weights trained elsewhere."""


@dataclass(frozen=True)
class FromCall:
    """A function that makes the model."""

    call: Call

    @property
    def name(self) -> str:
        """Its name on the page."""
        return self.call.name


class Architecture(FromCall):
    """A network that is built here, with new weights."""


@dataclass(frozen=True)
class ModelFile:
    """A .keras, HDF5 or .tflite file, or the folder of a SavedModel."""

    path: Path

    @property
    def name(self) -> str:
        """Its name on the page."""
        return str(self.path)


class Python(FromCall):
    """A function of third-party code, "module:function", that creates the model."""


@dataclass(frozen=True)
class InMemory:
    """A model passed from Python: a `keras.Model` or a black box."""

    network: object

    @property
    def name(self) -> str:
        """Its name on the page."""
        return "memory"


Source = Architecture | ModelFile | Pretrained | Python | InMemory
"""Where a model comes from."""


@dataclass(frozen=True)
class Model:
    """A model of a suite: where it comes from, how it is trained, and from which seeds."""

    name: str
    source: Source
    train: Training | None = None
    seeds: tuple[int, ...] = (0,)
    preprocessing: Preprocessing | None = None  # as the model requires, where its own layers do not do it
    attack_precision: AttackPrecision = "float32"  # in which attacks search
    output: str | None = None  # which of several outputs classifies
    black_box: bool = False  # may only its outputs be used?
    allow_code: bool = False  # may its file run third-party code?


@dataclass(frozen=True)
class Case:
    """A perturbation, at one or more increasing strengths, and its metrics and bounds."""

    name: str
    perturbations: tuple[Call, ...] = ()
    target: str | Mapping[str, str] | None = None  # of the attack or the search; "all": each other class in turn
    data: Call | None = None  # a shifted set, instead of the suite's own
    restrict: bool = False  # is the prediction restricted to the classes of that set?
    metrics: tuple[Call, ...] = (Call("metrics", "accuracy"),)
    profile: tuple[Call, ...] = ()
    max_images: int | None = None  # a random choice of the test split; None: all of it
    balanced: bool = False  # is the same number of images of each class chosen, instead of in proportion?
    models: tuple[str, ...] | None = None  # None: all of the suite's
    expect: Mapping[str, Bound | NoWorse] = field(default_factory=dict)  # "top1" or "recall[Shirt]" -> bound
    allow_invalid: bool = False  # may a bound pass on a number that the reliability checks call invalid?
    line: int = 0
    minimal: Call | None = None  # instead of perturbations: the attack that searches for the smallest change
    ood: Call | None = None  # a data set with out-of-distribution images
    baseline: str | None = None  # the model whose errors under corruptions normalise those of the others

    @property
    def choice(self) -> Literal["all", "in proportion", "balanced"]:
        """Which test images are used: all, or a choice that keeps the proportions of the classes or balances them."""
        if self.max_images is None:
            return "all"
        return "balanced" if self.balanced else "in proportion"

    @property
    def calls(self) -> tuple[Call, ...]:
        """The perturbations, or the one search."""
        return self.perturbations if self.minimal is None else (self.minimal,)

    @property
    def definition(self) -> NewTable:
        """What is done to which images, as in JSON: two reports are comparable only if this is equal."""
        calls = [call.key() for call in self.calls]
        table = {
            "calls": calls, "target": self.target, "max_images": self.max_images, "balanced": self.balanced,
            "restrict": self.restrict,
        }  # fmt: skip
        return json.loads(json.dumps(table, default=str))

    @property
    def attacked(self) -> bool:
        """Do attacks perturb the images or search for distances, so that the reliability of the result is checked?"""
        return any(call.kind == "attacks" for call in self.calls)

    @property
    def source(self) -> str | None:
        """The model of the suite on which a transfer attack crafts the images for the others."""
        return next((call.arguments["source"] for call in self.calls if call.name == transfer.NAME), None)


@dataclass(frozen=True)
class Evaluation:
    """One case on one model at one seed: a test in pytest."""

    case: Case
    model: Model
    seed: int

    @property
    def id(self) -> str:
        """The name of the test: `pgd[resnet20]`, or `pgd[resnet20-1]` where a model has several seeds."""
        return f"{self.case.name}[{self.model.name}{f'-{self.seed}' if len(self.model.seeds) > 1 else ''}]"


@dataclass(frozen=True)
class Suite:
    """Models, cases, the data they share, and the file they were read from."""

    name: str
    models: tuple[Model, ...]
    cases: tuple[Case, ...]
    data: Any  # a Call, or a Dataset (from Python)
    seed: int = 0
    summary: str = ""
    path: Path | None = None
    text: str = ""
    sections: tuple[Call, ...] = ()  # third-party sections on the page
    folders: tuple[Path, ...] = ()  # where "module:function" is searched, in addition to Python's path

    def evaluations(self) -> Iterator[Evaluation]:
        """Every case on every model it includes, model by model."""
        for model in self.models:
            for seed in model.seeds:
                yield from (
                    Evaluation(c, model, seed) for c in self.cases if c.models is None or model.name in c.models
                )
