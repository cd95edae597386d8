"""Torture: clients that remember everything, a cluster that is broken under them, and checks of what they saw."""
