"""Probes and lifecycle hooks: run against containers, and counted against their thresholds."""
