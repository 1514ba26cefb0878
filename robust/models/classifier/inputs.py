"""What a Keras model expects as inputs: pixels, their type, and how many images at once."""

import math
from collections.abc import Sequence

import tensorflow as tf

from robust.core.errors import ModelError, SuiteError
from robust.core.remedies import setting
from robust.models.classifier import attached
from robust.models.classifier.black_box import BlackBox, Network
from robust.models.classifier.pixel_range import UNSURE, bytes_reason
from robust.suite import preprocessing as wanted
from robust.suite.preprocessing import Preprocessing

_COLOURS = (1, 3)
DECLARED = "as declared"
ASSUMED = "since nothing else is known"
GUESSED = "the usual range nearest to that of its calibration"


def is_stated(understood: Sequence[str]) -> bool:
    """Is the pixel format declared or shown by the model, by the end of `Classifier.notes`?"""
    return not understood[-1].endswith((ASSUMED, GUESSED, UNSURE))


def pixels(model: Network, declared: object = None) -> tuple[Preprocessing, str]:
    """The pixels that the model expects, and the source of that: the user, its first layer or input, or the default.

    Args:
        model: a Keras model, or anything else that takes images.
        declared: what `robust.suite.preprocessing.read` reads, or None.

    Raises ModelError for what cannot be read, and for a mean or deviation of another number of channels.
    """
    shape = batch_shape(model)
    first = len(shape) == 4 and shape[1] in _COLOURS and shape[3] not in (*_COLOURS, None)
    if declared is not None:
        try:
            found, why = wanted.read(declared), DECLARED
        except SuiteError as error:
            raise ModelError(str(error)) from None
    elif isinstance(model, BlackBox) and model.preprocessing is not None:
        found, why = wanted.read(model.preprocessing), model.why
    elif not isinstance(model, BlackBox) and (layer := bytes_reason(model)):
        found, why = Preprocessing(0.0, 255.0), layer
    elif (behind := attached.pixels(model)) is not None:
        found, why = behind, "from its preprocessor"
    elif (kind := _kind(model)).is_integer:
        found, why = Preprocessing(0.0, 255.0), f"from its inputs of type {kind.name}"
    else:
        found, why = Preprocessing(), ASSUMED
    found = found._replace(layout="channels_first") if first else found
    channels = shape[1 if found.layout == "channels_first" else 3] if len(shape) == 4 else None
    for key in ("mean", "std"):
        if channels and len(numbers := getattr(found, key)) not in (0, 1, channels):
            raise ModelError(
                f"preprocessing.{key}: {len(numbers)} numbers, and model {model.name!r} takes {channels} channels"
            )
    return found, f"pixels {found}, {why}"


def prepared(images: tf.Tensor, want: Preprocessing) -> tf.Tensor:
    """Images [B, H, W, C] in [0, 1] as the model expects them.

    >>> prepared(tf.constant([[[[0.0, 0.5, 1.0]]]]), Preprocessing(0, 255, order="bgr")).numpy().ravel().tolist()
    [255.0, 127.5, 0.0]
    """
    if (want.low, want.high) != (0.0, 1.0):
        images = images * (want.high - want.low) + want.low
    if want.order == "bgr":
        images = images[..., ::-1]
    if want.mean:
        images = images - tf.constant(want.mean, images.dtype)
    if want.std:
        images = images / tf.constant(want.std, images.dtype)
    return tf.transpose(images, [0, 3, 1, 2]) if want.layout == "channels_first" else images


def batch_size(model: Network) -> int | None:
    """How many images the model was built for; None: any number."""
    return shape[0] if (shape := batch_shape(model)) else None


def image_shape(model: Network, want: Preprocessing) -> tuple[int | None, ...]:
    """Height, width and channels of the images that the model takes; None where any will do, () if it is not known.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((3, 8, 8)), keras.layers.Flatten()])
    >>> image_shape(model, Preprocessing(layout="channels_first"))
    (8, 8, 3)
    """
    shape = batch_shape(model)[1:]
    return (*shape[1:], shape[0]) if shape and want.layout == "channels_first" else shape


def channels(model: Network, declared: object = None) -> int | None:
    """How many channels the images have that the model takes; None if any will do, or it is not known.

    declared: the pixels that it expects, see `pixels`.

    >>> import keras
    >>> channels(keras.Sequential([keras.Input((3, 8, 8)), keras.layers.Flatten()]))
    3
    """
    shape = image_shape(model, pixels(model, declared)[0])
    return shape[2] if len(shape) == 3 else None


def resized(wanted: Sequence[int | None], given: Sequence[int]) -> str:
    """The end of an error message: how images [H, W, C] are brought to this form; "" where that does not help.

    >>> from robust.core.remedies import formatted
    >>> formatted(resized((8, 8, 3), (16, 24, 3)), "command")
    '; give the data --transform 8'
    >>> formatted(resized((192,), (8, 8, 1)), "suite")
    '; give the data channels = "rgb"'
    """
    if len(wanted) == 1:  # rows of numbers may be anything, so no channels are guessed for them
        rows = {"gray": math.prod(given[:2]), "rgb": 3 * math.prod(given[:2])}
        fits = [word for word, size in rows.items() if size == wanted[0]]
        return "".join(f"; give the data {setting('channels', word)}" for word in fits)
    side = wanted[0] if len(wanted) == 3 else None
    fits = side is not None and wanted[1] in (side, None) and wanted[2] in (given[2], None)
    return f"; give the data {setting('transform', {'size': side})}" if fits else ""


def batch_shape(model: Network) -> tuple[int | None, ...]:
    """The shape of a batch, as declared by the model's only input; () if it is not."""
    listed = getattr(model, "inputs", None)
    return tuple(listed[0].shape) if listed else ()


def dtype(model: Network) -> tf.DType:
    """In what precision to search: that of the model's inputs, at least single.

    Raises ModelError for whole numbers, which have no gradient.
    """
    own = _kind(model)
    if not own.is_floating and isinstance(model, BlackBox):
        return tf.float32
    if not own.is_floating:
        raise ModelError(
            f"model {model.name!r} takes inputs of type {own.name}, which have no gradient; give it "
            "keras.Input(..., dtype='float32') and, if its pixels range over [0, 255], set "
            f"{setting('preprocessing', [0, 255])}; or set {setting('black_box', True)}, for attacks that need "
            "outputs only"
        )
    return tf.float64 if own == tf.float64 else tf.float32


def _kind(model: Network) -> tf.DType:
    """The type of the model's inputs."""
    listed = getattr(model, "inputs", None)
    return tf.as_dtype(listed[0].dtype) if listed else tf.float32
