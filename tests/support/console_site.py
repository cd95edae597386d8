"""A Console over an API server, both in this process on real sockets, and a browser's part in few words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvloop
from websockets.asyncio.client import ClientConnection, connect

from homeostat.console.server import Console, run
from homeostat.console.settings import ConsoleSettings
from homeostat.kit import tasks
from tests.support import api_edge
from tests.support.api_site import SECONDS_MAX, Caller, site

KEY = bytes(range(32))
Obj = dict[str, Any]


@dataclass
class Browser:
    """A browser with the cookie of one sign-in."""

    port: int
    cookie: str = ""
    proof: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def send(
        self, method: str, path: str, body: Any = None, **headers: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        """A request as the page's own `fetch` makes it; a header given as None is left out."""
        content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        own: dict[str, str | None] = {
            "host": self.host,
            "content-type": "application/json" if body is not None else None,
        }
        if self.cookie:
            own["cookie"] = self.cookie
        if method not in ("GET", "HEAD"):
            own |= {
                "origin": f"http://{self.host}",
                "x-homeostat-csrf": self.proof,
                "content-length": str(len(content)),
            }
        own |= {name.replace("_", "-"): value for name, value in headers.items()} | self.extra
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in own.items() if value is not None)]
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port))
        caller.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + content)
        try:
            return await caller.answer()
        finally:
            caller.writer.close()

    async def sign_in(self, **credentials: str) -> tuple[int, Obj]:
        status, headers, body = await self.send("POST", "/console/session", credentials)
        if status == 200:
            self.cookie = headers["set-cookie"].partition(";")[0]
            self.proof = orjson.loads(body)["csrf"]
        return status, orjson.loads(body)

    @contextlib.asynccontextmanager
    async def page(self, *, origin: str | None = "", **options: Any) -> AsyncIterator[Live]:
        """A page's WebSocket."""
        own = f"http://{self.host}" if origin == "" else origin
        url = f"ws://{self.host}/console/live"
        async with connect(url, origin=own, additional_headers={"cookie": self.cookie}, **options) as socket:  # type: ignore[arg-type]
            yield Live(socket)


@dataclass
class Live:
    """What a page is told."""

    socket: ClientConnection
    said: list[Obj] = field(default_factory=list)

    async def say(self, op: str, number: int, **more: Any) -> None:
        await self.socket.send(orjson.dumps({"op": op, "id": number, **more}).decode())

    async def hear(self, found: Callable[[Obj], Any]) -> Obj:
        """The next message of which this is true."""
        while True:
            message = orjson.loads(await self.socket.recv())
            self.said.append(message)
            if found(message):
                return message

    async def of(self, kind: str, number: int | None = None) -> Obj:
        return await self.hear(lambda said: said["type"] == kind and (number is None or said.get("id") == number))


@dataclass
class ConsoleSite:
    """The running pair. `world` speaks to the API server in process."""

    world: api_edge.World
    port: int
    api_port: int

    def browser(self) -> Browser:
        return Browser(self.port)

    async def signed_in(self, token: str = "admin") -> Browser:
        browser = self.browser()
        status, said = await browser.sign_in(token=token)
        assert status == 200, said
        return browser


PODS = {"group": "", "version": "v1", "plural": "pods"}
SECRETS = {"group": "", "version": "v1", "plural": "secrets"}
CONFIG_MAPS = {"group": "", "version": "v1", "plural": "configmaps"}


@contextlib.asynccontextmanager
async def console_site(*, settings: dict[str, Any] | None = None, **changes: Any) -> AsyncIterator[ConsoleSite]:
    """Both running; `changes` are of the API server's EdgeConfig, `settings` of the Console's."""
    async with site(**changes) as api:
        own: dict[str, Any] = {"api_servers": [("master-1", f"http://127.0.0.1:{api.port}")], "session_key": KEY}
        stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
        running = tasks.spawn(
            run(ConsoleSettings(**(own | (settings or {}))), stop, ready=ready.set_result), name="console"
        )
        try:
            yield ConsoleSite(api.world, await ready, api.port)
        finally:
            stop.set()
            await running


def story(
    test: Callable[[ConsoleSite], Awaitable[None]], *, settings: dict[str, Any] | None = None, **changes: Any
) -> None:
    """Run `test` against a fresh pair, within a bound."""

    async def main() -> None:
        async with asyncio.timeout(SECONDS_MAX), console_site(settings=settings, **changes) as found:
            await test(found)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


__all__ = ["Console", "ConsoleSite", "console_site", "story"]
