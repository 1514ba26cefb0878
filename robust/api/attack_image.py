"""One image, one network, one attack, and the picture of it: what `robust attack` does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from robust.attacks.diagnostics.attack_checks import gradient_based
from robust.core import files, registry
from robust.core.errors import ContractError, DataError, ModelError, suggest
from robust.core.randomness import image_seeds
from robust.core.remedies import formatted, setting
from robust.core.signature import Call
from robust.datasets import files as images
from robust.datasets.photos import FOLDER, photos
from robust.datasets.taxonomy import imagenet
from robust.datasets.transform import Transform
from robust.engine import prepare_models
from robust.engine.perturb import check
from robust.models.classifier import Classifier, black_box, inputs, main_logits
from robust.models.classifier.black_box import BlackBox, Network
from robust.models.classifier.preprocessing_check import as_setting, better, for_one_image
from robust.models.pretrained import load as pretrained
from robust.models.pretrained.keras import own_shape
from robust.report import triptych
from robust.results.attack_result import fooled
from robust.suite import Model, ModelFile, Published

SURE = 50.0  # nats: the logit margin that the search aims for, more than any softmax shows


@dataclass(frozen=True)
class Attacked:
    """The result: three images [H, W, C] in [0, 1], and the probabilities [C] that the network gives each."""

    names: tuple[str, ...]
    image: np.ndarray
    attacked: np.ndarray
    saved: np.ndarray
    """The attacked image as its PNG holds it, at 256 levels."""
    probabilities: tuple[np.ndarray, np.ndarray, np.ndarray]
    target: int | None
    notes: tuple[str, ...] = ()
    """How the model was interpreted, if it came from a file, and how it sees the image where that is a guess."""

    @property
    def fooled(self) -> bool:
        """Is the PNG classified as the target; or, without one, otherwise than the image?"""
        before, _, after = (int(p.argmax()) for p in self.probabilities)
        return after != before if self.target is None else after == self.target

    def top(self, which: int, count: int = 5) -> list[tuple[str, float]]:
        """The most probable classes and their probabilities; which: 0 the image, 1 the attacked one, 2 its PNG."""
        p = self.probabilities[which]
        return [(self.names[i], float(p[i])) for i in np.argsort(-p, kind="stable")[:count]]

    @property
    def is_lost(self) -> bool:
        """Is the whole change smaller than the step between two levels of a PNG?"""
        return self.linf == 0 and bool((self.attacked != self.image).any())

    @property
    def linf(self) -> float:
        """The largest change of a pixel in the PNG, in units of a [0, 1] image."""
        return float(np.abs(self.saved - self.image).max())


def attack(
    image: str | Path,
    model: Model,
    call: Call,
    *,
    target: str | None = None,
    classes: Sequence[str] | None = None,
    seed: int = 0,
    out: Path,
) -> Attacked:
    """Attack one image, and write adversarial.png and triptych.png into a folder.

    An iterative attack continues after the predicted class has changed, for all its steps or until the network is
    confident.

    Args:
        image: a file, or the name of a photo that comes with the package: "panda".
        model: a `keras` or `pretrained` one of a suite. call: of the catalogue `attacks`.
        target: the class to reach, by name; None: any other than the predicted one.
        classes: names, in the model's order; those of ImageNet for a model of 1,000 classes, else numbers.
        seed: of the attack. out: the folder.

    Raises DataError for what is no image or no class, ModelError for a model that cannot be evaluated.

    Source: Goodfellow, Shlens & Szegedy, Explaining and harnessing adversarial examples, ICLR 2015, figure 1.
    """
    network = _network(model)
    classifier = _classifier(network, model, call)
    names = _names(classifier.classes, classes)
    file = find(image)
    header = images.read_header(file)  # raises DataError for what is no readable image
    pixels = _pixels(file, header, model, network)[None]
    before = _softmax(classifier, pixels)
    check_outputs(classifier, pixels)
    aim = None if target is None else _aim(target, names, int(before.argmax()))
    attacked = search(classifier, model, call, pixels, int(before.argmax()), aim, seed)
    saved = at_levels(call, pixels, attacked)
    shown = before, _softmax(classifier, attacked), _softmax(classifier, saved)
    notes = (*classifier.notes, *doubts(classifier, pixels, names)) if isinstance(model.source, ModelFile) else ()
    notes += (*guess(file.name, header, pixels.shape[3]), *images.orientation_remark([header]))
    found = Attacked(names, pixels[0], attacked[0], saved[0], shown, aim, tuple(map(formatted, notes)))
    png = Image.fromarray(triptych.levels(saved[0]))
    files.write(out / "adversarial.png", lambda path: png.save(path, "PNG"))
    sheet = triptych.draw(found.image, found.saved, found.top(0, 1)[0], found.top(2, 1)[0])
    files.write(out / "triptych.png", lambda path: sheet.save(path, "PNG"))
    return found


def find(image: str | Path) -> Path:
    """The file; or, where there is none, the photo of that name that comes with the package.

    >>> find("panda").name
    'panda.webp'

    Raises DataError where there is neither.
    """
    if (path := Path(image)).is_file():
        return path
    ours = {file.stem: file for file in sorted(FOLDER.glob("*.webp"))}
    if path.parent == Path() and path.stem in ours and path.suffix in ("", ".webp"):
        return ours[path.stem]
    raise DataError(f"{image}: there is no such file, nor a photo of that name here{suggest(path.stem, ours)}")


def _network(model: Model) -> Network:
    match model.source:
        case ModelFile(path):
            return _for_images(prepare_models.load(path, allow_code=model.allow_code), model)
        case Published(name) as weights:
            return pretrained.load(weights, own_shape(name.removeprefix("keras:")), 1000)
    raise ModelError(f"model {model.name}: must be a file of a model, or weights with a known name")


def _for_images(network: Network, model: Model) -> Network:
    shape = inputs.batch_shape(network)
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] not in (1, 3):
        raise ModelError(f"model {model.name}: takes {shape}; must take square images of one or three channels")
    return network


def _classifier(network: keras.Model, model: Model, call: Call) -> Classifier:
    count = main_logits.outputs(network, model.output, black_box=model.black_box)
    if count is None:  # only a forward pass shows it
        batch, *sides = inputs.batch_shape(network)
        count = network(tf.zeros([batch or 1, *(side or 32 for side in sides)])).shape[-1]
    wrapped = black_box.as_black_box(network, count, model.output) if model.black_box else network
    found = Classifier(wrapped, count, preprocessing=model.preprocessing, output=model.output, batch_size=1)
    if found.is_black_box and call.name in registry.names("attacks") and gradient_based(call):
        what = f"model {model.name!r} gives outputs and no gradients, which {call.name} needs"
        square, noise = (setting("attack", {"name": name}) for name in ("square", "noise"))
        raise ModelError(f"{what}; use {square} or {noise}")
    return found


def check_outputs(classifier: Classifier, pixels: np.ndarray) -> None:
    """Check the outputs for the image and its negative, since for a single image logits may look like probabilities.

    The negative is no image of the user's: outputs for it that are not finite are no error.
    """
    if not classifier.is_black_box and np.isfinite(classifier(tf.constant(1 - pixels, classifier.dtype))).all():
        classifier.logits(np.concatenate([pixels, 1 - pixels]))


def doubts(classifier: Classifier, pixels: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """Evidence for another preprocessing: from labelled photos for a model of ImageNet, else from this image."""
    if names != imagenet.names() or pixels.shape[3] != 3:
        return list(filter(None, [for_one_image(classifier, pixels, names)]))
    data = photos(transform={"size": pixels.shape[1]})
    known = data.examples("test", data.size("test"))
    found = better(classifier, lambda n: (known.images[:n], known.labels[:n]), len(known.labels))
    return [] if found is None else [f"of our own photos {found}; here {as_setting(found.preprocessing[0])}"]


def _names(count: int, classes: Sequence[str] | None) -> tuple[str, ...]:
    if classes is None:
        return imagenet.names() if count == 1000 else tuple(map(str, range(count)))
    if len(classes) != count:
        raise DataError(f"classes: {len(classes)} names were given, but the model has {count} classes")
    return tuple(classes)


def _aim(target: str, names: tuple[str, ...], seen: int) -> int:
    if names == imagenet.names():
        aim = imagenet.index(target)
    elif target in names:
        aim = names.index(target)
    else:
        raise DataError(f"the model has no class {target!r}{suggest(target, names)}")
    if aim == seen:
        raise DataError(f"target {target!r}: that is the predicted class already")
    return aim


def _pixels(path: Path, header: images.Header, model: Model, network: Network) -> np.ndarray:
    """The image as float32 [H, W, C] at the network's size: the shorter side and the centre of it."""
    height, width, channels = inputs.batch_shape(network)[1:]
    read = images.load(path, channels or 3)
    if height is not None and read.shape[:2] != (height, width):
        transform = _transform(height, model)
        transform.check(header.height, header.width, path)
        read = transform(tf.constant(read)).numpy()
    return read.astype(np.float32) / np.float32(255)


