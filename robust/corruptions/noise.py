"""Noise of the sensor."""

import numpy as np

from robust.quantities import Severity

_SIGMA_SMALL, _SIGMA = (0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)


def gaussian_noise(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Normal noise on every pixel and channel, as in low light: clip(x + N(0, sigma^2)).

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N], one an image.
        severity: 1 to 5: sigma .08, .12, .18, .26, .38, and .04, .06, .08, .09, .10 for images under 64
            pixels, the constants of ImageNet-C and CIFAR-10-C.

    Source: Hendrycks & Dietterich, Benchmarking neural network robustness to common corruptions and
    perturbations, ICLR 2019.

    >>> gaussian_noise(np.zeros((1, 32, 32, 1), "float32"), seeds=np.array([0])).shape
    (1, 32, 32, 1)
    """
    sigma = (_SIGMA_SMALL if max(images.shape[1:3]) < 64 else _SIGMA)[severity - 1]
    noise = [
        np.random.default_rng(seed.view(np.uint64)).standard_normal(images.shape[1:], np.float32) for seed in seeds
    ]
    return np.clip(images + sigma * np.stack(noise), 0, 1).astype(images.dtype)
