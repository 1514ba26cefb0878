"""Summaries: what only the finished table of all models and cases tells.

The contract: a summary takes rows of `robust.results.tables.RESULTS` and gives further rows, as dictionaries. It needs
neither a model nor TensorFlow.
"""
