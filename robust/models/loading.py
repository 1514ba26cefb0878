"""Models from files: as data, unless the user trusts their author."""

import hashlib
import importlib
import math
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import keras
import tensorflow as tf

from robust.core import files, keras_files
from robust.core.errors import ModelError, suggest
from robust.core.remedies import setting
from robust.core.types import NewTable
from robust.models.classifier import tflite
from robust.models.classifier.black_box import BlackBox

_EXPORT = f"there, run model.export('folder'), and pass that folder, a SavedModel, with {setting('allow_code', True)}"
_ENDPOINTS = ("serving_default", "serve")
_EXTRA = 2**22  # numbers of a model that its file need not hold: seeds, and what layers create themselves


def load(path: Path, *, allow_code: bool = False) -> keras.Model | BlackBox:
    """The model of a .keras, HDF5 or .tflite file, or of the folder of a SavedModel.

    Args:
        path: the file or folder.
        allow_code: may third-party code run? A Lambda, a class of another module, and a SavedModel run some; the
            latter's graph can read and write files. Without `allow_code` none of it is run or imported.

    Raises ModelError with the reason and what to do.
    """
    if path.is_dir():
        return saved_model(path, allow_code)
    if path.suffix == ".tflite":
        return tflite.read(path)
    if not path.is_file():
        near = [str(p) for p in path.parent.glob("*.keras")] if path.parent.is_dir() else []
        raise ModelError(f"{path}: there is no such file{suggest(str(path), near) if near else ''}")
    if why := keras_files.oversized(path) or of_keras_2(path) or no_model(path):
        raise ModelError(f"{path}: {why}")
    if not allow_code and (why := keras_files.refusal(path, registered())):
        raise ModelError(f"{why}; if you trust its author, set {setting('allow_code', True)}")
    try:
        with room_for(path):
            return read(path, _custom(path) if allow_code else {}, allow_code)
    except ModelError:
        raise
    except Exception as error:  # Keras raises many kinds: zip, h5 and JSON errors, TypeError, ValueError
        known = keras.saving.get_custom_objects()
        if unknown := [name for name in keras_files.named_only(path) if name not in known]:
            remedy = "load it in Python where that is registered, and pass the model itself to robust.evaluate"
            raise ModelError(f"{path}: names {', '.join(unknown)}, whose code is not in the file; {remedy}") from error
        if keras_files.of_keras_2(path):
            raise ModelError(
                f"{path}: was saved by Keras 2, and Keras {keras.__version__} cannot read it; {_EXPORT}"
            ) from error
        first = str(error).strip().split("\n")[0]
        raise ModelError(f"{path}: cannot be loaded as data ({type(error).__name__}: {first})") from error


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Let layers allocate the weights that the file has, and not more: Keras allocates before it reads any.

    Twice as many are allowed, for layers that keep a second copy: adapters, averages, scales next to integers.
    """
    stored, made = _numbers(path), 0
    make, build = keras.Variable.__init__, keras.layers.Normalization.build

    def count(numbers: int) -> None:
        nonlocal made
        made += numbers
        if made > 2 * stored + _EXTRA:
            raise ModelError(f"{path}: its layers need {made:,} weights or more, and it holds {stored:,}")

    def counted(
        self: keras.Variable,
        initializer: object,
        shape: tuple[int, ...] | None = None,
        *args: object,
        **options: object,
    ) -> None:
        count(math.prod(shape or ()))
        make(self, initializer, shape, *args, **options)

    def spread(self: keras.layers.Normalization, input_shape: tuple[int | None, ...]) -> None:
        """A mean stored as one number in the file is repeated for each input."""
        axes = [self.axis] if isinstance(self.axis, int) else self.axis or ()
        count(2 * math.prod(input_shape[axis] or 1 for axis in axes))
        build(self, input_shape)

    with (
        patch.object(keras.Variable, "__init__", counted),
        patch.object(keras.layers.Normalization, "build", spread),
    ):
        yield


def _numbers(path: Path) -> int:
    """How many weights the file holds; 0 if they cannot be read, for which loading gives the reason."""
    try:
        return keras_files.numbers(path)
    except (OSError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return 0


def read(path: Path, custom: dict[str, type], allow_code: bool) -> keras.Model:
    """The model of a .keras archive, or of an HDF5 file with any extension."""
    is_hdf5 = keras_files.is_hdf5(path)
    with TemporaryDirectory(prefix="robust-") as folder:  # Keras goes by the extension
        link = Path(folder) / ("model.h5" if is_hdf5 else "model.keras")
        link.symlink_to(path.resolve())
        old = {"DepthwiseConv2D": _Depthwise} if is_hdf5 else {}
        return keras.saving.load_model(link, {**old, **custom}, compile=False, safe_mode=not allow_code)


class _Depthwise:
    """As saved by Keras 2: with a number of groups, 1, that Keras 3 does not accept."""

    @classmethod
    def from_config(cls, config: NewTable) -> keras.layers.Layer:
        return keras.layers.DepthwiseConv2D.from_config({k: v for k, v in config.items() if k != "groups"})


def no_model(path: Path) -> str:
    """Why the content of a file is no model; "" where it may be one."""
    if keras_files.is_hdf5(path):
        build = f"build the network in Python, network.load_weights({path.name!r}), network.save('{path.stem}.keras')"
        return f"holds weights and no layers; {build}" if keras_files.weights_only(path) else ""
    size = path.stat().st_size
    return "" if zipfile.is_zipfile(path) else f"is not a .keras archive ({size:,} bytes); was it cut off?"


def of_keras_2(path: Path) -> str:
    """What to do about a .keras archive of Keras 2; "" for all others, also for its HDF5 files, which can be read."""
    version = "" if keras_files.is_hdf5(path) else keras_files.of_keras_2(path)
    how = f"there, run model.save('{path.stem}.h5'), and pass that file"
    return f"was written by Keras {version}; {how}" if version else ""


def fingerprint(path: Path) -> str:
    """A hash of a file, or of all files in a folder; read once for each version of it."""
    listed = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    parts = [(each.relative_to(path).as_posix(), files.sha256(each, each.stat().st_mtime_ns)) for each in listed]
    return parts[0][1] if listed == [path] else hashlib.sha256(repr(parts).encode()).hexdigest()


def registered() -> set[str]:
    """The classes that this very process has registered with Keras: their code runs already."""
    return {f"{each.__module__}.{each.__name__}" for each in keras.saving.get_custom_objects().values()}


@contextmanager
def importable(path: Path) -> Iterator[None]:
    """Modules next to a trusted file can be imported, as those next to a suite can."""
    sys.path.append(folder := str(path.resolve().parent))
    try:
        yield
    finally:
        sys.path.remove(folder)


def _custom(path: Path) -> dict[str, type]:
    """The classes of other modules that a trusted file names, imported."""
    found: dict[str, type] = {}
    for part in keras_files.foreign(path):
        if part.module and part.what not in registered():
            if part.name in found:
                both = f"{found[part.name].__module__}.{part.name} and {part.what}"
                register = "@keras.saving.register_keras_serializable(package=...)"
                remedy = f"register them under different names, {register}, and save the model again"
                raise ModelError(f"{path}: holds {both}, which Keras treats as one class; {remedy}")
            try:
                with importable(path):
                    found[part.name] = getattr(importlib.import_module(part.module), part.name)
            except (ImportError, AttributeError) as error:
                raise ModelError(
                    f"{path}: {part.what} cannot be imported ({error}); is its folder on the path?"
                ) from None
    return found


def saved_model(path: Path, allow_code: bool) -> keras.Model:
    """A SavedModel as the layer of a functional model, with the images that its signature names as input."""
    if not (path / "saved_model.pb").is_file():
        raise ModelError(f"{path}: is a folder without saved_model.pb, so not a SavedModel; pass a .keras file")
    if not allow_code:
        why = f"{path} is {keras_files.of_saved_model(path)}"
        raise ModelError(f"{why}; if you trust its author, set {setting('allow_code', True)}")
    try:
        return exported(path)
    except ModelError:
        raise
    except Exception as error:  # TensorFlow's readers raise errors of no common type for damaged files
        first = (str(error).strip() or "no message").split("\n")[0]
        what = f"cannot be loaded as a SavedModel ({type(error).__name__}: {first[:300]}); export it again"
        raise ModelError(f"{path}: {what}") from error


def exported(path: Path) -> keras.Model:
    """The endpoint of a SavedModel that classifies images; raises ModelError if there is none."""
    signatures = tf.saved_model.load(str(path)).signatures
    if (endpoint := next((name for name in _ENDPOINTS if name in signatures), None)) is None:
        has = ", ".join(signatures) or "none"
        raise ModelError(f"{path}: has no signature {' or '.join(_ENDPOINTS)}; it has {has}")
    specs = list(signatures[endpoint].structured_input_signature[1].values())
    if len(specs) != 1:
        raise ModelError(f"{path}: its signature {endpoint} has {len(specs)} inputs; pass one that takes only images")
    image = keras.Input(batch_shape=tuple(specs[0].shape), dtype=specs[0].dtype.name)
    outputs = keras.layers.TFSMLayer(str(path), call_endpoint=endpoint, trainable=False)(image)
    return keras.Model(image, outputs, name=path.resolve().name)
