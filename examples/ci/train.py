"""Train a small network and write model.keras: a placeholder for your project's training."""

import keras

from robust.datasets import fashion_mini

keras.utils.set_random_seed(0)
images = fashion_mini().examples("train")
model = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(16, 5, strides=2, activation="relu"),
        keras.layers.Conv2D(32, 3, strides=2, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ]
)
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
model.fit(images.images, images.labels, epochs=5, verbose=2)
model.save("model.keras")
