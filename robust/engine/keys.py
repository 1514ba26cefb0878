"""What identifies results in the store: every field of each key enters it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from robust.core import store as stores
from robust.core.signature import Call, bind
from robust.core.types import NewTable, Table
from robust.datasets.dataset import Dataset, data_key
from robust.suite import Case, Evaluation, Model, transfer


@dataclass(frozen=True)
class BlockKey:
    """Everything that makes a block what it is.

    seed: of the suite. case: what is done and computed, see `case_key`. data: its content, channels and code, and its
    superclasses. model: the identity of the network. how: how it is evaluated, see `model_key`. source: the model on
    which the images of a transfer are made, see `source_key`. code: of the members and the engine, and of all that
    they import.
    """

    seed: int
    case: Table
    data: tuple[object, ...]
    model: str
    how: Table
    source: Table | None
    code: str


def key(seed: int, evaluation: Evaluation, data: Dataset, identity: str, source: Table | None = None) -> NewTable:
    """The key of a block in the store, see `BlockKey`; bounds are not part of it, they are judged again."""
    case, superclasses = evaluation.case, {name: list(of) for name, of in data.superclasses.items()}
    code = stores.code_of([*case.calls, *case.metrics, *case.profile, *_inner(case)], "robust.engine.blocks")
    of_data = (*data_key(data), superclasses)
    return asdict(BlockKey(seed, case_key(case), of_data, identity, model_key(evaluation.model), source, code))


NOT_IN_KEY = ("expect", "allow_invalid", "baseline", "models", "data", "line")
"""Fields of a case that judge its results, or define where it runs; its data are in the key by their content."""
ORIGIN_FIELDS = ("name", "source", "train", "seeds", "allow_code")
"""Fields of a model that define how it is made or loaded: its identity is in the key."""


def case_key(case: Case) -> NewTable:
    """What a case does and computes: all of its fields but `NOT_IN_KEY`."""
    return {one.name: key_value(getattr(case, one.name)) for one in fields(case) if one.name not in NOT_IN_KEY}


def model_key(model: Model, precision: str | None = None) -> NewTable:
    """How a network is evaluated: all fields of a model but `ORIGIN_FIELDS`.

    precision: what `attack_precision = "auto"` has chosen; None where none of it is known yet.
    """
    given = {one.name: key_value(getattr(model, one.name)) for one in fields(model) if one.name not in ORIGIN_FIELDS}
    return {**given, "attack_precision": precision or model.attack_precision}


def key_value(value: object) -> object:
    """A value of a key; calls are replaced by their identity, see `Call.key`."""
    if isinstance(value, Call):
        return value.key()
    return [key_value(each) for each in value] if isinstance(value, tuple) and not hasattr(value, "_fields") else value


def source_key(identity: str, model: Model, precision: str | None = None) -> NewTable:
    """What identifies the model that makes the images of a transfer, and how it is evaluated; see `model_key`."""
    return {"identity": identity, **model_key(model, precision)}


@dataclass(frozen=True, kw_only=True)
class OnDataKey:
    """What the keys of a model on some data share.

    model: the identity of the network. how: how it is evaluated. data: content, channels and code. classes: those that
    can be predicted. takes: the channels that the model takes. code: of what is done, and of all that it imports.
    """

    model: str
    how: Table
    data: tuple[str, str, str]
    classes: tuple[str, ...]
    takes: int | None
    code: str


@dataclass(frozen=True, kw_only=True)
class CleanKey(OnDataKey):
    """The predictions on unperturbed images; what: "clean", their logits, or "features". ids: of the images."""

    what: str
    ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class UnitKey(OnDataKey):
    """The perturbed images of a shard at one strength, and the predictions on them.

    seed: of the suite. name: of the case, from which the random numbers of its images follow. calls: the perturbation,
    behind those of smaller eps from which an attack goes on. target: of the attack. minimal: does it search for the
    smallest change? ids: of the images; kept: of those whose pixels are kept. features: are they computed, too?
    source: the model on which the images of a transfer are made.
    """

    seed: int
    name: str
    calls: tuple[Table, ...]
    target: object
    minimal: bool
    ids: tuple[str, ...]
    kept: tuple[str, ...]
    features: bool
    source: Table | None


@dataclass(frozen=True, kw_only=True)
class ChecksKey(OnDataKey):
    """The reliability checks of an attacked case; units: the keys of all its units. probed: ids of the images."""

    units: tuple[str, ...]
    probed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ProfileKey(OnDataKey):
    """The profiles of a model; calls: which of them."""

    calls: tuple[Table, ...]


def chain(case: Case, place: int) -> Sequence[Call]:
    """The calls that lead to a strength: an attack goes on from a smaller eps, a corruption starts anew."""
    calls = case.calls
    return calls[: place + 1] if calls[place].kind == "attacks" else [calls[place]]


def unit_code(case: Case) -> str:
    """The code of a unit: of the perturbations, of the engine, and of all that they import."""
    return stores.code_of([*case.calls, *_inner(case)], "robust.engine.units")


def _inner(case: Case) -> list[Call]:
    return [bind("attacks", transfer.inner(call.arguments)) for call in case.calls if call.name == transfer.NAME]
