"""The initial weights that the papers disagree about, by name."""

import keras

from robust.models.architectures.blocks import check_choice, he_normal


def initializer(network: str, name: object, scale: float = 1.0) -> keras.Initializer:
    """A new initialiser for one layer; Keras draws the same numbers whenever one is used again.

    Args:
        network: whose weights they are, for the message.
        name: "glorot", uniform of variance 2 / (fan-in + fan-out) (Glorot & Bengio, AISTATS 2010); "he",
            Gaussian of variance 2 / fan-in (He, Zhang, Ren & Sun, ICCV 2015); or "normal", Gaussian with a
            standard deviation of .01 whatever the width (Krizhevsky, Sutskever & Hinton, NIPS 2012).
        scale: factor on the standard deviation, > 0.

    Raises ModelError for another name.

    >>> initializer("mlp", "normal", scale=30).stddev
    0.3
    """
    check_choice(network, "initializer", name, ("glorot", "he", "normal"))
    if name == "glorot":
        return keras.initializers.VarianceScaling(scale**2, mode="fan_avg", distribution="uniform")
    if name == "normal":
        return keras.initializers.RandomNormal(stddev=0.01 * scale)
    return he_normal(scale)
