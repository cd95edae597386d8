"""Faults on purpose: probes, predictions, the conductor, the verdict, reports."""
