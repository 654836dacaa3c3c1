"""Runs: the folder of a training (`folder`, `facts`), the run that is read from it (`run`), and how runs are listed."""
