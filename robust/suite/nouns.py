"""What a suite is made of."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from robust.core.signature import Call
from robust.core.types import NewTable, Precision
from robust.suite import transfer
from robust.suite.bounds import Bound, NoWorse
from robust.suite.preprocessing import Preprocessing


@dataclass(frozen=True)
class Training:
    """How a model is fitted: a recipe and, for a hardened one, the adversary it trains against.

    objective: what is weighed of the images and the adversary's; None: the cross-entropy of the latter alone.
    """

    recipe: Call
    adversary: Call | None = None
    objective: Call | None = None


@dataclass(frozen=True)
class Weights:
    """A file of weights from elsewhere, the architecture they are for, and whose names and constants they have."""

    file: Path
    architecture: Call
    layout: str
    mean: tuple[float, ...] | None = None  # of a channel in [0, 1]; None: the layout's own
    std: tuple[float, ...] | None = None

    @property
    def name(self) -> str:
        """What the page calls it."""
        return f"{self.architecture.name} of {self.file.name}"


@dataclass(frozen=True)
class Published:
    """Weights that are known by name: "keras:resnet50", "efficientnet_lite0"."""

    name: str


Pretrained = Weights | Published
"""Weights that somebody else has trained."""


@dataclass(frozen=True)
class Architecture:
    """A network that is built here, with new weights."""

    call: Call

    @property
    def name(self) -> str:
        """What the page calls it."""
        return self.call.name


@dataclass(frozen=True)
class ModelFile:
    """A .keras, HDF5 or .tflite file, or the folder of a SavedModel."""

    path: Path

    @property
    def name(self) -> str:
        """What the page calls it."""
        return str(self.path)


@dataclass(frozen=True)
class Python:
    """A function of somebody's code, "module:function", that makes the model."""

    call: Call

    @property
    def name(self) -> str:
        """What the page calls it."""
        return self.call.name


@dataclass(frozen=True)
class InMemory:
    """A model that is handed over from Python: a `keras.Model` or a black box."""

    network: object

    @property
    def name(self) -> str:
        """What the page calls it."""
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
    preprocessing: Preprocessing | None = None  # as it wants them, where its own layers do not say it
    attack_precision: Precision = "float32"  # in which attacks search
    output: str | None = None  # which of several classifies
    black_box: bool = False  # are its answers all that may be asked?
    allow_code: bool = False  # may its file run somebody's code?


@dataclass(frozen=True)
class Case:
    """A perturbation, at one or more strengths going upward, and what is measured and expected."""

    name: str
    perturbations: tuple[Call, ...] = ()
    target: str | Mapping[str, str] | None = None  # of the attack or the search; "all": each other class in turn
    data: Call | None = None  # a shifted set, instead of the suite's own
    restrict: bool = False  # do the classes of that set alone compete, instead of all of the suite's?
    metrics: tuple[Call, ...] = (Call("metrics", "accuracy"),)
    profile: tuple[Call, ...] = ()
    max_images: int | None = None  # a random choice of the test split; None: all of it
    balanced: bool = False  # are as many images of each class chosen, instead of in proportion to the classes?
    models: tuple[str, ...] | None = None  # None: all of the suite's
    expect: Mapping[str, Bound | NoWorse] = field(default_factory=dict)  # "top1" or "recall[Shirt]" -> bound
    allow_invalid: bool = False  # may a bound pass on a number that the reliability checks call invalid?
    line: int = 0
    minimal: Call | None = None  # instead of perturbations: the attack that looks for the smallest change
    ood: Call | None = None  # a data set with images of no class
    baseline: str | None = None  # the model whose errors under corruptions are the unit of the others

    @property
    def choice(self) -> Literal["all", "in proportion", "balanced"]:
        """Which test images these are: all of them, or a choice that keeps the shares of the classes or levels them."""
        if self.max_images is None:
            return "all"
        return "balanced" if self.balanced else "in proportion"

    @property
    def calls(self) -> tuple[Call, ...]:
        """The perturbations, or the one search."""
        return self.perturbations if self.minimal is None else (self.minimal,)

    @property
    def definition(self) -> NewTable:
        """What is done to which images, as JSON has it: what two reports must share to be compared."""
        calls = [call.key() for call in self.calls]
        told = {
            "calls": calls, "target": self.target, "max_images": self.max_images, "balanced": self.balanced,
            "restrict": self.restrict,
        }  # fmt: skip
        return json.loads(json.dumps(told, default=str))

    @property
    def attacked(self) -> bool:
        """Do attacks perturb the images or look for distances, so that a verdict says whether that can be believed?"""
        return any(call.kind == "attacks" for call in self.calls)

    @property
    def source(self) -> str | None:
        """The model of the suite on which the images are made that a transfer shows to others."""
        return next((call.arguments["source"] for call in self.calls if call.name == transfer.NAME), None)


@dataclass(frozen=True)
class Evaluation:
    """One case on one model at one seed: what pytest calls a test."""

    case: Case
    model: Model
    seed: int

    @property
    def id(self) -> str:
        """The name of the test: `pgd[resnet20]`, or `pgd[resnet20-1]` where a model has several seeds."""
        return f"{self.case.name}[{self.model.name}{f'-{self.seed}' if len(self.model.seeds) > 1 else ''}]"


@dataclass(frozen=True)
class Suite:
    """Models, cases, the data they share, and where all that was read."""

    name: str
    models: tuple[Model, ...]
    cases: tuple[Case, ...]
    data: Any  # a Call, or a Dataset (from Python)
    seed: int = 0
    summary: str = ""
    path: Path | None = None
    text: str = ""
    sections: tuple[Call, ...] = ()  # of others, on the page
    folders: tuple[Path, ...] = ()  # where "module:function" is looked for, beside Python's path

    def cells(self) -> Iterator[Evaluation]:
        """Every case on every model it asks for, model by model."""
        for model in self.models:
            for seed in model.seeds:
                yield from (
                    Evaluation(c, model, seed) for c in self.cases if c.models is None or model.name in c.models
                )
