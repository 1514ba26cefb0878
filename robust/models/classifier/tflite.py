"""A TFLite file as a black box: images in, outputs out."""

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from robust.core import quiet
from robust.core.errors import ModelError
from robust.core.remedies import setting
from robust.core.types import Table
from robust.models.classifier.black_box import BlackBox
from robust.models.classifier.inputs import ASSUMED, GUESSED
from robust.suite.preprocessing import MODES, Preprocessing

_USUAL = (Preprocessing(), Preprocessing(0.0, 255.0), *MODES.values())
_OF_SOFTMAX = 1 / 256  # the scale that TFLite gives the outputs of every quantised softmax

_NEGATIVE = "number of elements overflowed"  # TFLite's error for a height or width below zero


def read(path: Path) -> BlackBox:
    """The model of a .tflite file; its quantised inputs and outputs are converted to numbers.

    Raises ModelError for any other file, for one with operations of TensorFlow itself ("Flex", which may
    read and write files) or custom ones, and for one with several inputs or outputs.
    """
    content = _content(path)
    interpreter = _interpreter(path, content)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        has = f"{len(inputs)} inputs and {len(outputs)} outputs"
        raise ModelError(f"{path}: has {has}; pass a model that takes images and gives one number per class")
    size, at, to = batch(inputs[0]), inputs[0]["index"], outputs[0]["index"]
    fit = functools.cache(functools.partial(check_size, content))

    def predict(images: np.ndarray) -> np.ndarray:
        count = size or len(images)
        if tuple(interpreter.get_input_details()[0]["shape"]) != (count, *images.shape[1:]):
            resize(interpreter, inputs[0], (count, *images.shape[1:]), fit)
        found = []
        for begin in range(0, len(images), count):
            rows = np.resize(np.arange(begin, min(begin + count, len(images))), count)
            interpreter.set_tensor(at, _quantised(images[rows], inputs[0]))
            interpreter.invoke()
            found.append(_plain(interpreter.get_tensor(to), outputs[0])[: len(images) - begin])
        return np.concatenate(found)

    pixels, why = _pixels(inputs[0])
    shape = [None, *(None if side < 0 else int(side) for side in inputs[0]["shape_signature"][1:])]
    return BlackBox(predict, path.stem, preprocessing=pixels, why=why, inputs=[tf.TensorSpec(shape, tf.float32)])


def resize(interpreter: Any, details: Table, shape: tuple[int, ...], fit: Callable[[tuple[int, ...]], None]) -> None:
    """Allocate for images of another number or size; ModelError if its weights do not fit that.

    fit: raises RuntimeError for the shape of an image that is too small for a file of any size; see `check_size`.
    """
    try:
        if (details["shape_signature"][1:] < 0).any():
            fit(shape[1:])
        interpreter.resize_tensor_input(details["index"], list(shape), strict=True)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        first = str(error).strip().split("\n")[0]
        first = "too small: the output of a layer is empty" if _NEGATIVE in first else first
        what = f"cannot take images of shape {shape[1:]} ({first}); resize the data to what it was trained on"
        raise ModelError(f"{what}, as in {setting('transform', {'size': 224})}") from None


def check_size(content: bytes, shape: tuple[int, ...]) -> None:
    """RuntimeError if the output of a layer is empty for an image of this shape, as of 3 x 3 for a kernel of 5 x 5.

    XNNPACK, with which TFLite computes, ends the process there, or gives an output that depends on no pixel. The
    kernels without it raise an error, or give tensors of no height or width.
    """
    plain = _made(content, getattr(tf, "lite").experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)  # noqa: B009
    details = plain.get_input_details()[0]
    images = np.zeros((batch(details) or 1, *shape), details["dtype"])
    plain.resize_tensor_input(details["index"], list(images.shape), strict=True)
    plain.allocate_tensors()
    _check_seen(plain)
    plain.set_tensor(details["index"], images)
    plain.invoke()  # some shapes are known only then
    _check_seen(plain)


def _check_seen(interpreter: Any) -> None:
    shapes = {each["index"]: each["shape"] for each in interpreter.get_tensor_details()}
    for operation in interpreter._get_ops_details():
        for made in (shapes.get(index, ()) for index in operation["outputs"]):
            if len(made) > 2 and min(made) < 1:
                raise RuntimeError(f"too small: the output of its {operation['op_name']} is empty")


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise ModelError(f"{path}: there is no such file")
    return path.read_bytes()


