"""Options that several commands share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from homeostat.cluster.state_folder import Folder, LabError

F = TypeVar("F", bound=Callable[..., Any])


def name_option(command: F) -> F:
    """`--name NAME`: which cluster."""
    return click.option(
        "--name", default="homeostat", show_default=True, envvar="HOMEOSTAT_NAME", help="The cluster's name."
    )(command)


def output_option(command: F) -> F:
    """`-o json`: for programs."""
    return click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print.")(
        command
    )


def known(name: str) -> Folder:
    """The folder of a cluster that exists. Raises LabError."""
    folder = Folder.of(name)
    if not folder.exists():
        raise LabError(f"there is no cluster {name!r}; `homeostat up{folder.naming}` makes one")
    return folder


def terminal_width() -> int | None:
    """The columns of the terminal that standard output is; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
