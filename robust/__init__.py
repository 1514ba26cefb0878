"""pytest for the robustness of image classifiers, on Keras 3 and TensorFlow."""
