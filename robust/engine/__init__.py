"""What runs where and what is kept: a suite's cases on its models, judged and recorded."""
