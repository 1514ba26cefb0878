"""Multiply-accumulates of a layer: the multiplications of its kernels; biases, pools and activations are free."""

from collections.abc import Callable
from math import prod
from typing import Any

from keras import Operation, layers

Shape = tuple[int, ...]  # of one image: (height, width, channels) or (features,)


def macs(layer: Operation, inputs: Shape, outputs: Shape) -> int | None:
    """How many multiply-accumulates one image costs a layer, each time it is used.

    Convolutions (grouped, depthwise, separable and transposed ones included) and dense layers are
    counted; what only normalises, activates, pools, reshapes or merges costs 0, by the usual convention.

    Args:
        layer: a Keras layer, or an operation of `keras.ops`.
        inputs: shape of its first input. outputs: shape of its output; both without the batch.

    Returns None for a kind of layer that is not known here, which may or may not multiply.

    >>> conv = layers.Conv2D(4, 3, padding="same")
    >>> conv.build((None, 8, 8, 2))
    >>> macs(conv, (8, 8, 2), (8, 8, 4)) == 8 * 8 * 3 * 3 * 2 * 4
    True
    """
    for kinds, count in COUNTED:
        if isinstance(layer, kinds):
            return count(layer, inputs, outputs)
    return 0 if is_free(layer) else None


def has_kernel(layer: Operation) -> bool:
    """Is it a convolution or a dense layer: what papers count as a layer when they speak of depth?"""
    return isinstance(layer, tuple(kind for kinds, _ in COUNTED for kind in kinds))


def package(layer: Operation) -> str:
    """The package of Keras that a layer belongs to: "pooling", "merging" ...; "" for third-party layers.

    >>> package(layers.MaxPooling2D())
    'pooling'
    """
    parts = type(layer).__module__.split(".")
    return parts[3] if parts[:3] == ["keras", "src", "layers"] and len(parts) > 3 else ""


def is_free(layer: Operation) -> bool:
    """Does it count as free of multiplications, by the usual convention?"""
    if not isinstance(layer, layers.Layer):
        return type(layer).__name__ not in _PRODUCTS
    return isinstance(layer, layers.InputLayer | layers.Identity) or (
        package(layer) in _FREE and not isinstance(layer, layers.Dot | layers.Wrapper)
    )


def _convolution(
    layer: layers.Conv1D | layers.Conv2D | layers.Conv3D | layers.DepthwiseConv1D | layers.DepthwiseConv2D,
    inputs: Shape,
    outputs: Shape,
) -> int:
    return _places(layer, outputs) * prod(layer.kernel.shape)


def _separable(layer: layers.SeparableConv1D | layers.SeparableConv2D, inputs: Shape, outputs: Shape) -> int:
    return _places(layer, outputs) * (prod(layer.depthwise_kernel.shape) + prod(layer.pointwise_kernel.shape))


def _transposed(
    layer: layers.Conv1DTranspose | layers.Conv2DTranspose | layers.Conv3DTranspose, inputs: Shape, outputs: Shape
) -> int:
    return _places(layer, inputs) * prod(layer.kernel.shape)  # each position of the input is multiplied by the kernel


def _dense(layer: Any, inputs: Shape, outputs: Shape) -> int:
    return prod(outputs[:-1]) * prod(layer.kernel.shape)


def _places(layer: Any, shape: Shape) -> int:
    return prod(shape[1:] if layer.data_format == "channels_first" else shape[:-1])


COUNTED: tuple[tuple[tuple[type, ...], Callable[[Any, Shape, Shape], int]], ...] = (
    ((layers.SeparableConv1D, layers.SeparableConv2D), _separable),
    ((layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), _transposed),
    (
        (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D),
        _convolution,
    ),
    ((layers.Dense,), _dense),
)
_FREE = {"activations", "merging", "normalization", "pooling", "preprocessing", "regularization", "reshaping"}
_PRODUCTS = {"Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv", "Dot", "Einsum", "Inner", "Matmul", "Outer",
             "Tensordot", "Vdot", "DotProductAttention"}  # fmt: skip
