"""Results: predictions, tables, reliability flags, verdicts on bounds, summaries."""
