"""Models as files, and what tells whether code in them was run."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

SHAPE = (4, 4, 1)
random = np.random.default_rng(0)
IMAGES = random.uniform(0, 1, (12, *SHAPE)).astype(np.float32)
KERNEL = random.normal(size=(16, 3)).astype(np.float32)
KERNEL -= KERNEL.mean(axis=0)  # every class comes up
LOGITS = IMAGES.reshape(12, 16) @ KERNEL


@pytest.fixture
def dozen():
    """Images [12, 4, 4, 1], the logits of a linear model, and its answers."""
    return IMAGES, LOGITS, LOGITS.argmax(axis=1)


@pytest.fixture
def linear():
    """`linear(*before, activation=...)`: the linear model behind other layers."""

    def build(*before, activation=None, width=3):
        output = inputs = keras.Input(SHAPE)
        for layer in before:
            output = layer(output)
        head = layers.Dense(width, activation, use_bias=False, name="head")
        model = keras.Model(inputs, head(layers.Flatten()(output)), name="net")
        head.set_weights([KERNEL[:, :width]])
        return model

    return build


@pytest.fixture
def data(tmp_path):
    """The dozen as an .npz file."""
    path = tmp_path / "data.npz"
    np.savez(path, x=IMAGES, y=LOGITS.argmax(axis=1))
    return path


@pytest.fixture
def lite(linear):
    """`lite(path, quantised)`: the model with a softmax as a TFLite file; quantised to whole numbers if wanted."""

    def write(path, quantised=False):
        converter = tf.lite.TFLiteConverter.from_keras_model(linear(activation="softmax"))
        if quantised:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([image[None]] for image in IMAGES)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.uint8
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
            path.write_bytes(converter.convert())
        return path

    return write
