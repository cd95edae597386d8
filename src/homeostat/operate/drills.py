"""Running drills against a lab, for the command."""

from __future__ import annotations

from collections.abc import Callable

from homeostat.api.errors import ApiError
from homeostat.client.contract import Client
from homeostat.cluster.state_folder import Folder
from homeostat.drill.conductor import Report, conduct
from homeostat.drill.contract import DrillError
from homeostat.drill.library import library
from homeostat.lab.kinds.choice import kind_of
from homeostat.operate.clients import admin_client
from homeostat.wire.message import Request


async def run_drills(folder: Folder, names: list[str], *, say: Callable[[str], None]) -> list[Report]:
    """Run the drills one after the other; their reports. Raises DrillError, for an unknown name too."""
    drills = library(folder.load().flags)
    if unknown := [name for name in names if name not in drills]:
        raise DrillError(f"there is no drill {unknown[0]!r}; the drills are {', '.join(drills)}, first")

    async def probe() -> None:
        fresh: Client = admin_client(folder)
        try:
            response = await fresh.raw(Request("GET", "/api/v1/namespaces/default"))
            if response.status != 200:
                raise ApiError(response.status, "", f"the API answered {response.status}")
        finally:
            await fresh.close()

    client = admin_client(folder)
    stage = kind_of(folder.load()).stage(folder, client, probe)
    reports = []
    try:
        for name in names:
            say(f"{drills[name].title}: steady first, then broken")
            reports.append(await conduct(drills[name], stage, say=say))
    finally:
        await client.close()
    return reports
