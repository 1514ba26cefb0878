"""Where a Keras model's logits are, and what range of pixels it expects."""

import inspect
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from robust.core import keras_files
from robust.core.errors import ModelError, suggest
from robust.core.remedies import setting
from robust.models.classifier.pixel_range import inference, takes_bytes
from robust.models.classifier.twin import near, without_activation

MAIN = ("logits", "predictions", "probabilities", "main")  # names of the output that classifies, of several


class Understood(NamedTuple):
    """A model that ends in logits, and notes on what was changed for that."""

    model: keras.Model
    notes: tuple[str, ...] = ()


def linear(model: keras.Model) -> keras.Model:
    """The same model, ending in logits: a softmax head is taken off, and so are auxiliary heads."""
    return understood(model).model


def understood(model: keras.Model, classes: int | None = None, output: str | None = None) -> Understood:
    """The model ending in the logits of one output, and what was done for that.

    Of several outputs it is the one that `output` names, by its key or its layer; else the one named as in
    `MAIN`; else the only one with as many numbers as there are classes. A last activation that is a softmax
    is taken off. One number z, or its sigmoid, becomes the logits (0, z) of two classes.

    Raises ModelError for several inputs, for outputs of which none can be selected, and for several sigmoids.
    """
    if not getattr(model, "outputs", None):
        return Understood(model)  # a subclassed model: its outputs are checked once they are computed
    if len(model.inputs) != 1:
        raise ModelError(f"model {model.name!r} has {len(model.inputs)} inputs; pass one that takes only images")
    main, chosen = _main(model, classes, output)
    logits, taken = _logits(main)
    notes = tuple(note for note in (*saved(model), chosen, taken, left_on(model)) if note)
    named = any(isinstance(getattr(model, side, None), dict) for side in ("input", "output"))
    if named or len(model.outputs) > 1 or logits is not model.outputs[0]:
        return Understood(keras.Model(model.inputs[0], logits, name=model.name), notes)
    return Understood(model, notes)


def main_output(model: keras.Model, classes: int | None = None, output: str | None = None) -> keras.Model:
    """The model ending in the one output that classifies, as it is; see `understood`."""
    if not getattr(model, "outputs", None):
        return model
    return keras.Model(model.inputs, _main(model, classes, output)[0], name=model.name)


def outputs(model: keras.Model, output: str | None = None, *, black_box: bool = False) -> int | None:
    """How many classes the model distinguishes, if its last layer shows it; for a black box, one number means two.

    Raises ModelError as `understood`, or, for a black box, as `main_output`.
    """
    ending = main_output(model, output=output) if black_box else understood(model, output=output).model
    shape = getattr(ending, "output_shape", None)
    count = shape[-1] if isinstance(shape, tuple) else None
    return 2 if black_box and count == 1 else count


def _main(model: keras.Model, classes: int | None, output: str | None) -> tuple[keras.KerasTensor, str]:
    """The output that classifies, and how it was selected."""
    whole = getattr(model, "output", None)  # a Sequential has none before it is called
    by_layer = [(o._keras_history.operation.name, o) for o in model.outputs]
    flat = isinstance(whole, dict) and all(hasattr(o, "_keras_history") for o in whole.values())
    by_key = list(whole.items()) if flat else by_layer  # Keras lists outputs in another order
    shown = ", ".join(key for key, _ in by_key)
    for name in MAIN if output is None else (output,):
        for named in (by_key, by_layer):
            if len(found := [o for key, o in named if key == name]) == 1:
                return found[0], f"output {name!r} of {shown}" if len(named) > 1 else ""
    if output is not None:
        raise ModelError(f"model {model.name!r} has no output {output!r}{suggest(output, dict(by_key))}")
    if len(by_key) == 1:
        return by_key[0][1], ""
    fits = [(key, o) for key, o in by_key if tuple(o.shape[1:]) == (classes,)]
    if len(fits) != 1:
        pick = f"specify which one classifies, as in {setting('output', by_key[0][0])}"
        raise ModelError(f"model {model.name!r} has {len(by_key)} outputs, {shown}; {pick}")
    return fits[0][1], f"output {fits[0][0]!r} of {shown}: it has {classes} numbers"


