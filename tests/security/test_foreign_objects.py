"""Whoever may watch Secrets in one namespace only gets nothing of another, wherever the watch begins.

The identity is a namespace's owner: a role in `mine` with list and watch of Secrets. Over real sockets.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson
import pytest

from homeostat.api.kinds import SECRET
from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.assembly import build_edge
from homeostat.apiserver.settings import Settings
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.http_server import Server, serve
from homeostat.wire.message import User
from tests.support import api_edge, api_site
from tests.support.api_site import Site

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/mine"
TOKENS = {**api_site.TOKENS, "owner": User("owner", ("system:authenticated",))}
# The names are chosen so that a comparison by prefix would be wrong.
FOREIGN = ("mine-too", "other")


def secret(name: str, text: str) -> dict[str, object]:
    return {"metadata": {"name": name, "labels": {"app": "web"}}, "stringData": {"text": text}}


async def prepare(site: Site) -> int:
    """A revision from before all Secrets; then Secrets of the same names in all namespaces, each written twice."""
    world = site.world
    for namespace in ("mine", *FOREIGN):
        await world.make("/api/v1/namespaces", {"metadata": {"name": namespace}})
    rule = api_edge.rule("list watch", "secrets")
    await world.make(f"{RBAC}/roles", {"metadata": {"name": "reader"}, "rules": [rule]})
    subject = {"kind": "User", "name": "owner", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "Role", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"}
    await world.make(f"{RBAC}/rolebindings", {"metadata": {"name": "owner"}, "roleRef": role, "subjects": [subject]})
    before = int((await world.get("/api/v1/secrets")).obj["metadata"]["resourceVersion"])
    await write(site, "first")
    return before


async def write(site: Site, text: str) -> None:
    """Create or change the Secrets of all namespaces, the owner's last: once that is seen, all others were passed."""
    for namespace in (*FOREIGN, "mine"):
        path = f"/api/v1/namespaces/{namespace}/secrets"
        for name in ("token", "z-last"):
            reply = await site.world.post(path, secret(name, text))
            if reply.status != 201:
                reply = await site.world.call("PUT", f"{path}/{name}", secret(name, text))
            assert reply.status in (200, 201), reply.raw


async def outcome(
    site: Site, query: str, *, until: str, at_first: Callable[[], Awaitable[None]] | None = None
) -> list[str]:
    """The owner's events as `TYPE namespace/name`, up to the one of the Secret `z-last` with this text; `at_first` is
    called when the one with the first text has come."""
    caller = await site.call("GET", f"/api/v1/namespaces/mine/secrets?watch=1&{query}", token="owner")
    status, _ = await caller.head()
    assert status == 200, await caller.reader.read(2000)
    found = []
    async for event in events(caller.reader):
        if event["type"] == "BOOKMARK":
            continue
        metadata = event["object"]["metadata"]
        found.append(f"{event['type']} {metadata['namespace']}/{metadata['name']}")
        if metadata["name"] != "z-last":
            continue
        if base64.b64decode(event["object"]["data"]["text"]) == until.encode():
            break
        if at_first is not None:
            await at_first()
    caller.writer.close()
    return found


async def events(reader: asyncio.StreamReader) -> AsyncIterator[dict]:
    """The events of a chunked answer."""
    text = b""
    while size := int(await reader.readline(), 16):
        text += (await reader.readexactly(size + 2))[:-2]
        *lines, text = text.split(b"\n")
        for line in lines:
            yield orjson.loads(line)


MINE = ["mine/token", "mine/z-last"]
FLAVOURS = {
    "plain": "",
    "bookmarks": "&allowWatchBookmarks=true",
    "by label": "&labelSelector=app%3Dweb",
    "by absent label": "&labelSelector=%21absent",
    "by type": "&fieldSelector=type%3DOpaque",
    "all but one name": "&fieldSelector=metadata.name%21%3Dx",
    "no initial events": "&sendInitialEvents=false&resourceVersionMatch=NotOlderThan",
}


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS.keys())
def test_a_resumed_watch_stays_in_its_namespace(flavour: str) -> None:
    async def test(site: Site) -> None:
        before = await prepare(site)
        found = await outcome(site, f"resourceVersion={before}{flavour}", until="first")
        assert found == [f"ADDED {name}" for name in MINE]

    api_site.story(test, static_tokens=TOKENS)


@pytest.mark.parametrize("start", ["", "resourceVersion=0", "initial"])
def test_a_watch_from_the_state_stays_in_its_namespace_also_when_it_goes_on(start: str) -> None:
    async def test(site: Site) -> None:
        await prepare(site)
        query = start
        if start == "initial":
            query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        found = await outcome(site, query, until="second", at_first=lambda: write(site, "second"))
        assert found == [*(f"ADDED {name}" for name in MINE), *(f"MODIFIED {name}" for name in MINE)]

    api_site.story(test, static_tokens=TOKENS)


def test_a_name_in_the_field_selector_does_not_open_other_namespaces() -> None:
    async def test(site: Site) -> None:
        before = await prepare(site)
        query = f"resourceVersion={before}&fieldSelector=metadata.name%3Dz-last"
        assert await outcome(site, query, until="first") == ["ADDED mine/z-last"]
        foreign = f"resourceVersion={before}&fieldSelector=metadata.namespace%3Dother"
        caller = await site.call("GET", f"/api/v1/namespaces/mine/secrets?watch=1&timeoutSeconds=1&{foreign}",
                                 token="owner")  # fmt: skip
        status, _, body = await caller.answer()
        assert (status, body) == (200, b"")

    api_site.story(test, static_tokens=TOKENS)


def test_a_table_of_a_resumed_watch_has_no_foreign_rows() -> None:
    async def test(site: Site) -> None:
        before = await prepare(site)
        path = f"/api/v1/namespaces/mine/secrets?watch=1&timeoutSeconds=1&resourceVersion={before}"
        accept = "Accept: application/json;as=Table;v=v1;g=meta.k8s.io"
        caller = await site.call("GET", path, accept, token="owner")
        _, _, body = await caller.answer()
        rows = [row for line in body.splitlines() for row in orjson.loads(line)["object"]["rows"]]
        assert [row["object"]["metadata"]["namespace"] for row in rows] == ["mine"] * 2

    api_site.story(test, static_tokens=TOKENS)


@pytest.mark.parametrize("settings", [Settings(), Settings(window_events=2)], ids=["later server", "short window"])
def test_a_watch_that_resumes_from_the_history_stays_in_its_namespace(settings: Settings) -> None:
    """The server's window begins after the resourceVersion: it started later, or its window is short."""

    async def test(site: Site, state: MemoryState) -> None:
        short = settings != Settings()
        if short:
            later, edge = await begin(state, settings)
        before = await prepare(site)
        if not short:
            later, edge = await begin(state, settings)
        try:
            other = Site(site.world, edge)
            found = await outcome(other, f"resourceVersion={before}", until="first")
            assert found == [f"ADDED {name}" for name in MINE]
            assert later.reader.changes(SECRET, before) is None, "it was not the history that answered"
        finally:
            await edge.close(grace_seconds=0)
            await later.stop()

    state = MemoryState()
    api_site.story(lambda site: test(site, state), state=state, static_tokens=TOKENS)


async def begin(state: MemoryState, settings: Settings) -> tuple[ApiServer, Server]:
    """One more server on the same store, and its socket."""
    store = MemoryStore(state)
    await store.start()
    server = ApiServer(store, settings=settings, parts=build_edge(api_edge.config(static_tokens=TOKENS)))
    await server.start()
    return server, await serve(server.handle)
