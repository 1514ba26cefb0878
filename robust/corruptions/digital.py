"""Digital corruptions: warping, downscaling, compression."""

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from robust.core.declared import corruption
from robust.core.types import Severity
from robust.corruptions.resample import bilinear, mirror, reflect
from robust.corruptions.severities import constant, each
from robust.datasets import pictures


@corruption(rank=13, alexnet_error=0.646, non_monotone="the first severities move the whole image, the others knead it")
def elastic_transform(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Elastic deformation: three points of the image move, then every pixel by a smooth random field.

    Each coordinate of the points moves by U(-m, m); the field is a U(-1, 1), smoothed by a normal curve of sigma g.

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N], one per image.
        severity: 1 to 5: a, g and m are in the source, in lengths of the shorter side. The change does not always
            increase with the severity: the first two move the whole image, the others deform it locally.

    Source: Hendrycks & Dietterich, Benchmarking neural network robustness to common corruptions and
    perturbations, ICLR 2019; after Simard, Steinkraus & Platt, ICDAR 2003.

    >>> elastic_transform(np.full((1, 32, 32, 1), 0.5, "float32"), seeds=np.array([0])).std() < 1e-6
    np.True_
    """
    lengths = constant(
        images.shape,
        severity,
        # the authors write 244 pixels where their images have 224
        [
            [length * 244 / 224 for length in row]
            for row in ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))
        ],
        [[0, 0, 0.08], [0.05, 0.2, 0.07], [0.08, 0.06, 0.06], [0.1, 0.04, 0.05], [0.1, 0.03, 0.03]],
    )
    high, wide = images.shape[1:3]
    height, sigma, move = (length * min(high, wide) for length in lengths)
    # the blur of a field as two matrix products: its kernel is larger than the image
    down, across = (gaussian_filter(np.eye(n), (sigma, 0), mode="reflect", truncate=3) for n in (high, wide))

    def one(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        image = bilinear(image, *pulled(high, wide, random.uniform(-move, move, (3, 2))), mirror)
        columns, rows = (height * (down @ random.uniform(-1, 1, (high, wide)) @ across.T) for _ in range(2))
        places = np.indices((high, wide))
        return bilinear(image, places[0] + rows, places[1] + columns, reflect)

    return each(images, seeds, one)


def pulled(high: int, wide: int, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel comes from, rows and columns [H, W], when three points around the centre move (x, y)."""
    centre, side = np.array([high // 2, wide // 2]), min(high, wide) // 3  # used as (x, y), as in the authors' code
    points = centre + side * np.array([[1, 1], [1, -1], [-1, -1]])
    back = np.linalg.solve(np.column_stack([points + moves, np.ones(3)]), points.astype(np.float64))  # [x y 1] -> x, y
    rows, columns = np.mgrid[:high, :wide]
    x, y = (columns * back[0, i] + rows * back[1, i] + back[2, i] for i in (0, 1))
    return y, x


@corruption(rank=14, alexnet_error=0.718)
def pixelate(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Too few pixels: shrunk to a fraction c of both sides and enlarged again, by means over boxes.

    Args:
        images: float [N, H, W, C] in [0, 1]; the output is in whole steps of 1/255.
        seeds: int64 [N]; not used, this is deterministic.
        severity: 1 to 5: c = .6, .5, .4, .3, .25, and .95, .9, .85, .75, .65 for images under 64 pixels.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> np.unique(pixelate(np.eye(64, dtype="float32")[None, ..., None], seeds=np.array([0]), severity=5)).round(2)
    array([0.  , 0.25], dtype=float32)
    """
    share = constant(images.shape, severity, (0.6, 0.5, 0.4, 0.3, 0.25), (0.95, 0.9, 0.85, 0.75, 0.65))
    high, wide = images.shape[1:3]
    small = max(int(wide * share), 1), max(int(high * share), 1)

    def one(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
        box = Image.Resampling.BOX
        return _pixels(_picture(image).resize(small, box).resize((wide, high), box))

    return each(images, seeds, one)


@corruption(rank=15, alexnet_error=0.607)
def jpeg_compression(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Saved as JPEG of low quality, and read again.

    Args:
        images: float [N, H, W, C] in [0, 1]; the output is in whole steps of 1/255.
        seeds: int64 [N]; not used, this is deterministic.
        severity: 1 to 5: quality 25, 18, 15, 10, 7, and 80, 65, 58, 50, 40 for images under 64 pixels.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> jpeg_compression(np.full((1, 32, 32, 1), 0.5, "float32"), seeds=np.array([0])).std() < 1e-6
    np.True_
    """
    quality = constant(images.shape, severity, (25, 18, 15, 10, 7), (80, 65, 58, 50, 40))

    def one(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
        file = io.BytesIO()
        _picture(image).save(file, "JPEG", quality=quality)
        return _pixels(pictures.opened(file))

    return each(images, seeds, one)


def _picture(image: np.ndarray) -> Image.Image:
    levels = np.rint(image * 255).astype(np.uint8)
    return Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels)


def _pixels(picture: Image.Image) -> np.ndarray:
    levels = np.asarray(picture, np.float32) / 255
    return levels[..., None] if levels.ndim == 2 else levels
