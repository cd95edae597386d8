"""The error family of what a person operates: clusters and labs. Pure data."""

from __future__ import annotations


class LabError(Exception):
    """Something a person can fix: the text says what is wrong and what to do."""
