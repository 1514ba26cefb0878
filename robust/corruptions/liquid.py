"""Drops on a lens: where they are, and how water refracts the light at their edges.

The steps are the OpenCV functions in the code of ImageNet-C: Canny's edges, distances from them, an equalised
histogram and an emboss filter, in integers from 0 to 255.
"""

import numpy as np
from scipy.ndimage import correlate, distance_transform_edt, gaussian_filter, label, sobel, uniform_filter

_STEPS = (1, 1.4, 2.1969)  # to the next pixel, the next diagonal one, and a knight's move away
_EMBOSS = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])


def puddles(noise: np.ndarray, sigma: float, threshold: float) -> np.ndarray:
    """Noise [H, W], smoothed; 0 where it is under the threshold."""
    smooth = gaussian_filter(noise, sigma, mode="nearest")
    return np.where(smooth < threshold, 0, smooth)


def water(liquid: np.ndarray) -> np.ndarray:
    """How much light the edges of the drops reflect, [H, W] in [0, 1]; 0 where there are no drops."""
    levels = (liquid * 255).astype(np.int64).astype(np.uint8)  # what exceeds 1 wraps around, as in the authors' code
    distance = chamfer(canny(levels, 50, 150), 20).astype(np.float32)
    distance = equalised(uniform_filter(distance, 3, mode="mirror").astype(np.uint8))
    embossed = correlate(distance.astype(np.int64), _EMBOSS, mode="mirror").clip(0, 255)
    light = levels * np.rint(uniform_filter(embossed.astype(np.float64), 3, mode="mirror"))
    return (light / max(light.max(), 1)).astype(np.float32)


def mud(liquid: np.ndarray, sigma: float) -> np.ndarray:
    """How much of each pixel the drops cover, [H, W] in [0, 1]: the smoothed drops without their thin rims."""
    cover = gaussian_filter((liquid > 0).astype(np.float32), sigma, mode="nearest")
    return np.where(cover < 0.8, 0, cover)


def canny(levels: np.ndarray, low: int, high: int) -> np.ndarray:
    """Edges, bool [H, W]: the ridges of |dx| + |dy| above `low` that are connected to one above `high`.

    Source: Canny, A computational approach to edge detection, PAMI 1986; ties are broken as in OpenCV.
    """
    across, down = (sobel(levels.astype(np.int64), axis, mode="nearest") for axis in (1, 0))
    strength = np.abs(across) + np.abs(down)
    around = np.pad(strength, 1)

    def neighbour(y: int, x: int) -> np.ndarray:
        return around[1 + y : 1 + y + levels.shape[0], 1 + x : 1 + x + levels.shape[1]]

    flat = np.abs(down) < np.tan(np.pi / 8) * np.abs(across)
    steep = np.abs(down) > np.tan(3 * np.pi / 8) * np.abs(across)
    falling = (across < 0) != (down < 0)
    ridge = np.select(
        [flat, steep, falling],
        [
            (strength > neighbour(0, -1)) & (strength >= neighbour(0, 1)),
            (strength > neighbour(-1, 0)) & (strength >= neighbour(1, 0)),
            (strength > neighbour(-1, 1)) & (strength > neighbour(1, -1)),
        ],
        (strength > neighbour(-1, -1)) & (strength > neighbour(1, 1)),
    )
    ridge &= strength > low
    pieces, count = label(ridge, np.ones((3, 3)))
    kept = np.zeros(count + 1, bool)
    kept[pieces[ridge & (strength > high)]] = True
    return kept[pieces] & ridge


def chamfer(edges: np.ndarray, most: float) -> np.ndarray:
    """The distance to the nearest edge, [H, W], at most `most`, along steps to the pixels of a 5 x 5 neighbourhood.

    Source: Borgefors, Distance transformations in digital images, CVGIP 1986.
    """
    if not edges.any():
        return np.full(edges.shape, most)
    nearest = np.asarray(distance_transform_edt(~edges, return_distances=False, return_indices=True))
    offsets = np.abs(nearest - np.indices(edges.shape))
    long, short = offsets.max(axis=0), offsets.min(axis=0)
    straight, diagonal, knight = _STEPS
    beyond, within = np.maximum(long - 2 * short, 0), np.maximum(2 * short - long, 0)
    distance = np.minimum(straight * beyond + diagonal * within + knight * np.minimum(short, long - short), most)
    while (shorter := relaxed(distance)).sum() < distance.sum():  # another edge may be nearer along the steps
        distance = shorter
    return distance


def relaxed(distance: np.ndarray) -> np.ndarray:
    """The distance where each pixel may also use a path through one of the pixels around it."""
    (high, wide), around = distance.shape, np.pad(distance, 2, constant_values=np.inf)
    for y, x in ((y, x) for y in range(-2, 3) for x in range(-2, 3) if max(abs(y), abs(x)) == 1 or abs(y * x) == 2):
        by_way = around[2 + y : 2 + y + high, 2 + x : 2 + x + wide] + _STEPS[abs(y) + abs(x) - 1]
        distance = np.minimum(distance, by_way)
    return distance


def equalised(levels: np.ndarray) -> np.ndarray:
    """Histogram equalisation of uint8 levels, from 0 to 255."""
    counts = np.bincount(levels.ravel(), minlength=256)
    least = counts[levels.min()]
    if least == levels.size:
        return levels
    spread = (counts.cumsum() - least) * np.float32(255 / (levels.size - least))
    return np.rint(spread.clip(0, 255)).astype(np.uint8)[levels]