def guess(name: str, header: images.Header, takes: int) -> tuple[str, ...]:
    """A note where the network is shown a file in other channels than the file has."""
    if images.channels([header]) == takes:
        return ()
    return (f"{name} is seen in {'grey, by its luma' if takes == 1 else 'colour, its grey repeated'}",)


def _transform(side: int, model: Model) -> Transform:
    """As the network's makers have resized: EfficientNet-Lite by bicubic interpolation, with 32 pixels to spare."""
    if isinstance(model.source, Published) and not model.source.name.startswith("keras:"):
        return Transform(side, side / (side + 32), "bicubic")
    return Transform(side, 0.875)


def _softmax(classifier: Classifier, pixels: np.ndarray) -> np.ndarray:
    return tf.nn.softmax(classifier.logits(pixels))[0].numpy()


def search(
    classifier: Classifier, model: Model, call: Call, pixels: np.ndarray, seen: int, aim: int | None, seed: int
) -> np.ndarray:
    """The attacked image [1, H, W, C]: misclassified with a large margin, or where that fails, misclassified at all."""
    seeds, targets = image_seeds(seed, call.name, [""]), None if aim is None else np.array([aim])
    for each in (unsure(classifier, model, seen, aim), classifier):
        attacked = call(each, pixels, np.array([seen]), seeds=seeds, targets=targets).images
        check(call, pixels, attacked)
        if fooled(classifier.logits(attacked).argmax(axis=1), np.array([seen]), targets)[0]:
            break
    return attacked


