"""The commands of a node that are ours, as scripts on its PATH."""

from __future__ import annotations


def launchers() -> dict[str, str]:
    """Name and text of each script."""
    return {}
