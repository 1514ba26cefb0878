"""Networks: the architectures, pretrained weights, and any Keras model as a classifier of images in [0, 1]."""