def pick(results: object, output: str | None, name: str) -> Any:
    """The output of a subclassed model that classifies; see `understood`."""
    if not isinstance(results, dict | list | tuple):
        return results
    listed = results if isinstance(results, dict) else {str(i): each for i, each in enumerate(results)}
    for key in MAIN if output is None else (output,):
        if key in listed:
            return listed[key]
    if len(listed) != 1 or output is not None:
        given = f"model {name!r} gives {', '.join(listed)}"
        raise ModelError(f"{given}; specify which one classifies, as in {setting('output', next(iter(listed), ''))}")
    return next(iter(listed.values()))


def _logits(output: Any) -> tuple[keras.KerasTensor, str]:
    """The logits behind an output, and what was taken off: what goes into its softmax, if it ends in one.

    What follows the softmax and leaves its numbers unchanged is taken off with it.
    """
    if (inner := unchanged(output)) is not None:
        logits, taken = _logits(inner)
        return (logits, taken) if taken else (output, "")
    last, before = output._keras_history.operation, _before(output)
    if isinstance(last, keras.Model) and len(getattr(last, "outputs", None) or []) == 1:
        inner = understood(last)
        return (output if inner.model is last else inner.model(before)), ", ".join(inner.notes)
    function = activation(last)
    squashed = "" if function is None else squashing(function, output.shape[-1])
    single = set(output.shape[1:]) == {1}
    if single and not squashed and function is not keras.activations.linear:
        raise ModelError(
            f"{last.name!r} ends the model in one number, which may be a logit or a probability; "
            f"end it in Dense(1) or Dense(1, 'sigmoid'); or, if it is the probability of the second class, set "
            f"{setting('black_box', True)}"
        )
    if squashed:
        output = _flat(before if function is last else without_activation(last, before, unused(last.name, before)))
    if single:
        of = f"the sigmoid of {last.name!r} taken off" if squashed else f"{last.name!r} gives one logit z"
        return of_two(output), f"{of}: two classes, of logits 0 and z"
    if squashed == "sigmoid":
        raise ModelError(f"{last.name!r} ends the model in a sigmoid; end it in a logit per class, without activation")
    return output, f"{squashed} of {last.name!r} taken off" if squashed else ""


def unchanged(output: Any) -> keras.KerasTensor | None:
    """The input of a last operation that only passes it on, as Dropout, a linear activation or Reshape; else None.

    It is called on numbers: the same must come out, in the same order.
    """
    node = output._keras_history.operation._inbound_nodes[output._keras_history.node_index]
    last = node.operation
    if len(node.input_tensors) != 1 or isinstance(last, keras.Model) or getattr(last, "weights", None):
        return None
    before = node.input_tensors[0]
    shape = before.shape[1:]
    if set(shape[:-1]) not in (set(), {1}) or shape[-1:] != output.shape[-1:]:
        return None
    numbers = np.random.default_rng(0).normal(0, 2, (3, *shape)).astype(np.float32)
    try:
        args, options = node.arguments.fill_in({id(before): tf.constant(numbers)})
        options = {key: value for key, value in options.items() if key != "training"}
        found = last(*args, **options, **inference(last))
        same = np.array_equal(np.asarray(tf.cast(found, tf.float32)).ravel(), numbers.ravel())
    except Exception:  # third-party code: unknown
        return None
    return before if same else None


def _flat(logits: keras.KerasTensor) -> keras.KerasTensor:
    """Logits [B, C] of those that a convolution gives, [B, 1, 1, C]."""
    if len(logits.shape) == 2 or set(logits.shape[1:-1]) != {1}:
        return logits
    return keras.layers.Reshape((logits.shape[-1],), name=unused("flat", logits))(logits)


def activation(last: keras.Operation) -> Callable | None:
    """What a last operation does to the numbers without its weights; None if that is unknown."""
    if not isinstance(last, keras.layers.Layer) or isinstance(
        last, keras.layers.Softmax | keras.layers.Activation | keras.layers.Lambda
    ):
        return last
    return getattr(last, "activation", None)


