"""The pixel format implied by a preprocessor that is attached to a model, as to keras-hub's image classifiers.

`predict` and `fit` of such a model call it, the model itself does not.
"""

import keras
import numpy as np
import tensorflow as tf

from robust.core.errors import ModelError
from robust.core.remedies import setting
from robust.suite.preprocessing import Preprocessing

_SIDE = 32  # of the images that it is called on, if the model takes any size
_NEAR = 1e-3  # of the range of its outputs: the largest deviation from a straight line


def pixels(model: keras.Model) -> Preprocessing | None:
    """The pixel format that the attached preprocessor makes of grey levels in [0, 255]; None without one.

    It is called on images of one colour each: every channel of its output must be a straight line in one of theirs.

    Raises ModelError if it is not, since a range, a mean and a deviation cannot describe it then.
    """
    preprocessor = getattr(model, "preprocessor", None)
    if preprocessor is None or getattr(preprocessor, "image_converter", None) is None:
        return None
    images = colours(model.inputs[0].shape[1:])
    levels, given = images[:, 0, 0], np.asarray(tf.cast(preprocessor(images), tf.float64)).mean(axis=(1, 2))
    for order, seen in {"rgb": levels, "bgr": levels[:, ::-1]}.items():
        lines = np.array([np.polyfit(x, y, 1) for x, y in zip(seen.T, given.T, strict=True)])
        if np.abs(seen * lines[:, 0] + lines[:, 1] - given).max() <= _NEAR * np.ptp(given):
            return wanted(lines, order)
    raise ModelError(
        f"model {model.name!r} has a preprocessor that does more than scale each channel; declare what the network "
        f"behind it takes, as in {setting('preprocessing', [0, 255])}"
    )


def colours(shape: tuple[int | None, ...]) -> np.ndarray:
    """Images of eight colours, [8, H, W, C]."""
    height, width, channels = (side or default for side, default in zip(shape, (_SIDE, _SIDE, 3), strict=True))
    levels = np.random.default_rng(0).uniform(0, 255, (8, 1, 1, channels))
    return np.broadcast_to(levels, (8, height, width, channels)).astype(np.float32)


def wanted(lines: np.ndarray, order: str) -> Preprocessing:
    """The pixel format of slopes and intercepts [C, 2] of grey levels; a plain range if all channels share them.

    >>> wanted(np.array([[1 / 127.5, -1.0]] * 3), "rgb")
    Preprocessing(low=-1.0, high=1.0, mean=(), std=(), order='rgb', layout='channels_last')
    """
    slopes, begins = lines.T
    if np.ptp(255 * slopes) + np.ptp(begins) < _NEAR * np.abs(255 * slopes).max():
        low, high = (round(float(begins.mean() + level * slopes.mean()), 5) for level in (0, 255))
        return Preprocessing(low, high, order=order)
    mean, std = ((-begins / slopes).tolist(), (1 / slopes).tolist())
    return Preprocessing(0.0, 255.0, tuple(round(x, 5) for x in mean), tuple(round(x, 5) for x in std), order)
