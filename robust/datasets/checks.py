"""Validation of images, labels, ids and names; the error names what is not allowed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import isqrt

import numpy as np
from numpy.typing import ArrayLike

from robust.core.errors import DataError, suggest

CLASSES = 1_000_000
"""The maximum number of classes: each gets a name, and each image a number for it."""

DARKEST = 1 / 255
"""The lowest grey level above black: images of these two alone were divided by 255 twice, or were cast to 8 bits."""

ROUNDING = 1e-6
"""A pixel outside of [0, 1] by at most this much is clipped."""


def check_names(name: str, classes: Sequence[str], superclasses: Mapping[str, Sequence[str]]) -> None:
    """Each class has a unique printable name, and is in at most one superclass; else DataError."""
    if odd := [each for each in (*classes, *superclasses) if not each.isprintable() or not each]:
        raise DataError(f"data set {name!r}: a class named {odd[0]!r}; names must not be empty or hold line breaks")
    for each, count in Counter(classes).items():
        if count > 1:
            where = [i for i, other in enumerate(classes) if other == each]
            raise DataError(f"data set {name!r}: classes {where} are all named {each!r}; names must be unique")
    for each, count in Counter(chain(*superclasses.values())).items():
        if each not in classes:
            raise DataError(f"data set {name!r}: a superclass holds no class {each!r}{suggest(each, classes)}")
        if count > 1:
            raise DataError(f"data set {name!r}: class {each!r} is in {count} superclasses; allowed: at most one")


def check_images(values: ArrayLike) -> np.ndarray:
    """Images as uint8 or as float32 in [0, 1], [N, H, W, C]; else DataError."""
    images = _to_array("images", values)
    images = images[..., None] if images.ndim == 3 else images
    _check_shape(images)
    if images.dtype == np.uint8:
        check_levels(images, 1, "uint8 up to 1, all but black, as 255 is white", "images.astype('float32')")
        return images
    if images.dtype.kind != "f":
        hint = f"; did you mean {way}?" if (way := of_whole(images)) else ""
        raise DataError(f"images: of type {images.dtype}; allowed: uint8, or floats in [0, 1]{hint}")
    _check_range(images)
    check_levels(images, DARKEST, f"floats up to {images.max():.3g}, all but black, as 1 is white", "images * 255")
    return images.astype(np.float32).clip(0, 1)


def of_whole(images: np.ndarray) -> str:
    """The expression that probably converts pixels of another type to uint8, or to floats with 0 black and 1 white."""
    if images.dtype.kind not in "biu" or images.min() < 0:
        return ""
    if images.max() <= 1:
        return "images.astype('float32')"
    if images.max() <= 255:
        return "images.astype('uint8')"
    return "images / 65535" if images.dtype == np.uint16 else ""


def rows(shape: tuple[int, ...]) -> str:
    """The hint for a 2-D array: one image in each row, or a single image."""
    if len(shape) != 2:
        return ""
    sides = {(side, channels): side * side * channels for channels in (1, 3) for side in [isqrt(shape[1] // channels)]}
    found = [f"images.reshape(-1, {side}, {side}, {c})" for (side, c), n in sides.items() if n == shape[1] and side > 1]
    table = found if shape[0] != shape[1] else []
    return f"; did you mean {' or '.join(table) or 'images[None], one image alone'}?"


def _check_shape(images: np.ndarray) -> None:
    shape = f"images: shape {images.shape}"
    if not images.size:
        raise DataError(f"{shape} holds nothing; allowed: at least one image of at least one pixel")
    if images.ndim != 4:
        raise DataError(f"{shape}; allowed: [N, H, W, C] or [N, H, W]{rows(images.shape)}")
    if images.shape[1] <= 4 < images.shape[3]:
        hint = "; did you mean images.transpose(0, 2, 3, 1)?"
        raise DataError(f"{shape}; allowed: [N, H, W, C], the channels last{hint}")


def _check_range(images: np.ndarray) -> None:
    low, high = images.min(), images.max()
    if not np.isfinite([low, high]).all():
        first = np.argwhere(~np.isfinite(images))[0]
        raise DataError(f"images: images{first.tolist()} is {images[tuple(first)]}; allowed: finite floats in [0, 1]")
    if low < -ROUNDING or high > 1 + ROUNDING:
        hint = f"; did you mean {formula}?" if (formula := into_unit_range(low, high)) else ""
        raise DataError(f"images: floats from {low:.9g} to {high:.9g}; allowed: [0, 1]{hint}")


def check_levels(images: np.ndarray, darkest: float, what: str, meant: str) -> None:
    """Refuse images of the lowest grey level and black alone: they were divided by 255 and cast, or divided twice."""
    if any(image.max() > darkest * (1 + ROUNDING) for image in images) or images.max() < darkest / 2:
        return
    raise DataError(f"images: {what}; allowed: uint8 in [0, 255], or floats in [0, 1]; did you mean {meant}?")


def check_not_dark(name: str, images: np.ndarray) -> None:
    """Refuse images, float32 in [0, 1], that are all but black: floats, or masks, were cast to 8 bits."""
    if images.max() <= DARKEST * (1 + ROUNDING):
        found = f"its first {len(images)} images have no pixel above 1 of 255, and are all but black"
        raise DataError(f"data set {name!r}: {found}; save them with white as 255: (images * 255).astype('uint8')")


def into_unit_range(low: float, high: float) -> str:
    """The expression that probably maps floats from `low` to `high` to [0, 1]; "" where none is likely.

    >>> into_unit_range(-1, 1)
    '(images + 1) / 2'
    """
    if low >= 0 and 1.5 < high <= 255:
        return "images / 255"
    if -1 <= low < -0.5 and high <= 1:
        return "(images + 1) / 2"
    return "np.clip(images, 0, 1)" if low >= -0.25 and high <= 1.25 else ""


def check_classes(classes: int | Iterable[str] | None) -> tuple[str, ...] | None:
    """The names of the classes, "0", "1", ... where only their number is known; None stays None."""
    if classes is None:
        return None
    if isinstance(classes, int) and classes > CLASSES:
        raise DataError(f"classes: {classes:,}; allowed: up to {CLASSES:,}")
    names = tuple(map(str, range(classes) if isinstance(classes, int) else classes))
    if not names:
        raise DataError(f"classes: {classes!r}; allowed: their names, or how many there are, 1 or more")
    return names


def check_labels(values: ArrayLike, length: int, classes: int | None) -> np.ndarray:
    """Labels as int64 [N], each from 0 to `classes` - 1 if that is known; else DataError."""
    labels = _to_array("labels", values)
    if labels.ndim != 1:
        raise DataError(f"labels: shape {labels.shape}; allowed: one whole number an image, [N]{_shape_hint(labels)}")
    if len(labels) != length:
        raise DataError(f"labels: {len(labels)} of them for {length} images; allowed: one for each image")
    if labels.dtype.kind not in "biuf":
        raise DataError(f"labels: of type {labels.dtype}; allowed: whole numbers, the indices of the classes")
    _refuse_first("labels", labels, labels != np.floor(labels), "a whole number")
    allowed = "0 or more" if classes is None else f"0 to {classes - 1}, for {classes} classes"
    _refuse_first("labels", labels, (labels < 0) | (labels >= (classes or np.inf)), allowed)
    most = f"0 to {CLASSES - 1:,}, the index of a class; where labels are other numbers, count them from 0"
    _refuse_first("labels", labels, labels >= CLASSES, most)
    return labels.astype(np.int64)


def _shape_hint(labels: np.ndarray) -> str:
    if labels.ndim == 2 and labels.shape[1] == 1:
        return "; did you mean labels[:, 0]?"
    return "; did you mean labels.argmax(axis=1), if they are one-hot?" if labels.ndim == 2 else ""


def _refuse_first(what: str, values: np.ndarray, wrong: np.ndarray, allowed: str) -> None:
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(f"{what}: {what}[{first}] is {values[first]}; allowed: {allowed}")


def check_ids(ids: Sequence[str], length: int) -> np.ndarray:
    """Ids as an array of strings [N], no two the same; else DataError."""
    array = np.asarray(ids).astype(str)
    if array.shape != (length,):
        raise DataError(f"ids: shape {array.shape} for {length} images; allowed: one for each image")
    again = np.ones(length, bool)
    again[np.unique(array, return_index=True)[1]] = False
    _refuse_first("ids", array, again, "each id once")
    return array


def _to_array(what: str, values: ArrayLike) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"{what}: {type(values).__name__} is not an array, {error}") from None
