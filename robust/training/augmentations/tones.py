"""Grey, and images drawn towards it or away from it: what Pillow's ImageEnhance does."""

import tensorflow as tf

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode "L"


def grey(images: tf.Tensor) -> tf.Tensor:
    """The brightness [..., H, W, 1] of images of one channel or of red, green and blue."""
    return images if images.shape[-1] == 1 else tf.reduce_sum(images * tf.constant(LUMA), axis=-1, keepdims=True)


def enhance(images: tf.Tensor, reference: tf.Tensor | float, factor: tf.Tensor) -> tf.Tensor:
    """reference + factor (images - reference), cut to [0, 1]: a factor of 0 is the reference, 1 changes nothing."""
    return tf.clip_by_value(reference + factor * (images - reference), 0.0, 1.0)
