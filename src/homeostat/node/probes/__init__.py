"""Probes and lifecycle hooks: performed against containers, and counted to verdicts."""
