"""The client and a whole API server in one process: objects, pages, watches and errors come through unharmed."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from homeostat.api import kinds
from homeostat.api.errors import ApiError
from homeostat.apiserver.api_server import ApiServer
from homeostat.apiserver.settings import Settings
from homeostat.client.api_client import ApiClient
from homeostat.client.contract import JSON_PATCH
from homeostat.client.in_process import InProcessTransport
from homeostat.kit import clock, virtual
from homeostat.store.memory import MemoryState, MemoryStore
from homeostat.wire.cause import Seen, WriteCause
from homeostat.wire.message import Request, User


@pytest.fixture
def talk():
    """Runs `use(client)` against a server that has a default namespace."""

    def run(use):
        async def main():
            store = MemoryStore(MemoryState())
            await store.start()
            server = ApiServer(store, settings=Settings())
            await server.start()
            client = ApiClient(InProcessTransport([server.handle], User("system:kube-scheduler", ("system:masters",))))
            await client.create(kinds.NAMESPACE, {"metadata": {"name": "default"}})
            await use(client)
            await client.close()
            await server.stop()
            await store.close()

        virtual.run(main, seed=1)

    return run


def config_map(name, **data):
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def names(items):
    return [item["metadata"]["name"] for item in items]


def test_a_life_from_creation_to_deletion(talk):
    async def use(client):
        made = await client.create(kinds.CONFIGMAP, config_map("m", a="1"))
        assert await client.get(kinds.CONFIGMAP, "m", "default") == made
        made["data"]["a"] = "2"
        changed = await client.update(kinds.CONFIGMAP, made)
        assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
        patched = await client.patch(kinds.CONFIGMAP, "m", "default", {"data": {"b": "3"}})
        assert patched["data"] == {"a": "2", "b": "3"}
        operations = [{"op": "remove", "path": "/data/a"}]
        patched = await client.patch(kinds.CONFIGMAP, "m", "default", operations, content_type=JSON_PATCH)
        assert patched["data"] == {"b": "3"}
        await client.delete(kinds.CONFIGMAP, "m", "default")
        with pytest.raises(ApiError) as caught:
            await client.get(kinds.CONFIGMAP, "m", "default")
        assert (caught.value.code, caught.value.reason) == (404, "NotFound")

    talk(use)


@pytest.mark.parametrize(
    ("obj", "code", "reason"),
    [
        (config_map("m"), 409, "AlreadyExists"),
        (config_map("No!"), 422, "Invalid"),
        ({"metadata": {"namespace": "default"}}, 422, "Invalid"),
        ({"metadata": {"name": "x", "namespace": "default"}, "data": 5}, 400, "BadRequest"),
    ],
)
def test_a_refusal_is_the_servers_error(talk, obj, code, reason):
    async def use(client):
        await client.create(kinds.CONFIGMAP, config_map("m"))
        with pytest.raises(ApiError) as caught:
            await client.create(kinds.CONFIGMAP, obj)
        assert (caught.value.code, caught.value.reason) == (code, reason)
        assert caught.value.message

    talk(use)


def test_a_stale_update_is_a_conflict_that_a_second_reading_solves(talk):
    async def use(client):
        old = await client.create(kinds.CONFIGMAP, config_map("m", n="0"))
        await client.patch(kinds.CONFIGMAP, "m", "default", {"data": {"n": "1"}})
        with pytest.raises(ApiError) as caught:
            await client.update(kinds.CONFIGMAP, {**old, "data": {"n": "2"}})
        assert (caught.value.code, caught.value.reason) == (409, "Conflict")
        fresh = await client.get(kinds.CONFIGMAP, "m", "default")
        assert (await client.update(kinds.CONFIGMAP, {**fresh, "data": {"n": "2"}}))["data"] == {"n": "2"}

    talk(use)


def test_pages_lead_through_everything(talk):
    async def use(client):
        for number in range(7):
            await client.create(kinds.CONFIGMAP, config_map(f"m{number}"))
        seen, token = [], ""
        while True:
            page = await client.list(kinds.CONFIGMAP, "default", limit=3, next_token=token)
            seen += names(page.items)
            token = page.next_token
            if not token:
                break
        assert seen == [f"m{number}" for number in range(7)]
        some = await client.list(kinds.CONFIGMAP, "default", fields="metadata.name=m3")
        assert names(some.items) == ["m3"]

    talk(use)


def test_a_list_and_the_watch_after_it_miss_nothing(talk):
    async def use(client):
        await client.create(kinds.CONFIGMAP, config_map("before"))
        listing = await client.list(kinds.CONFIGMAP, "default")
        await client.create(kinds.CONFIGMAP, config_map("between"))
        reported = []
        async with aclosing(
            client.watch(kinds.CONFIGMAP, "default", resource_version=listing.resource_version)
        ) as events:
            await client.delete(kinds.CONFIGMAP, "before", "default")
            async for event in events:
                reported.append((event.type, event.obj["metadata"]["name"]))
                if len(reported) == 2:
                    break
        assert names(listing.items) == ["before"]
        assert reported == [("ADDED", "between"), ("DELETED", "before")]

    talk(use)


def test_a_cause_reaches_the_journal(talk):
    """Why a write was made is asked of the server afterwards (`homeostat why`)."""

    async def use(client):
        why = WriteCause("scheduler", "default/m", "because", (Seen("Pod", "default", "p", 4),))
        await client.create(kinds.CONFIGMAP, config_map("m"), cause=why)
        await clock.sleep(0.1)
        reply = await client.raw(Request("GET", "/homeostat/journal", {}))
        assert reply.status == 200
        assert b'"scheduler"' in reply.body and b"because" in reply.body

    talk(use)


def test_a_collection_goes_at_once(talk):
    async def use(client):
        for name in ("a", "b"):
            await client.create(kinds.CONFIGMAP, config_map(name))
        await client.delete_collection(kinds.CONFIGMAP, "default")
        assert (await client.list(kinds.CONFIGMAP, "default")).items == []

    talk(use)


def test_a_dry_run_leaves_nothing(talk):
    async def use(client):
        shown = await client.create(kinds.CONFIGMAP, config_map("m"), dry_run=True)
        assert shown["metadata"]["uid"]
        assert (await client.list(kinds.CONFIGMAP, "default")).items == []

    talk(use)
