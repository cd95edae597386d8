"""The node's tools as a person runs them, in this process: what they print, and their exit codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from homeostat.shell.__main__ import run


@dataclass(frozen=True)
class Said:
    """What a tool printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def word(self) -> str:
        """The only thing that it printed."""
        assert self.err == "", self.err
        assert len(self.lines) == 1, self.out
        return self.lines[0]


Tool = Callable[..., Said]


@pytest.fixture
def tool(capfd: pytest.CaptureFixture[str]) -> Tool:
    def call(name: str, *words: str) -> Said:
        capfd.readouterr()
        code = run(name, words)
        return Said(code, *capfd.readouterr())

    return call