def squashing(function: Callable, width: int | None) -> str:
    """What the function does to numbers: softmax, sigmoid or "". It is called, as a Lambda has no description."""
    numbers = np.random.default_rng(0).normal(0, 2, (3, width or 2))
    try:
        found = tf.convert_to_tensor(function(tf.constant(numbers, tf.float32)))
    except Exception:  # third-party code, or an operation on several tensors: unknown
        return ""
    exact = 1e-5 if found.dtype == tf.float32 else 5e-3
    powers = np.exp(numbers)
    known = {"softmax": powers / powers.sum(axis=1, keepdims=True), "sigmoid": powers / (1 + powers)}
    if width == 1:
        del known["softmax"]  # of one number it is 1
    found = tf.cast(found, tf.float64).numpy() if found.dtype.is_floating else np.empty(0)
    return next((n for n, wanted in known.items() if found.shape == wanted.shape and near(found, wanted, exact)), "")


def of_two(z: Any) -> keras.KerasTensor:
    """The logits (0, z): those of a twin of the dense layer that gives z, with zeros for the first class."""
    last = z._keras_history.operation
    if isinstance(last, keras.layers.Dense) and last.activation is keras.activations.linear:
        kernel, bias = (*last.get_weights(), np.zeros(1))[:2]
        before = _before(z)
        twin = keras.layers.Dense(2, dtype=last.dtype_policy, name=unused(last.name, before))
    else:
        kernel, bias = np.ones((1, 1)), np.zeros(1)
        twin, before = keras.layers.Dense(2, name=unused("two_classes", z)), z
    logits = twin(before)
    twin.set_weights([np.pad(kernel, [(0, 0), (1, 0)]), np.pad(bias, (1, 0))])
    return logits


def saved(model: keras.Model) -> Iterator[str]:
    """How SavedModels among the layers are called, which cannot be inspected."""
    for layer in flat(model):
        if isinstance(layer, keras.layers.TFSMLayer):
            kind = keras_files.saved_model(Path(layer.filepath))
            yield f"{kind}: its graph is called by {layer.call_endpoint!r}, with gradients; its layers are not visible"


def left_on(model: keras.Model) -> str:
    """Layers that were called with training=True: Keras calls them as `predict` does, with training=False.

    Those with that default, as RandomFlip, are left out: whether it was set is unknown, and would change nothing.
    """
    others = [op for op in getattr(model, "operations", []) if not _trains_by_default(op)]
    nodes = [(op.name, node) for op in others for node in op._inbound_nodes]
    names = dict.fromkeys(name for name, node in nodes if node.arguments.kwargs.get("training") is True)
    return f"{', '.join(names)}: called with training=True, evaluated in inference mode as by predict" if names else ""


def _trains_by_default(operation: keras.Operation) -> bool:
    training = inspect.signature(operation.call).parameters.get("training")
    return training is not None and training.default is True


def unused(name: str, tensor: keras.KerasTensor) -> str:
    """The name, with a number behind it where an operation that leads to the tensor has it: a graph takes none twice.

    >>> unused("preprocessing", keras.layers.Flatten(name="preprocessing")(keras.Input((2, 2))))
    'preprocessing_1'
    """
    graph = keras.Model(keras.utils.get_source_inputs(tensor), tensor)
    taken = {operation.name for operation in graph.operations}
    return next(each for i in count() if (each := f"{name}_{i}" if i else name) not in taken)


def last(model: keras.Model) -> keras.Operation:
    """The layer that makes a functional model's only output."""
    return model.outputs[0]._keras_history.operation


def features(model: keras.Model) -> keras.KerasTensor:
    """The input of that layer."""
    return _before(model.outputs[0])


def _before(output: Any) -> keras.KerasTensor:
    """The input of the layer that makes an output."""
    layer, node = output._keras_history[:2]
    return layer._inbound_nodes[node].input_tensors[0]  # not `layer.input`: other models may use the layer, too


def pixel_range(model: keras.Model) -> tuple[float, float]:
    """What the model's own first layers imply of its inputs: [0, 255] where they divide by that, else [0, 1]."""
    return (0.0, 255.0) if takes_bytes(model) else (0.0, 1.0)


def flat(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """The layers of a model, with those of a nested model in its place."""
    for layer in getattr(model, "layers", []):
        yield from flat(layer) if isinstance(layer, keras.Model) else [layer]
