"""Measurement: scores and their intervals, comparison, streams, false alarms, rejection, and what a run is worth."""
