"""The Console of a lab: it speaks to each master's API server by a way of its own, so that it knows which one answers,
and ends when nobody has used it for a while. Its next client has it started again.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from homeostat.api.flags.flag_settings import CATALOGUE
from homeostat.api.types import Obj
from homeostat.cluster.topology import Cluster
from homeostat.compose.shared.place import Place
from homeostat.console import server
from homeostat.console.settings import ConsoleSettings
from homeostat.drill import listing
from homeostat.kit import chance, private
from homeostat.wire import tls

_IDLE_SECONDS = 600.0
_KEY_BYTES = 32


async def run(place: Place, stop: asyncio.Event) -> None:
    """Serve on the socket that the supervisor holds, until stopped or idle."""
    cluster = place.cluster
    settings = ConsoleSettings(
        api_servers=[(master.name, cluster.way_in(master)) for master in cluster.masters()],
        session_key=_session_key(place.folder.console_key),
        sockets=[place.sockets["console"]],
        tls=tls.client_context(place.folder.pki / "ca.crt"),
        records_causes=True,
        flags=flags_of(cluster),
        drills=listing.listed(cluster.flags),
        cluster=cluster.name,
        idle_seconds=_IDLE_SECONDS,
    )
    await server.run(settings, stop)


def flags_of(cluster: Cluster) -> list[Obj]:
    """Every flag, as `homeostat up --set` takes them, with its value in this cluster; not the contents of files."""
    found = []
    for flag in CATALOGUE.values():
        value = cluster.flags.text(flag.component, flag.name)
        found.append(
            {
                "component": flag.component,
                "name": flag.name,
                "value": "(a file)" if value and flag.type == "admission-configuration" else value,
                "default": flag.default,
                "set": flag.name in cluster.settings.get(flag.component, {}),
                "doc": flag.doc,
            }
        )
    return found


def _session_key(file: Path) -> bytes:
    """Kept: who is signed in stays so when the Console is started again."""
    try:
        key = file.read_bytes()
    except FileNotFoundError:
        key = b""
    if len(key) != _KEY_BYTES:
        key = bytes.fromhex(chance.token_hex(_KEY_BYTES))
        private.write(file, key)
    return key
