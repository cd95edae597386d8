"""The same over sockets and with the stores that keep state: each watch and list gets what a filter would give."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import uvloop

from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.assembly import build_edge
from homeostat.apiserver.settings import Settings
from homeostat.client.http import HttpTransport, Timing
from homeostat.store.contract import Store
from homeostat.store.etcd.store import EtcdStore
from homeostat.store.sqlite import SqliteStore
from homeostat.wire.http_server import serve
from homeostat.wire.message import Handler, Request, Response
from tests.support import api_edge, watch_check
from tests.support.etcd import EtcdCluster

SECONDS_MAX = 120.0
TOKENS = {"admin": watch_check.ADMIN}


async def begin(store: Store, settings: Settings, ends: AsyncExitStack) -> Handler:
    """A server of its own on the store, and a client that speaks to it over HTTP."""
    await store.start()
    ends.push_async_callback(store.close)
    server = ApiServer(store, settings=settings, parts=build_edge(api_edge.config(static_tokens=TOKENS)))
    await server.start()
    ends.push_async_callback(server.stop)
    edge = await serve(server.handle)
    ends.push_async_callback(edge.close, grace_seconds=0)
    # Server, clients and fifty watchers share one loop, which a busy machine may hold for seconds.
    timing = Timing(connect=SECONDS_MAX, answer=SECONDS_MAX, watch=SECONDS_MAX)
    transport = HttpTransport([f"http://127.0.0.1:{edge.port}"], token="admin", timing=timing)
    ends.push_async_callback(transport.close)

    async def send(request: Request) -> Response:
        return await transport.send(request, repeatable=request.method == "GET")

    return send


@pytest.mark.parametrize("kind", ["sqlite", "etcd"])
def test_watchers_that_resume_anywhere_over_sockets(kind: str, tmp_path: Path) -> None:
    async def main(cluster: EtcdCluster | None) -> None:
        def store() -> Store:
            if cluster is not None:
                return EtcdStore(cluster.endpoints)
            return SqliteStore(tmp_path / "store.db", synchronous="OFF")

        async with asyncio.timeout(SECONDS_MAX), AsyncExitStack() as ends:
            site = watch_check.Site()
            for settings in (Settings(), Settings(window_events=10)):
                site.servers.append(await begin(store(), settings, ends))
            while not await watch_check.ready(site):
                await asyncio.sleep(0.02)
            await watch_check.check(site, seed=7, writes=120, pause=0.03, grow=lambda: begin(store(), Settings(), ends))

    cluster = EtcdCluster() if kind == "etcd" else None
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(cluster))
    finally:
        if cluster is not None:
            cluster.close()
