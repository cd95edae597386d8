"""The one error family of the node's tools: a text for standard error and an exit code. Pure data."""

from __future__ import annotations


class ToolError(Exception):
    """Something the person who typed can fix. `code` is the exit code that the tool's namesake ends with."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
