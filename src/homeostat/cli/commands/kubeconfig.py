"""`homeostat kubeconfig`."""

from __future__ import annotations

import click

from homeostat.cli.options import known, name_option
from homeostat.cluster.state_folder import LabError


@click.command("kubeconfig")
@name_option
def command(name: str) -> None:
    """Print the cluster's kubeconfig, for `kubectl --kubeconfig` or $KUBECONFIG."""
    folder = known(name)
    try:
        click.echo(folder.kubeconfig.read_text(), nl=False)
    except FileNotFoundError:
        raise LabError(f"{folder.kubeconfig} is missing; `homeostat up --name {name}` writes it again") from None
