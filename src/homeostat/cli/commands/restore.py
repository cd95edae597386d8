"""`homeostat restore`."""

from __future__ import annotations

from pathlib import Path

import click

from homeostat.cli.options import name_option
from homeostat.cli.progress import Steps
from homeostat.cluster.state_folder import Folder


@click.command("restore")
@name_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the objects of a cluster that exists.")
def command(name: str, file: Path, *, force: bool) -> None:
    """Make a cluster, which must not be running, out of a backup; `homeostat up` boots it then."""
    from homeostat.operate.archives import restore

    header, cluster = restore(file, name, force=force, say=Steps().say)
    came = f"{header.entries} objects of cluster {header.cluster!r} from {header.taken_at}"
    click.echo(f"cluster {name!r}: {came}, with {cluster.control_planes} masters and {cluster.workers} workers")
    click.echo(f"`homeostat up{Folder.of(name).naming}` boots it")
