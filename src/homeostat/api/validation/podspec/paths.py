"""Paths inside a volume or a node's folder: relative, without a step up."""

from __future__ import annotations

import posixpath

from homeostat.api.fields import Causes, invalid


def check_relative(text: str, path: str, out: Causes) -> None:
    """A path that leads down only (validateLocalDescendingPath)."""
    if posixpath.isabs(text):
        out.append(invalid(path, text, "must be a relative path"))
    if ".." in text.split("/"):
        out.append(invalid(path, text, "must not contain '..'"))
