"""`homeostat why`: the recorded chain behind an object's last change."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import orjson

from homeostat.cli.options import known, name_option, output_option, terminal_width
from homeostat.lab.state import Folder, LabError

_ENTRIES = "5000"


@click.command("why")
@click.argument("object_", metavar="KIND/NAME")
@click.option("-n", "--namespace", default="default", show_default=True, help="The object's namespace.")
@name_option
@output_option
def command(object_: str, namespace: str, name: str, output: str) -> None:
    """What led to an object's last change, write by write: which loop, because of what; and what it led to."""
    from homeostat.drill.chain import chain, lines

    kind, slash, object_name = object_.partition("/")
    if not slash or not kind or not object_name:
        raise click.UsageError("name the object as KIND/NAME, such as pod/hello-5d8f7")
    folder = known(name)
    last, entries = asyncio.run(_ask(folder, kind, namespace, object_name))
    links = chain(entries, int(last["revision"])) or chain([last], int(last["revision"]))
    if output == "json":
        click.echo(orjson.dumps([link.entry for link in links], option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo("\n".join(lines(links, width=terminal_width())))


async def _ask(folder: Folder, kind: str, namespace: str, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The newest entry about the object, and the journal. Raises LabError when nothing is recorded."""
    from homeostat.cli.connect import administering

    async with administering(folder) as client:
        own = await journal(client, {"kind": kind, "namespace": namespace, "name": name, "limit": "1"})
        if not own:
            own = await journal(client, {"kind": kind, "name": name, "limit": "1"})
        if not own:
            raise LabError(f"nothing is recorded about {kind}/{name} in namespace {namespace!r}; is the name right?")
        return own[-1], await journal(client, {"limit": _ENTRIES})


async def journal(client: Any, query: dict[str, str]) -> list[dict[str, Any]]:
    """Entries of the API server's journal. Raises ApiError."""
    from homeostat.api.errors import ApiError
    from homeostat.wire.message import Request

    response = await client.raw(Request("GET", "/homeostat/journal", query))
    body = orjson.loads(response.body)
    if response.status != 200:
        raise ApiError.from_status(body, code=response.status)
    items: list[dict[str, Any]] = body["items"]
    return items