def _made(content: bytes, kernels: object = None) -> Any:
    """An interpreter; kernels: which of TFLite's, None for the usual."""
    chosen = {} if kernels is None else {"experimental_op_resolver_type": kernels}
    with quiet.aside(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\s*Warning: tf.lite.Interpreter is deprecated", UserWarning)
        return getattr(tf, "lite").Interpreter(model_content=content, **chosen)  # noqa: B009  it is loaded late


def _interpreter(path: Path, content: bytes) -> Any:
    try:
        interpreter = _made(content)
        _check_operations(path, interpreter)
        if all((each["shape_signature"][1:] > 0).all() for each in interpreter.get_input_details()):
            with quiet.aside():
                interpreter.allocate_tensors()  # else its size is known once images are given
    except (ValueError, RuntimeError) as error:
        first = str(error).strip().split("\n")[0]
        raise ModelError(f"{path}: is not a TFLite model that can be run ({first})") from error
    return interpreter


def _check_operations(path: Path, interpreter: Any) -> None:
    names = {details["op_name"] for details in interpreter._get_ops_details()}
    if foreign := sorted(name for name in names if name.startswith("Flex")):
        what = f"runs {', '.join(foreign)}, operations of TensorFlow that may read and write files"
        raise ModelError(f"{path}: {what}; convert it with TFLITE_BUILTINS only")


def batch(details: Table) -> int | None:
    """The batch size that the file requires; None: any."""
    return None if details["shape_signature"][0] < 0 else int(details["shape"][0])


def _pixels(details: Table) -> tuple[Preprocessing | None, str]:
    """The pixels that a quantised input expects, and how that is known; None if it takes floats.

    Its integers span the range of the images that it was calibrated with, which need not have had every grey level: the
    result is the narrowest of the usual formats that contains this range, and is not five times as wide.
    """
    if np.issubdtype(details["dtype"], np.floating):
        return None, ""
    (scale, zero), limits = details["quantization"], np.iinfo(details["dtype"])
    if not scale:
        return Preprocessing(0.0, 255.0), f"from its inputs of type {np.dtype(details['dtype']).name}"
    low, high = (float((end - zero) * scale) for end in (limits.min, limits.max))
    slack = 2 * scale
    fits = [
        (ends[1] - ends[0], way)
        for way in _USUAL
        if (ends := _ends(way))[0] - slack <= low and high <= ends[1] + slack and ends[1] - ends[0] < 5 * (high - low)
        if len(way.mean) in (0, details["shape"][-1])
    ]
    calibrated = Preprocessing(low, high)
    if not fits:
        return calibrated, f"from its calibration, {ASSUMED}"
    return min(fits, key=lambda fit: fit[0])[1], f"its calibration being {calibrated}: {GUESSED}"


def _ends(way: Preprocessing) -> tuple[float, float]:
    """The smallest and the largest number that an image may hold in this format."""
    mean, std = np.array(way.mean or (0.0,)), np.array(way.std or (1.0,))
    return float(((way.low - mean) / std).min()), float(((way.high - mean) / std).max())


def _quantised(images: np.ndarray, details: Table) -> np.ndarray:
    scale, zero = details["quantization"]
    dtype = details["dtype"]
    if np.issubdtype(dtype, np.floating):
        return images.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(images / (scale or 1) + zero), limits.min, limits.max).astype(dtype)


def _plain(outputs: np.ndarray, details: Table) -> np.ndarray:
    scale, zero = details["quantization"]
    if np.issubdtype(details["dtype"], np.floating):
        return outputs
    numbers = (outputs.astype(np.float32) - zero) * scale
    if numbers.ndim == 2 and numbers.shape[1] > 1 and abs(scale - _OF_SOFTMAX) < 1e-9:
        return unrounded(numbers, scale)
    return numbers


def unrounded(shares: np.ndarray, step: float) -> np.ndarray:
    """Shares that are rounded to steps, so that they sum to 1: what rows lack was rounded to 0, half a step at most."""
    gone = shares == 0
    lacks = np.maximum(1 - shares.sum(axis=1, keepdims=True), 0) / np.maximum(gone.sum(axis=1, keepdims=True), 1)
    whole = np.where(gone, np.minimum(lacks, step / 2), shares)
    return whole / whole.sum(axis=1, keepdims=True)
