"""What was found: predictions, tables, flags of reliability, verdicts on bounds, summaries."""
