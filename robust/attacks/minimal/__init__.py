"""The smallest change that fools a model, found for every image."""
