"""Networks: the architectures, weights from elsewhere, and any Keras model as a classifier of images in [0, 1]."""
