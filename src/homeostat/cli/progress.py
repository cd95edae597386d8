"""How long commands show what they wait for: a live table for a person, plain lines for anything else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from homeostat.kit import clock
from homeostat.operate.steps import Progress

if TYPE_CHECKING:
    from rich.table import Table

_FIRST = "starting"


def print_line(text: str) -> None:
    """Print a line of a command that continues when its reader has gone (`| head`)."""
    try:
        click.echo(text)
    except BrokenPipeError:
        # What is still in the buffer would fail again at the end, and with it the command.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class PlainProgress:
    """One line a change."""

    def __init__(self, began: float) -> None:
        """`began` is when the command did (monotonic seconds)."""
        self._began = began
        self._arrived: set[str] = set()
        self._steps: dict[str, str] = {}

    def step(self, component: str, text: str, *, only_first: bool = False) -> None:
        """Print a new step."""
        if only_first and component in self._steps:
            return
        if component not in self._arrived and self._steps.get(component) != text:
            self._steps[component] = text
            self._print(component, text)

    def reached(self, component: str, state: str) -> None:
        """Print the state."""
        self._arrived.add(component)
        self._print(component, state)

    def close(self) -> None:
        """Nothing to do."""

    def _print(self, component: str, text: str) -> None:
        print_line(f"{clock.monotonic() - self._began:6.2f} s  {component} {text}")


class LiveProgress:
    """A table that is drawn in place, a row a component; the seconds of those that have not arrived run on."""

    def __init__(self, components: Iterable[str], began: float) -> None:
        from rich.live import Live

        self._began = began
        self._steps = dict.fromkeys(components, _FIRST)
        self._arrived: dict[str, float] = {}
        self._live = Live(get_renderable=self._table, refresh_per_second=10, transient=False)
        self._live.start()

    def step(self, component: str, text: str, *, only_first: bool = False) -> None:
        """The next drawing shows it."""
        if component not in self._arrived and not (only_first and self._steps[component] != _FIRST):
            self._steps[component] = text

    def reached(self, component: str, state: str) -> None:
        """The row's seconds stop counting from now on."""
        self._steps[component] = state
        self._arrived[component] = clock.monotonic()

    def close(self) -> None:
        """Leave the table as it is."""
        self._live.stop()

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, padding=(0, 2))
        # A copy: drawing runs in a thread of its own.
        for component, step in list(self._steps.items()):
            arrived = self._arrived.get(component)
            seconds = (clock.monotonic() if arrived is None else arrived) - self._began
            style = "yellow" if arrived is None else "green"
            table.add_row(component, Text(step, style=style), Text(f"{seconds:.1f} s", style="dim"))
        return table


def progress(components: Iterable[str], began: float) -> Progress:
    """The one that fits standard output."""
    return LiveProgress(components, began) if sys.stdout.isatty() else PlainProgress(began)


class Steps:
    """The steps of a command that takes a while, a line each, with the seconds since it began."""

    def __init__(self) -> None:
        self._began = clock.monotonic()

    def say(self, text: str) -> None:
        """The command does this now."""
        print_line(f"{clock.monotonic() - self._began:6.2f} s  {text}")


class TerminalReporter:
    """A command's `operate.steps.Reporter` on its standard output and error."""

    def say(self, text: str) -> None:
        """Print a line."""
        print_line(text)

    def warn(self, text: str) -> None:
        """Print a line to standard error."""
        click.echo(text, err=True)

    def progress(self, components: Iterable[str], began: float) -> Progress:
        """A table or lines."""
        return progress(components, began)
