"""Servers that die, fall behind or lose their store: what clients see, and that nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

from homeostat.kit import clock, tasks
from homeostat.store.contract import Compacted, Unavailable

MAPS = "/api/v1/namespaces/default/configmaps"


class SlowAdmission:
    """Holds every create for a second."""

    name = "Slow"

    async def mutate(self, attributes):
        if attributes.kind.plural == "configmaps":
            await clock.sleep(1)

    async def validate(self, attributes):
        pass


def test_a_request_under_way_when_its_server_dies_is_never_answered(story, with_parts):
    async def scenario(api):
        call = tasks.spawn(api.send("POST", MAPS, {"metadata": {"name": "a"}}), name="call")
        await api.settle()
        await api.server.stop()
        with pytest.raises(ConnectionResetError):
            await call

    story(scenario, parts=with_parts(admission=[SlowAdmission()]))


def test_a_read_that_waits_for_the_store_breaks_when_its_server_dies(story):
    async def scenario(api):
        call = tasks.spawn(api.send("GET", MAPS, resourceVersion="1000"), name="call")
        await api.settle()
        await api.server.stop()
        with pytest.raises(ConnectionResetError):
            await call

    story(scenario)


def test_a_server_that_lost_track_loads_everything_again_and_drops_its_watches_with_410(story, monkeypatch):
    async def scenario(one, other):
        await one.create(MAPS, {"metadata": {"name": "a"}})
        watch = await other.watch(MAPS)
        follow = other.store.watch
        tries = []

        async def lost(prefix, *, after_revision):
            tries.append(after_revision)
            if len(tries) == 1:
                raise Compacted(after_revision, after_revision + 1)
            async for batch in follow(prefix, after_revision=after_revision):
                yield batch

        monkeypatch.setattr(other.store, "watch", lost)
        # The watch that runs ends as a store's watch does when its store is closed.
        await other.store.close()
        await other.store.start()
        await one.create(MAPS, {"metadata": {"name": "b"}})
        await clock.sleep(1)
        assert watch.events[-1]["type"] == "ERROR"
        assert watch.events[-1]["object"]["code"] == 410
        names = [item["metadata"]["name"] for item in (await other.get(MAPS, resourceVersion="0"))["items"]]
        assert names == ["a", "b"]
        again = await other.watch(MAPS)
        await one.create(MAPS, {"metadata": {"name": "c"}})
        await other.settle()
        assert [name for _, name in again.received()] == ["a", "b", "c"]
        await again.stop()

    story(scenario, servers=2)


def test_a_store_that_is_away_for_a_while_costs_a_pause_and_nothing_else(story, monkeypatch):
    async def scenario(one, other):
        watch = await other.watch(MAPS)
        await other.store.close()
        await one.create(MAPS, {"metadata": {"name": "a"}})
        status, error = await other.ask("GET", MAPS)
        assert (status, error["reason"]) == (503, "ServiceUnavailable")
        await other.store.start()
        await clock.sleep(1)
        assert watch.received() == [("ADDED", "a")]
        await watch.stop()

    story(scenario, servers=2)


def test_a_server_whose_watch_of_the_store_fails_in_an_unknown_way_goes_on(story, monkeypatch):
    async def scenario(one, other):
        follow = other.store.watch
        failed = []

        async def failing(prefix, *, after_revision):
            if not failed:
                failed.append(after_revision)
                raise ValueError("a value that nobody expects")
            async for batch in follow(prefix, after_revision=after_revision):
                yield batch

        monkeypatch.setattr(other.store, "watch", failing)
        # The watch that is under way ends, and the next one fails.
        await other.store.close()
        await other.store.start()
        await clock.sleep(1)
        assert failed
        await one.create(MAPS, {"metadata": {"name": "a"}})
        assert (await other.get(f"{MAPS}/a"))["metadata"]["name"] == "a"

    story(scenario, servers=2)


def test_many_writers_on_three_servers_leave_every_server_with_the_same_state(story):
    async def scenario(*apis):
        await apis[0].create(MAPS, {"metadata": {"name": "shared"}, "data": {"count": "0"}})

        async def add(api):
            for _ in range(5):
                while True:
                    obj = await api.get(f"{MAPS}/shared")
                    obj["data"]["count"] = str(int(obj["data"]["count"]) + 1)
                    if (await api.ask("PUT", f"{MAPS}/shared", obj))[0] == 200:
                        break

        watches = [await api.watch(MAPS) for api in apis]
        await asyncio.gather(*(add(api) for api in apis for _ in range(3)))
        await apis[0].settle()
        states = [await api.get(f"{MAPS}/shared", resourceVersion="0") for api in apis]
        assert states[0]["data"] == {"count": "45"}
        assert states[0] == states[1] == states[2]
        assert watches[0].events == watches[1].events == watches[2].events
        counts = [int(event["object"]["data"]["count"]) for event in watches[0].events]
        assert counts == list(range(46))
        for watch in watches:
            await watch.stop()

    story(scenario, servers=3)


def test_unavailable_is_named(story, monkeypatch):
    async def scenario(api):
        async def away():
            raise Unavailable("the file is gone")

        monkeypatch.setattr(api.store, "revision", away)
        _, error = await api.ask("GET", MAPS)
        assert "the file is gone" in error["message"]
        assert (await api.ask("GET", MAPS, resourceVersion="0"))[0] == 200

    story(scenario)
