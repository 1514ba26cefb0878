"""Blur: of the lens, of frosted glass, of a moving or zooming camera."""

import numpy as np
from scipy.ndimage import correlate1d, gaussian_filter
from scipy.signal import fftconvolve

from robust.core.declared import corruption
from robust.core.types import Severity
from robust.corruptions.resample import moved, zoomed
from robust.corruptions.severities import constant, each


@corruption(rank=4, alexnet_error=0.82)
def defocus_blur(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Out of focus: each point becomes a disk, whose edge is softened.

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N]; not used, this is deterministic.
        severity: 1 to 5: radius of the disk 3, 4, 6, 8, 10 pixels and sigma of its edge .1, .5, .5, .5, .5; for
            images under 64 pixels .3, .4, .5, 1, 1.5 and .4, .5, .6, .2, .1.

    Source: Hendrycks & Dietterich, Benchmarking neural network robustness to common corruptions and
    perturbations, ICLR 2019.

    >>> defocus_blur(np.full((1, 32, 32, 1), 0.5, "float32"), seeds=np.array([0])).std() < 1e-6
    np.True_
    """
    radius, sigma = constant(
        images.shape,
        severity,
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    )
    kernel = _disk(radius, sigma)[..., None]
    margin = len(kernel) // 2

    def one(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
        padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
        return fftconvolve(padded, kernel, mode="valid", axes=(0, 1))

    return each(images, seeds, one)


def _disk(radius: float, sigma: float) -> np.ndarray:
    """A disk of sum 1 on a square grid; its edge softened by 3 or 5 pixels of a normal curve, as in OpenCV."""
    reach, half = (8, 1) if radius <= 8 else (int(radius), 2)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (rows**2 + columns**2 <= radius**2).astype(np.float32)
    curve = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * sigma**2))
    for axis in (0, 1):
        disk = correlate1d(disk, curve / curve.sum(), axis, mode="mirror")
    return disk / np.float32((rows**2 + columns**2 <= radius**2).sum())


@corruption(
    rank=5,
    alexnet_error=0.826,
    non_monotone="sigma falls from .4 to .25 between the third and fourth severity of small images",
)
def glass_blur(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Seen through frosted glass: blurred, each pixel replaced by one nearby, blurred again.

    From the last pixel to the first, each is overwritten by the current value of one at most `reach` away;
    ImageNet-C was made like this by the authors' code, which was meant to swap the two. Its constants are not monotone:
    severity 2 has fewer rounds than 1, and for small images 4 blurs less than 3.

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N], one per image.
        severity: 1 to 5: sigma of both blurs .7, .9, 1, 1.1, 1.5 pixels, reach 1, 2, 2, 3, 4 and rounds
            2, 1, 3, 2, 2; for images under 64 pixels .05, .25, .4, .25, .4, reach 1 and rounds 1, 1, 1, 2, 2.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> glass_blur(np.zeros((1, 32, 32, 3), "float32"), seeds=np.array([0]), severity=5).max()
    np.float32(0.0)
    """
    sigma, reach, rounds = constant(
        images.shape,
        severity,
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    )

    def one(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        (high, wide, channels), blurred = image.shape, _gaussian(image, sigma)
        pixels = (np.floor(blurred.clip(0, 1) * 255) / 255).reshape(high * wide, channels)
        for _ in range(rounds):
            size = (max(high - 2 * reach, 0), max(wide - 2 * reach, 0), 2)
            pixels = pixels[shuffled(random.integers(-reach, reach, size), high, wide, reach)]
        return _gaussian(pixels.reshape(image.shape), sigma)

    return each(images, seeds, one)


def shuffled(shifts: np.ndarray, high: int, wide: int, reach: int) -> np.ndarray:
    """The index of the pixel whose original value each pixel has after the shuffle, int [high * wide].

    A pixel takes the value of its partner: where that was overwritten, the value that the partner took, and so on.
    Following all these chains at once, twice as far each time, is equivalent to going pixel by pixel.

    Args:
        shifts: those of the partner, (across, down), in the order of the walk: from the last row and column back.
    """
    size = high * wide
    inner = np.arange(size).reshape(high, wide)[reach + 1 : high - reach + 1, reach + 1 : wide - reach + 1]
    here = inner[::-1, ::-1]  # the order of the walk
    partner = here + shifts[..., 1] * wide + shifts[..., 0]
    walked = np.zeros(size, bool)
    walked[here] = True
    # index p is the final value of pixel p, index size + p its original value, where a chain ends
    leads = np.concatenate([np.arange(size, 2 * size), np.arange(size, 2 * size)])
    leads[here] = np.where(walked[partner] & (partner > here), partner, partner + size)
    while (leads[:size] < size).any():
        leads = leads[leads]
    return leads[:size] - size


@corruption(rank=6, alexnet_error=0.786)
def motion_blur(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """A camera that moves during the exposure: blurred along a line between -45 and 45 degrees.

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N], one per image.
        severity: 1 to 5: radius of the line 10, 15, 15, 15, 20 pixels and sigma 3, 5, 8, 12, 15; for images under
            64 pixels 6, 6, 6, 8, 9 and 1, 1.5, 2, 2, 2.5.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> motion_blur(np.full((1, 32, 32, 1), 0.5, "float32"), seeds=np.array([0])).std() < 1e-6
    np.True_
    """
    radius, sigma = constant(
        images.shape,
        severity,
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    )
    return each(images, seeds, lambda image, random: moved(image, radius, sigma, random.uniform(-45, 45)))


@corruption(rank=7, alexnet_error=0.798)
def zoom_blur(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """A camera that moves closer during the exposure: the mean of the image and of its centre, enlarged in small steps.

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N]; not used, this is deterministic.
        severity: 1 to 5: enlarged by up to 1.11, 1.16, 1.2, 1.24, 1.3 in steps of .01, .01, .02, .02, .03; for images
            under 64 pixels up to 1.06, 1.1, 1.16, 1.2, 1.26 in steps of .01.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> zoom_blur(np.full((1, 32, 32, 1), 0.5, "float32"), seeds=np.array([0])).std() < 1e-6
    np.True_
    """
    end, step = constant(
        images.shape,
        severity,
        ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
        ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    )
    factors = np.arange(1, end, step)  # float rounding decides whether the end is included

    def one(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
        return (image + sum(zoomed(image, float(factor)) for factor in factors)) / (len(factors) + 1)

    return each(images, seeds, one)


@corruption()
def gaussian_blur(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Gaussian blur.

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N]; not used, this is deterministic.
        severity: 1 to 5: sigma 1, 2, 3, 4, 6 pixels, and .4, .6, .7, .8, 1 for images under 64 pixels.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> gaussian_blur(np.full((1, 32, 32, 1), 0.5, "float32"), seeds=np.array([0])).std() < 1e-6
    np.True_
    """
    sigma = constant(images.shape, severity, (1, 2, 3, 4, 6), (0.4, 0.6, 0.7, 0.8, 1))
    return each(images, seeds, lambda image, _: _gaussian(image, sigma))


def _gaussian(image: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_filter(image, (sigma, sigma, 0), mode="nearest")
