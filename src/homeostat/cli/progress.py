"""How `up` shows a cluster coming to life: a live table for a person, plain lines for anything else."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from rich.table import Table


class Progress(Protocol):
    """Hears of components as they reach their states; `seconds` count from the start of the command."""

    def reached(self, component: str, state: str, seconds: float) -> None:
        """A component has come into a state."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


class PlainProgress:
    """One line a change."""

    def reached(self, component: str, state: str, seconds: float) -> None:
        """Print it. A reader that has gone (`| head`) does not stop the start."""
        with suppress(BrokenPipeError):
            click.echo(f"{seconds:6.2f} s  {component} {state}")

    def close(self) -> None:
        """Nothing to do."""


class LiveProgress:
    """A table that is drawn in place, a row a component."""

    def __init__(self, components: list[str]) -> None:
        from rich.live import Live

        self._rows = dict.fromkeys(components, ("starting", ""))
        self._live = Live(self._table(), refresh_per_second=20, transient=False)
        self._live.start()

    def reached(self, component: str, state: str, seconds: float) -> None:
        """Draw the component's row anew."""
        self._rows[component] = (state, f"{seconds:.2f} s")
        self._live.update(self._table())

    def close(self) -> None:
        """Leave the table as it is."""
        self._live.stop()

    def _table(self) -> Table:
        from rich.table import Table

        table = Table(box=None, show_header=False, padding=(0, 2))
        for component, (state, seconds) in self._rows.items():
            style = "yellow" if state == "starting" else "green"
            table.add_row(component, f"[{style}]{state}[/]", f"[dim]{seconds}[/]")
        return table


def progress(components: list[str]) -> Progress:
    """The one that fits where standard output goes."""
    return LiveProgress(components) if sys.stdout.isatty() else PlainProgress()
