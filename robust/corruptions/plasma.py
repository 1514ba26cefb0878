"""Clouds: a height map by the diamond-square algorithm (Fournier, Fussell & Carpenter, CACM 1982)."""

import numpy as np


def plasma(size: int, decay: float, random: np.random.Generator) -> np.ndarray:
    """A height map that wraps around, float64 [size, size], scaled to [0, 1].

    Args:
        size: a power of two.
        decay: at each halving of the step the random heights become decay^2 times smaller.
        random: the generator of an image.
    """
    heights, step, wobble = np.zeros((size, size)), size, 1.0
    while step >= 2:
        half = step // 2
        corners = heights[::step, ::step]
        middles = corners + np.roll(corners, -1, 0)
        middles = middles + np.roll(middles, -1, 1)
        heights[half::step, half::step] = _mean(middles, wobble, random)
        centres = heights[half::step, half::step]
        above = centres + np.roll(centres, 1, 0) + corners + np.roll(corners, -1, 1)
        heights[::step, half::step] = _mean(above, wobble, random)
        sides = centres + np.roll(centres, 1, 1) + corners + np.roll(corners, -1, 0)
        heights[half::step, ::step] = _mean(sides, wobble, random)
        step, wobble = half, wobble / decay**2  # the authors draw numbers of +-decay and multiply them by decay
    heights -= heights.min()
    return heights / heights.max()


def _mean(of_four: np.ndarray, wobble: float, random: np.random.Generator) -> np.ndarray:
    return of_four / 4 + wobble * random.uniform(-1, 1, of_four.shape)
