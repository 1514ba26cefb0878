"""A data set by its name and arguments, and how it is presented to a model."""

from dataclasses import dataclass, replace

from robust.core.signature import Call
from robust.core.types import Channels


@dataclass(frozen=True)
class DataCall(Call):
    """A data set, and how it is presented to a model: classes in the model's order, images in grey or colour.

    Calling it returns the set unchanged; `robust.datasets.from_python.read` returns it as it is presented.
    remark: a note on the name by which it was requested.
    """

    classes: tuple[str, ...] | None = None
    channels: Channels | None = None
    remark: str = ""


def presented(
    call: Call, *, classes: tuple[str, ...] | None = None, channels: Channels | None = None, remark: str = ""
) -> Call:
    """The data set of a call as it is presented to a model, see `DataCall`; what is not given is left unchanged."""
    if classes is not None and call.name == "folder":  # these also distinguish its classes from splits
        call, classes = replace(call, arguments={**call.arguments, "classes": list(classes)}), None
    if classes is None and channels is None and not remark:
        return call
    before = call if isinstance(call, DataCall) else DataCall(call.kind, call.name, call.arguments)
    classes, channels = classes or before.classes, channels or before.channels
    return replace(before, classes=classes, channels=channels, remark=remark or before.remark)
