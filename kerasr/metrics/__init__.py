"""Scores from arrays alone: of clips that are right or wrong, of classifiers, of detectors; their intervals.

scikit-learn's and SciPy's parts of it are imported in the functions that use them: whoever loads a run imports its
task, and with it this package, and those who only predict should not wait for them.
"""
