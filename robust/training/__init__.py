"""Training: recipes as values, objectives as pure functions, adversaries to train against, fine-tuning, and `fit`."""
