"""Noise of the sensor: in low light, of counted photons, of dead pixels, of its gain."""

import numpy as np

from robust.core.declared import corruption
from robust.core.types import Severity
from robust.corruptions.severities import constant, each


@corruption(rank=1, alexnet_error=0.886)
def gaussian_noise(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Normal noise on every pixel and channel, as in low light: clip(x + N(0, sigma^2)).

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N], one per image.
        severity: 1 to 5: sigma .08, .12, .18, .26, .38, and .04, .06, .08, .09, .10 for images under 64 pixels.

    Source: Hendrycks & Dietterich, Benchmarking neural network robustness to common corruptions and
    perturbations, ICLR 2019.

    >>> gaussian_noise(np.zeros((1, 32, 32, 1), "float32"), seeds=np.array([0])).shape
    (1, 32, 32, 1)
    """
    sigma = constant(images.shape, severity, (0.08, 0.12, 0.18, 0.26, 0.38), (0.04, 0.06, 0.08, 0.09, 0.10))
    return each(images, seeds, lambda image, random: image + sigma * _normal(random, image.shape))


@corruption(rank=2, alexnet_error=0.894)
def shot_noise(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """The noise of counted photons: clip(Poisson(c x) / c).

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N], one per image.
        severity: 1 to 5: c = 60, 25, 12, 5, 3 photons at full light, and 500, 250, 100, 75, 50 under 64 pixels.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> found = shot_noise(np.full((1, 64, 64, 1), 0.5, "float32"), seeds=np.array([0]), severity=5)
    >>> np.unique(found).astype(float).round(2).tolist()  # none, one, two, three photons or more
    [0.0, 0.33, 0.67, 1.0]
    """
    photons = constant(images.shape, severity, (60, 25, 12, 5, 3), (500, 250, 100, 75, 50))
    return each(images, seeds, lambda image, random: random.poisson(image * np.float64(photons)) / photons)


@corruption(rank=3, alexnet_error=0.923)
def impulse_noise(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Salt and pepper: each value becomes 0 or 1, equally often, with probability p.

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N], one per image.
        severity: 1 to 5: p = .03, .06, .09, .17, .27, and .01, .02, .03, .05, .07 for images under 64 pixels.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> np.unique(impulse_noise(np.full((1, 64, 64, 3), 0.5, "float32"), seeds=np.array([0]))).tolist()
    [0.0, 0.5, 1.0]
    """
    share = constant(images.shape, severity, (0.03, 0.06, 0.09, 0.17, 0.27), (0.01, 0.02, 0.03, 0.05, 0.07))

    def one(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        struck, salt = random.random(image.shape) <= share, random.random(image.shape) <= 0.5
        return np.where(struck, salt, image)

    return each(images, seeds, one)


@corruption()
def speckle_noise(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Normal noise proportional to the light: clip(x + x N(0, sigma^2)).

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N], one per image.
        severity: 1 to 5: sigma .15, .2, .35, .45, .6, and .06, .1, .12, .16, .2 for images under 64 pixels.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> speckle_noise(np.zeros((1, 32, 32, 1), "float32"), seeds=np.array([0])).max()  # no light, no noise
    np.float32(0.0)
    """
    sigma = constant(images.shape, severity, (0.15, 0.2, 0.35, 0.45, 0.6), (0.06, 0.1, 0.12, 0.16, 0.2))
    return each(images, seeds, lambda image, random: image + image * sigma * _normal(random, image.shape))


def _normal(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return random.standard_normal(shape, np.float32)
