"""The data of a case: the suite's own, a shifted set in its place, the images from outside."""

from dataclasses import replace

from robust.core.errors import DataError, SuiteError, suggest
from robust.core.remedies import setting
from robust.datasets import channels
from robust.datasets.dataset import Dataset, fingerprint
from robust.datasets.from_python import read
from robust.datasets.order import ordered
from robust.datasets.taxonomy import superclasses
from robust.suite import Case


def data_of(case: Case, data: Dataset) -> Dataset:
    """The data of a case: the suite's, or the shifted set it names, with the same classes or some of them.

    With some of them, all classes of the suite's data can still be predicted, as in the model itself; where the case
    restricts, only those of the shifted set.

    Raises DataError where it has a class that the suite's data does not have, or images of another shape. One may be
    grey and the other colour: each model is given both with the channels that it takes.
    """
    if case.ood is not None:  # the images from outside are part of the data, too
        found = data_of(replace(case, ood=None), data)
        outer = outside_of(case, data)
        both = repr((found.fingerprint, outer.fingerprint)).encode()
        remarks = (*found.remarks, *(f"outside, {outer.name}: {each}" for each in outer.remarks))
        return replace(found, fingerprint=fingerprint(both), remarks=remarks)
    if case.data is None:
        return data
    shifted = read(case.data)
    if not channels.alike(shifted, data):
        shapes = f"images of shape {shifted.image_shape}, those of {data.name} have {data.image_shape}"
        raise DataError(f"case {case.name}: {shifted.name} has {shapes}")
    if unknown := [name for name in shifted.classes if name not in set(data.classes)]:
        what = f"{shifted.name} has a class {unknown[0]!r} that {data.name} does not have"
        raise DataError(f"case {case.name}: {what}{suggest(unknown[0], data.classes)}")
    return placed(case, shifted, data)


def placed(case: Case, shifted: Dataset, data: Dataset) -> Dataset:
    """A shifted set with the classes of the suite's data, or only with its own where the case restricts to these."""
    part = f"{len(shifted.classes)} of the {len(data.classes)} classes of {data.name}"
    if case.restrict and case.profile and shifted.classes != data.classes:
        what = f"a profile uses all outputs of a model, and {shifted.name} has {part}"
        raise DataError(f"case {case.name}: {what}; leave out profile, or restrict")
    own = superclasses.are_own(shifted.superclasses, shifted.classes)
    found = shifted if case.restrict or shifted.classes == data.classes else ordered(shifted, data.classes)
    groups = shifted.superclasses if own else restricted_superclasses(data, found.classes)
    # The classes that can be predicted are part of the data.
    with_classes = fingerprint(repr((data.classes, found.fingerprint)).encode())
    only_own = setting("restrict", True)
    how = "only these can be predicted" if case.restrict else f"all can be predicted; {only_own} restricts to its own"
    found = replace(found, fingerprint=with_classes, superclasses=groups)
    if set(shifted.classes) == set(data.classes):
        return found
    name = f"{found.name}, its classes alone" if case.restrict else found.name  # tables identify data by its name
    return replace(found, name=name, remarks=(*found.remarks, f"has {part}, {how}"))


def restricted_superclasses(data: Dataset, classes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The superclasses of the suite's data, reduced to these classes."""
    kept = {name: tuple(c for c in members if c in set(classes)) for name, members in data.superclasses.items()}
    return {name: members for name, members in kept.items() if members}


def outside_of(case: Case, data: Dataset) -> Dataset:
    """The images from outside that a case names; raises DataError where their shape differs from that of `data`."""
    if case.ood is None:
        name_some = setting("ood", {"name": "digits"})
        raise SuiteError(f"case {case.name}: no images from outside; name them: {name_some}, or a folder")
    found = read(case.ood)
    if not channels.alike(found, data):
        shapes = f"images of shape {found.image_shape}, those of {data.name} have {data.image_shape}"
        raise DataError(f"case {case.name}: outside: {found.name} has {shapes}")
    return found
