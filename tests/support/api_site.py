"""An API server on a real socket, in this process, with its store in memory: for what needs a connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
import uvloop

from homeostat.store.memory import MemoryState
from homeostat.wire.http_server import Server, serve
from homeostat.wire.message import User
from tests.support import api_edge

SECONDS_MAX = 30.0
TOKENS = {
    "admin": User("admin", ("system:masters", "system:authenticated")),
    "eve": User("eve", ("system:authenticated",)),
}


@dataclass
class Site:
    """The server: `world` speaks to it in process, `port` is where it listens (no TLS)."""

    world: api_edge.World
    edge: Server

    @property
    def port(self) -> int:
        return self.edge.port

    async def call(self, method: str, path: str, *headers: str, body: bytes = b"", token: str = "admin") -> Caller:
        """A request on a connection of its own."""
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port))
        lines = [f"{method} {path} HTTP/1.1", "Host: api", f"Authorization: Bearer {token}", *headers]
        if body or method != "GET":
            lines.append(f"Content-Length: {len(body)}")
        caller.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        return caller


@dataclass
class Caller:
    """A client's connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        return int(lines[0].split()[1]), dict(line.split(": ", 1) for line in lines[1:] if line)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        status, headers = await self.head()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            return status, headers, body
        return status, headers, await self.reader.readexactly(int(headers.get("content-length", 0)))

    async def status(self) -> dict[str, Any]:
        """The Status that is the answer."""
        found: dict[str, Any] = orjson.loads((await self.answer())[2])
        assert found["kind"] == "Status"
        return found


@contextlib.asynccontextmanager
async def site(*, state: MemoryState | None = None, **changes: Any) -> AsyncIterator[Site]:
    """A running server whose first objects are there; `changes` are of its EdgeConfig, `state` is its store's."""
    server = await api_edge.start(state or MemoryState(), api_edge.config(**{"static_tokens": TOKENS, **changes}))
    edge = await serve(server.handle, bodies_on_demand=True)
    world = api_edge.World(server)
    try:
        while (await world.get("/api/v1/namespaces/default")).status != 200:
            await asyncio.sleep(0.01)
        await world.account()
        yield Site(world, edge)
    finally:
        await edge.close(grace_seconds=0)
        await server.stop()


def story(test: Callable[[Site], Awaitable[None]], **changes: Any) -> None:
    """Run `test` against a fresh server, within a bound, on the event loop that processes use."""

    async def main() -> None:
        async with asyncio.timeout(SECONDS_MAX), site(**changes) as found:
            await test(found)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
