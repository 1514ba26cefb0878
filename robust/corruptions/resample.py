"""Resampling of images: between pixels, zoomed, along a motion."""

from collections.abc import Callable

import numpy as np

Fold = Callable[[np.ndarray, int], np.ndarray]
"""Maps indices outside the image to indices inside: (indices, length) -> indices in [0, length)."""


def mirror(indices: np.ndarray, length: int) -> np.ndarray:
    """Reflected about the middle of the last pixel: d c b | a b c d | c b a, OpenCV's BORDER_REFLECT_101.

    >>> mirror(np.arange(-2, 6), 4).tolist()
    [2, 1, 0, 1, 2, 3, 2, 1]
    """
    period = max(2 * (length - 1), 1)
    folded = indices % period
    return np.minimum(folded, period - folded) if length > 1 else folded


def reflect(indices: np.ndarray, length: int) -> np.ndarray:
    """Reflected about the edge of the last pixel: c b a | a b c d | d c b, SciPy's "reflect".

    >>> reflect(np.arange(-2, 6), 4).tolist()
    [1, 0, 0, 1, 2, 3, 3, 2]
    """
    folded = indices % (2 * length)
    return np.minimum(folded, 2 * length - 1 - folded)


def bilinear(image: np.ndarray, rows: np.ndarray, columns: np.ndarray, fold: Fold) -> np.ndarray:
    """The image [H, W, C] at these fractional places [H', W'], by linear interpolation: [H', W', C].

    SciPy's `map_coordinates` computes in double precision, which changes the last digit of 4 of 10 pixels.
    """
    high, wide, channels = image.shape
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    down, right = (rows - top).astype(np.float32)[..., None], (columns - left).astype(np.float32)[..., None]
    rows_of = [fold(top + i, high) * wide for i in (0, 1)]
    columns_of = [fold(left + i, wide) for i in (0, 1)]
    pixels = image.reshape(high * wide, channels)
    upper, lower = (pixels[row + columns_of[0]] * (1 - right) + pixels[row + columns_of[1]] * right for row in rows_of)
    return upper * (1 - down) + lower * down


def zoomed(image: np.ndarray, factor: float) -> np.ndarray:
    """The centre of an image [H, W, C], enlarged by linear interpolation to the size of the image."""
    top, down = places(image.shape[0], factor)
    left, right = places(image.shape[1], factor)
    last = image.shape[0] - 1
    rows = image[top] * (1 - down)[:, None, None] + image[np.minimum(top + 1, last)] * down[:, None, None]
    next_left = np.minimum(left + 1, image.shape[1] - 1)
    return rows[:, left] * (1 - right)[:, None] + rows[:, next_left] * right[:, None]


def places(length: int, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel of the enlarged line, the pixel before it in the original and its distance from that."""
    cut = int(np.ceil(length / factor))  # length of the centre that is enlarged ...
    made = round(cut * factor)  # ... to so many pixels, of which those beyond `length` are trimmed
    inner = (np.arange(length) + (made - length) // 2) * ((cut - 1) / max(made - 1, 1))
    before = np.floor(inner)
    return (length - cut) // 2 + before.astype(np.int64), (inner - before).astype(np.float32)


def moved(image: np.ndarray, radius: int, sigma: float, angle: float) -> np.ndarray:
    """Blurred along a line: the mean of 2 radius + 1 copies, each a pixel further, weighted by half a normal curve.

    This is ImageMagick's motion blur; edge pixels are repeated outside the image.

    Args:
        image: float [H, W, C].
        radius: that of the line, in pixels.
        sigma: that of the normal curve, in pixels.
        angle: that of the line in degrees, from the right downward.
    """
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    down, across = (np.ceil(steps * f(np.deg2rad(angle)) - 0.5).astype(int) for f in (np.sin, np.cos))
    (high, wide), margin = image.shape[:2], len(steps)
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    blurred = np.zeros_like(image)
    for weight, y, x in zip(weights / weights.sum(), down + margin, across + margin, strict=True):
        blurred += np.float32(weight) * padded[y : y + high, x : x + wide]
    return blurred
