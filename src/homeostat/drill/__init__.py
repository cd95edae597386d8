"""Failure drills: faults, probes, predictions, the conductor, reports."""
