"""Writes without a resourceVersion, while others write the same object: they win in the end, and lose nothing.

Rule: AllowUnconditionalUpdate and GuaranteedUpdate of apiserver's registry: what names no version is made again on top
of what came in between.
"""

from __future__ import annotations

import orjson
import pytest

from homeostat.api.kinds import CONFIGMAP
from homeostat.store.contract import Entry
from tests.apiserver_core.conftest import Api

MAPS = "/api/v1/namespaces/default/configmaps"
OTHERS = 50
MERGE = "application/merge-patch+json"


def contended(api: Api, name: str, writes: int) -> None:
    """Before each of the next `writes` commits of the object, somebody else writes its labels."""
    state, commit = api.store._state, api.store.commit
    key = CONFIGMAP.key("default", name)
    left = writes

    async def later(written: str, expected: int, value: bytes, *, delete: bool = False) -> int:
        nonlocal left
        if written == key and left:
            left -= 1
            entry: Entry = state.live[key]
            cause, _, body = entry.value.partition(b"\n")
            obj = orjson.loads(body)
            obj["metadata"]["labels"] = {"others": str(writes - left)}
            state.apply(key, entry.revision, cause + b"\n" + orjson.dumps(obj), delete=False)
        return await commit(written, expected, value, delete=delete)

    api.store.commit = later


@pytest.mark.parametrize("others", [1, OTHERS])
def test_an_update_without_a_version_wins_however_often_others_come_first(story, others):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m"}, "data": {"k": "old"}})
        contended(api, "m", others)
        status, obj = await api.ask("PUT", f"{MAPS}/m", {"metadata": {"name": "m"}, "data": {"k": "new"}})
        assert (status, obj["data"]) == (200, {"k": "new"})
        stored = await api.get(f"{MAPS}/m")
        assert stored["data"] == {"k": "new"} and "labels" not in stored["metadata"]

    story(scenario)


def test_an_update_with_a_version_is_a_conflict_when_others_come_first(story):
    async def scenario(api):
        made = await api.create(MAPS, {"metadata": {"name": "m"}, "data": {"k": "old"}})
        contended(api, "m", 1)
        sent = {"metadata": {"name": "m", "resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"k": "new"}}
        status, answer = await api.ask("PUT", f"{MAPS}/m", sent)
        assert (status, answer["reason"]) == (409, "Conflict")
        assert (await api.get(f"{MAPS}/m"))["data"] == {"k": "old"}

    story(scenario)


def test_a_patch_is_made_again_on_top_of_what_others_wrote(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m"}, "data": {"k": "old"}})
        contended(api, "m", OTHERS)
        status, obj = await api.ask("PATCH", f"{MAPS}/m", {"data": {"k": "new"}}, media=MERGE)
        assert (status, obj["data"], obj["metadata"]["labels"]) == (200, {"k": "new"}, {"others": str(OTHERS)})

    story(scenario)


def test_a_json_patch_that_is_made_again_adds_once(story):
    """What an operation adds is not what a later one changed the last time."""

    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m"}})
        contended(api, "m", 5)
        patch = [
            {"op": "add", "path": "/metadata/finalizers", "value": []},
            {"op": "add", "path": "/metadata/finalizers/-", "value": "a.b/c"},
        ]
        status, obj = await api.ask("PATCH", f"{MAPS}/m", patch, media="application/json-patch+json")
        assert (status, obj["metadata"]["finalizers"]) == (200, ["a.b/c"])

    story(scenario)


def test_a_delete_wins_however_often_others_come_first(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m"}})
        contended(api, "m", OTHERS)
        status, _ = await api.ask("DELETE", f"{MAPS}/m")
        assert status == 200
        assert (await api.send("GET", f"{MAPS}/m")).status == 404

    story(scenario)


def test_a_conflict_warns_once_of_what_is_unknown(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "m"}})
        contended(api, "m", 3)
        reply = await api.send("PUT", f"{MAPS}/m", {"metadata": {"name": "m"}, "extra": 1})
        assert (reply.status, reply.headers["warning"]) == (200, '299 - "unknown field \\"extra\\""')

    story(scenario)
