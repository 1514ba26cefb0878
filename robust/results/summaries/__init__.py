"""Summaries: values that need the finished table of all models and cases.

The contract: a summary takes rows of `robust.results.tables.RESULTS` and returns further rows, as dictionaries. It
needs neither a model nor TensorFlow.
"""