def at_levels(call: Call, pixels: np.ndarray, attacked: np.ndarray) -> np.ndarray:
    """The attacked image at the nearest of 256 levels; where that is outside the ball, rounded toward the original."""
    levels, change = np.rint(pixels * 255), (attacked - pixels) * 255
    for steps in (np.rint(change), np.trunc(change * (1 + 1e-4))):  # a whole step may be missed by rounding
        saved = np.clip(levels + steps, 0, 255).astype(np.float32) / np.float32(255)
        if _is_allowed(call, pixels, saved):
            break
    return saved


def _is_allowed(call: Call, pixels: np.ndarray, saved: np.ndarray) -> bool:
    try:
        check(call, pixels, saved)
    except ContractError:
        return False
    return True


def unsure(classifier: Classifier, model: Model, seen: int, aim: int | None) -> Classifier:
    """The same network with one logit shifted: same gradients, but it counts as fooled only with a large margin."""
    shift = np.zeros(classifier.classes, np.float32)
    shift[seen if aim is None else aim] = SURE if aim is None else -SURE
    if isinstance(box := classifier.model, BlackBox):
        shifted = BlackBox(lambda x: box(tf.constant(x)).numpy() + shift, box.name, box.weights, inputs=box.inputs)
        return Classifier(shifted, classifier.classes, preprocessing=classifier.preprocessing, batch_size=1)
    outputs = classifier.model.outputs[0]
    name = main_logits.unused("unsure", outputs)
    logits = keras.layers.Rescaling(1.0, offset=shift, dtype="float32", name=name)(outputs)
    network = keras.Model(classifier.model.inputs, logits, name=classifier.model.name)
    return Classifier(network, classifier.classes, preprocessing=model.preprocessing, batch_size=1)
