"""A server with its edge over a memory store, and a few words to talk to it. On virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.assembly import EdgeConfig, build_edge
from homeostat.kit import clock, virtual
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.message import Request, User

Obj = dict[str, Any]
ADMIN = User("admin", ("system:masters", "system:authenticated"))


@cache
def signing_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def config(**changes: Any) -> EdgeConfig:
    return replace(EdgeConfig(service_account_key=signing_key(), service_cluster_ip_range="127.11.0.0/24"), **changes)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def obj(self) -> Obj:
        return orjson.loads(self.raw)

    @property
    def message(self) -> str:
        return self.obj["message"]


class World:
    """One server; `admin` and `call` send requests into it in process."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.reader, self.writer = server.reader, server.writer

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: User | None = ADMIN,
        headers: dict[str, str] | None = None,
        peer: User | None = None,
    ) -> Reply:
        path, _, query = path.partition("?")
        parameters = dict(part.split("=", 1) for part in query.split("&")) if query else {}
        raw = body if isinstance(body, bytes) else orjson.dumps(body) if body is not None else b""
        request = Request(method, path, parameters, headers or {}, raw, user, peer)
        response = await self.server.handle(request)
        payload = response.body
        if not isinstance(payload, bytes):
            payload = b"".join([chunk async for chunk in payload])
        return Reply(response.status, response.headers, payload)

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any, **options: Any) -> Reply:
        return await self.call("POST", path, body, **options)

    async def make(self, path: str, body: Obj) -> Obj:
        reply = await self.post(path, body)
        assert reply.status == 201, reply.raw
        return reply.obj

    async def account(self, namespace: str = "default", name: str = "default", **more: Any) -> Obj:
        """A ServiceAccount: no loop makes the default one here."""
        return await self.make(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}, **more})

    async def pod(self, name: str = "web", namespace: str = "default", **spec: Any) -> Obj:
        return await self.make(f"/api/v1/namespaces/{namespace}/pods", pod(name, **spec))


def pod(name: str, *, labels: Obj | None = None, **spec: Any) -> Obj:
    container = {"name": "app", "image": "none", "command": ["true"]}
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"containers": [container], **spec}}


def rule(
    verbs: str, resources: str = "", group: str = "", names: tuple[str, ...] = (), urls: tuple[str, ...] = ()
) -> Obj:
    """A PolicyRule; `verbs` and `resources` are words."""
    made: Obj = {"verbs": verbs.split()}
    if resources:
        made |= {"apiGroups": [group], "resources": resources.split()}
    if names:
        made["resourceNames"] = list(names)
    if urls:
        made["nonResourceURLs"] = list(urls)
    return made


def story(test: Callable[[World], Awaitable[None]], *, settle: float = 0.5, **changes: Any) -> None:
    """Run `test` against a fresh server once its first objects are there."""

    async def main() -> None:
        servers = await start(MemoryState(), config(**changes))
        await clock.sleep(settle)
        await test(World(servers))
        await servers.stop()

    virtual.run(main, seed=1)


async def start(state: MemoryState, settings: EdgeConfig) -> ApiServer:
    store = MemoryStore(state)
    await store.start()
    server = ApiServer(store, parts=build_edge(settings))
    await server.start()
    return server
