"""`homeostat down`."""

from __future__ import annotations

import click

from homeostat.cli.options import name_option
from homeostat.cluster.state_folder import Folder
from homeostat.operate.down import is_running, stop


@click.command("down")
@name_option
@click.option("--purge", is_flag=True, help="Also delete the cluster's objects, logs and kubeconfig entries.")
def command(name: str, *, purge: bool) -> None:
    """Stop a cluster and everything that it runs; `up` starts it again with all its objects."""
    folder = Folder.of(name)
    existed = folder.exists()
    if not existed and not purge:
        click.echo(f"cluster {name!r} does not exist: nothing to stop")
        return
    # What an interrupted `up` has left is removed even where no cluster was made of it.
    if existed and is_running(folder):
        click.echo(f"stopping cluster {name!r}: what runs on its nodes ends in good order")
    was_running = stop(folder, purge=purge)
    if not existed:
        click.echo(f"cluster {name!r} does not exist: nothing to forget")
        return
    text = "stopped" if was_running else "was not running"
    click.echo(f"cluster {name!r} {text}" + (" and is forgotten" if purge else ""))
