"""How the work of `operate` reports its steps: a contract that the command line renders. Nothing is printed here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Progress(Protocol):
    """Shows components on their way, with the seconds since the command began."""

    def step(self, component: str, text: str, *, only_first: bool = False) -> None:
        """What the component does now; nothing changes when it is known, or when the component has arrived, or with
        `only_first` when it has shown a step before."""
        ...

    def reached(self, component: str, state: str) -> None:
        """The component has arrived."""
        ...

    def close(self) -> None:
        """No more steps follow."""
        ...


class Reporter(Protocol):
    """Where a command that takes a while reports to."""

    def say(self, text: str) -> None:
        """What is done now."""
        ...

    def warn(self, text: str) -> None:
        """What went wrong, or differs from what was asked for, and does not end the command."""
        ...

    def progress(self, components: Iterable[str], began: float) -> Progress:
        """Begin to show these components on their way; the caller closes it. `began` is when the command did
        (monotonic seconds)."""
        ...
