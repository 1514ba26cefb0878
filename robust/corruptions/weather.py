"""Weather: snow, frost, fog, and spatter on the lens."""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from robust.core.declared import corruption
from robust.core.types import Severity
from robust.corruptions.liquid import mud, puddles, water
from robust.corruptions.plasma import plasma
from robust.corruptions.resample import moved, zoomed
from robust.corruptions.severities import SMALL, constant, each, luminance, pale
from robust.datasets import pictures

_FROST = ("frost1.webp", "frost2.webp", "frost2.webp", "frost4.jpg", "frost5.jpg")  # the authors' third is their second
_WATER, _MUD = (175, 238, 238), (63, 42, 20)  # pale turquoise and brown


@corruption(rank=8, alexnet_error=0.867)
def snow(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Snowflakes in two directions over a brightened image.

    Normal noise N(m, s^2) is enlarged z times, cut below t and blurred by motion, as flakes F; then the result is
    clip(a x + (1 - a) max(x, 1.5 grey + .5) + F + F turned by 180 degrees).

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N], one per image.
        severity: 1 to 5: m, s, z, t, then radius and sigma of the motion, and a are in the source.

    Source: Hendrycks & Dietterich, Benchmarking neural network robustness to common corruptions and
    perturbations, ICLR 2019.

    >>> snow(np.zeros((1, 32, 32, 3), "float32"), seeds=np.array([0])).min() > 0  # black becomes grey
    np.True_
    """
    mean, deviation, zoom, threshold, radius, sigma, share = constant(
        images.shape,
        severity,
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
    )

    def one(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        noise = mean + deviation * random.standard_normal((*image.shape[:2], 1), np.float32)
        flakes = zoomed(noise, zoom)
        # the authors pass an 8-bit image to ImageMagick
        flakes = np.floor(np.where(flakes < threshold, 0, flakes).clip(0, 1) * 255) / 255
        flakes = moved(flakes, radius, sigma, random.uniform(-135, -45))
        bright = share * image + (1 - share) * np.maximum(image, luminance(image) * 1.5 + 0.5)
        return bright + flakes + flakes[::-1, ::-1]

    return each(images, seeds, one)


@corruption(
    rank=9,
    alexnet_error=0.827,
    non_monotone="the picture fades while ice is laid over it, and a white picture may come out nearer to itself",
)
def frost(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Ice on a window: a x + b frost, where the frost is a random piece of one of five photographs.

    For images under 64 pixels the photographs are scaled to a fifth; for images larger than the photographs, they
    are enlarged. For grey images they are grey.

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N], one per image.
        severity: 1 to 5: a = 1, .8, .7, .65, .6 and b = .4, .6, .7, .7, .75; for images under 64 pixels
            a = 1, 1, .9, .85, .75 and b = .2, .3, .4, .4, .45.

    Source: Hendrycks & Dietterich, ICLR 2019; the photographs are theirs, see corruptions/data/frost.

    >>> frost(np.zeros((1, 32, 32, 3), "float32"), seeds=np.array([0])).max() <= 0.4
    np.True_
    """
    share, ice = constant(
        images.shape,
        severity,
        ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
        ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    )

    def one(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        photo = fitting(_FROST[random.integers(len(_FROST))], *image.shape[:2])
        top, left = (random.integers(max(photo.shape[i] - image.shape[i], 1)) for i in (0, 1))
        piece = photo[top : top + image.shape[0], left : left + image.shape[1]].astype(np.float32) / 255
        return share * image + ice * (piece if image.shape[2] == 3 else luminance(piece))

    return each(images, seeds, one)


@cache
def fitting(name: str, high: int, wide: int) -> np.ndarray:
    """A photograph of frost, uint8 [H, W, 3], large enough to crop an image of this size from it."""
    with pictures.opened(Path(__file__).parent / "data/frost" / name) as file:
        photo = file.convert("RGB")
    if max(high, wide) < SMALL:
        return np.asarray(photo)[2::5, 2::5]  # the pixels that linear interpolation uses at a fifth of the size
    scale = max(high / photo.height, wide / photo.width)
    if scale > 1:
        photo = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.BICUBIC)
    return np.asarray(photo)


@corruption(rank=10, alexnet_error=0.819)
def fog(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Clouds over the image: (x + c P) m / (m + c), with the brightest value m of the image and a height map P.

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N], one per image.
        severity: 1 to 5: c = 1.5, 2, 2.5, 2.5, 3, and how fast small clouds fade: 2, 2, 1.7, 1.5, 1.4; for images
            under 64 pixels .2, .5, .75, 1, 1.5 and 3, 3, 2.5, 2, 1.75.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> fog(np.zeros((1, 32, 32, 1), "float32"), seeds=np.array([0])).max()  # no fog on a black image
    np.float32(0.0)
    """
    thick, decay = constant(
        images.shape,
        severity,
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    )
    high, wide = images.shape[1:3]
    size = 1 << (max(high, wide, 2) - 1).bit_length()  # the power of two that the image fits into

    def one(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        brightest, clouds = image.max(), plasma(size, decay, random)[:high, :wide, None]
        return (image + thick * clouds) * (brightest / (brightest + thick))

    return each(images, seeds, one)


@corruption(non_monotone="water up to the third severity, then mud")
def spatter(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Spatter on the lens: water at the severities 1 to 3, mud at 4 and 5.

    Drops are where noise N(m, s^2), smoothed by a normal curve of sigma g, exceeds t. Water adds a pale turquoise
    at their edges, times a; mud covers the image with brown where the drops, smoothed by a, are thick.

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N], one per image.
        severity: 1 to 5: m, s, g, t and a are in the source. The change need not increase with the severity.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> black = np.zeros((1, 64, 64, 3), "float32")
    >>> spatter(black, seeds=np.array([0]), severity=5).max(axis=(1, 2)).astype(float).round(2).tolist()  # mud
    [[0.25, 0.16, 0.08]]
    """
    mean, deviation, sigma, threshold, amount = constant(
        images.shape,
        severity,
        (
            (0.65, 0.3, 4, 0.69, 0.6),
            (0.65, 0.3, 3, 0.68, 0.6),
            (0.65, 0.3, 2, 0.68, 0.5),
            (0.65, 0.3, 1, 0.65, 1.5),
            (0.67, 0.4, 1, 0.65, 1.5),
        ),
        (
            (0.62, 0.1, 0.7, 0.7, 0.5),
            (0.65, 0.1, 0.8, 0.7, 0.5),
            (0.65, 0.3, 1, 0.69, 0.5),
            (0.65, 0.1, 0.7, 0.69, 0.6),
            (0.65, 0.1, 0.5, 0.68, 0.6),
        ),
    )

    def one(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        liquid = puddles(mean + deviation * random.standard_normal(image.shape[:2]), sigma, threshold)
        if severity < 4:
            return image + amount * water(liquid)[..., None] * pale(_WATER, image.shape[2])
        cover = mud(liquid, amount)[..., None]
        return image * (1 - cover) + cover * pale(_MUD, image.shape[2])

    return each(images, seeds, one)
