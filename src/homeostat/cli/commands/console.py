"""`homeostat console`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from homeostat.cli.options import known, name_option
from homeostat.cli.progress import print_line


@click.command("console")
@name_option
@click.option("--open", "opens", is_flag=True, help="Open the link in a browser.")
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path),
    help="A Console for the cluster of this kubeconfig, whichever it is, until Ctrl-C.",
)
@click.option("--context", default="", help="The context in that kubeconfig. [default: its current one]")
@click.option("--port", type=click.IntRange(1, 65535), help="The port of that Console. [default: any free one]")
def command(*, name: str, opens: bool, kubeconfig: Path | None, context: str, port: int | None) -> None:
    """Print a link that signs in to the Console: once, within ten minutes."""
    if kubeconfig is not None:
        from homeostat.operate import foreign_console

        asyncio.run(foreign_console.serve(kubeconfig, context, port or 0, lambda link: _show(link, opens=opens)))
        return
    for option, given in (("--context", context), ("--port", port)):
        if given:
            raise click.BadParameter("it is for a Console of --kubeconfig", param_hint=option)
    _show(asyncio.run(_link(name)), opens=opens)


async def _link(name: str) -> str:
    from homeostat.operate import console_access
    from homeostat.operate.clients import administering

    folder = known(name)
    async with administering(folder) as client:
        return await console_access.link(client, folder.load())


def _show(link: str, *, opens: bool) -> None:
    print_line(link)
    if opens:
        import webbrowser

        if not webbrowser.open(link):
            click.echo("homeostat: no browser could be opened; open the link yourself", err=True)
