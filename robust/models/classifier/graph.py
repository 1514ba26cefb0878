"""A compiled function of a batch, and how many images the batches have that it is called with."""

from collections.abc import Callable

import tensorflow as tf

_MULTIPLE = 4  # of images, on a CPU, where one graph takes any number
_LEAST = 16  # images on a GPU, where each number is compiled once: 16, 32, 64, 128 ...


class Graph:
    """A function of tensors, traced on its first call and never again.

    Args:
        function: graph-pure. Of an argument of rank 1 or more, the first axis is the batch.
        xla: compile it by XLA, once for each size of the batch.
        any_size: batches of other sizes may follow; if not, all have that of the first call.

    >>> double = Graph(lambda x: 2 * x)
    >>> double(tf.ones([2])).shape, double(tf.ones([3])).shape
    (TensorShape([2]), TensorShape([3]))
    """

    def __init__(self, function: Callable, *, xla: bool | None = None, any_size: bool = True):
        self._function, self._xla, self._any_size = function, xla, any_size
        self._traced: tf.types.experimental.PolymorphicFunction | None = None

    def __call__(self, *args: object) -> object:
        """The results for these tensors, or dictionaries of them."""
        return self._for(args)(*args)

    def variables(self, *args: object) -> list[tf.Variable]:
        """The variables that it uses, without a call; `args` as in one."""
        return list(self._for(args).get_concrete_function().graph.variables)

    def _for(self, args: tuple) -> tf.types.experimental.PolymorphicFunction:
        if self._traced is None:
            signature = tf.nest.map_structure(self._spec, args)
            self._traced = tf.function(self._function, signature, autograph=False, jit_compile=self._xla)
        return self._traced

    def _spec(self, tensor: tf.Tensor) -> tf.TensorSpec:
        rest = tensor.shape[1:]
        shape = [None, *rest] if self._any_size and tensor.shape.rank else tensor.shape
        return tf.TensorSpec(shape, tensor.dtype)


def batch_size(images: int, most: int, *, gpu: bool) -> int:
    """The size of the batches for so many images: equal ones, as few as `most` allows, that waste little.

    >>> [batch_size(n, 128, gpu=False) for n in (1, 47, 128, 129, 1000)]
    [4, 48, 128, 68, 128]
    >>> [batch_size(n, 128, gpu=True) for n in (1, 47, 128, 129, 1000)]
    [16, 64, 128, 128, 128]
    """
    parts = max(-(-images // most), 1)
    each = max(-(-images // parts), 1)
    return min(max(1 << (each - 1).bit_length(), _LEAST) if gpu else -(-each // _MULTIPLE) * _MULTIPLE, most)


def next_smaller(size: int, *, gpu: bool) -> int:
    """The next size that is worth copying a batch to, 0 if there is none.

    >>> [next_smaller(n, gpu=False) for n in (128, 48, 4)], [next_smaller(n, gpu=True) for n in (128, 16)]
    ([120, 44, 0], [64, 0])
    """
    if gpu:
        return size // 2 if size > _LEAST else 0
    return max(size - max(size // (16 * _MULTIPLE), 1) * _MULTIPLE, 0)
