"""A Console and its API servers in one process on virtual time: servers that die and hang, and pages that read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side

from homeostat.apiserver.api_server import ApiServer
from homeostat.client.contract import Unreachable
from homeostat.console.server import Console
from homeostat.console.settings import ConsoleSettings
from homeostat.kit import clock, tasks, virtual
from homeostat.store.memory import MemoryState
from homeostat.wire import duplex
from homeostat.wire.duplex import Duplex
from homeostat.wire.message import Request, Response, User
from tests.support import api_edge

PORT = 8443
HOST = f"127.0.0.1:{PORT}"
KEY = bytes(range(32))
Obj = dict[str, Any]
TOKENS = {
    "admin": User("admin", ("system:masters", "system:authenticated")),
    "root": User("root", ("system:masters", "system:authenticated")),
    "eve": User("eve", ("system:authenticated",)),
    "bob": User("bob", ("system:authenticated",)),
}
PODS = {"group": "", "version": "v1", "plural": "pods"}
SECRETS = {"group": "", "version": "v1", "plural": "secrets"}
CONFIG_MAPS = {"group": "", "version": "v1", "plural": "configmaps"}
MAPS = "/api/v1/namespaces/default/configmaps"


class Slot:
    """The way to one API server, which can be `kill`ed, made to `hang`, and `revive`d."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.asked: list[Request] = []
        # An answer in place of the server's own.
        self.instead: Callable[[Request], Response | None] = lambda request: None
        # What becomes of what the server streams, as if it were another one.
        self.altered: Callable[[bytes], bytes] = lambda data: data
        self._state = "up"
        self._changed = asyncio.Event()

    def kill(self) -> None:
        self._turn("dead")

    def hang(self) -> None:
        self._turn("hung")

    def revive(self) -> None:
        self._turn("up")

    @property
    def up(self) -> bool:
        return self._state == "up"

    def _turn(self, state: str) -> None:
        self._state = state
        self._changed.set()
        self._changed = asyncio.Event()

    async def stream(self, request: Request, *, repeatable: bool = False) -> Response:
        self.asked.append(request)
        while self._state == "hung":
            await self._changed.wait()
        if self._state == "dead":
            raise Unreachable("refused", sent=False)
        if (other := self.instead(request)) is not None:
            return other
        work = tasks.spawn(self.server.handle(request), name="request")
        response: Response = await self._unless_gone(work)
        if not isinstance(response.body, bytes):
            response.body = self._passed(response.body)
            response.live = None
        return response

    async def _unless_gone(self, work: asyncio.Task[Any]) -> Any:
        while True:
            changed = tasks.spawn(self._changed.wait(), name="changed")
            try:
                await asyncio.wait([work, changed], return_when=asyncio.FIRST_COMPLETED)
                if self._state == "dead":
                    raise Unreachable("reset", sent=True)
                if self._state == "up" and work.done():
                    return work.result()
                if self._state == "hung":
                    await changed
            finally:
                await tasks.stop(changed)
                if not work.done() and self._state == "dead":
                    await tasks.stop(work)

    async def _passed(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async def following() -> bytes | None:
            return await anext(body, None)

        work: asyncio.Task[bytes | None] | None = None
        try:
            while True:
                work = tasks.spawn(following(), name="chunk")
                try:
                    chunk = await self._unless_gone(work)
                except Unreachable as error:
                    raise ConnectionResetError("reset") from error
                if chunk is None:
                    return
                yield self.altered(chunk)
        finally:
            await tasks.stop(work)
            await body.aclose()  # type: ignore[attr-defined]

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Page:
    """A page's end of its WebSocket. `lists` and `sets` are what it shows, by subscription. It reads while `reading` is
    set."""

    stream: Duplex
    said: list[Obj] = field(default_factory=list)
    lists: dict[int, dict[int, Obj]] = field(default_factory=dict)
    sets: dict[int, dict[str, Obj]] = field(default_factory=dict)
    newest: dict[tuple[int, str], int] = field(default_factory=dict)
    watchers: list[Callable[[Obj], None]] = field(default_factory=list)
    ended: bool = False

    def __post_init__(self) -> None:
        self.protocol = Protocol(Side.CLIENT, max_size=None)
        self.reading = asyncio.Event()
        self.reading.set()
        self.task = tasks.spawn(self._read(), name="page")

    def say(self, op: str, number: int, **more: Any) -> None:
        self.raw(orjson.dumps({"op": op, "id": number, **more}))

    def raw(self, data: bytes) -> None:
        self.protocol.send_text(data)
        self._flush()

    def leave(self) -> None:
        self.stream.close()

    def of(self, kind: str, number: int | None = None) -> list[Obj]:
        return [said for said in self.said if said["type"] == kind and (number is None or said["id"] == number)]

    def rows(self, number: int) -> list[str]:
        """The names on the screen, in their order."""
        shown = self.lists.get(number, {})
        return [shown[at]["name"] for at in sorted(shown)]

    def names(self, number: int) -> list[str]:
        return sorted(obj["metadata"]["name"] for obj in self.sets.get(number, {}).values())

    async def until(self, found: Callable[[], Any], seconds: float = 20.0) -> Any:
        """Wait until this is true."""
        end = clock.monotonic() + seconds
        while not (result := found()):
            assert clock.monotonic() < end, f"not within {seconds} s; last said: {self.said[-3:]}"
            await clock.sleep(0.01)
        return result

    def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.stream.write(data)

    async def _read(self) -> None:
        try:
            await self._read_on()
        except ConnectionError:
            pass
        self.ended = True

    async def _read_on(self) -> None:
        while True:
            await self.reading.wait()
            data = await self.stream.read()
            if not data:
                return
            self.protocol.receive_data(data)
            for frame in self.protocol.events_received():
                if frame.opcode is Opcode.TEXT:
                    self._take(orjson.loads(frame.data))
            self._flush()

    def _take(self, said: Obj) -> None:
        self.said.append(said)
        number = said.get("id", -1)
        if said["type"] == "list":
            shown = self.lists.setdefault(number, {})
            if said.get("reset"):
                shown.clear()
            for at, row in said["rows"].items():
                if row is None:
                    shown.pop(int(at), None)
                    continue
                self._never_older(number, row["uid"], row["revision"])
                shown[int(at)] = row
        elif said["type"] == "objects":
            kept = self.sets.setdefault(number, {})
            if said.get("reset"):
                kept.clear()
            for uid in said["gone"]:
                kept.pop(uid, None)
            for obj in said["set"]:
                self._never_older(number, obj["metadata"]["uid"], obj["metadata"]["resourceVersion"])
                kept[obj["metadata"]["uid"]] = obj
        elif said["type"] == "object" and said["object"]:
            metadata = said["object"]["metadata"]
            self._never_older(number, metadata["uid"], metadata["resourceVersion"])
        for watcher in self.watchers:
            watcher(said)

    def _never_older(self, number: int, uid: str, version: str) -> None:
        before = self.newest.get((number, uid), 0)
        assert int(version) >= before, f"version {version} of {uid} after {before}"
        self.newest[(number, uid)] = int(version)


@dataclass
class Browser:
    """A browser, signed in."""

    console: Console
    cookie: str = ""
    proof: str = ""

    def headers(self, method: str = "GET", **more: str | None) -> dict[str, str]:
        own: dict[str, str | None] = {"host": HOST}
        if self.cookie:
            own["cookie"] = self.cookie
        if method not in ("GET", "HEAD"):
            own |= {"origin": f"http://{HOST}", "x-homeostat-csrf": self.proof, "content-type": "application/json"}
        own |= {name.replace("_", "-"): value for name, value in more.items()}
        return {name: value for name, value in own.items() if value is not None}

    async def send(self, method: str, path: str, body: Any = None, **headers: str | None) -> Response:
        raw = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        place, _, query = path.partition("?")
        parameters = dict(part.split("=", 1) for part in query.split("&")) if query else {}
        request = Request(method, place, parameters, self.headers(method, **headers), raw, target=path.encode())
        return await self.console.handle(request)

    async def sign_in(self, token: str) -> Browser:
        response = await self.send("POST", "/console/session", {"token": token})
        assert response.status == 200, response.body
        self.cookie = response.headers["set-cookie"].partition(";")[0]
        self.proof = orjson.loads(response.body)["csrf"]
        return self

    async def upgrade(self, **headers: str | None) -> Response:
        own = {"connection": "Upgrade", "upgrade": "websocket", "origin": f"http://{HOST}",
               "sec-websocket-version": "13", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA=="}  # fmt: skip
        request = Request("GET", "/console/live", {}, self.headers(**{**own, **headers}), target=b"/console/live")
        return await self.console.handle(request)

    async def page(self) -> Page:
        response = await self.upgrade()
        assert response.status == 101 and response.upgrade is not None, response.body
        ours, theirs = duplex.pair()
        tasks.spawn(response.upgrade(theirs), name="page's server")  # type: ignore[arg-type]
        return Page(ours)


@dataclass
class Bench:
    """`world` speaks to the first API server in process, whatever its slot is like."""

    console: Console
    slots: list[Slot]
    world: api_edge.World

    async def browser(self, token: str = "admin") -> Browser:
        return await Browser(self.console).sign_in(token)

    async def page(self, token: str = "admin") -> Page:
        return await (await self.browser(token)).page()

    async def config_map(self, name: str, **data: str) -> Obj:
        return await self.world.make(MAPS, {"metadata": {"name": name}, "data": data})


def story(
    test: Callable[[Bench], Awaitable[None]],
    *,
    servers: int = 1,
    seed: int = 1,
    settings: Mapping[str, Any] | None = None,
    **changes: Any,
) -> None:
    """Run `test` against a fresh Console and `servers` API servers on one store."""

    async def main() -> None:
        state = MemoryState()
        made = [await api_edge.start(state, api_edge.config(static_tokens=TOKENS, **changes)) for _ in range(servers)]
        await clock.sleep(0.5)
        slots = [Slot(server) for server in made]
        names = [(f"master-{at + 1}", "http://unused") for at in range(servers)]
        carriers = [(name, slot) for (name, _), slot in zip(names, slots, strict=True)]
        console = Console(ConsoleSettings(names, KEY, **(settings or {})), carriers, PORT)  # type: ignore[arg-type]
        console.start()
        bench = Bench(console, slots, api_edge.World(made[0]))
        await bench.world.account()
        await test(bench)
        await console.stop()
        for server in made:
            await server.stop()

    virtual.run(main, seed=seed)
