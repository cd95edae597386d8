"""`homeostat why`: the recorded chain behind an object's last change."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import orjson

from homeostat.api.kinds import Kind
from homeostat.cli.options import known, name_option, output_option, terminal_width
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.operate.name_checks import did_you_mean

_ENTRIES = "5000"


@click.command("why")
@click.argument("words", nargs=-1, required=True, metavar="KIND/NAME")
@click.option("-n", "--namespace", default="default", show_default=True, help="The object's namespace.")
@name_option
@output_option
def command(words: tuple[str, ...], namespace: str, name: str, output: str) -> None:
    """Show the causes of an object's last change, write by write: which loop, because of what; and its consequences.

    KIND NAME as two words works as well.
    """
    from homeostat.drill.chain import chain, lines

    kind, object_name = _object(words)
    folder = known(name)
    last, entries = asyncio.run(_ask(folder, kind, namespace, object_name))
    links = chain(entries, int(last["revision"])) or chain([last], int(last["revision"]))
    if output == "json":
        click.echo(orjson.dumps([link.entry for link in links], option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo("\n".join(lines(links, width=terminal_width())))


def _object(words: tuple[str, ...]) -> tuple[Kind, str]:
    """The kind and the name in the arguments. Raises UsageError, or LabError for a kind that there is not."""
    from homeostat.api.catalogue import Catalogue

    parts = words[0].split("/") if len(words) == 1 else list(words)
    if len(parts) != 2 or not all(parts) or "/" in "".join(parts):
        raise click.UsageError("name the object as KIND/NAME or KIND NAME, such as pod/hello-5d8f7")
    catalogue = Catalogue.builtin()
    kind = catalogue.by_name(parts[0])
    if kind is None:
        raise LabError(f"there is no kind {parts[0]!r}{did_you_mean(parts[0].lower(), catalogue.names())}")
    return kind, parts[1]


async def _ask(folder: Folder, kind: Kind, namespace: str, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The newest entry about the object, and the journal. Raises LabError when nothing is recorded."""
    from homeostat.operate.clients import administering

    place = {"namespace": namespace} if kind.namespaced else {}
    what = {"kind": kind.kind, "name": name, "limit": "1"}
    async with administering(folder) as client:
        own = await journal(client, what | place)
        if not own:
            where = f" in namespace {namespace!r}" if place else ""
            other = await journal(client, what) if place else []
            hint = (
                f"it is in {other[-1]['namespace']!r}: -n {other[-1]['namespace']}" if other else "is the name right?"
            )
            raise LabError(f"nothing is recorded about {kind.singular}/{name}{where}; {hint}")
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
