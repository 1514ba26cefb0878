"""Colour and light: brighter, flatter, more or less colourful."""

import numpy as np

from robust.core.declared import corruption
from robust.core.types import Severity
from robust.corruptions.severities import constant, each


@corruption(rank=11, alexnet_error=0.565)
def brightness(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Too much light: the value of HSV, which is the largest channel, grows by c.

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N]; not used, this is deterministic.
        severity: 1 to 5: c = .1, .2, .3, .4, .5, and .05, .1, .15, .2, .3 for images under 64 pixels.

    Source: Hendrycks & Dietterich, Benchmarking neural network robustness to common corruptions and
    perturbations, ICLR 2019.

    >>> brightness(np.full((1, 8, 8, 1), 0.5, "float32"), seeds=np.array([0]), severity=5).max()
    np.float32(0.8)
    """
    more = constant(images.shape, severity, (0.1, 0.2, 0.3, 0.4, 0.5), (0.05, 0.1, 0.15, 0.2, 0.3))

    def one(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
        value = image.max(axis=-1, keepdims=True)
        # hue and saturation are unchanged when all channels grow by one factor; black becomes grey
        share = np.divide(image, value, out=np.ones_like(image), where=value > 0)
        return share * np.minimum(value + np.float32(more), 1)

    return each(images, seeds, one)


@corruption(rank=12, alexnet_error=0.853)
def contrast(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Too little contrast: every channel is moved towards its mean over the image, mean + c (x - mean).

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N]; not used, this is deterministic.
        severity: 1 to 5: c = .4, .3, .2, .1, .05, and .75, .5, .4, .3, .15 for images under 64 pixels.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> contrast(np.eye(2, dtype="float32")[None, ..., None], seeds=np.array([0]), severity=2)[0, ..., 0].tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """
    share = constant(images.shape, severity, (0.4, 0.3, 0.2, 0.1, 0.05), (0.75, 0.5, 0.4, 0.3, 0.15))

    def one(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
        means = image.mean(axis=(0, 1), dtype=np.float64)
        return (image - means) * share + means

    return each(images, seeds, one)


@corruption(non_monotone="pale at the first two, gaudy at the others")
def saturate(images: np.ndarray, *, seeds: np.ndarray, severity: Severity = 3) -> np.ndarray:
    """Less colour and then more: the saturation S of HSV becomes clip(a S + b).

    A grey image has no saturation and is unchanged; grey pixels of an RGB image turn red where b > 0.

    Args:
        images: float [N, H, W, C] in [0, 1].
        seeds: int64 [N]; not used, this is deterministic.
        severity: 1 to 5: a = .3, .1, 2, 5, 20 and b = 0, 0, 0, .1, .2; for images under 64 pixels
            a = .3, .1, 1.5, 2, 2.5. The change does not increase with the severity: the second is paler than the third.

    Source: Hendrycks & Dietterich, ICLR 2019.

    >>> red = np.full((1, 8, 8, 3), (0.8, 0.4, 0.4), "float32")
    >>> saturate(red, seeds=np.array([0]), severity=1)[0, 0, 0].astype(float).round(2).tolist()
    [0.8, 0.68, 0.68]
    """
    factor, more = constant(
        images.shape,
        severity,
        ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
        ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
    )
    if images.shape[-1] == 1:
        return images.copy()

    def one(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
        value = image.max(axis=-1, keepdims=True)
        chroma = value - image.min(axis=-1, keepdims=True)
        # how far each channel is below the largest, as a fraction of the lowest; a grey pixel has the hue of red
        below = np.divide(value - image, chroma, out=np.zeros_like(image), where=chroma > 0)
        below += (chroma == 0) * np.array([0, 1, 1], image.dtype)
        saturation = np.divide(chroma, value, out=np.zeros_like(value), where=value > 0)
        return value * (1 - np.clip(saturation * factor + more, 0, 1) * below)

    return each(images, seeds, one)
