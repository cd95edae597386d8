"""`homeostat backup`."""

from __future__ import annotations

from pathlib import Path

import click

from homeostat.cli.options import known, name_option


@click.command("backup")
@name_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def command(name: str, file: Path, *, force: bool) -> None:
    """Write all objects of a cluster, and the keys that its tokens and kubeconfigs depend on, into FILE.

    The cluster may be running: the backup is of one moment. FILE holds private keys and Secrets: keep it safe.
    """
    from homeostat.operate.archives import back_up

    header = back_up(known(name), file, force=force)
    size = file.stat().st_size / 1024
    click.echo(f"cluster {name!r}: {header.entries} objects at revision {header.revision} in {file} ({size:,.0f} KiB)")
