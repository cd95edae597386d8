"""Stories about API servers in process, on virtual time, over one store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest

from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.contract import Build, Parts
from homeostat.apiserver.settings import Settings
from homeostat.kit import clock, tasks, virtual
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import Request, Response, User

ADMIN = User("admin", ("system:masters",))
PODS = "/api/v1/namespaces/default/pods"


class Watch:
    """A watch that is being read: `events` grows as they come; `ended` says how it ended."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self.events: list[dict[str, Any]] = []
        self.chunks: list[bytes] = []
        self.ended: str = ""
        self._stream = stream
        self.task = tasks.spawn(self._read(), name="test-watch")

    async def _read(self) -> None:
        try:
            async for chunk in self._stream:
                self.chunks.append(chunk)
                self.events += [orjson.loads(line) for line in chunk.splitlines()]
            self.ended = "closed"
        except ConnectionError:
            self.ended = "broken"

    def received(self) -> list[tuple[str, str]]:
        """(type, name) of what came, bookmarks left out."""
        return [
            (event["type"], event["object"]["metadata"].get("name", ""))
            for event in self.events
            if event["type"] != "BOOKMARK"
        ]

    async def stop(self) -> None:
        """Stop reading, as a client that goes away."""
        await tasks.stop(self.task)


class Api:
    """One API server, and short ways to ask it."""

    def __init__(self, state: MemoryState, settings: Settings, parts: Build | None) -> None:
        self.store = MemoryStore(state)
        self.server = ApiServer(self.store, settings=settings, parts=parts)
        self.user = ADMIN

    async def start(self) -> None:
        await self.store.start()
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop()
        await self.store.close()

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        media: str = "application/json",
        headers: dict[str, str] | None = None,
        **query: str,
    ) -> Response:
        raw = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        sent = {"content-type": media, **(headers or {})}
        return await self.server.handle(Request(method, path, query, sent, raw, self.user))

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        response = await self.send(method, path, body, **options)
        assert isinstance(response.body, bytes)
        return response.status, orjson.loads(response.body)

    async def get(self, path: str, **query: str) -> Any:
        status, obj = await self.ask("GET", path, **query)
        assert status == 200, obj
        return obj

    async def create(self, path: str, obj: Any, **query: str) -> Any:
        status, created = await self.ask("POST", path, obj, **query)
        assert status == 201, created
        return created

    async def pod(self, name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> Any:
        """A new Pod in `default`."""
        containers = [{"name": "main", "image": "app"}]
        metadata = {"name": name, "labels": labels or {}}
        return await self.create(PODS, {"metadata": metadata, "spec": {"containers": containers, **spec}})

    async def merge(self, path: str, patch: Any, **query: str) -> Any:
        status, obj = await self.ask("PATCH", path, patch, media="application/merge-patch+json", **query)
        assert status == 200, obj
        return obj

    async def newest(self, path: str = PODS) -> str:
        """The revision of a list now."""
        return str((await self.get(path, limit="1"))["metadata"]["resourceVersion"])

    async def settle(self) -> None:
        """Let everything that is ready run; virtual time moves by a moment."""
        await clock.sleep(0.001)

    async def watch(self, path: str = PODS, **query: str) -> Watch:
        response = await self.send("GET", path, watch="true", **query)
        assert response.status == 200, response.body
        assert not isinstance(response.body, bytes)
        watch = Watch(response.body)
        await self.settle()
        return watch


Story = Callable[..., None]


@pytest.fixture
def story() -> Story:
    """Runs `scenario(api, ...)` with as many API servers on one store as it takes."""

    def run(
        scenario: Callable[..., Awaitable[None]],
        *,
        servers: int = 1,
        settings: Settings | None = None,
        parts: Build | None = None,
        state: MemoryState | None = None,
    ) -> None:
        async def main() -> None:
            shared = state or MemoryState()
            apis = [Api(shared, settings or Settings(), parts) for _ in range(servers)]
            for api in apis:
                await api.start()
            await apis[0].create("/api/v1/namespaces", {"metadata": {"name": "default"}})
            await scenario(*apis)
            for api in apis:
                await api.stop()

        virtual.run(main, seed=1)

    return run


@pytest.fixture
def with_parts() -> Callable[..., Build]:
    """A build function for the given parts."""
    return lambda **parts: lambda reader, writer: Parts(**parts)
