"""Running a suite: its cases are evaluated on its models, judged against bounds, recorded and cached."""
