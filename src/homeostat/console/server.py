"""A running Console: its parts wired together, and its sockets served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from homeostat.console.settings import ConsoleSettings


async def run(settings: ConsoleSettings, stop: asyncio.Event, *, ready: Callable[[int], None] | None = None) -> None:
    """Serve until `stop` is set. `ready` is called with the port once connections are taken. Raises OSError when it
    cannot listen, and ValueError on settings that cannot be used."""
    raise NotImplementedError
