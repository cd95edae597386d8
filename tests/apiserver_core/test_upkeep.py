"""Upkeep: history is compacted five minutes late, Events end after event-ttl."""

from __future__ import annotations

import pytest

from homeostat.apiserver.settings import Settings
from homeostat.kit import clock
from homeostat.store.contract import Compacted

EVENTS = "/api/v1/namespaces/default/events"
MAPS = "/api/v1/namespaces/default/configmaps"


def event(name, **more):
    return {"metadata": {"name": name}, "involvedObject": {"kind": "Pod", "namespace": "default", "name": "a"}, **more}


def test_events_end_when_nobody_has_seen_them_for_an_hour(story):
    async def scenario(one, other):
        await one.create(EVENTS, event("old"))
        await one.create(EVENTS, event("renewed"))
        await clock.sleep(1800)
        await one.merge(f"{EVENTS}/renewed", {"lastTimestamp": clock.now_rfc3339(), "count": 2})
        await clock.sleep(1900)
        assert [item["metadata"]["name"] for item in (await other.get(EVENTS))["items"]] == ["renewed"]
        await clock.sleep(1800)
        assert (await other.get(EVENTS))["items"] == []

    story(scenario, servers=2)


def test_history_is_kept_for_one_interval_at_least(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "a"}})
        old = await api.store.revision()
        await clock.sleep(400)
        await api.merge(f"{MAPS}/a", {"data": {"x": "1"}})
        recent = await api.store.revision()
        await api.merge(f"{MAPS}/a", {"data": {"x": "2"}})
        await clock.sleep(260)
        assert (await api.store.list("/registry/", revision=recent)).entries
        with pytest.raises(Compacted):
            await api.store.list("/registry/", revision=old - 1)

    story(scenario, settings=Settings(compaction_interval_seconds=300))
