"""`homeostat version`."""

from __future__ import annotations

import click

from homeostat import KUBERNETES_VERSION, __version__


@click.command("version")
def command() -> None:
    """Print the versions."""
    click.echo(f"homeostat {__version__}, Kubernetes API {KUBERNETES_VERSION}")
