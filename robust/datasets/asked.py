"""A data set by its name and arguments, and how a model is to see it."""

from dataclasses import dataclass, replace

from robust.core.signature import Call
from robust.core.types import Channels


@dataclass(frozen=True)
class Asked(Call):
    """A data set, and how a model is to see it: its classes in the model's order, its images in grey or colour.

    What calls it gives the set as it is; `robust.datasets.given.read` gives it as it is to be seen.
    remark: what is to be said of the name by which it was asked for.
    """

    classes: tuple[str, ...] | None = None
    channels: Channels | None = None
    remark: str = ""


def asked(
    call: Call, *, classes: tuple[str, ...] | None = None, channels: Channels | None = None, remark: str = ""
) -> Call:
    """The data set of a call as a model is to see it, see `Asked`; what is not given stays as it is."""
    if classes is not None and call.name == "folder":  # they tell its classes from splits, too
        call, classes = replace(call, arguments={**call.arguments, "classes": list(classes)}), None
    if classes is None and channels is None and not remark:
        return call
    before = call if isinstance(call, Asked) else Asked(call.kind, call.name, call.arguments)
    classes, channels = classes or before.classes, channels or before.channels
    return replace(before, classes=classes, channels=channels, remark=remark or before.remark)
