"""`homeostat console`."""

from __future__ import annotations

import click

from homeostat.cli.options import known, name_option
from homeostat.cli.progress import print_line


@click.command("console")
@name_option
@click.option("--open", "opens", is_flag=True, help="Open the link in a browser.")
def command(*, name: str, opens: bool) -> None:
    """Print a link that signs in to the Console: once, within ten minutes."""
    import asyncio

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
