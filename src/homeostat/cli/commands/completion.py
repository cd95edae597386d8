"""`homeostat completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script: `eval "$(homeostat completion bash)"`."""
    from homeostat.cli.main import homeostat

    completion = get_completion_class(shell)
    assert completion is not None
    click.echo(completion(homeostat, {}, "homeostat", "_HOMEOSTAT_COMPLETE").source())
