"""A running Console: its parts wired together, and its sockets served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from homeostat.api.catalogue import Catalogue
from homeostat.api.types import Obj
from homeostat.client.http import HttpTransport, Timing
from homeostat.console.cache.pool import Pool
from homeostat.console.edge.api_proxy import ApiProxy
from homeostat.console.edge.entrance import DRILLS, FLAGS, Entrance
from homeostat.console.edge.guard import Hosts
from homeostat.console.edge.pages import PACKAGED
from homeostat.console.edge.pages import Pages as BuiltPages
from homeostat.console.live.pages import Pages
from homeostat.console.sessions.bootstrap_codes import BootstrapCodes
from homeostat.console.sessions.sealed import Seal
from homeostat.console.sessions.signing_in import SigningIn
from homeostat.console.settings import ConsoleSettings
from homeostat.console.upstream.api_servers import ApiServers, Carrier, Speaker
from homeostat.kit import clock, tasks
from homeostat.wire.http_server import Server, serve
from homeostat.wire.limits import Limits
from homeostat.wire.message import Request, Response

# A server that is dead is not waited for; one that thinks is.
_TIMING = Timing(connect=1.0, answer=60.0)
_LIMITS = Limits(connections_max=4_000)


class Console:
    """The parts, wired; `handle` answers requests on `port`. `start` and `stop` begin and end what goes on beside."""

    def __init__(self, settings: ConsoleSettings, carriers: list[tuple[str, Carrier]], port: int) -> None:
        self.servers = ApiServers(carriers)
        self.pool = Pool(self.servers, Catalogue.builtin(), writers=settings.records_causes is not True)
        codes = settings.codes or BootstrapCodes(Speaker(self.servers, lambda: ""))
        signing_in = SigningIn(self.servers, codes, settings.fixed_token)
        tls = settings.serving_tls is not None

        def about() -> Obj:
            names = [name for name, _ in settings.api_servers]
            return {
                "cluster": settings.cluster,
                "replica": settings.replica,
                "server": self.servers.current,
                "servers": names,
                "records_causes": settings.records_causes,
            }

        self._entrance = Entrance(
            hosts=Hosts(port, settings.allowed_hosts),
            seal=Seal(settings.session_key),
            signing_in=signing_in,
            proxy=ApiProxy(self.servers),
            pages=BuiltPages(settings.static_folder or PACKAGED),
            live=Pages(self.servers, self.pool, signing_in.token_of, settings),
            about=about,
            facts={FLAGS: settings.flags, DRILLS: settings.drills},
            tls=tls,
        )
        self._work: list[asyncio.Task[None]] = []

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        return await self._entrance.handle(request)

    def start(self) -> None:
        """Look after the API servers and everybody's rights."""
        self._work = [
            tasks.spawn(self.servers.run(), name="console health checks"),
            tasks.spawn(self.pool.run(), name="console rights"),
        ]

    async def stop(self) -> None:
        """End all."""
        await tasks.stop(*self._work)
        await self.pool.close()
        await self.servers.close()


async def run(settings: ConsoleSettings, stop: asyncio.Event, *, ready: Callable[[int], None] | None = None) -> None:
    """Serve until `stop` is set, or nobody has been connected for `idle_seconds`. `ready` is called with the port once
    connections are taken. Raises OSError when it cannot listen, and ValueError on settings that cannot be used."""
    carriers: list[tuple[str, Carrier]] = [
        (name, HttpTransport([url], tls=settings.tls, server_name=settings.server_name, timing=_TIMING))
        for name, url in settings.api_servers
    ]
    consoles: list[Console] = []

    async def handle(request: Request) -> Response:
        return await consoles[0].handle(request)

    server = await serve(
        handle,
        host=settings.host,
        port=settings.port,
        sockets=settings.sockets,
        tls=settings.serving_tls,
        limits=_LIMITS,
        bodies_on_demand=True,
    )
    try:
        # The port is known only now, and names that browsers may use contain it.
        console = Console(settings, carriers, server.port)
        consoles.append(console)
        console.start()
        if ready is not None:
            ready(server.port)
        await _until_unused(server, stop, settings.idle_seconds)
        await server.close(grace_seconds=1.0)
        await console.stop()
    finally:
        await server.close(grace_seconds=0)


async def _until_unused(server: Server, stop: asyncio.Event, idle_seconds: float | None) -> None:
    """Wait until `stop` is set, or nobody has been connected for so long."""
    used = clock.monotonic()
    while not stop.is_set():
        try:
            async with asyncio.timeout(None if idle_seconds is None else idle_seconds / 8):
                await stop.wait()
        except TimeoutError:
            used = clock.monotonic() if server.connections else used
            if idle_seconds is not None and clock.monotonic() - used >= idle_seconds:
                return
