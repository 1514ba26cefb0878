"""A classifier with a preprocessor attached, as of keras-hub: `predict` calls it, the model does not."""

import keras
import numpy as np
from keras import layers

import robust
from robust.classifier import Classifier

IMAGES = np.random.default_rng(0).random((40, 8, 8, 3), "float32")


class ImageClassifier(keras.Model):
    """A functional graph of a backbone and a head; the attached preprocessor scales grey levels."""

    def __init__(self):
        image = keras.Input((8, 8, 3))
        backbone = keras.Model(image, layers.Conv2D(4, 3, activation="relu")(image), name="backbone")
        head = layers.Dense(3, "softmax", name="predictions")
        super().__init__(image, head(layers.GlobalAveragePooling2D()(backbone(image))), name="task")
        self.backbone, self.preprocessor = backbone, layers.Rescaling(1 / 255)

    def predict(self, x, **options):
        return super().predict(self.preprocessor(x), **options)


def test_what_is_asked_is_the_graph_in_the_pixels_behind_the_preprocessor():
    keras.utils.set_random_seed(0)
    model = ImageClassifier()
    wanted = model.predict(IMAGES * 255, verbose=0)
    np.testing.assert_allclose(keras.ops.softmax(Classifier(model, 3).logits(IMAGES)), wanted, atol=1e-5)
    table = robust.evaluate(model, (IMAGES, wanted.argmax(axis=1)), ["pgd"], eps="1/255", classes=3)
    assert robust.value(table, "top1", case="clean").value == 1
