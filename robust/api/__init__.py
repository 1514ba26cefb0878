"""What users call: the command line, the pytest plugin, the Keras callback and the functions of the package."""
