"""Scores from arrays alone: of clips that are right or wrong, of classifiers, of detectors; their intervals."""
